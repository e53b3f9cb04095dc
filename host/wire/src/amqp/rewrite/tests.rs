use super::*;
use crate::Step;
use crate::amqp::{ContentHeader, Decoder, Frame};
use crate::limits::AmqpLimits;

/// A content header frame on channel 3 for a body of 5 bytes.
fn frame(flags: u16, list: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 3];
    frame.extend_from_slice(&(list.len() as u32 + 14).to_be_bytes());
    frame.extend_from_slice(&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    frame.extend_from_slice(&flags.to_be_bytes());
    frame.extend_from_slice(list);
    frame.push(FRAME_END);
    frame
}

/// A table with its length.
fn table(entries: &[u8]) -> Vec<u8> {
    [&(entries.len() as u32).to_be_bytes(), entries].concat()
}

fn header(bytes: &[u8]) -> ContentHeader {
    match Decoder::broker(AmqpLimits::default()).next(bytes) {
        Ok(Step::Frame { frame: Frame::Header(header), len }) if len == bytes.len() => header,
        other => panic!("{other:?}"),
    }
}

fn rewritten(bytes: &[u8], edits: &[HeaderEdit<'_>], frame_max: u32) -> Result<Vec<u8>, Refusal> {
    let properties = header(bytes).properties(bytes).unwrap();
    let rewrite = Rewrite::plan(&properties, edits, frame_max)?;
    let mut out = Vec::new();
    rewrite.write(&mut out);
    assert_eq!(rewrite.frame_len(), out.len() as u64, "the length is known before writing");
    assert_eq!(rewrite.is_unchanged(), out == bytes);
    Ok(out)
}

fn set<'a>(name: &'a [u8], value: &'a [u8]) -> HeaderEdit<'a> {
    HeaderEdit { name, value: Some(value) }
}

fn remove(name: &[u8]) -> HeaderEdit<'_> {
    HeaderEdit { name, value: None }
}

#[test]
fn a_message_without_table_gets_one_where_it_belongs() {
    let edits = [set(b"traceparent", b"00-ab")];
    let added = table(b"\x0btraceparentS\x00\x00\x00\x0500-ab");
    // Nothing, content-type and delivery-mode, everything but the table.
    let all_but: &[u8] = b"\x01b\x02\x09\x01c\x01d\x01e\x01f\0\0\0\0\0\0\0\x07\x01g\x01h\x01i\x01j";
    let before: [(u16, &[u8], &[u8]); 3] =
        [(0, b"", b""), (0x9000, b"\x03a/b", b"\x02"), (0xdffc, b"\x01a\x01b", &all_but[2..])];
    for (flags, front, behind) in before {
        let bytes = frame(flags, &[front, behind].concat());
        let wanted = frame(flags | 0x2000, &[front, &added, behind].concat());
        assert_eq!(rewritten(&bytes, &edits, 0), Ok(wanted));
    }
}

#[test]
fn headers_keep_their_order_their_spelling_and_their_types() {
    let bytes = frame(
        0x2000,
        &table(b"\x01aI\0\0\0\x07\x0bTraceParentS\0\0\0\x03old\x01bF\0\0\0\x03\x01xV"),
    );
    let wanted = frame(
        0x2000,
        &table(
            b"\x01aI\0\0\0\x07\x0bTraceParentS\0\0\0\x04newe\x01bF\0\0\0\x03\x01xV\
              \x05stateS\0\0\0\x01x",
        ),
    );
    let edits = [set(b"traceparent", b"newe"), set(b"state", b"x"), remove(b"absent")];
    assert_eq!(rewritten(&bytes, &edits, 0), Ok(wanted));
}

#[test]
fn duplicates_of_a_header_that_is_set_go() {
    let bytes = frame(0x2000, &table(b"\x01aS\0\0\0\x011\x01bV\x01AS\0\0\0\x012\x01aV"));
    let wanted = frame(0x2000, &table(b"\x01aS\0\0\0\x019\x01bV"));
    assert_eq!(rewritten(&bytes, &[set(b"a", b"9")], 0), Ok(wanted));
    let wanted = frame(0x2000, &table(b"\x01aS\0\0\0\x011\x01bV"));
    assert_eq!(rewritten(&bytes, &[set(b"a", b"1")], 0), Ok(wanted));
}

#[test]
fn removing_the_last_header_leaves_an_empty_table() {
    let bytes = frame(0x2000, &table(b"\x01aS\0\0\0\x011\x01Ab\x05"));
    assert_eq!(rewritten(&bytes, &[remove(b"a")], 0), Ok(frame(0x2000, &table(b""))));
}

#[test]
fn what_changes_nothing_leaves_the_bytes() {
    let with_table = frame(0x2000, &table(b"\x01aS\0\0\0\x011\x01bx\0\0\0\x012"));
    let same = [set(b"A", b"1"), set(b"b", b"2"), remove(b"c")];
    let table: [(Vec<u8>, &[HeaderEdit<'_>]); 4] = [
        (frame(0, b""), &[]),
        (frame(0, b""), &same[2..]),
        (with_table.clone(), &[]),
        (with_table, &same),
    ];
    for (bytes, edits) in table {
        assert_eq!(rewritten(&bytes, edits, 0), Ok(bytes.clone()));
    }
}

#[test]
fn a_value_of_another_type_is_replaced_by_a_text() {
    let bytes = frame(0x2000, &table(b"\x01aI\0\0\0\x01\x01bF\0\0\0\x03\x01xV\x01cV"));
    let wanted = frame(0x2000, &table(b"\x01aS\0\0\0\x00\x01bS\0\0\0\x01y\x01cV"));
    assert_eq!(rewritten(&bytes, &[set(b"a", b""), set(b"b", b"y")], 0), Ok(wanted));
}

#[test]
fn a_frame_grows_up_to_what_the_receiver_takes() {
    let bytes = frame(0, b"");
    let edits = [set(b"a", b"x")];
    // 4 for the length of the table, 2 for the name, 1 for the type, 4 and 1 for the value.
    let grown = bytes.len() as u32 + 12;
    assert_eq!(rewritten(&bytes, &edits, grown).map(|out| out.len() as u32), Ok(grown));
    assert_eq!(rewritten(&bytes, &edits, grown - 1), Err(Refusal::FrameMax));
    assert!(rewritten(&bytes, &edits, 0).is_ok());
    // One that was too long already may become shorter, or stay.
    let long = frame(0x2000, &table(b"\x01aS\0\0\0\x0aabcdefghij"));
    assert!(rewritten(&long, &[remove(b"a")], 8).is_ok());
    assert!(rewritten(&long, &[set(b"a", b"0123456789")], 8).is_ok());
    assert_eq!(rewritten(&long, &[set(b"a", b"0123456789x")], 8), Err(Refusal::FrameMax));
}

#[test]
fn a_table_that_cannot_be_read_is_left_alone() {
    for entries in [b"\x01aV\x01b?".as_slice(), b"\x09a", b"\x01aS\0\0\0\x09x"] {
        let bytes = frame(0x2000, &table(entries));
        for edits in [[set(b"a", b"1")], [set(b"z", b"1")], [remove(b"z")]] {
            assert_eq!(rewritten(&bytes, &edits, 0), Err(Refusal::HeadersMalformed));
        }
        assert_eq!(rewritten(&bytes, &[], 0), Ok(bytes.clone()));
    }
}

#[test]
fn edits_that_no_table_can_hold_are_refused() {
    let bytes = frame(0, b"");
    let longest = [b'n'; 255];
    assert!(rewritten(&bytes, &[set(&longest, b"")], 0).is_ok());
    let long = [b'n'; 256];
    let refused: [&[HeaderEdit<'_>]; 5] = [
        &[set(b"", b"x")],
        &[set(&long, b"x")],
        &[set(b"a b", b"x")],
        &[set(b"a", b"x"), remove(b"A")],
        &[remove("é".as_bytes())],
    ];
    for edits in refused {
        assert_eq!(rewritten(&bytes, edits, 0), Err(Refusal::Edit));
    }
    let names: Vec<_> = (0..=HEADER_EDITS_MAX).map(|n| format!("n{n}").into_bytes()).collect();
    let edits: Vec<_> = names.iter().map(|name| set(name, b"x")).collect();
    assert_eq!(rewritten(&bytes, &edits, 0), Err(Refusal::Edit));
    assert!(rewritten(&bytes, &edits[1..], 0).is_ok());
}

#[test]
fn properties_without_a_frame_are_rewritten_as_in_one() {
    let edits = [set(b"traceparent", b"00-ab"), remove(b"b3")];
    let mut around = Vec::new();
    for (flags, list) in [
        (0_u16, &b""[..]),
        (0x2000, &[0, 0, 0, 4, 2, b'b', b'3', b'V'][..]),
        (0x9000, b"\x03a/b\x02"),
        (0x2000, b"\0\0\0\x05\x02b3"),
    ] {
        let bytes = frame(flags, list);
        let alone = [&flags.to_be_bytes(), list].concat();
        let header = ContentHeader::around(&alone, &mut around).unwrap();
        let Some(properties) = header.properties(&around) else {
            assert_eq!(self::header(&bytes).properties(&bytes), None, "neither is read");
            continue;
        };
        let rewrite = Rewrite::plan(&properties, &edits, 0).unwrap();
        let mut out = Vec::new();
        rewrite.write_properties(&mut out);
        let whole = rewritten(&bytes, &edits, 0).unwrap();
        assert_eq!(out, whole[FLAGS_AT..whole.len() - 1]);
        let unchanged = Rewrite::plan(&properties, &[], 0).unwrap();
        out.clear();
        unchanged.write_properties(&mut out);
        assert_eq!(out, alone);
    }
    assert_eq!(ContentHeader::around(b"\0", &mut around), None, "flags are two bytes");
}

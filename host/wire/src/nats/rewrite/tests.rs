use super::*;
use crate::Step;
use crate::nats::{BrokerDecoder, BrokerFrame, ClientDecoder, ClientFrame};

const LIMITS: NatsLimits = NatsLimits {
    control_line_bytes_max: 64,
    connect_bytes_max: 64,
    info_bytes_max: 64,
    header_bytes_max: 256,
    payload_bytes_max: 1_000,
};

fn set<'a>(name: &'a str, value: &'a str) -> HeaderEdit<'a> {
    HeaderEdit { name: name.as_bytes(), value: Some(value.as_bytes()) }
}

fn remove(name: &str) -> HeaderEdit<'_> {
    HeaderEdit { name: name.as_bytes(), value: None }
}

fn message(bytes: &[u8]) -> Message {
    let published = ClientDecoder::new(LIMITS).next(bytes);
    if let Ok(Step::Frame { frame: ClientFrame::Publish(message), .. }) = published {
        return message;
    }
    match BrokerDecoder::new(LIMITS).next(bytes) {
        Ok(Step::Frame { frame: BrokerFrame::Deliver(delivery), .. }) => delivery.message,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn rewritten(bytes: &[u8], edits: &[HeaderEdit<'_>], payload_len: u32) -> Result<String, Refusal> {
    let message = message(bytes);
    let rewrite = Rewrite::plan(bytes, &message, edits, payload_len, &LIMITS)?;
    let mut out = Vec::new();
    rewrite.write(&mut out);
    assert_eq!(rewrite.is_unchanged(), out == bytes[..message.head_len()]);
    assert_eq!(i64::from(message.size()) + rewrite.added(), rewrite.size().into());
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn message_without_header_block_gets_one() {
    let wanted = [
        ("PUB s 2\r\nhi\r\n", "HPUB s 18 20\r\n"),
        ("pub\ts  reply\t 02 \r\nhi\r\n", "hpub\ts  reply\t 18 20 \r\n"),
        ("Pub s 2\nhi\r\n", "HPub s 18 20\n"),
        ("MSG s 9 2\r\nhi\r\n", "HMSG s 9 18 20\r\n"),
        ("MSG s 9 r 2\r\nhi\r\n", "HMSG s 9 r 18 20\r\n"),
    ];
    for (before, line) in wanted {
        let after = rewritten(before.as_bytes(), &[set("a", "1")], 2);
        assert_eq!(after, Ok(format!("{line}NATS/1.0\r\na: 1\r\n\r\n")), "{before:?}");
    }
}

#[test]
fn headers_are_set_in_place_added_and_removed() {
    let block = "NATS/1.0\r\nA: 1\r\nTraceParent:\told \r\nb: 2\r\ntraceparent: x\r\n\r\n";
    let before = format!("HPUB s {} {}\r\n{block}hi\r\n", block.len(), block.len() + 2);
    let table: [(&[HeaderEdit<'_>], &str); 6] = [
        (&[set("traceparent", "new")], "NATS/1.0\r\nA: 1\r\nTraceParent:\tnew\r\nb: 2\r\n\r\n"),
        (&[set("traceparent", "old")], "NATS/1.0\r\nA: 1\r\nTraceParent:\told \r\nb: 2\r\n\r\n"),
        (&[remove("TRACEPARENT")], "NATS/1.0\r\nA: 1\r\nb: 2\r\n\r\n"),
        (&[set("c", ""), remove("a"), remove("traceparent")], "NATS/1.0\r\nb: 2\r\nc: \r\n\r\n"),
        (&[remove("a"), remove("b"), remove("traceparent")], "NATS/1.0\r\n\r\n"),
        (&[set("a", "1"), remove("none")], block),
    ];
    for (edits, after) in table {
        let line = format!("HPUB s {} {}\r\n", after.len(), after.len() + 2);
        assert_eq!(rewritten(before.as_bytes(), edits, 2), Ok(format!("{line}{after}")));
    }
}

#[test]
fn status_of_a_broker_survives_an_added_header() {
    let before = b"HMSG s 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n";
    let after = "HMSG s 1 22 22\r\nNATS/1.0 503\r\na: 1\r\n\r\n";
    assert_eq!(rewritten(before, &[set("a", "1")], 0).as_deref(), Ok(after));
}

#[test]
fn numbers_that_still_hold_keep_their_spelling() {
    let before = b"HPUB s  0018\t020\r\nNATS/1.0\r\na: 1\r\n\r\nhi\r\n";
    let same = "HPUB s  0018\t020\r\nNATS/1.0\r\na: 2\r\n\r\n";
    assert_eq!(rewritten(before, &[set("a", "2")], 2).as_deref(), Ok(same));
    let traded = "HPUB s  19\t020\r\nNATS/1.0\r\na: 22\r\n\r\n";
    assert_eq!(rewritten(before, &[set("a", "22")], 1).as_deref(), Ok(traded));
    let grown = "HPUB s  0018\t118\r\nNATS/1.0\r\na: 1\r\n\r\n";
    assert_eq!(rewritten(before, &[], 100).as_deref(), Ok(grown));
}

#[test]
fn payload_may_change_its_length_without_a_header_block() {
    assert_eq!(rewritten(b"PUB s 2\r\nhi\r\n", &[], 10).as_deref(), Ok("PUB s 10\r\n"));
    let unset = rewritten(b"PUB s 2\r\nhi\r\n", &[remove("a")], 2);
    assert_eq!(unset.as_deref(), Ok("PUB s 2\r\n"));
}

#[test]
fn edits_that_could_end_a_line_are_refused() {
    let long = "x".repeat(900);
    let many = vec![set("a", "1"); HEADER_EDITS_MAX + 1];
    let table: [(&[HeaderEdit<'_>], Refusal); 10] = [
        (&[set("", "1")], Refusal::Edit),
        (&[set("a:", "1")], Refusal::Edit),
        (&[set("a b", "1")], Refusal::Edit),
        (&[set("a\r\nb", "1")], Refusal::Edit),
        (&[set("é", "1")], Refusal::Edit),
        (&[set("a", "1\r")], Refusal::Edit),
        (&[set("a", "1\nPUB x 0")], Refusal::Edit),
        (&[set("a", "1"), remove("A")], Refusal::Edit),
        (&many, Refusal::Edit),
        (&[set("a", &long), set("b", &long)], Refusal::MessageLimit),
    ];
    for (edits, refusal) in table {
        assert_eq!(rewritten(b"PUB s 2\r\nhi\r\n", edits, 2), Err(refusal));
    }
}

#[test]
fn blocks_that_cannot_be_read_are_left_alone() {
    let malformed = b"HPUB s 12 14\r\nNATS/1.0\n\r\n\r\nhi\r\n";
    let refused = rewritten(malformed, &[set("a", "1")], 2);
    assert_eq!(refused, Err(Refusal::HeaderMalformed));
    assert!(rewritten(malformed, &[], 2).is_ok(), "without edits nothing has to be read");

    let long = format!("HPUB s 300 302\r\nNATS/1.0\r\n{}", "x".repeat(292));
    assert_eq!(rewritten(long.as_bytes(), &[set("a", "1")], 2), Err(Refusal::HeaderUnseen));
}

#[test]
fn control_line_stays_within_its_limit() {
    let subject = |len: usize| format!("PUB {} 2\r\nhi\r\n", "s".repeat(len));
    // `PUB `, a blank and a digit become `HPUB `, a blank, two digits, a blank and two digits.
    assert!(rewritten(subject(53).as_bytes(), &[set("a", "1")], 2).is_ok());
    let refused = rewritten(subject(54).as_bytes(), &[set("a", "1")], 2);
    assert_eq!(refused, Err(Refusal::ControlLineLength));
    assert!(rewritten(subject(58).as_bytes(), &[], 2).is_ok(), "an unchanged line is not judged");
}

#[test]
fn size_counts_header_and_payload() {
    let bytes = b"PUB s 2\r\nhi\r\n";
    let message = message(bytes);
    let edits = [set("a", "1")];
    let rewrite = Rewrite::plan(bytes, &message, &edits, 2, &LIMITS).unwrap();
    assert_eq!((rewrite.header_len(), rewrite.size(), rewrite.added()), (18, 20, 18));
}

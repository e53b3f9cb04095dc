//! What `amq-protocol` and we make of the same bytes.

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::types::{AMQPValue, FieldTable, LongString, ShortString};
use proptest::prelude::*;
use spanbridge_wire::Step;
use spanbridge_wire::amqp::{Decoder, Frame, HeaderEdit, Rewrite};
use spanbridge_wire::limits::AmqpLimits;

use crate::generate::{damaged, encode, frame, header};
use crate::rewrite::{Edit, borrow, edits};
use crate::same::assert_same;

/// What they make of the first frame; `None` if it is not whole or not well-formed.
pub(crate) fn parse(bytes: &[u8]) -> Option<(AMQPFrame, usize)> {
    let (rest, frame) = parse_frame(bytes).ok()?;
    Some((frame, bytes.len() - rest.len()))
}

/// Both tables are ordered by name, as `amq-protocol` writes them; so are the edits of one name.
fn edited(theirs: Option<FieldTable>, edits: &[Edit]) -> Option<FieldTable> {
    let matches = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let had_table = theirs.is_some();
    let mut done = vec![false; edits.len()];
    let mut result = FieldTable::default();
    for (name, old) in &theirs.unwrap_or_default() {
        match edits.iter().position(|(edit, _)| matches(edit, name.as_str())) {
            None => {
                result.insert(name.clone(), old.clone());
            }
            Some(index) => {
                if let Some(new) = &edits[index].1
                    && !done[index]
                {
                    done[index] = true;
                    let is_same = match old {
                        AMQPValue::LongString(old) => old.as_bytes() == new.as_bytes(),
                        AMQPValue::ByteArray(old) => old.as_slice() == new.as_bytes(),
                        _ => false,
                    };
                    let text = AMQPValue::LongString(LongString::from(new.as_bytes()));
                    result.insert(name.clone(), if is_same { old.clone() } else { text });
                }
            }
        }
    }
    for ((name, new), done) in edits.iter().zip(done) {
        if let (Some(new), false) = (new, done) {
            let text = AMQPValue::LongString(LongString::from(new.as_bytes()));
            result.insert(ShortString::from(name.as_str()), text);
        }
    }
    (had_table || !result.inner().is_empty()).then_some(result)
}

proptest! {
    #[test]
    fn every_frame_that_they_write_reads_the_same(theirs in frame()) {
        let bytes = encode(&theirs);
        let mut decoder = Decoder::broker(AmqpLimits::default());
        let Ok(Step::Frame { frame: ours, len }) = decoder.next(&bytes) else {
            panic!("{}", bytes.escape_ascii());
        };
        let is_body = matches!(ours, Frame::Body { .. });
        prop_assert!(len == bytes.len() || is_body);
        assert_same(ours, &bytes, &theirs);
    }

    /// They refuse more than we do (trailing arguments, texts that are not UTF-8), so only one
    /// direction holds: what they can read, we can.
    #[test]
    fn every_frame_that_they_can_read_we_can(bytes in damaged()) {
        let Some((theirs, len)) = parse(&bytes) else { return Ok(()) };
        if matches!(theirs, AMQPFrame::ProtocolHeader(_) | AMQPFrame::InvalidHeartbeat(_)) {
            return Ok(());
        }
        let found = Decoder::broker(AmqpLimits::default()).next(&bytes[..len]);
        let Ok(Step::Frame { frame: ours, .. }) = found else { panic!("{found:?}: {theirs:?}") };
        if let (Frame::Header(header), AMQPFrame::Header(_, theirs)) = (ours, &theirs) {
            prop_assert_eq!(header.body_size, theirs.body_size);
            // Flags that have no property we leave alone and they pass over.
            prop_assert!(
                header.properties(&bytes[..len]).is_some()
                    || header.flags & 3 != 0
                    || header.class != 60
            );
        }
    }

    #[test]
    fn a_rewritten_header_is_what_they_would_have_made_of_it(
        theirs in header(),
        edits in edits(),
        frame_max in prop_oneof![Just(0_u32), Just(1 << 20)],
    ) {
        let bytes = encode(&theirs);
        let mut decoder = Decoder::broker(AmqpLimits::default());
        let Ok(Step::Frame { frame: Frame::Header(ours), .. }) = decoder.next(&bytes) else {
            panic!("{}", bytes.escape_ascii());
        };
        let properties = ours.properties(&bytes).expect("they wrote it");
        let borrowed: Vec<HeaderEdit<'_>> = borrow(&edits);
        let rewrite = Rewrite::plan(&properties, &borrowed, frame_max).expect("edits are good");
        let mut out = Vec::new();
        rewrite.write(&mut out);

        let AMQPFrame::Header(channel, mut wanted) = theirs else { unreachable!() };
        if let Some(table) = edited(wanted.properties.headers().clone(), &edits) {
            wanted.properties = wanted.properties.with_headers(table);
        }
        let wanted = AMQPFrame::Header(channel, wanted);
        prop_assert_eq!(parse(&out), Some((wanted, out.len())));
    }
}

//! Laws of a rewrite.

use proptest::prelude::*;
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{
    BrokerDecoder, BrokerFrame, ClientDecoder, ClientFrame, HeaderEdit, Headers, Message, Rewrite,
};
use spanbridge_wire::splice::{self, Patch};
use spanbridge_wire::{Extent, Step};

use crate::generate::{message, name, value};

/// An edit that owns its bytes.
type Edit = (String, Option<String>);
/// A header as it is read.
type Read = (String, Vec<u8>);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    proptest::collection::vec((name(), proptest::option::of(value())), 0..5).prop_map(
        |mut edits| {
            let mut names = Vec::new();
            edits.retain(|(name, _)| {
                let new = !names.contains(&name.to_lowercase());
                names.push(name.to_lowercase());
                new
            });
            edits
        },
    )
}

fn borrow(edits: &[Edit]) -> Vec<HeaderEdit<'_>> {
    edits
        .iter()
        .map(|(name, value)| HeaderEdit {
            name: name.as_bytes(),
            value: value.as_deref().map(str::as_bytes),
        })
        .collect()
}

fn head(bytes: &[u8], from_client: bool) -> Message {
    let limits = NatsLimits::default();
    if from_client {
        match ClientDecoder::new(limits).next(bytes) {
            Ok(Step::Frame { frame: ClientFrame::Publish(message), .. }) => message,
            other => panic!("{}: {other:?}", bytes.escape_ascii()),
        }
    } else {
        match BrokerDecoder::new(limits).next(bytes) {
            Ok(Step::Frame { frame: BrokerFrame::Deliver(delivery), .. }) => delivery.message,
            other => panic!("{}: {other:?}", bytes.escape_ascii()),
        }
    }
}

fn read(message: &Message, bytes: &[u8]) -> Vec<Read> {
    let block = message.header(bytes).unwrap_or(b"NATS/1.0\r\n\r\n");
    let headers = Headers::parse(block).expect("the generator writes good blocks");
    headers
        .iter()
        .map(|header| (String::from_utf8_lossy(header.name).into_owned(), header.value.to_vec()))
        .collect()
}

/// The same edits, made to a list of headers in the most naive way.
fn edited(headers: &[Read], edits: &[Edit]) -> Vec<Read> {
    let mut result: Vec<Read> = Vec::new();
    let matches = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    for (name, old) in headers {
        match edits.iter().find(|(edit, _)| matches(edit, name)) {
            None => result.push((name.clone(), old.clone())),
            Some((_, None)) => {}
            Some((_, Some(new))) => {
                if !result.iter().any(|(done, _)| matches(done, name)) {
                    result.push((name.clone(), new.clone().into_bytes()));
                }
            }
        }
    }
    for (name, new) in edits {
        if let Some(new) = new
            && !headers.iter().any(|(there, _)| matches(there, name))
        {
            result.push((name.clone(), new.clone().into_bytes()));
        }
    }
    result
}

/// The whole message after `edits` and with another payload.
fn rewritten(bytes: &[u8], message: &Message, edits: &[Edit], payload: &[u8]) -> Vec<u8> {
    let limits = NatsLimits::default();
    let edits = borrow(edits);
    let len = u32::try_from(payload.len()).unwrap();
    let rewrite = Rewrite::plan(bytes, message, &edits, len, &limits).expect("edits are good");
    let mut out = Vec::new();
    rewrite.write(&mut out);
    assert_eq!(rewrite.is_unchanged(), out == bytes[..message.head_len()]);
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
    let after = i64::from(message.size()) + rewrite.added();
    assert_eq!(after, i64::from(rewrite.header_len() + len), "the size is known before writing");
    out
}

fn payload<'a>(bytes: &'a [u8], message: &Message) -> &'a [u8] {
    &bytes[message.head_len()..bytes.len() - 2]
}

proptest! {
    #[test]
    fn no_edits_mean_the_same_bytes(publish in message(true), delivery in message(false)) {
        for (bytes, from_client) in [(publish, true), (delivery, false)] {
            let message = head(&bytes, from_client);
            prop_assert_eq!(rewritten(&bytes, &message, &[], payload(&bytes, &message)), bytes);
        }
    }

    #[test]
    fn edits_that_change_nothing_mean_the_same_bytes(bytes in message(true)) {
        let message = head(&bytes, true);
        let before = read(&message, &bytes);
        let mut edits: Vec<Edit> = vec![("x-absent".to_owned(), None)];
        for (name, value) in &before {
            if before.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count() == 1 {
                edits.push((name.clone(), String::from_utf8(value.clone()).ok()));
            }
        }
        prop_assert_eq!(rewritten(&bytes, &message, &edits, payload(&bytes, &message)), bytes);
    }

    #[test]
    fn splice_then_parse_is_parse_then_edit(
        publish in message(true),
        delivery in message(false),
        edits in edits(),
        replaced in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
    ) {
        for (bytes, from_client) in [(publish, true), (delivery, false)] {
            let before = head(&bytes, from_client);
            let old_payload = payload(&bytes, &before);
            let new_payload = replaced.as_deref().unwrap_or(old_payload);
            let out = rewritten(&bytes, &before, &edits, new_payload);
            let after = head(&out, from_client);
            prop_assert_eq!(read(&after, &out), edited(&read(&before, &bytes), &edits));
            prop_assert_eq!(after.total_len(), out.len() as u64);
            prop_assert_eq!(payload(&out, &after), new_payload);
            prop_assert_eq!(after.subject.of(&out), before.subject.of(&bytes));
            prop_assert_eq!(
                after.reply.map(|reply| reply.of(&out).to_vec()),
                before.reply.map(|reply| reply.of(&bytes).to_vec())
            );
        }
    }

    #[test]
    fn patches_do_what_a_list_of_bytes_would(
        original in proptest::collection::vec(any::<u8>(), 0..60),
        cuts in proptest::collection::vec((0_u32..20, 0_u32..20, ".{0,6}"), 0..6),
    ) {
        let mut at = 0;
        let mut wanted = Vec::new();
        let mut patches = Vec::new();
        for (skip, len, with) in &cuts {
            let (start, end) = (at + skip, at + skip + len);
            if end as usize > original.len() {
                break;
            }
            wanted.extend_from_slice(&original[at as usize..start as usize]);
            wanted.extend_from_slice(with.as_bytes());
            patches.push(Patch { at: Extent::new(start, end).unwrap(), with: with.as_bytes() });
            at = end;
        }
        wanted.extend_from_slice(&original[at as usize..]);
        prop_assert_eq!(splice::len_after(original.len(), &patches), Some(wanted.len()));
        let mut out = Vec::new();
        splice::write(&original, &patches, &mut out);
        prop_assert_eq!(out, wanted);
    }
}

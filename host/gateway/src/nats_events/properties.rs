//! What holds of any bytes that somebody sends to the trace subject.

use proptest::prelude::*;
use spanbridge::RemoteSpan;

use super::event::{ENTRIES_MAX, EVENT_BYTES_MAX, Event};
use super::hop::Place;
use super::{samples, span};
use crate::scrub::Scrub;

/// Reads bytes and checks what comes of them.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(event) = Event::read(bytes) else { return Ok(()) };
    prop_assert!(bytes.len() <= EVENT_BYTES_MAX);
    prop_assert!(event.entries.len() <= ENTRIES_MAX);
    let context = RemoteSpan { trace_lo: 1, span_id: 2, trace_flags: 1, ..RemoteSpan::default() };
    let place = Place::of(&event, &context);
    let span = span::span(&event, &context, place, Scrub::all());
    prop_assert!(span.start_time_unix_nano > 0 || event.ingress.at == 0);
    prop_assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    prop_assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    prop_assert!(span.span_id.iter().any(|byte| *byte != 0));
    prop_assert_ne!(&span.span_id, &span.parent_span_id);
    Ok(())
}

/// One change of a text: bytes cut out, put in, doubled or replaced.
fn change() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    let words =
        [&b"null"[..], b"-1", b"1e999", b"[[[[", b"{", b"\"", b"\\u0000", b"18446744073709551616"];
    let text = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(words.map(<[u8]>::to_vec).to_vec()),
    ];
    (any::<usize>(), 0..40_usize, text)
}

fn changed(sample: &str, changes: &[(usize, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = sample.as_bytes().to_vec();
    for (at, length, text) in changes {
        let start = at % bytes.len().max(1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start.min(end)..end, text.iter().copied());
    }
    bytes
}

proptest! {
    #[test]
    fn changed_events_are_refused_or_give_a_whole_span(
        sample in prop::sample::select(samples::ALL.to_vec()),
        changes in prop::collection::vec(change(), 0..4),
    ) {
        check(&changed(sample, &changes))?;
    }

    #[test]
    fn any_bytes_are_refused_or_give_a_whole_span(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check(&bytes)?;
    }
}

//! Zipkin's B3 propagation, in one field or in several.
//!
//! ```text
//! b3: {trace-id}-{span-id}[-{state}[-{parent-span-id}]]
//!     16 or 32   16         0|1|d    16                 lower-case hex digits
//!
//! x-b3-traceid, x-b3-spanid    the ids
//! x-b3-sampled: 0|1            nothing: the decision is deferred to the receiver
//! x-b3-flags: 1                debug; implies an accepting decision
//! ```
//!
//! A decision that comes without ids (`b3: 0`) names no span and is not carried on. The id of the
//! parent span is checked in the single field, where it has a place, and dropped; it is never
//! written (OpenTelemetry, "B3 Requirements": "MUST NOT propagate X-B3-ParentSpanId").
//!
//! openzipkin/b3-propagation, "Http Encodings".

use crate::carrier::Carrier;
use crate::context::TraceParts;
use crate::field::Field;
use crate::hex;
use crate::id::{SpanId, TraceFlags, TraceId};

/// The length of a `b3` value with both ids and a state.
const LEN: usize = 32 + 1 + 16 + 2;

/// The four sampling states of B3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Defer,
    Deny,
    Accept,
    Debug,
}

/// Reads the span from a carrier: a valid `b3` field wins over the `x-b3-` fields.
pub fn extract(carrier: Carrier<'_>) -> Option<TraceParts> {
    carrier.first(Field::B3).and_then(parse).or_else(|| extract_multi(carrier))
}

/// Reads a `b3` value; `None` when it is invalid or holds a decision without ids.
pub fn parse(value: &[u8]) -> Option<TraceParts> {
    let (trace_id, rest) = match value.split_at_checked(32) {
        Some((id, [b'-', rest @ ..])) => (id, rest),
        _ => match value.split_at_checked(16)? {
            (id, [b'-', rest @ ..]) => (id, rest),
            _ => return None,
        },
    };
    let (span_id, rest) = rest.split_first_chunk::<16>()?;
    let state = match rest {
        [] => State::Defer,
        [b'-', state] => single_state(*state)?,
        [b'-', state, b'-', parent @ ..] => {
            hex::parse_u64(parent.try_into().ok()?)?;
            single_state(*state)?
        }
        _ => return None,
    };
    parts(trace_id, span_id, state)
}

/// Writes the `b3` value into the front of a buffer and answers how much of it is used.
pub fn format(span: &TraceParts) -> ([u8; LEN], usize) {
    let mut value = *b"00000000000000000000000000000000-0000000000000000-0";
    value[..32].copy_from_slice(&hex::format_trace_id(span.trace_id));
    value[33..49].copy_from_slice(&hex::format_u64(span.span_id.0));
    let digit = match state_of(span) {
        State::Defer => return (value, 49),
        State::Deny => b'0',
        State::Accept => b'1',
        State::Debug => b'd',
    };
    value[50] = digit;
    (value, LEN)
}

/// Hands the `x-b3-` fields of `span` to `sink`. Lower-case names: not every carrier ignores case.
pub fn inject_multi(span: &TraceParts, sink: &mut dyn FnMut(Field, &[u8])) {
    sink(Field::XB3TraceId, &hex::format_trace_id(span.trace_id));
    sink(Field::XB3SpanId, &hex::format_u64(span.span_id.0));
    match state_of(span) {
        State::Defer => {}
        State::Deny => sink(Field::XB3Sampled, b"0"),
        State::Accept => sink(Field::XB3Sampled, b"1"),
        State::Debug => sink(Field::XB3Flags, b"1"),
    }
}

fn extract_multi(carrier: Carrier<'_>) -> Option<TraceParts> {
    let trace_id = carrier.first(Field::XB3TraceId)?;
    let span_id = carrier.first(Field::XB3SpanId)?.try_into().ok()?;
    let sampled = match carrier.first(Field::XB3Sampled).unwrap_or_default() {
        b"" => State::Defer,
        b"0" => State::Deny,
        b"1" => State::Accept,
        // Tracers older than the specification write words.
        word if word.eq_ignore_ascii_case(b"false") => State::Deny,
        word if word.eq_ignore_ascii_case(b"true") => State::Accept,
        _ => return None,
    };
    // Any other value of the flags means nothing, and debug overrides the decision.
    let debug = carrier.first(Field::XB3Flags) == Some(b"1");
    parts(trace_id, span_id, if debug { State::Debug } else { sampled })
}

const fn single_state(byte: u8) -> Option<State> {
    match byte {
        b'0' => Some(State::Deny),
        b'1' => Some(State::Accept),
        b'd' => Some(State::Debug),
        _ => None,
    }
}

const fn state_of(span: &TraceParts) -> State {
    match (span.debug, span.deferred, span.flags.is_sampled()) {
        (true, _, _) => State::Debug,
        (false, true, _) => State::Defer,
        (false, false, true) => State::Accept,
        (false, false, false) => State::Deny,
    }
}

fn parts(trace_id: &[u8], span_id: &[u8; 16], state: State) -> Option<TraceParts> {
    let span_id = SpanId(hex::parse_u64(span_id)?);
    let flags = TraceFlags::default().with_sampled(matches!(state, State::Accept | State::Debug));
    let parts = TraceParts::new(parse_trace_id(trace_id)?, span_id, flags)?;
    Some(TraceParts { debug: state == State::Debug, deferred: state == State::Defer, ..parts })
}

/// Reads a trace-id of 32 digits, or of 16 as the right half.
fn parse_trace_id(digits: &[u8]) -> Option<TraceId> {
    match digits.len() {
        16 | 32 => hex::parse_padded(digits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Entry;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn state(value: &str) -> Option<(bool, bool, bool)> {
        parse(value.as_bytes()).map(|span| (span.flags.is_sampled(), span.debug, span.deferred))
    }

    #[test]
    fn each_state_is_read_and_written_back() {
        let table = [
            ("", (false, false, true)),
            ("-0", (false, false, false)),
            ("-1", (true, false, false)),
            ("-d", (true, true, false)),
        ];
        for (tail, expected) in table {
            let value = format!("{TRACE}-{SPAN}{tail}");
            assert_eq!(state(&value), Some(expected), "{value}");
            let (written, length) = format(&parse(value.as_bytes()).unwrap());
            assert_eq!(&written[..length], value.as_bytes());
            assert_eq!(state(&format!("{}-{SPAN}{tail}", &TRACE[16..])), Some(expected));
        }
    }

    #[test]
    fn what_the_grammar_does_not_name_is_invalid() {
        let zeros = "0".repeat(32);
        let invalid = [
            "",
            "0",
            "1",
            "d",
            TRACE,
            "--",
            &TRACE[16..],
            &format!("{TRACE}-"),
            &format!("{TRACE}-{SPAN}-"),
            &format!("{TRACE}-{SPAN}-q"),
            &format!("{TRACE}-{SPAN}-01"),
            &format!("{TRACE}-{SPAN}-1-"),
            &format!("{TRACE}{SPAN}"),
            &format!("{TRACE}-{SPAN}-{SPAN}"),
            &format!("{TRACE}-{SPAN}-1-{SPAN}0"),
            &format!("{TRACE}-{SPAN}-1-EF00000000000000"),
            &format!("{TRACE}-{SPAN}0-1"),
            &format!("{zeros}-{SPAN}-1"),
            &format!("{TRACE}-{}-1", &zeros[..16]),
            &format!("{}-{SPAN}-1", TRACE.to_uppercase()),
            &format!("{}-{SPAN}-1", &TRACE[..31]),
        ];
        for value in invalid {
            assert_eq!(state(value), None, "{value}");
        }
        assert!(state(&format!("{TRACE}-{SPAN}-1-{SPAN}")).is_some());
    }

    #[test]
    fn several_fields_carry_the_same_states() {
        let table = [
            (None, None, Some((false, false, true))),
            (Some("0"), None, Some((false, false, false))),
            (Some("TRUE"), None, Some((true, false, false))),
            (Some("0"), Some("1"), Some((true, true, false))),
            (Some("1"), Some("2"), Some((true, false, false))),
            (Some("d"), None, None),
            (Some("d"), Some("1"), None),
        ];
        for (sampled, flags, expected) in table {
            let entry =
                |field, value: &'static str| Entry { field, key: b"", value: value.as_bytes() };
            let mut entries = vec![entry(Field::XB3TraceId, TRACE), entry(Field::XB3SpanId, SPAN)];
            entries.extend(sampled.map(|value| entry(Field::XB3Sampled, value)));
            entries.extend(flags.map(|value| entry(Field::XB3Flags, value)));
            let span = extract(Carrier::new(&entries));
            let read = span.map(|span| (span.flags.is_sampled(), span.debug, span.deferred));
            assert_eq!(read, expected, "{sampled:?} {flags:?}");
            assert_eq!(extract(Carrier::new(&entries[1..])), None);
        }
    }
}

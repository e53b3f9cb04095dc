//! The format of OpenTracing's basic tracers, "OT trace".
//!
//! ```text
//! ot-tracer-traceid: a3ce929d0e0e4736      16 digits; 32 are read, the right 16 are written
//! ot-tracer-spanid: 00f067aa0ba902b7
//! ot-tracer-sampled: true                  or false; 1 and 0 are read
//! ot-baggage-{key}: {value, raw}
//! ```
//!
//! A raw value may be anything that fits into a field; a member that does not is not written, so
//! that a line break inside a baggage value never becomes a field of its own. Baggage is read only
//! beside a valid span, as the OpenTelemetry SDKs do. OpenTelemetry deprecates the format.
//!
//! OpenTelemetry, "OT Trace" propagator packages: "Interop and trace ids", "Baggage Notes".

use alloc::string::String;
use alloc::vec::Vec;

use crate::baggage::{self, Member};
use crate::carrier::Carrier;
use crate::context::TraceParts;
use crate::field::Field;
use crate::hex;
use crate::id::{SpanId, TraceFlags};

/// Reads the span from a carrier; a missing `ot-tracer-sampled` means unsampled.
pub fn extract(carrier: Carrier<'_>) -> Option<TraceParts> {
    let trace_id = carrier.first(Field::OtTracerTraceid)?;
    let span_id = carrier.first(Field::OtTracerSpanid)?.try_into().ok()?;
    let sampled = match carrier.first(Field::OtTracerSampled).unwrap_or_default() {
        b"" | b"0" => false,
        b"1" => true,
        word if word.eq_ignore_ascii_case(b"false") => false,
        word if word.eq_ignore_ascii_case(b"true") => true,
        _ => return None,
    };
    if !matches!(trace_id.len(), 16 | 32) {
        return None;
    }
    TraceParts::new(
        hex::parse_padded(trace_id)?,
        SpanId(hex::parse_u64(span_id)?),
        TraceFlags::default().with_sampled(sampled),
    )
}

/// Hands the fields of `span` to `sink`. Of the trace-id only the right half is written.
pub fn inject(span: &TraceParts, sink: &mut dyn FnMut(Field, &[u8])) {
    // Half an id of zeros is no id: a receiver would refuse it.
    if span.trace_id.lo == 0 {
        return;
    }
    sink(Field::OtTracerTraceid, &hex::format_u64(span.trace_id.lo));
    sink(Field::OtTracerSpanid, &hex::format_u64(span.span_id.0));
    let sampled: &[u8] = if span.flags.is_sampled() { b"true" } else { b"false" };
    sink(Field::OtTracerSampled, sampled);
}

/// Reads the baggage of a carrier, keys in lower case since names of fields have no case.
///
/// The format names no limits; those of W3C Baggage hold.
pub fn extract_baggage(carrier: Carrier<'_>) -> Vec<Member> {
    let mut members = Vec::new();
    let mut bytes: usize = 0;
    for entry in carrier.entries(Field::OtBaggage) {
        bytes = bytes.saturating_add(entry.key.len()).saturating_add(entry.value.len());
        if bytes > baggage::BYTES_MAX || members.len() == baggage::MEMBERS_MAX {
            break;
        }
        if baggage::is_token(entry.key) {
            let key = String::from_utf8_lossy(&entry.key.to_ascii_lowercase()).into_owned();
            let value = String::from_utf8_lossy(entry.value).into_owned();
            baggage::put(&mut members, Member::new(key, value));
        }
    }
    members
}

/// Hands one `ot-baggage-` field for each member to `sink`, as key and value.
///
/// Properties have no place in the format. Members that would make an invalid field are left out,
/// as are those past the limits of W3C Baggage.
pub fn inject_baggage(members: &[Member], sink: &mut dyn FnMut(&[u8], &[u8])) {
    let mut bytes = 0;
    let writable = members.iter().filter(|member| {
        baggage::is_token(member.key.as_bytes()) && is_field_value(member.value.as_bytes())
    });
    for member in writable.take(baggage::MEMBERS_MAX) {
        bytes += member.key.len() + member.value.len();
        if bytes > baggage::BYTES_MAX {
            return;
        }
        sink(member.key.as_bytes(), member.value.as_bytes());
    }
}

/// Answers whether `value` may stand in a field (RFC 9110, section 5.5): no control bytes.
fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Entry;

    const TRACE: &str = "a1ce929d0e0e4736a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(trace_id: &str, span_id: &str, sampled: &str) -> Option<TraceParts> {
        let entry = |field, value| Entry { field, key: b"", value };
        extract(Carrier::new(&[
            entry(Field::OtTracerTraceid, trace_id.as_bytes()),
            entry(Field::OtTracerSpanid, span_id.as_bytes()),
            entry(Field::OtTracerSampled, sampled.as_bytes()),
        ]))
    }

    #[test]
    fn sampled_is_a_word_or_a_digit() {
        let table = [
            ("true", Some(true)),
            ("TRUE", Some(true)),
            ("1", Some(true)),
            ("false", Some(false)),
            ("0", Some(false)),
            ("", Some(false)),
            ("yes", None),
            ("2", None),
        ];
        for (text, sampled) in table {
            assert_eq!(read(TRACE, SPAN, text).map(|span| span.flags.is_sampled()), sampled);
        }
    }

    #[test]
    fn a_trace_id_has_16_or_32_digits_and_a_span_id_16() {
        for bytes in 0..40 {
            let digits = "a".repeat(bytes);
            assert_eq!(read(&digits, SPAN, "1").is_some(), bytes == 16 || bytes == 32);
            assert_eq!(read(TRACE, &digits, "1").is_some(), bytes == 16);
        }
        assert_eq!(read(&"0".repeat(32), SPAN, "1"), None);
        assert_eq!(read(TRACE, &"0".repeat(16), "1"), None);
    }

    #[test]
    fn the_right_half_of_the_trace_id_is_written() {
        let mut written = Vec::new();
        inject(&read(TRACE, SPAN, "1").unwrap(), &mut |field, value| {
            written.push((field, String::from_utf8_lossy(value).into_owned()));
        });
        let expected = [
            (Field::OtTracerTraceid, TRACE[16..].to_owned()),
            (Field::OtTracerSpanid, SPAN.to_owned()),
            (Field::OtTracerSampled, "true".to_owned()),
        ];
        assert_eq!(written, expected);
        let left_half_only = format!("{}{}", "1".repeat(16), "0".repeat(16));
        inject(&read(&left_half_only, SPAN, "1").unwrap(), &mut |_, _| panic!("half an id"));
    }

    #[test]
    fn a_baggage_value_never_breaks_out_of_its_field() {
        let member = |key: &str, value: &str| Member::new(key.to_owned(), value.to_owned());
        let members = [
            member("crlf", "v\r\nx-evil: 1"),
            member("nul", "\0"),
            member("a b", "v"),
            member("", "v"),
            member("good", "a=b, é\t"),
        ];
        let mut keys = Vec::new();
        inject_baggage(&members, &mut |key, _| keys.push(key.to_vec()));
        assert_eq!(keys, [b"good"]);
    }
}

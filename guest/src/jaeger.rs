//! Jaeger's own propagation format.
//!
//! ```text
//! uber-trace-id: {trace-id}:{span-id}:{parent-span-id}:{flags}
//!                1 to 32    1 to 16   ignored          one byte in hex: 1 sampled, 2 debug
//! uberctx-{key}: {value, percent-encoded}
//! jaeger-baggage: {key}={value}, {key}={value}     typed in by people; only read
//! ```
//!
//! Short ids stand for ids with zeros before them. Some clients percent-encode the colons of the
//! whole value. Names of fields have no case, so a baggage key is read in lower case, as Jaeger
//! recommends to write it. OpenTelemetry deprecates the format; it is read and written for what is
//! still deployed.
//!
//! Jaeger, "Client Libraries", "Propagation Format".

use alloc::string::String;
use alloc::vec::Vec;

use crate::baggage::{self, Member};
use crate::carrier::{Carrier, trim};
use crate::context::TraceParts;
use crate::field::Field;
use crate::hex;
use crate::id::{SpanId, TraceFlags};
use crate::percent;

/// The length of an `uber-trace-id` as it is written.
pub const LEN: usize = 32 + 1 + 16 + 4;

const SAMPLED: u8 = 1;
/// Counts only together with [`SAMPLED`].
const DEBUG: u8 = 2;

/// Reads an `uber-trace-id` value.
pub fn parse(value: &[u8]) -> Option<TraceParts> {
    let encoded = !value.contains(&b':');
    let (trace_id, rest) = split_colon(value, encoded)?;
    let (span_id, rest) = split_colon(rest, encoded)?;
    let (_parent, flags) = split_colon(rest, encoded)?;
    if span_id.len() > 16 {
        return None;
    }
    let flags = parse_flags(flags)?;
    let sampled = flags & SAMPLED != 0;
    let parts = TraceParts::new(
        hex::parse_padded(trace_id)?,
        SpanId(hex::parse_padded(span_id)?.lo),
        TraceFlags::default().with_sampled(sampled),
    )?;
    Some(TraceParts { debug: sampled && flags & DEBUG != 0, ..parts })
}

/// Writes an `uber-trace-id` value. The parent is always `0`: the field is deprecated.
pub fn format(span: &TraceParts) -> [u8; LEN] {
    let mut value = *b"00000000000000000000000000000000:0000000000000000:0:0";
    value[..32].copy_from_slice(&hex::format_trace_id(span.trace_id));
    value[33..49].copy_from_slice(&hex::format_u64(span.span_id.0));
    let sampled = span.debug || span.flags.is_sampled();
    value[52] = b'0' + u8::from(sampled) * SAMPLED + u8::from(span.debug) * DEBUG;
    value
}

/// Reads the baggage of a carrier, within the limits of W3C Baggage since Jaeger names none.
pub fn extract_baggage(carrier: Carrier<'_>) -> Vec<Member> {
    let mut members = Vec::new();
    let mut bytes = 0;
    for entry in carrier.entries(Field::Uberctx) {
        // A value that is not percent-encoded after all is taken as it is.
        let value = percent::decode(entry.value).unwrap_or_else(|| lossy(entry.value));
        add(&mut members, &mut bytes, entry.key, value);
    }
    let listed = carrier.values(Field::JaegerBaggage).flat_map(|value| value.split(|&b| b == b','));
    for pair in listed {
        let mut parts = pair.split(|&byte| byte == b'=').map(trim);
        if let (Some(key), Some(value), None) = (parts.next(), parts.next(), parts.next()) {
            add(&mut members, &mut bytes, key, lossy(value));
        }
    }
    members
}

/// Hands one `uberctx-` field for each member to `sink`, as key and value.
///
/// Properties have no place in the format. A key that is no token is left out, as are members past
/// the limits of W3C Baggage.
pub fn inject_baggage(members: &[Member], sink: &mut dyn FnMut(&[u8], &[u8])) {
    let mut bytes = 0;
    let writable = members.iter().filter(|member| baggage::is_token(member.key.as_bytes()));
    for member in writable.take(baggage::MEMBERS_MAX) {
        let mut value = Vec::new();
        percent::encode(&mut value, &member.value, percent::is_unreserved);
        bytes += member.key.len() + value.len();
        if bytes > baggage::BYTES_MAX {
            return;
        }
        sink(member.key.as_bytes(), &value);
    }
}

/// Splits at the first colon, or at the first `%3A` when colons are percent-encoded.
fn split_colon(value: &[u8], encoded: bool) -> Option<(&[u8], &[u8])> {
    if !encoded {
        let at = value.iter().position(|&byte| byte == b':')?;
        return Some((&value[..at], &value[at + 1..]));
    }
    let at = value.windows(3).position(|bytes| bytes.eq_ignore_ascii_case(b"%3a"))?;
    Some((&value[..at], &value[at + 3..]))
}

/// Reads a one-byte bitmap in hex. Leading zeros are let pass: they change nothing.
fn parse_flags(text: &[u8]) -> Option<u8> {
    let (last, leading) = text.split_last()?;
    match leading {
        [] => hex::digit(*last),
        [zeros @ .., high] if zeros.iter().all(|&byte| byte == b'0') => {
            hex::parse_u8([*high, *last])
        }
        _ => None,
    }
}

/// Adds a member within the limits; `bytes` is what keys and values take so far.
fn add(members: &mut Vec<Member>, bytes: &mut usize, key: &[u8], value: String) {
    let size = bytes.saturating_add(key.len()).saturating_add(value.len());
    let fits = size <= baggage::BYTES_MAX && members.len() < baggage::MEMBERS_MAX;
    if fits && baggage::is_token(key) {
        *bytes = size;
        baggage::put(members, Member::new(lossy(&key.to_ascii_lowercase()), value));
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "a1ce929d0e0e4736a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn flags_are_one_byte_and_debug_needs_sampled() {
        let table = [
            ("0", Some((false, false))),
            ("1", Some((true, false))),
            ("2", Some((false, false))),
            ("3", Some((true, true))),
            ("ff", Some((true, true))),
            ("0000001", Some((true, false))),
            ("101", None),
            ("", None),
            ("x", None),
            ("-1", None),
            ("1:", None),
        ];
        for (flags, expected) in table {
            let read = parse(format!("{TRACE}:{SPAN}:0:{flags}").as_bytes());
            let read = read.map(|span| (span.flags.is_sampled(), span.debug));
            assert_eq!(read, expected, "{flags}");
        }
    }

    #[test]
    fn short_ids_are_padded_and_long_empty_or_zero_ids_refused() {
        let table = [
            ("1", "2", true),
            (TRACE, SPAN, true),
            (&format!("0{TRACE}"), SPAN, false),
            (TRACE, &format!("0{SPAN}"), false),
            ("", SPAN, false),
            (TRACE, "", false),
            ("0", SPAN, false),
            (TRACE, "000", false),
            (&TRACE.to_uppercase(), SPAN, false),
        ];
        for (trace_id, span_id, valid) in table {
            let value = format!("{trace_id}:{span_id}:any:1");
            assert_eq!(parse(value.as_bytes()).is_some(), valid, "{value}");
            let encoded = value.replace(':', "%3a").replacen("%3a", "%3A", 1);
            assert_eq!(parse(encoded.as_bytes()).is_some(), valid, "{encoded}");
        }
        assert_eq!(parse(format!("{TRACE}:{SPAN}%3A0%3A1").as_bytes()), None, "half encoded");
        assert_eq!(parse(format!("{TRACE}:{SPAN}:1").as_bytes()), None, "three parts");
        assert_eq!(parse(format!("{TRACE}:{SPAN}:0:1:0").as_bytes()), None, "five parts");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for flags in ["0", "1", "3"] {
            let value = format!("{TRACE}:{SPAN}:0:{flags}");
            assert_eq!(format(&parse(value.as_bytes()).unwrap()), value.as_bytes());
        }
    }
}

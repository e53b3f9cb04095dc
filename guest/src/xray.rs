//! The AWS X-Ray trace header.
//!
//! ```text
//! X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
//!                       │ ├──────┘ └─ the other 96 bits              1 | 0 | ? (or none): no
//!                 version └─ seconds since 1970: the first 32 bits of the trace-id
//! ```
//!
//! Unknown keys (`Self`, `Lineage`) are skipped. A header without `Parent`, as a load balancer
//! writes it, names no span to continue and is left alone.
//!
//! AWS X-Ray Developer Guide, "Tracing header".

use crate::carrier::trim;
use crate::context::TraceParts;
use crate::hex;
use crate::id::{SpanId, TraceFlags, TraceId};

/// The length of the value as it is written.
pub const LEN: usize = 74;

/// Reads a value; `None` when a part is not `key=value`, or the ids are missing or invalid.
///
/// A `Sampled` that is neither `1` nor `0` asks for a decision; the span is then unsampled.
pub fn parse(value: &[u8]) -> Option<TraceParts> {
    let mut trace_id = None;
    let mut span_id = None;
    let mut sampled = false;
    for part in value.split(|&byte| byte == b';').map(trim).filter(|part| !part.is_empty()) {
        let at = part.iter().position(|&byte| byte == b'=')?;
        let text = &part[at + 1..];
        match &part[..at] {
            b"Root" => trace_id = Some(parse_root(text)?),
            b"Parent" => span_id = Some(hex::parse_u64(text.try_into().ok()?)?),
            b"Sampled" => sampled = text == b"1",
            _ => {}
        }
    }
    TraceParts::new(trace_id?, SpanId(span_id?), TraceFlags::default().with_sampled(sampled))
}

/// Writes the value.
pub fn format(span: &TraceParts) -> [u8; LEN] {
    let mut value = *b"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
    let trace_id = hex::format_trace_id(span.trace_id);
    value[7..15].copy_from_slice(&trace_id[..8]);
    value[16..40].copy_from_slice(&trace_id[8..]);
    value[48..64].copy_from_slice(&hex::format_u64(span.span_id.0));
    value[73] = b'0' + u8::from(span.flags.is_sampled());
    value
}

/// Reads `1-{8 digits}-{24 digits}`.
fn parse_root(text: &[u8]) -> Option<TraceId> {
    let (seconds, rest) = text.strip_prefix(b"1-")?.split_first_chunk::<8>()?;
    let unique: &[u8; 24] = rest.strip_prefix(b"-")?.try_into().ok()?;
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(seconds);
    digits[8..].copy_from_slice(unique);
    hex::parse_trace_id(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str =
        "Root=1-abcdef12-1234567890abcdef12345678;Parent=1234567890abcdef;Sampled=1";

    #[test]
    fn a_written_value_is_the_value_that_was_read() {
        for value in [VALID.to_owned(), VALID.replace("Sampled=1", "Sampled=0")] {
            assert_eq!(format(&parse(value.as_bytes()).unwrap()), value.as_bytes());
        }
    }

    #[test]
    fn order_white_space_and_unknown_keys_do_not_matter() {
        let (root, rest) = VALID.split_once(';').unwrap();
        let same = [
            format!("{rest};{root}"),
            format!(" {root} ; {rest}; "),
            format!(
                "Self=1-67891234-12456789abcdef012345678;{VALID};Lineage=a87bd80c:1|68fd508a:5"
            ),
        ];
        for value in same {
            assert_eq!(parse(value.as_bytes()), parse(VALID.as_bytes()), "{value}");
        }
    }

    #[test]
    fn only_the_digit_one_is_sampled() {
        for (text, sampled) in [("1", true), ("0", false), ("?", false), ("", false), ("11", false)]
        {
            let value = VALID.replace("Sampled=1", &format!("Sampled={text}"));
            assert_eq!(parse(value.as_bytes()).unwrap().flags.is_sampled(), sampled, "{value}");
        }
    }

    #[test]
    fn missing_or_malformed_ids_are_invalid() {
        let table = [
            ("Root=1-", "Root=2-"),
            ("Root=1-", "Root=1"),
            ("Root=1-abcdef12-", "Root=1-abcdef12"),
            ("abcdef12-1", "abcdef1-21"),
            ("1-abcdef12-1234567890abcdef12345678", "1-00000000-000000000000000000000000"),
            ("abcdef12", "ABCDEF12"),
            ("Parent=1234567890abcdef", "Parent=0000000000000000"),
            ("Parent=1234567890abcdef", "Parent=1234567890abcde"),
            ("Parent=1234567890abcdef", "Broken"),
            (";Parent=1234567890abcdef", ""),
            ("Root=1-abcdef12-1234567890abcdef12345678;", ""),
        ];
        for (from, to) in table {
            let value = VALID.replacen(from, to, 1);
            assert_ne!(value, VALID);
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse(b""), None);
    }
}

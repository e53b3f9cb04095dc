//! The W3C `traceparent` field.
//!
//! ```text
//! 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//! ├┘ ├──────────────────────────────┘ ├──────────────┘ ├┘
//! 0  3  trace-id                      36  parent-id    53  trace-flags
//! version
//! ```
//!
//! Reads a value by position and length; nothing is split and nothing allocated. White space
//! around a value belongs to the carrier and is cut off there, not here.
//!
//! W3C Trace Context Level 2, "Traceparent Header" and "Versioning of traceparent".

use crate::hex;
use crate::id::{SpanId, TraceFlags, TraceId};

/// The length of a version 00 value in bytes; a later version is at least as long.
pub const LEN: usize = 55;

/// A valid `traceparent`: both ids are non-zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that wrote the value.
    pub parent_id: SpanId,
    /// The flags that Level 2 defines; the others were cut off.
    pub flags: TraceFlags,
}

impl Traceparent {
    /// Reads a `traceparent` value.
    ///
    /// Answers `None` for every value the specification calls invalid. There is no error type:
    /// the specification gives one response to all of them (act as if the field were absent).
    ///
    /// A later version is read as version 00 if a `-` follows the first 55 bytes, or nothing does.
    /// Version `ff` is never valid. Reserved flags are dropped, not refused ("Other Flags").
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, tail) = value.split_first_chunk::<LEN>()?;
        let [first, second, dash, rest @ ..] = head;
        let (trace_id, rest) = rest.split_first_chunk::<32>()?;
        let (parent_id, flags) = rest[1..].split_first_chunk::<16>()?;
        if (*dash, rest[0], flags[0]) != (b'-', b'-', b'-') {
            return None;
        }
        let known_tail = match hex::parse_u8([*first, *second])? {
            0x00 => tail.is_empty(),
            0xff => false,
            _ => tail.first().is_none_or(|&byte| byte == b'-'),
        };
        let trace_id = hex::parse_trace_id(trace_id)?;
        let parent_id = SpanId(hex::parse_u64(parent_id)?);
        let flags = TraceFlags::from_bits(hex::parse_u8([flags[1], flags[2]])?);
        (known_tail && trace_id.is_valid() && parent_id.is_valid()).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// Writes the value as version 00, whatever version it was read from.
    pub fn format(&self) -> [u8; LEN] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..35].copy_from_slice(&hex::format_trace_id(self.trace_id));
        value[36..52].copy_from_slice(&hex::format_u64(self.parent_id.0));
        value[53..55].copy_from_slice(&hex::format_u8(self.flags.bits()));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_value_is_read_by_position() {
        let read = Traceparent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(read.trace_id, TraceId { hi: 0x4bf9_2f35_77b3_4da6, lo: 0xa3ce_929d_0e0e_4736 });
        assert_eq!(read.parent_id, SpanId(0x00f0_67aa_0ba9_02b7));
        assert_eq!(read.flags.bits(), 1);
        assert_eq!(read.format(), VALID.as_bytes());
    }

    #[test]
    fn one_changed_byte_makes_the_value_invalid() {
        let table = [
            (0, "A", "version in upper case"),
            (0, "ff", "version ff"),
            (2, "_", "first dash"),
            (3, "4BF9", "trace-id in upper case"),
            (3, "+bf9", "sign in the trace-id"),
            (35, "0", "second dash"),
            (36, "0X", "parent-id"),
            (52, ":", "third dash"),
            (53, "0A", "flags in upper case"),
            (53, "+1", "sign in the flags"),
        ];
        for (at, bytes, what) in table {
            let mut value = VALID.to_owned();
            value.replace_range(at..at + bytes.len(), bytes);
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{what}: {value}");
        }
    }

    #[test]
    fn only_a_later_version_may_be_longer_and_only_after_a_dash() {
        let table = [
            ("00", "", true),
            ("00", "-", false),
            ("00", ".", false),
            ("01", "", true),
            ("01", "-", true),
            ("fe", "-what-the-future-will-be-like", true),
            ("fe", ".what-the-future-will-be-like", false),
            ("ff", "", false),
        ];
        for (version, tail, valid) in table {
            let value = format!("{version}{}{tail}", &VALID[2..]);
            assert_eq!(Traceparent::parse(value.as_bytes()).is_some(), valid, "{value}");
        }
    }

    #[test]
    fn every_shorter_value_is_invalid() {
        for end in 0..LEN {
            assert_eq!(Traceparent::parse(&VALID.as_bytes()[..end]), None);
            let later = VALID.replacen("00", "01", 1);
            assert_eq!(Traceparent::parse(&later.as_bytes()[..end]), None);
        }
    }

    #[test]
    fn the_random_flag_is_kept_and_reserved_flags_are_cleared() {
        for (flags, kept) in [("00", 0), ("01", 1), ("02", 2), ("03", 3), ("09", 1), ("fc", 0)] {
            let value = format!("{}{flags}", &VALID[..53]);
            assert_eq!(Traceparent::parse(value.as_bytes()).unwrap().flags.bits(), kept);
        }
    }

    #[test]
    fn an_id_of_zeros_is_invalid() {
        for range in [3..35, 36..52] {
            let mut value = VALID.to_owned();
            value.replace_range(range.clone(), &"0".repeat(range.len()));
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{value}");
        }
    }
}

//! Our tracestate member: `spanbridge=p:<parent-id>;t:<unix ms>`.
//!
//! It is only ever written together with a new parent-id, which it names. Once somebody continues
//! the trace the parent-id changes and the member names another: it has gone stale by itself and is
//! not believed. A valid member on a *publish* therefore means that the headers are a copy of ones
//! that we wrote: a retry, a republish, headers forwarded by hand.

use crate::decimal;
use crate::hex;
use crate::id::SpanId;

/// The member's key.
pub(crate) const KEY: &[u8] = b"spanbridge";

/// Digits of the largest time.
const TIME_BYTES_MAX: usize = 20;
/// Digits of which every number fits a `u64`.
const SURE_DIGITS: usize = 19;
/// What stands before the time; the digits are those of the parent-id.
const BEGINNING: &[u8; 32] = b"spanbridge=p:0000000000000000;t:";
const VALUE_AT: usize = KEY.len() + 1;
const PARENT_ID_AT: usize = VALUE_AT + 2;

/// A member, ready to be written.
pub(crate) struct Member {
    bytes: [u8; BEGINNING.len() + TIME_BYTES_MAX],
    len: usize,
}

impl Member {
    /// The member for a parent-id and a publish time in milliseconds since the Unix epoch.
    #[inline]
    pub(crate) fn new(parent_id: SpanId, time_ms: u64) -> Self {
        let mut bytes = [0; BEGINNING.len() + TIME_BYTES_MAX];
        bytes[..BEGINNING.len()].copy_from_slice(BEGINNING);
        bytes[PARENT_ID_AT..][..16].copy_from_slice(&hex::format_u64(parent_id.0));
        let (digits, start) = decimal::digits(time_ms);
        let time = &digits[start..];
        let len = BEGINNING.len() + time.len();
        bytes[BEGINNING.len()..len].copy_from_slice(time);
        Self { bytes, len }
    }

    /// Key and value.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The value alone.
    pub(crate) fn value(&self) -> &[u8] {
        &self.bytes[VALUE_AT..self.len]
    }
}

/// The publish time in milliseconds, if the value is a member for this parent-id.
pub(crate) fn time_ms(value: &[u8], parent_id: SpanId) -> Option<u64> {
    let rest = value.strip_prefix(b"p:")?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let digits = rest.strip_prefix(b";t:")?;
    let time = number(digits)?;
    (!digits.is_empty() && hex::parse_u64(id)? == parent_id.0).then_some(time)
}

/// A number of decimal digits. `None`: they are none, or it is too large.
///
/// In the component a product that is checked is a call of a function for 128 bits. So the digits
/// that a time has are multiplied unchecked, which their number allows.
fn number(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.checked_sub(b'0').filter(|digit| *digit < 10).map(u64::from);
    let (first, rest) = digits.split_at(digits.len().min(SURE_DIGITS));
    let number = first.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))?;
    rest.iter()
        .try_fold(number, |number: u64, byte| number.checked_mul(10)?.checked_add(digit(byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_back_for_its_own_parent_only() {
        for time in [0, 9, 10, 99, 100, 123_456, 1_763_900_000_123, u64::MAX] {
            let member = Member::new(SpanId(0xab), time);
            assert_eq!(time_ms(member.value(), SpanId(0xab)), Some(time));
            assert_eq!(time_ms(member.value(), SpanId(0xac)), None);
            assert!(member.value().ends_with(format!(";t:{time}").as_bytes()));
        }
    }

    #[test]
    fn the_member_looks_as_documented() {
        let member = Member::new(SpanId(0x00f0_67aa_0ba9_02b7), 1_763_900_000_123);
        assert_eq!(member.as_bytes(), b"spanbridge=p:00f067aa0ba902b7;t:1763900000123");
    }

    #[test]
    fn anything_else_is_not_believed() {
        let table: [&[u8]; 9] = [
            b"",
            b"p:00000000000000ab",
            b"p:00000000000000ab;t:",
            b"p:00000000000000AB;t:1",
            b"p:00000000000000ab;t:+1",
            b"p:00000000000000ab;t:99999999999999999999",
            b"p:00000000000000ab;t:18446744073709551616",
            b"p:00000000000000ab;t:1844674407370955161x",
            b"p:00000000000000ab;t:1;u:2",
        ];
        for value in table {
            assert_eq!(time_ms(value, SpanId(0xab)), None, "{}", value.escape_ascii());
        }
    }
}

//! Base-16 digits of ids, eight at a time.
//!
//! Every context format writes ids as lower-case hex digits (W3C Trace Context, "HEXDIGLC"), so
//! upper case is refused here once for all of them. Eight digits are read or written as the eight
//! bytes of one word: no table, no loop, no branch on the digits.
//!
//! ```text
//! text    '4' 'b' 'f' '9' '2' 'f' '3' '5'      one byte a digit
//! nibbles  4   b   f   9   2   f   3   5       the same word, digits replaced by their values
//! number   4bf92f35                            packed by three shifts
//! ```

use crate::id::TraceId;

/// A byte of one in each of the eight lanes; multiplied by `n` it is `n` in each lane.
const LANES: u64 = 0x0101_0101_0101_0101;

/// Reads sixteen lower-case digits; `None` when one of them is anything else.
#[inline]
pub(crate) fn parse_u64(digits: &[u8; 16]) -> Option<u64> {
    let (high, high_wrong) = pack(u64::from_be_bytes(*digits.first_chunk()?));
    let (low, low_wrong) = pack(u64::from_be_bytes(*digits.last_chunk()?));
    (high_wrong | low_wrong == 0).then_some((high << 32) | low)
}

/// Reads thirty-two lower-case digits. The id may be all zero: the format at hand decides.
#[inline]
pub(crate) fn parse_trace_id(digits: &[u8; 32]) -> Option<TraceId> {
    let (hi, lo) = (digits.first_chunk::<16>()?, digits.last_chunk::<16>()?);
    Some(TraceId { hi: parse_u64(hi)?, lo: parse_u64(lo)? })
}

/// Reads one to thirty-two lower-case digits as if zeros stood before them.
pub(crate) fn parse_padded(digits: &[u8]) -> Option<TraceId> {
    let mut padded = [b'0'; 32];
    let missing = padded.len().checked_sub(digits.len())?;
    if digits.is_empty() {
        return None;
    }
    padded[missing..].copy_from_slice(digits);
    parse_trace_id(&padded)
}

/// Reads two lower-case digits.
#[inline]
pub(crate) fn parse_u8([high, low]: [u8; 2]) -> Option<u8> {
    Some((digit(high)? << 4) | digit(low)?)
}

/// The value of one lower-case digit.
pub(crate) const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Writes sixteen lower-case digits.
#[inline]
pub(crate) fn format_u64(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&spread((number >> 32) as u32).to_be_bytes());
    digits[8..].copy_from_slice(&spread(number as u32).to_be_bytes());
    digits
}

/// Writes sixteen lower-case digits into `out`.
///
/// In place, eight at a time: what is read right after it was written in smaller pieces makes a
/// processor wait, so an id that ends up in a buffer is better not carried there in an array.
#[inline]
pub(crate) fn write_u64(out: &mut [u8; 16], number: u64) {
    let (high, low) = out.split_at_mut(8);
    high.copy_from_slice(&spread((number >> 32) as u32).to_be_bytes());
    low.copy_from_slice(&spread(number as u32).to_be_bytes());
}

/// Writes thirty-two lower-case digits.
#[inline]
pub(crate) fn format_trace_id(id: TraceId) -> [u8; 32] {
    let mut digits = [0; 32];
    digits[..16].copy_from_slice(&format_u64(id.hi));
    digits[16..].copy_from_slice(&format_u64(id.lo));
    digits
}

/// Writes two lower-case digits.
pub(crate) const fn format_u8(number: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(number >> 4) as usize], DIGITS[(number & 0xf) as usize]]
}

/// Eight digits to a number, first digit in the most significant byte. The second answer is zero
/// exactly when all eight were lower-case digits; else the number means nothing.
const fn pack(text: u64) -> (u64, u64) {
    // Bit 6 parts the letters (0x61-0x66) from the digits (0x30-0x39).
    let letter = (text >> 6) & LANES;
    // A lane holds at most 0x0f + 9, so nothing is carried into the next lane.
    let values = (text & (LANES * 0x0f)) + letter * 9;
    // The upper half of the byte must be 3 for a digit and 6 for a letter.
    let wrong_row = (text & (LANES * 0xf0)) ^ (LANES * 0x30 + letter * 0x30);
    // Letters must come out as 10 to 15 and digits as 0 to 9: six more sets bit 4 of a letter only.
    let wrong_kind = (((values + LANES * 6) >> 4) & LANES) ^ letter;
    let too_large = values & (LANES * 0x10);
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    ((quads | (quads >> 16)) & 0xffff_ffff, wrong_row | wrong_kind | too_large)
}

/// A number to eight digits; the reverse of [`pack`].
const fn spread(number: u32) -> u64 {
    let quads = (number as u64 | ((number as u64) << 16)) & 0x0000_ffff_0000_ffff;
    let pairs = (quads | (quads << 8)) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | (pairs << 4)) & (LANES * 0x0f);
    let letter = ((values + LANES * 6) >> 4) & LANES;
    // 39 is what lies between the digits' row and the letters': 'a' - 10 - '0'.
    values + LANES * (b'0' as u64) + letter * 39
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_a_digit_in_every_place_or_in_none() {
        for byte in 0..=u8::MAX {
            for place in 0..16 {
                let mut text = *b"0123456789abcdef";
                text[place] = byte;
                let expected = digit(byte).map(|value| {
                    let shift = 60 - 4 * place;
                    (0x0123_4567_89ab_cdef & !(0xf << shift)) | (u64::from(value) << shift)
                });
                assert_eq!(parse_u64(&text), expected, "byte {byte:#04x} in place {place}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for number in [0, 1, 0x00f0_67aa_0ba9_02b7, u64::MAX, 0xa0a0_9999_0f0f_fafa] {
            assert_eq!(format_u64(number), format!("{number:016x}").as_bytes());
            assert_eq!(parse_u64(&format_u64(number)), Some(number));
        }
        for number in 0..=u8::MAX {
            assert_eq!(parse_u8(format_u8(number)), Some(number));
        }
    }

    #[test]
    fn short_ids_are_padded_on_the_left_and_long_or_empty_ones_refused() {
        assert_eq!(parse_padded(b"17c29"), Some(TraceId { hi: 0, lo: 0x17c29 }));
        assert_eq!(parse_padded(b"10000000000000002"), Some(TraceId { hi: 1, lo: 2 }));
        assert_eq!(parse_padded(&[b'f'; 32]), Some(TraceId { hi: u64::MAX, lo: u64::MAX }));
        assert_eq!(parse_padded(&[b'f'; 33]), None);
        assert_eq!(parse_padded(b""), None);
        assert_eq!(parse_padded(b"+1"), None);
    }
}

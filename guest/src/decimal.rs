//! Decimal digits of a number, eight at a time.
//!
//! ```text
//! number  12345678
//! fours   1234 │ 5678           one division
//! twos    12 │ 34 │ 56 │ 78     two multiplications instead of divisions, all lanes at once
//! ones    1 2 3 4 5 6 7 8       and again
//! ```

/// Digits of a number of up to 64 bits, with zeros in front.
pub(crate) const DIGITS: usize = 24;

const TEN_TO_THE_8: u64 = 100_000_000;

/// The eight digits of a number below 10^8, first digit first.
#[inline]
pub(crate) fn eight_digits(number: u64) -> [u8; 8] {
    debug_assert!(number < TEN_TO_THE_8, "eight digits hold it");
    let high = number / 10_000;
    let fours = high | (number - high * 10_000) << 32;
    // 10 486 / 2^20 is a hundredth, near enough below 10 000; so is 103 / 2^10 a tenth below 100.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

/// The sixteen digits of a number below 10^16, in two halves.
#[inline]
pub(crate) fn sixteen_digits(number: u64) -> ([u8; 8], [u8; 8]) {
    let high = number / TEN_TO_THE_8;
    (eight_digits(high), eight_digits(number - high * TEN_TO_THE_8))
}

/// All digits of a number, and where those begin that are not zeros in front.
pub(crate) fn digits(number: u64) -> ([u8; DIGITS], usize) {
    let high = number / (TEN_TO_THE_8 * TEN_TO_THE_8);
    let mut digits = [0; DIGITS];
    digits[..8].copy_from_slice(&eight_digits(high));
    let (middle, low) = sixteen_digits(number - high * TEN_TO_THE_8 * TEN_TO_THE_8);
    digits[8..16].copy_from_slice(&middle);
    digits[16..].copy_from_slice(&low);
    let count = number.checked_ilog10().unwrap_or(0) as usize + 1;
    (digits, DIGITS - count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_counts_like_the_standard_library() {
        for lane in 0..10_000_u64 {
            for number in [lane, lane * 10_000, lane * 10_000 + 9_999 - lane] {
                assert_eq!(eight_digits(number), format!("{number:08}").as_bytes());
            }
        }
    }

    #[test]
    fn numbers_of_every_length_are_written_without_zeros_in_front() {
        let powers = (0..20).map(|exponent| 10_u64.pow(exponent));
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]) {
            let (digits, start) = digits(number);
            assert_eq!(digits[start..], *number.to_string().as_bytes());
        }
    }
}

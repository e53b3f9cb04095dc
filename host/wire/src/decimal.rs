//! Decimal numbers as protocols write them: digits only.
//!
//! Not `str::parse`, which also takes `+5`, and not `{}`, which goes through a formatter.

/// The most digits nats-server reads in a size (its `parseSize`): 999,999,999 bytes.
pub(crate) const SIZE_DIGITS_MAX: usize = 9;

/// Reads a size of one to nine digits. Leading zeros are fine, as they are for the server.
pub(crate) fn parse_size(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > SIZE_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        // Nine digits cannot overflow a `u32`; the operations saturate only to say so.
        (digit < 10).then(|| value.saturating_mul(10).saturating_add(digit.into()))
    })
}

/// Reads a whole number. Answers `None` past `u64::MAX`.
pub(crate) fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { value.checked_mul(10)?.checked_add(digit.into()) } else { None }
    })
}

/// A number written out, without allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    /// `u32::MAX` has ten digits. They stand at the end.
    digits: [u8; 10],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(value: u32) -> Self {
        let mut decimal = Self { digits: [b'0'; 10], start: 9 };
        let mut rest = value;
        for (place, digit) in decimal.digits.iter_mut().enumerate().rev() {
            // `b'0'` has no bit in common with a digit.
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                decimal.start = place;
                break;
            }
        }
        decimal
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_to_nine_digits() {
        let table: [(&[u8], Option<u32>); 9] = [
            (b"0", Some(0)),
            (b"000000007", Some(7)),
            (b"999999999", Some(999_999_999)),
            (b"0000000007", None),
            (b"", None),
            (b"+5", None),
            (b"-5", None),
            (b"5 ", None),
            (b"18446744073709551616", None),
        ];
        for (digits, size) in table {
            assert_eq!(parse_size(digits), size, "{digits:?}");
        }
    }

    #[test]
    fn whole_numbers_stop_at_the_largest_u64() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"1e3"), None);
        assert_eq!(parse_u64(b""), None);
    }

    #[test]
    fn written_numbers_read_back() {
        for value in [0, 7, 10, 99, 100, 1_048_576, 999_999_999] {
            let decimal = Decimal::new(value);
            assert_eq!(decimal.as_bytes(), value.to_string().as_bytes());
            assert_eq!(parse_size(decimal.as_bytes()), Some(value));
        }
        assert_eq!(Decimal::new(u32::MAX).as_bytes(), b"4294967295");
    }
}

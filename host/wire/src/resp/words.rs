//! Words in commands that are read without case.
//!
//! A word is compared as one number: up to sixteen bytes, each with the bit set that makes a
//! capital letter small. That bit leaves letters apart; it also makes a DEL of `_` and a `-` of a
//! carriage return, so a number stands for a word that is made of letters, and no other.

/// The longest word that is looked for is not longer than this.
pub(super) const WORD_BYTES_MAX: usize = 16;

/// Makes small letters of capital ones.
const SMALL: u128 = u128::from_ne_bytes([0x20; WORD_BYTES_MAX]);

/// The word of `bytes` between two offsets as one number; 0 for one that is empty or too long.
#[inline(always)]
pub(super) fn folded(bytes: &[u8], start: usize, end: usize) -> u128 {
    let len = end.saturating_sub(start);
    if len == 0 || len > WORD_BYTES_MAX {
        return 0;
    }
    let rest = bytes.get(start..).unwrap_or_default();
    // What stands behind the word in the same bytes is cut off by a shift: one load in place of a
    // loop. Close to the end of the bytes there is less to load.
    let word = match rest.first_chunk::<WORD_BYTES_MAX>() {
        Some(&chunk) => u128::from_le_bytes(chunk),
        None => short(rest),
    };
    let unused = (WORD_BYTES_MAX.saturating_sub(len) as u32).saturating_mul(8);
    ((word | SMALL) << unused) >> unused
}

/// The number of a word. Bytes that are not there are zero.
pub(super) const fn fold(word: &[u8]) -> u128 {
    let mut folded = 0_u128;
    let mut rest = word;
    while let [head @ .., last] = rest {
        folded = (folded << 8) | (*last | 0x20) as u128;
        rest = head;
    }
    folded
}

/// The bytes, of which there are fewer than sixteen, as one number.
#[cold]
fn short(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |word, &byte| (word << 8) | u128::from(byte))
}

/// Whether `word` is `wanted`, which is in capital letters, in any case.
#[inline(always)]
pub(super) fn is(word: &[u8], wanted: &[u8]) -> bool {
    word.eq_ignore_ascii_case(wanted)
}

/// Whether `word` is one of `wanted`, in any case.
pub(super) fn is_one_of(word: &[u8], wanted: &[&[u8]]) -> bool {
    wanted.iter().any(|wanted| is(word, wanted))
}

/// Whether `word` is the id of a stream entry: `ms`, `ms-seq` or `ms-*`.
pub(super) fn is_id(word: &[u8]) -> bool {
    let (ms, sequence) = match word.iter().position(|&byte| byte == b'-') {
        Some(at) => word.split_at(at),
        None => (word, b"-*".as_slice()),
    };
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let sequence = sequence.get(1..).unwrap_or_default();
    is_number(ms) && (sequence == b"*" || is_number(sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_time_and_a_number() {
        for word in [b"0".as_slice(), b"0-0", b"1526919030474-55", b"5-*"] {
            assert!(is_id(word), "{}", word.escape_ascii());
        }
        for word in [b"".as_slice(), b"-", b"5-", b"-5", b"*", b"5-5-5", b"MAXLEN", b"5-**"] {
            assert!(!is_id(word), "{}", word.escape_ascii());
        }
    }

    #[test]
    fn a_number_stands_for_one_word_in_any_case() {
        let word = b"NoMkStream";
        assert_eq!(folded(word, 0, word.len()), fold(b"NOMKSTREAM"));
        for place in 0..word.len() {
            for byte in 0..=u8::MAX {
                let mut other = *word;
                other[place] = byte;
                let within = [b"$10\r\n", &other[..], b"\r\n$1\r\nx\r\n"].concat();
                let same = other.eq_ignore_ascii_case(word);
                for (bytes, start) in [(&other[..], 0), (&within, 5)] {
                    let number = folded(bytes, start, start + other.len());
                    assert_eq!(number == fold(b"NOMKSTREAM"), same, "{}", other.escape_ascii());
                }
            }
        }
        let long = b"MAXLEN\0\0\0\0\0\0\0\0\0\0\0";
        for len in [0, 5, 7, 16, 17] {
            assert_ne!(folded(long, 0, len), fold(b"MAXLEN"), "{len}");
        }
    }

    #[test]
    fn words_are_read_in_any_case() {
        assert!(is(b"NoAck", b"NOACK") && is_one_of(b"delref", &[b"KEEPREF", b"DELREF"]));
        assert!(!is(b"NOACKS", b"NOACK") && !is_one_of(b"", &[b"KEEPREF"]));
    }
}

//! Words in commands that are read without case.

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
    fn words_are_read_in_any_case() {
        assert!(is(b"NoAck", b"NOACK") && is_one_of(b"delref", &[b"KEEPREF", b"DELREF"]));
        assert!(!is(b"NOACKS", b"NOACK") && !is_one_of(b"", &[b"KEEPREF"]));
    }
}

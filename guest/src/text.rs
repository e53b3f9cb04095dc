//! Bytes of a message as text: what an OTLP string may hold.
//!
//! A protobuf string is UTF-8, and one that is not makes the whole request unreadable. So other
//! people's bytes are looked at before they are written.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Answers the bytes if they are UTF-8; else with U+FFFD in place of what is not.
#[inline(always)]
pub(crate) fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    if is_ascii(bytes) || core::str::from_utf8(bytes).is_ok() {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(replaced(bytes))
}

#[cold]
fn replaced(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).into_owned().into_bytes()
}

/// Names and ids are short and nearly always ASCII. In words of eight bytes, whatever a pointer's
/// size.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |all, byte| all | byte);
    words & HIGH_BITS == 0 && rest < 0x80
}

/// Answers whether two names are the same, in fewer steps than byte by byte: those of up to two
/// words are compared by their first word and their last, which may overlap.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
        4..8 => a.first_chunk::<4>() == b.first_chunk() && a.last_chunk::<4>() == b.last_chunk(),
        _ => a == b,
    }
}

/// The longest beginning of UTF-8 that ends with a character and has at most `bytes_max` bytes.
pub(crate) fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    let is_inside = |end: usize| text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut end = bytes_max.min(text.len());
    while is_inside(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_is_not_touched_and_the_rest_is_replaced() {
        for length in 0..40 {
            let mut bytes = vec![b'a'; length];
            assert!(matches!(utf8(&bytes), Cow::Borrowed(same) if same == bytes));
            for at in 0..length {
                bytes[at] = 0xff;
                assert_eq!(*utf8(&bytes), *String::from_utf8_lossy(&bytes).as_bytes());
                bytes[at] = b'a';
            }
        }
        assert!(matches!(utf8("é".as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn names_are_the_same_where_every_byte_is() {
        for length in 0..40 {
            let (mut a, b) = (vec![b'a'; length], vec![b'a'; length]);
            assert!(same(&a, &b) && !same(&a, &[&b[..], b"a"].concat()));
            for at in 0..length {
                a[at] = b'b';
                assert!(!same(&a, &b) && !same(&b, &a), "{at} of {length}");
                a[at] = b'a';
            }
        }
    }

    #[test]
    fn text_is_cut_at_a_characters_end() {
        for bytes_max in 0..12 {
            let text = "aé€😀b";
            let expected = &text[..text.floor_char_boundary(bytes_max)];
            assert_eq!(cut(text.as_bytes(), bytes_max), expected.as_bytes(), "{bytes_max}");
        }
    }
}

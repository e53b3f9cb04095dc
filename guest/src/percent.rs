//! Percent-encoding of UTF-8 text (RFC 3986, section 2.1).
//!
//! A `+` is a plus: neither W3C Baggage nor the readers of Jaeger's fields agree on form encoding.

use alloc::string::String;
use alloc::vec::Vec;

/// Decodes `text`; `None` when a `%` is not followed by two hex digits of either case.
///
/// Bytes that are not UTF-8 become U+FFFD (W3C Baggage, "value").
pub(crate) fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if *byte == b'%' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            decoded.push(hex_pair(*digits)?);
            rest = after;
        } else {
            decoded.push(*byte);
            rest = after;
        }
    }
    Some(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Appends `text`, each byte that `is_plain` refuses as `%` and two upper-case digits.
pub(crate) fn encode(out: &mut Vec<u8>, text: &str, is_plain: impl Fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
        }
    }
}

/// The unreserved bytes of RFC 3986, section 2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| crate::hex::digit(byte.to_ascii_lowercase());
    Some((digit(high)? << 4) | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_either_case_are_decoded_and_broken_ones_refused() {
        let table = [
            ("", Some("")),
            ("a+b", Some("a+b")),
            ("%c3%A9", Some("é")),
            ("%25%2C", Some("%,")),
            ("%ff", Some("\u{fffd}")),
            ("%", None),
            ("a%2", None),
            ("%g0", None),
            ("%+1", None),
        ];
        for (text, decoded) in table {
            assert_eq!(decode(text.as_bytes()).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let text: String = (0..=0x17f).filter_map(char::from_u32).collect();
        let mut encoded = Vec::new();
        encode(&mut encoded, &text, is_unreserved);
        assert!(encoded.iter().all(|&byte| byte == b'%' || is_unreserved(byte)));
        assert_eq!(decode(&encoded), Some(text));
    }
}

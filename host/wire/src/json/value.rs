//! One JSON value, read only when somebody asks.

use std::borrow::Cow;
use std::ops::Range;

use crate::decimal;

/// The raw bytes of a JSON value that [`find`](super::find) has checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    pub(super) const fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// The value as it is written, quotes included.
    pub const fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Where the value lies in the text that it was found in.
    ///
    /// An empty range at the start for another text.
    pub fn range_in(self, text: &[u8]) -> Range<usize> {
        let start = (self.0.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        let end = start.saturating_add(self.0.len());
        if end <= text.len() { start..end } else { 0..0 }
    }

    /// The value, if it is `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The value, if it is a whole number of at most `u64::MAX`, written with digits only.
    pub fn as_u64(self) -> Option<u64> {
        decimal::parse_u64(self.0)
    }

    /// The text, if the value is a string and valid UTF-8 of at most `bytes_max` bytes.
    ///
    /// The limit counts what is written, which is never shorter than the text. Allocates only
    /// when there are escapes. Half of a surrogate pair becomes U+FFFD.
    pub fn as_text(self, bytes_max: usize) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if inner.len() > bytes_max {
            return None;
        }
        let text = std::str::from_utf8(inner).ok()?;
        if text.contains('\\') { unescape(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
    }

    /// Whether the value is an empty string, `null`, an empty array or an empty object.
    pub fn is_blank(self) -> bool {
        let inner = match self.0 {
            [b'"', inner @ .., b'"'] => return inner.is_empty(),
            [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => inner,
            raw => return raw == b"null",
        };
        inner.trim_ascii().is_empty()
    }
}

/// Resolves the escapes of RFC 8259 section 7.
fn unescape(written: &str) -> Option<String> {
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escape.chars();
        let kind = after.next()?;
        rest = after.as_str();
        text.push(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, behind) = unicode_escape(rest)?;
                rest = behind;
                character
            }
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(text)
}

/// Reads the four digits behind `\u`, and the second half of a pair if there is one.
fn unicode_escape(written: &str) -> Option<(char, &str)> {
    let (first, rest) = hex_unit(written)?;
    if let Some((second, behind)) = rest.strip_prefix("\\u").and_then(hex_unit) {
        let pair = char::decode_utf16([first, second]).next();
        // A pair decodes as one character outside of the Basic Multilingual Plane.
        if let Some(Ok(character)) = pair
            && character > '\u{ffff}'
        {
            return Some((character, behind));
        }
    }
    let alone = char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((alone, rest))
}

fn hex_unit(written: &str) -> Option<(u16, &str)> {
    let (digits, rest) = written.split_at_checked(4)?;
    // `from_str_radix` alone would take `+123`.
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u16::from_str_radix(digits, 16).ok().filter(|_| hex)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unescaped() {
        let table = [
            (r#""plain é""#, "plain é"),
            (r#""a\"b\\c\/\n\t""#, "a\"b\\c/\n\t"),
            (r#""\u00e9\u0041""#, "éA"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ude00\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""""#, ""),
        ];
        for (written, text) in table {
            let value = Value::new(written.as_bytes());
            assert_eq!(value.as_text(64).as_deref(), Some(text), "{written}");
        }
    }

    #[test]
    fn text_is_a_string_of_utf8_within_its_limit() {
        assert_eq!(Value::new(b"12").as_text(64), None);
        assert_eq!(Value::new(b"\"\xff\"").as_text(64), None);
        assert_eq!(Value::new(b"\"abcd\"").as_text(3), None);
        assert!(Value::new(b"\"abcd\"").as_text(4).is_some());
    }

    #[test]
    fn numbers_and_flags_are_read_exactly() {
        assert_eq!(Value::new(b"1048576").as_u64(), Some(1_048_576));
        assert_eq!(Value::new(b"-1").as_u64(), None);
        assert_eq!(Value::new(b"1.0").as_u64(), None);
        assert_eq!(Value::new(b"\"1\"").as_u64(), None);
        assert_eq!(Value::new(b"true").as_bool(), Some(true));
        assert_eq!(Value::new(b"\"true\"").as_bool(), None);
    }

    #[test]
    fn a_value_knows_where_it_lies() {
        let text = br#"{"a":[1,2],"b":[1,2]}"#;
        let [b] = super::super::find(text, [b"b"]).unwrap();
        assert_eq!(b.unwrap().range_in(text), 15..20);
        let copy = text.to_vec();
        assert_eq!(b.unwrap().range_in(&copy), 0..0);
        assert_eq!(b.unwrap().range_in(&text[16..]), 0..0);
    }

    #[test]
    fn blank_values_say_nothing() {
        for blank in ["\"\"", "null", "[ ]", "{}"] {
            assert!(Value::new(blank.as_bytes()).is_blank(), "{blank}");
        }
        for said in ["\" \"", "0", "false", "[0]"] {
            assert!(!Value::new(said.as_bytes()).is_blank(), "{said}");
        }
    }
}

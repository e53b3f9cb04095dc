//! Finding a few members of a JSON object, without building it.
//!
//! [`find`] checks the whole text against the grammar of RFC 8259 and answers the raw bytes of
//! the wanted values. It does not recurse: nesting is one bit a level. It does not unescape keys,
//! and does not decode what nobody asked for.

mod value;

use crate::cursor::Cursor;
use crate::limits::JSON_DEPTH_MAX;

pub use value::Value;

/// The values of `keys` in `object`, in the order of `keys`.
///
/// Answers `None` when `object` is not exactly one JSON object with white space around it, or is
/// nested deeper than [`JSON_DEPTH_MAX`]. Only members of the outermost object count. Of a key
/// that occurs twice the last value is taken, as Go and Python do. A key is compared as it is
/// written: one spelled with escapes is not found.
pub fn find<'a, const N: usize>(
    object: &'a [u8],
    keys: [&[u8]; N],
) -> Option<[Option<Value<'a>>; N]> {
    let mut found = [None; N];
    let mut cursor = Cursor::new(object);
    skip_space(&mut cursor);
    if !cursor.eat(b'{') {
        return None;
    }
    skip_space(&mut cursor);
    let mut more = !cursor.eat(b'}');
    while more {
        let (key, value) = member(&mut cursor)?;
        for (slot, _) in found.iter_mut().zip(keys).filter(|(_, wanted)| *wanted == key) {
            *slot = Some(Value::new(value));
        }
        skip_space(&mut cursor);
        more = match cursor.next()? {
            b',' => true,
            b'}' => false,
            _ => return None,
        };
    }
    skip_space(&mut cursor);
    cursor.peek().is_none().then_some(found)
}

/// The containers that are open, innermost in the lowest bit; a set bit is an object.
#[derive(Default)]
struct Open {
    objects: u64,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> Option<()> {
        // The outermost object is not counted here.
        if self.depth.saturating_add(1) >= JSON_DEPTH_MAX {
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        self.objects = (self.objects << 1) | u64::from(object);
        Some(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// Reads `"key" : value` and answers the key without its quotes, and the value's bytes.
fn member<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let key = skip_key(cursor)?;
    skip_space(cursor);
    let start = cursor.at();
    skip_value(cursor)?;
    Some((key, cursor.since(start)))
}

/// Steps over one value, however deep it is nested.
fn skip_value(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut open = Open::default();
    loop {
        skip_space(cursor);
        match cursor.peek()? {
            b'{' => {
                cursor.next()?;
                open.push(true)?;
                skip_space(cursor);
                if !cursor.eat(b'}') {
                    skip_key(cursor)?;
                    continue;
                }
                open.pop();
            }
            b'[' => {
                cursor.next()?;
                open.push(false)?;
                skip_space(cursor);
                if !cursor.eat(b']') {
                    continue;
                }
                open.pop();
            }
            _ => skip_scalar(cursor)?,
        }
        // A value has just ended: close what ends with it, or go on to the next one.
        loop {
            if open.depth == 0 {
                return Some(());
            }
            skip_space(cursor);
            match (cursor.next()?, open.in_object()) {
                (b'}', true) | (b']', false) => open.pop(),
                (b',', true) => {
                    skip_key(cursor)?;
                    break;
                }
                (b',', false) => break,
                _ => return None,
            }
        }
    }
}

/// Steps over `"key" :` and answers the key without its quotes.
fn skip_key<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    skip_space(cursor);
    let start = cursor.at();
    skip_string(cursor)?;
    let key = cursor.since(start);
    skip_space(cursor);
    let key = key.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    cursor.eat(b':').then_some(key)
}

fn skip_scalar(cursor: &mut Cursor<'_>) -> Option<()> {
    match cursor.peek()? {
        b'"' => skip_string(cursor),
        b't' => cursor.eat_all(b"true").then_some(()),
        b'f' => cursor.eat_all(b"false").then_some(()),
        b'n' => cursor.eat_all(b"null").then_some(()),
        _ => skip_number(cursor),
    }
}

/// RFC 8259 section 7. Whether the bytes are UTF-8 is checked by whoever reads them as text.
fn skip_string(cursor: &mut Cursor<'_>) -> Option<()> {
    if !cursor.eat(b'"') {
        return None;
    }
    loop {
        cursor.eat_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        match cursor.next()? {
            b'"' => return Some(()),
            b'\\' => match cursor.next()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    for _ in 0..4 {
                        cursor.next().filter(u8::is_ascii_hexdigit)?;
                    }
                }
                _ => return None,
            },
            // A control character has to be escaped.
            _ => return None,
        }
    }
}

/// RFC 8259 section 6: `-`, then `0` or digits without a leading zero, fraction, exponent.
fn skip_number(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.eat(b'-');
    if !cursor.eat(b'0') {
        skip_digits(cursor)?;
    }
    if cursor.eat(b'.') {
        skip_digits(cursor)?;
    }
    if cursor.eat(b'e') || cursor.eat(b'E') {
        let _signed = cursor.eat(b'+') || cursor.eat(b'-');
        skip_digits(cursor)?;
    }
    Some(())
}

fn skip_digits(cursor: &mut Cursor<'_>) -> Option<()> {
    (cursor.eat_while(|byte| byte.is_ascii_digit()) > 0).then_some(())
}

fn skip_space(cursor: &mut Cursor<'_>) {
    cursor.eat_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw<'a>(object: &'a [u8], key: &[u8]) -> Option<Option<&'a [u8]>> {
        find(object, [key]).map(|[value]| value.map(Value::raw))
    }

    #[test]
    fn only_the_outermost_members_are_found() {
        let object = br#" { "n" : {"k":1,"l":[{"k":2},[]]} , "k" : [ 3 , {} ] } "#;
        assert_eq!(raw(object, b"k"), Some(Some(b"[ 3 , {} ]".as_slice())));
        assert_eq!(raw(object, b"l"), Some(None));
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        assert_eq!(raw(br#"{"k":1,"k":2}"#, b"k"), Some(Some(b"2".as_slice())));
    }

    #[test]
    fn whole_objects_are_accepted() {
        let table: [&[u8]; 8] = [
            b"{}",
            b"\t{ }\r\n",
            br#"{"a":null,"b":true,"c":false}"#,
            br#"{"a":-0.5e+10,"b":0,"c":1E9,"d":10}"#,
            br#"{"":"\"\\\/\b\f\n\r\t\u00e9"}"#,
            br#"{"a":[[],{},[{}]]}"#,
            br#"{"a" : [ 1 , "x" , { "b" : [ ] } ] }"#,
            "{\"é\":\"é\"}".as_bytes(),
        ];
        for object in table {
            assert_eq!(raw(object, b"zz"), Some(None), "{}", object.escape_ascii());
        }
    }

    #[test]
    fn malformed_objects_are_refused() {
        let table: [&[u8]; 28] = [
            b"",
            b"[]",
            b"{",
            b"{}x",
            b"{}{}",
            br#"{"a"}"#,
            br#"{"a":}"#,
            br#"{"a":1,}"#,
            br#"{,"a":1}"#,
            br#"{a:1}"#,
            br#"{"a":01}"#,
            br#"{"a":+1}"#,
            br#"{"a":1.}"#,
            br#"{"a":.5}"#,
            br#"{"a":1e}"#,
            br#"{"a":-}"#,
            br#"{"a":tru}"#,
            br#"{"a":"x}"#,
            br#"{"a":"\x"}"#,
            br#"{"a":"\u12g4"}"#,
            b"{\"a\":\"\n\"}",
            br#"{"a":[1,]}"#,
            br#"{"a":[1 2]}"#,
            br#"{"a":[1}}"#,
            br#"{"a":{"b":1]}"#,
            br#"{"a":{"b"}}"#,
            br#"{"a":{"b":1,}}"#,
            br#"{"a":[}"#,
        ];
        for object in table {
            assert_eq!(raw(object, b"a"), None, "{}", object.escape_ascii());
        }
    }

    #[test]
    fn nesting_is_followed_up_to_its_limit() {
        let nested = |depth: usize| {
            let inner = depth - 1;
            format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner)).into_bytes()
        };
        let deepest = JSON_DEPTH_MAX as usize;
        assert!(raw(&nested(deepest), b"a").is_some());
        assert!(raw(&nested(deepest + 1), b"a").is_none());
        assert!(raw(&nested(1_000_000), b"a").is_none());
    }
}

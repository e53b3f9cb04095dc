//! The text of a context field: reading a JSON string, and writing one.
//!
//! Context is ASCII without a quote or a backslash nearly always, so reading hands out the body's
//! own bytes and copies only where a writer spelled something with escapes.
//! RFC 8259, "Strings".

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::json::word;
use crate::protobuf::put;

#[cfg(test)]
mod tests;

/// Reads what stands between the quotes of a valid JSON string.
///
/// Answers `None` for half a surrogate pair: it stands for no character, so the string is no text.
pub(super) fn decode(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !raw.contains(&b'\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = Vec::with_capacity(raw.len());
    read(raw, |part| {
        put(&mut text, part);
        true
    })
    .then_some(Cow::Owned(text))
}

/// Answers whether [`decode`] would answer.
pub(super) fn is_text(raw: &[u8]) -> bool {
    read(raw, |_| true)
}

/// Answers whether the string is `name`, whatever escapes it was written with.
pub(super) fn spells(raw: &[u8], name: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    let mut rest = name;
    let matches = |part: &[u8]| {
        let Some((head, tail)) = rest.split_at_checked(part.len()) else { return false };
        rest = tail;
        same(head, part)
    };
    read(raw, matches) && rest.is_empty()
}

/// Hands the text to `each` in parts: runs without an escape, and single characters. Ends early,
/// with `false`, when `each` answers `false` or the string is no text.
fn read(raw: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> bool {
    let mut rest = raw;
    loop {
        let (run, tail) = rest.split_at(word::plain(rest).len);
        if !each(run) {
            return false;
        }
        let Some(escape) = tail.strip_prefix(b"\\") else { return true };
        rest = escape;
        let Some(character) = unescape(&mut rest) else { return false };
        if !each(character.encode_utf8(&mut [0; 4]).as_bytes()) {
            return false;
        }
    }
}

/// Reads one escape, after its backslash.
fn unescape(rest: &mut &[u8]) -> Option<char> {
    let (&letter, tail) = rest.split_first()?;
    *rest = tail;
    Some(match letter {
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return character(rest),
        quote_or_slash => char::from(quote_or_slash),
    })
}

/// Reads the digits of a `\u` escape, and the second escape of a pair.
fn character(rest: &mut &[u8]) -> Option<char> {
    let first = code_unit(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix(b"\\u")?;
    let second = code_unit(rest)?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
}

fn code_unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Writes `text` as a JSON string, with its quotes.
///
/// Only what must be escaped is: a quote, a backslash, control characters. Characters beyond
/// ASCII stay as they are.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Writes `text` as [`encode`] does, without the quotes.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(word::plain(rest).len);
        put(out, plain);
        let Some((&byte, tail)) = tail.split_first() else { return };
        rest = tail;
        if byte >= 0x20 {
            out.extend_from_slice(&[b'\\', byte]);
        } else {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        }
    }
}

/// Offsets of a string's text as offsets of how it is written, asked for in rising order.
#[derive(Debug)]
pub(super) struct RawOffsets<'a> {
    raw: &'a [u8],
    /// The place that was reached, in `raw`, and the same place in the text.
    at: usize,
    text_at: usize,
}

impl<'a> RawOffsets<'a> {
    /// At the start of what stands between the quotes of a string that [`decode`] could read.
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { raw, at: 0, text_at: 0 }
    }

    /// Where the character at `offset` of the text begins.
    pub(super) fn of(&mut self, offset: usize) -> usize {
        while self.text_at < offset {
            let rest = &self.raw[self.at..];
            let plain =
                rest.iter().take(offset - self.text_at).take_while(|&&b| b != b'\\').count();
            (self.at, self.text_at) = (self.at + plain, self.text_at + plain);
            let Some(mut rest) = rest[plain..].strip_prefix(b"\\") else { break };
            if self.text_at < offset {
                self.text_at += unescape(&mut rest).map_or(1, char::len_utf8);
                self.at = self.raw.len() - rest.len();
            }
        }
        self.at
    }
}

//! The first line of an element: what it is, and what follows.
//!
//! ```text
//! +OK\r\n            a line, and that is all
//! $5\r\nhello\r\n    a line, that many bytes, a line end
//! *2\r\n…            a line, that many elements
//! $-1\r\n            nothing
//! ```

use memchr::memchr;

use super::error::Error;
use crate::Extent;
use crate::limits::RespLimits;

/// The most elements that Redis counts: `INT_MAX`.
pub(super) const COUNT_MAX: u32 = i32::MAX as u32;

/// The most digits of a length or a count: those of `INT_MAX`.
const DIGITS_MAX: usize = 10;

/// What an element of a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `+`, a line of text.
    Simple,
    /// `-`, a line of text that begins with a code.
    Error,
    /// `:`.
    Integer,
    /// `$`, a string with its length.
    Bulk,
    /// `_`, or `$-1` and `*-1` in version 2.
    Null,
    /// `#`.
    Bool,
    /// `,`.
    Double,
    /// `(`.
    BigNumber,
    /// `!`, an error with its length.
    BlobError,
    /// `=`, a string whose first four bytes name its format.
    Verbatim,
    /// `*`.
    Array,
    /// `%`.
    Map,
    /// `~`.
    Set,
    /// `>`, an array that answers nothing.
    Push,
}

impl Kind {
    /// Whether it says that something went wrong.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::BlobError)
    }

    /// Whether it is made of other elements.
    pub const fn is_aggregate(self) -> bool {
        matches!(self, Self::Array | Self::Map | Self::Set | Self::Push)
    }
}

/// What follows a first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// This many bytes and a line end.
    Payload(u32),
    /// This many elements; two for each pair of a map.
    Elements(u32),
    /// Pairs that describe the element behind them: this many elements.
    Attributes(u32),
    /// Elements up to an end.
    OpenElements,
    /// Chunks up to an end.
    OpenChunks,
    /// A chunk of this many bytes and a line end; the last one is empty and has none.
    Chunk(u32),
    /// The end of open elements.
    End,
}

/// The first line of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) behind: Behind,
    /// What stands between its first byte and its end.
    pub(super) text: Extent,
    /// The offset behind its end.
    pub(super) end: usize,
}

/// A number with its line end.
pub(super) enum Number {
    /// The line has not ended.
    Need,
    /// A number, and the offset behind its line end.
    Value(u32, usize),
    /// This byte does not belong there.
    Bad(u8),
}

/// Reads the number at `at` and the end of its line.
#[inline(always)]
pub(super) fn number(bytes: &[u8], at: usize) -> Number {
    let rest = bytes.get(at..).unwrap_or_default();
    // Nearly all lengths have one, two or three digits: those cost a few comparisons.
    match *rest {
        [a @ b'0'..=b'9', b'\r', b'\n', ..] => Number::Value(digit(a), at.saturating_add(3)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => {
            let value = digit(a).wrapping_mul(10).wrapping_add(digit(b));
            Number::Value(value, at.saturating_add(4))
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', b'\n', ..] => {
            let tens = digit(a).wrapping_mul(10).wrapping_add(digit(b));
            let value = tens.wrapping_mul(10).wrapping_add(digit(c));
            Number::Value(value, at.saturating_add(5))
        }
        _ => any_number(rest, at),
    }
}

/// The value of a byte that is a digit.
#[inline(always)]
const fn digit(byte: u8) -> u32 {
    byte.wrapping_sub(b'0') as u32
}

/// A number of any length, or what is wrong with it.
#[inline(never)]
fn any_number(rest: &[u8], at: usize) -> Number {
    let mut value = 0_u64;
    for (place, &byte) in rest.iter().take(DIGITS_MAX.saturating_add(1)).enumerate() {
        if byte.is_ascii_digit() && place < DIGITS_MAX {
            if place > 0 && value == 0 {
                return Number::Bad(byte);
            }
            // Ten digits are far from overflowing; the operations saturate only to say so.
            value = value.saturating_mul(10).saturating_add(digit(byte).into());
        } else if byte == b'\r' && place > 0 {
            return match rest.get(place.saturating_add(1)) {
                Some(b'\n') => {
                    let end = at.saturating_add(place).saturating_add(2);
                    Number::Value(u32::try_from(value).unwrap_or(u32::MAX), end)
                }
                Some(&found) => Number::Bad(found),
                None => Number::Need,
            };
        } else {
            return Number::Bad(byte);
        }
    }
    Number::Need
}

/// Whether a payload that ends at `end` is there with its line end.
#[inline(always)]
pub(super) fn ends_at(bytes: &[u8], end: usize) -> Result<bool, Error> {
    let behind = bytes.get(end..).unwrap_or_default();
    match *behind {
        [b'\r', b'\n', ..] => Ok(true),
        [] | [b'\r'] => Ok(false),
        [b'\r', found, ..] | [found, ..] => Err(Error::BulkEnd { found }),
    }
}

/// Goes past whole strings, of which `left` may follow: nearly all elements and all arguments are.
///
/// What is something else, or not whole, or wrong, is left to the way that all elements go.
/// Answers where that is, and how many may follow there.
#[inline(always)]
pub(super) fn skip_strings(
    bytes: &[u8],
    start: usize,
    count: u64,
    limits: &RespLimits,
) -> (usize, u64) {
    let (mut at, mut left) = (start, count);
    while left > 0
        && bytes.get(at) == Some(&b'$')
        && let Number::Value(len, text_at) = number(bytes, at.saturating_add(1))
        && len <= limits.bulk_bytes_max
        && let end = text_at.saturating_add(len as usize)
        && ends_at(bytes, end) == Ok(true)
    {
        at = end.saturating_add(2);
        left = left.saturating_sub(1);
    }
    (at, left)
}

/// Reads the first line of the element at `at`. `None`: it has not ended.
#[inline(always)]
pub(super) fn line(bytes: &[u8], at: usize, limits: &RespLimits) -> Result<Option<Line>, Error> {
    let Some(&marker) = bytes.get(at) else {
        return Ok(None);
    };
    let start = at.saturating_add(1);
    let (kind, counts) = match marker {
        b'$' => (Kind::Bulk, true),
        b'*' => (Kind::Array, true),
        b'%' => (Kind::Map, true),
        b'~' => (Kind::Set, true),
        b'>' => (Kind::Push, true),
        b'=' => (Kind::Verbatim, true),
        b'!' => (Kind::BlobError, true),
        b'|' => (Kind::Map, true),
        b';' => (Kind::Bulk, true),
        b':' => (Kind::Integer, false),
        b'+' => (Kind::Simple, false),
        b'-' => (Kind::Error, false),
        b'_' => (Kind::Null, false),
        b'#' => (Kind::Bool, false),
        b',' => (Kind::Double, false),
        b'(' => (Kind::BigNumber, false),
        b'.' => (Kind::Null, false),
        found => return Err(Error::ReplyType { found }),
    };
    if !counts {
        let Some(text) = text(bytes, start, limits)? else {
            return Ok(None);
        };
        let behind = if marker == b'.' { Behind::End } else { Behind::Nothing };
        return Ok(Some(Line { kind, behind, text, end: text.range().end.saturating_add(2) }));
    }
    match number(bytes, start) {
        Number::Value(value, end) => {
            let behind = behind(marker, value, limits)?;
            let text = Extent::between(start, end.saturating_sub(2));
            Ok(Some(Line { kind, behind, text, end }))
        }
        Number::Need => Ok(None),
        Number::Bad(found) => special(bytes, start, marker, kind, found),
    }
}

/// The text of a line up to its end. `None`: it has not ended.
fn text(bytes: &[u8], start: usize, limits: &RespLimits) -> Result<Option<Extent>, Error> {
    let max = limits.line_bytes_max;
    let rest = bytes.get(start..).unwrap_or_default();
    let visible = rest.len().min((max as usize).saturating_add(2));
    let Some(len) = memchr(b'\n', rest.get(..visible).unwrap_or_default()) else {
        if visible >= (max as usize).saturating_add(2) {
            return Err(Error::LineLength { max });
        }
        return Ok(None);
    };
    let end = start.saturating_add(len);
    // An empty line has no room for a carriage return, and none is taken from the line before.
    if len == 0 || bytes.get(end.saturating_sub(1)) != Some(&b'\r') {
        return Err(Error::LineEnd);
    }
    Ok(Some(Extent::between(start, end.saturating_sub(1))))
}

/// What a counted line announces.
#[inline(always)]
fn behind(marker: u8, value: u32, limits: &RespLimits) -> Result<Behind, Error> {
    let max = if matches!(marker, b'%' | b'|') { COUNT_MAX / 2 } else { COUNT_MAX };
    match marker {
        b'$' | b'=' | b'!' | b';' => {
            if value > limits.bulk_bytes_max {
                return Err(Error::BulkLength { found: value, max: limits.bulk_bytes_max });
            }
            Ok(if marker == b';' { Behind::Chunk(value) } else { Behind::Payload(value) })
        }
        _ if value > max => Err(Error::Count { found: value, max }),
        b'%' => Ok(Behind::Elements(value.saturating_mul(2))),
        b'|' => Ok(Behind::Attributes(value.saturating_mul(2))),
        _ => Ok(Behind::Elements(value)),
    }
}

/// The two things that stand where a number belongs: `-1` for nothing, `?` for as many as come.
#[cold]
fn special(
    bytes: &[u8],
    start: usize,
    marker: u8,
    kind: Kind,
    found: u8,
) -> Result<Option<Line>, Error> {
    let rest = bytes.get(start..).unwrap_or_default();
    let wanted: &[u8] = match (marker, rest.first()) {
        (b'$' | b'*', Some(b'-')) => b"-1\r\n",
        (b'$' | b'*' | b'%' | b'~' | b'>', Some(b'?')) => b"?\r\n",
        _ => return Err(Error::Number { found }),
    };
    if let Some((_, &found)) = wanted.iter().zip(rest).find(|(wanted, found)| wanted != found) {
        return Err(Error::Number { found });
    }
    if rest.len() < wanted.len() {
        return Ok(None);
    }
    let end = start.saturating_add(wanted.len());
    let text = Extent::between(start, end.saturating_sub(2));
    let (kind, behind) = match (wanted.first(), marker) {
        (Some(b'-'), _) => (Kind::Null, Behind::Nothing),
        (_, b'$') => (kind, Behind::OpenChunks),
        _ => (kind, Behind::OpenElements),
    };
    Ok(Some(Line { kind, behind, text, end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<(Kind, Behind)>, Error> {
        Ok(line(bytes, 0, &RespLimits::default())?.map(|line| (line.kind, line.behind)))
    }

    #[test]
    fn a_first_line_says_what_follows() {
        let table: [(&[u8], Kind, Behind); 14] = [
            (b"+OK\r\n", Kind::Simple, Behind::Nothing),
            (b"_\r\n", Kind::Null, Behind::Nothing),
            (b"$-1\r\n", Kind::Null, Behind::Nothing),
            (b"*-1\r\n", Kind::Null, Behind::Nothing),
            (b"$0\r\n", Kind::Bulk, Behind::Payload(0)),
            (b"=536870912\r\n", Kind::Verbatim, Behind::Payload(536_870_912)),
            (b"*2147483647\r\n", Kind::Array, Behind::Elements(2_147_483_647)),
            (b"%2\r\n", Kind::Map, Behind::Elements(4)),
            (b"|1\r\n", Kind::Map, Behind::Attributes(2)),
            (b"$?\r\n", Kind::Bulk, Behind::OpenChunks),
            (b"%?\r\n", Kind::Map, Behind::OpenElements),
            (b";7\r\n", Kind::Bulk, Behind::Chunk(7)),
            (b".\r\n", Kind::Null, Behind::End),
            (b"-ERR no\r\n", Kind::Error, Behind::Nothing),
        ];
        for (bytes, kind, behind) in table {
            assert_eq!(read(bytes), Ok(Some((kind, behind))), "{}", bytes.escape_ascii());
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Ok(None), "{}", bytes[..end].escape_ascii());
            }
        }
    }

    #[test]
    fn lengths_are_read_as_strictly_as_redis_reads_them() {
        let table: [(&[u8], Error); 13] = [
            (b"$03\r\n", Error::Number { found: b'3' }),
            (b"$+3\r\n", Error::Number { found: b'+' }),
            (b"$\r\n", Error::Number { found: b'\r' }),
            (b"$3\n", Error::Number { found: b'\n' }),
            (b"$3\rx", Error::Number { found: b'x' }),
            (b"$-2", Error::Number { found: b'2' }),
            (b"%-", Error::Number { found: b'-' }),
            (b"=?", Error::Number { found: b'?' }),
            (b"$12345678901", Error::Number { found: b'1' }),
            (b"$536870913\r\n", Error::BulkLength { found: 536_870_913, max: 536_870_912 }),
            (b"%1073741824\r\n", Error::Count { found: 1 << 30, max: (1 << 30) - 1 }),
            (b"+OK\n", Error::LineEnd),
            (b"\r\n", Error::ReplyType { found: b'\r' }),
        ];
        for (bytes, error) in table {
            assert_eq!(read(bytes), Err(error), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_given_up() {
        let limits = RespLimits { line_bytes_max: 4, ..RespLimits::default() };
        assert!(line(b"+abcd\r\n", 0, &limits).is_ok_and(|line| line.is_some()));
        assert!(line(b"+abcde\r", 0, &limits).is_err_and(|e| e == Error::LineLength { max: 4 }));
        assert!(line(b"+abcde", 0, &limits).is_ok_and(|line| line.is_none()));
    }
}

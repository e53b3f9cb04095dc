//! Places in bytes, and a reader that walks through them.
//!
//! Nothing in this crate indexes a slice. A place that lies outside of the bytes reads as empty
//! bytes, and a cursor at the end reads `None`: a mistake of ours becomes a message that is left
//! alone, not a panic in somebody's data path.

use std::ops::Range;

/// Where something lies in the bytes it was found in: half open, `start <= end`.
///
/// Four bytes an end, because a decoder never looks further than its limits, which are `u32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    start: u32,
    end: u32,
}

impl Extent {
    /// An extent from `start` up to and without `end`.
    ///
    /// Answers `None` when `end` lies before `start`.
    pub const fn new(start: u32, end: u32) -> Option<Self> {
        if start <= end { Some(Self { start, end }) } else { None }
    }

    /// An extent between two offsets that were already compared with a limit.
    ///
    /// Offsets that do not fit give an empty extent at the end of the addressable bytes.
    pub(crate) fn between(start: usize, end: usize) -> Self {
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        Self { start: u32::try_from(start).unwrap_or(u32::MAX).min(end), end }
    }

    /// The offset of the first byte.
    pub const fn start(self) -> u32 {
        self.start
    }

    /// The offset behind the last byte.
    pub const fn end(self) -> u32 {
        self.end
    }

    /// The number of bytes.
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are no bytes.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same as a range, for indexing.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The bytes at this place. Empty if the place lies outside of `bytes`.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    /// The empty extent where this one starts: a place to insert something.
    pub(crate) const fn before(self) -> Self {
        Self { start: self.start, end: self.start }
    }
}

/// A reader over bytes.
///
/// INVARIANT: `at <= bytes.len()`.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The bytes from `start` up to the next byte.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    /// Steps over `wanted` if it comes next, and says whether it did.
    pub(crate) fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    /// Steps over `wanted` if all of it comes next, and says whether it did.
    pub(crate) fn eat_all(&mut self, wanted: &[u8]) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.starts_with(wanted);
        if found {
            self.at = self.at.saturating_add(wanted.len());
        }
        found
    }

    /// Steps over the bytes that `accept` accepts, and says how many they were.
    pub(crate) fn eat_while(&mut self, accept: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&byte| !accept(byte)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(len);
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extent_outside_of_the_bytes_reads_as_empty() {
        let inside = Extent::new(1, 3).unwrap();
        let outside = Extent::new(1, 9).unwrap();
        assert_eq!(inside.of(b"abcd"), b"bc");
        assert_eq!(outside.of(b"abcd"), b"");
        assert_eq!(Extent::new(3, 1), None);
    }

    #[test]
    fn extent_past_four_gibibytes_is_empty_instead_of_wrapped() {
        let far = Extent::between(usize::MAX - 1, usize::MAX);
        assert!(far.is_empty());
        assert_eq!(far.start(), u32::MAX);
    }

    #[test]
    fn cursor_at_the_end_stays_there() {
        let mut cursor = Cursor::new(b"ab");
        assert!(cursor.eat_all(b"ab"));
        assert_eq!(cursor.next(), None);
        assert!(!cursor.eat(b'a'));
        assert_eq!(cursor.at(), 2);
        assert_eq!(cursor.since(1), b"b");
    }
}

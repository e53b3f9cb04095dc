//! Numbers and strings as AMQP writes them: big-endian, with their length in front.

use crate::Extent;

/// A reader over the bytes of a frame.
///
/// Every method answers `None`, and stays where it is, when the bytes end too early.
///
/// INVARIANT: `at <= bytes.len()`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader that starts `at` bytes into `bytes`.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// The offset of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let chunk = self.rest().first_chunk()?;
        self.at = self.at.saturating_add(N);
        Some(chunk)
    }

    /// The next `len` bytes.
    #[inline(always)]
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..len)?;
        self.at = self.at.saturating_add(len);
        Some(taken)
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(|&[byte]| byte)
    }

    #[inline(always)]
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.chunk().copied().map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().copied().map(u32::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.chunk().copied().map(u64::from_be_bytes)
    }

    /// A short string: its length in one byte.
    #[inline(always)]
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let start = *self;
        let len = self.u8()?;
        self.take(len.into()).or_else(|| self.back_to(start))
    }

    /// A long string or a table: its length in four bytes.
    #[inline(always)]
    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let start = *self;
        let len = self.u32()?;
        self.take(len as usize).or_else(|| self.back_to(start))
    }

    /// Where a short string lies, without its length.
    #[inline(always)]
    pub(super) fn short_at(&mut self) -> Option<Extent> {
        let text = self.short()?;
        Some(self.behind(text.len()))
    }

    /// Where a long string or a table lies, without its length.
    #[inline(always)]
    pub(super) fn long_at(&mut self) -> Option<Extent> {
        let text = self.long()?;
        Some(self.behind(text.len()))
    }

    /// The extent of the last `len` bytes that were read.
    #[inline(always)]
    fn behind(&self, len: usize) -> Extent {
        Extent::between(self.at.saturating_sub(len), self.at)
    }

    #[cold]
    fn back_to<T>(&mut self, start: Self) -> Option<T> {
        *self = start;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        let bytes = [1, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut reader = Reader::new(&bytes, 0);
        assert_eq!(reader.u8(), Some(1));
        assert_eq!(reader.u16(), Some(0x0102));
        assert_eq!(reader.u32(), Some(0x0102_0304));
        assert_eq!(reader.u64(), Some(0x0102_0304_0506_0708));
        assert!(reader.is_at_end());
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn strings_end_where_their_length_says() {
        let bytes = b"..\x02ab\x00\x00\x00\x03xyz";
        let mut reader = Reader::new(bytes, 2);
        assert_eq!(reader.short_at().map(|at| at.of(bytes)), Some(b"ab".as_slice()));
        assert_eq!(reader.long_at().map(|at| at.of(bytes)), Some(b"xyz".as_slice()));
        assert!(reader.is_at_end());
    }

    #[test]
    fn strings_that_end_too_early_are_not_read_in_part() {
        let mut reader = Reader::new(b"\x03ab", 0);
        assert_eq!((reader.short(), reader.at()), (None, 0));
        let mut reader = Reader::new(b"\xff\xff\xff\xffab", 0);
        assert_eq!((reader.long(), reader.at()), (None, 0));
        assert_eq!(Reader::new(b"ab", 9).u8(), None);
    }
}

//! The content header: what a broker knows of a message besides where it goes.
//!
//! ```text
//! │ class │ weight │ body size │ property flags │ properties … │
//!     2       2         8               2
//! ```

use super::decode::HEAD_LEN;
use super::error::Error;
use super::properties::{FLAGS_AT, Properties};
use super::reader::Reader;
use crate::Extent;

/// The type of its frames.
const HEADER: u8 = 2;

/// The class whose properties are known; no other has content.
pub(super) const CLASS_BASIC: u16 = 60;

/// A content header frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader {
    /// The channel.
    pub channel: u16,
    /// The class of the method that it belongs to: 60, `basic`.
    pub class: u16,
    /// Always 0 in practice; not looked at.
    pub weight: u16,
    /// The size of all body frames that follow together, in bytes. 0: none follows.
    pub body_size: u64,
    /// Which properties there are, the most significant bit first.
    pub flags: u16,
    /// The frame, in the slice in which it was found, without the byte that ends it.
    pub(super) frame: Extent,
}

impl ContentHeader {
    /// Reads a frame of which `inside` is everything but the byte that ends it.
    #[inline(always)]
    pub(super) fn read(channel: u16, inside: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(inside, HEAD_LEN);
        let mut fields = || Some((reader.u16()?, reader.u16()?, reader.u64()?, reader.u16()?));
        let Some((class, weight, body_size, flags)) = fields() else {
            let found = inside.len().saturating_sub(HEAD_LEN);
            return Err(Error::ContentHeaderSize { found: u32::try_from(found).unwrap_or(0) });
        };
        let frame = Extent::between(0, inside.len());
        Ok(Self { channel, class, weight, body_size, flags, frame })
    }

    /// The header that a frame around encoded properties has, which begin with their flags; `frame`
    /// becomes that frame without the byte that ends it. For those who have no frames.
    ///
    /// `None`: it is too short for flags, or too long for a frame.
    pub fn around(properties: &[u8], frame: &mut Vec<u8>) -> Option<Self> {
        let size = properties.len().checked_add(FLAGS_AT - HEAD_LEN)?;
        let size = u32::try_from(size).ok()?;
        frame.clear();
        frame.reserve(FLAGS_AT.saturating_add(properties.len()));
        frame.extend_from_slice(&[HEADER, 0, 0]);
        frame.extend_from_slice(&size.to_be_bytes());
        frame.extend_from_slice(&CLASS_BASIC.to_be_bytes());
        frame.extend_from_slice(&[0; FLAGS_AT - HEAD_LEN - 2]);
        frame.extend_from_slice(properties);
        Self::read(0, frame).ok()
    }

    /// The properties. `bytes` is the slice in which the header was found.
    ///
    /// Answers `None` when they cannot be read, see [`Properties`]. The message goes on as it
    /// came.
    #[inline]
    pub fn properties<'a>(&self, bytes: &'a [u8]) -> Option<Properties<'a>> {
        if self.class != CLASS_BASIC {
            return None;
        }
        Properties::read(self.frame.of(bytes), self.flags)
    }
}

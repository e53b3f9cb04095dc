//! A message on the wire: publish or delivery, with or without a header block.
//!
//! ```text
//! HPUB orders.new 12 17 ↵ NATS/1.0 ↵ ↵ hello ↵
//! ├───────────────────────┤├──────────┤├────┤
//!      control line         header      payload      length 17 = header + payload
//! ├───────────────────────────────────┤
//!                 head: what a decoder hands out at once
//! ```

use super::error::Error;
use crate::Extent;
use crate::decimal::parse_size;
use crate::limits::NatsLimits;

/// A message whose head has been seen. Its payload may still be on the way.
///
/// Extents refer to the slice in which the decoder found the message, which starts with its
/// control line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The subject.
    pub subject: Extent,
    /// The subject that answers go to.
    pub reply: Option<Extent>,
    /// The length of the header block in bytes; 0 without one.
    pub header_len: u32,
    /// The length of the payload in bytes.
    pub payload_len: u32,
    pub(super) line_len: u32,
    pub(super) header_at: Option<Extent>,
    pub(super) size_at: Extent,
    pub(super) header_seen: bool,
}

/// Where a control line's arguments are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) subject: Extent,
    pub(super) reply: Option<Extent>,
    pub(super) header_at: Option<Extent>,
    pub(super) size_at: Extent,
}

impl Message {
    #[inline(always)]
    pub(super) fn new(
        line: &[u8],
        line_len: usize,
        shape: Shape,
        limits: &NatsLimits,
    ) -> Result<Self, Error> {
        let size = parse_size(shape.size_at.of(line)).ok_or(Error::MessageLength)?;
        let header_len = match shape.header_at {
            Some(at) => parse_size(at.of(line)).ok_or(Error::HeaderLength)?,
            None => 0,
        };
        if size > limits.payload_bytes_max {
            return Err(Error::MessageLimit { max: limits.payload_bytes_max });
        }
        let payload_len = size.checked_sub(header_len).ok_or(Error::MessageLength)?;
        Ok(Self {
            subject: shape.subject,
            reply: shape.reply,
            header_len,
            payload_len,
            line_len: u32::try_from(line_len).unwrap_or(u32::MAX),
            header_at: shape.header_at,
            size_at: shape.size_at,
            header_seen: header_len <= limits.header_bytes_max,
        })
    }

    /// Whether this is an `HPUB` or `HMSG`, which have a header block.
    pub const fn has_header(&self) -> bool {
        self.header_at.is_some()
    }

    /// Whether the header block is part of the head. If not, it exceeds its limit, goes by as the
    /// first part of the payload, and the message cannot be rewritten.
    pub const fn header_seen(&self) -> bool {
        self.header_seen
    }

    /// The bytes of the control line, with its end, and of the header block if it was seen.
    ///
    /// The same as the length of the decoder's step.
    pub fn head_len(&self) -> usize {
        let header = if self.header_seen { self.header_len } else { 0 };
        (self.line_len as usize).saturating_add(header as usize)
    }

    /// Header block plus payload, in bytes: what a broker compares with `max_payload`.
    pub const fn size(&self) -> u32 {
        self.header_len.saturating_add(self.payload_len)
    }

    /// The whole message, from its operation to the end behind its payload, in bytes.
    pub const fn total_len(&self) -> u64 {
        // Three `u32` and two do not overflow a `u64`; `saturating` only says so.
        (self.line_len as u64).saturating_add(self.size() as u64).saturating_add(2)
    }

    /// The header block, for [`Headers::parse`](super::Headers::parse). `None` without one, and
    /// when it was not seen.
    ///
    /// `bytes` is the slice in which the message was found.
    pub fn header<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if !self.has_header() || !self.header_seen {
            return None;
        }
        bytes.get(self.line_len as usize..self.head_len())
    }

    /// The control line with its end.
    pub(super) fn line<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(..self.line_len as usize).unwrap_or_default()
    }
}

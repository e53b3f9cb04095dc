//! Reading a whole reply, one element after the other.
//!
//! There is no tree: a list is a token that says how many tokens follow, and whoever reads it
//! counts. What is not wanted is stepped over, however deep it is.

use super::element::{Behind, Kind, Number, line, number};
use crate::Extent;
use crate::limits::RespLimits;

/// An element of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// What it says: the bytes of a string, the text of a line, the digits of a count.
    pub at: Extent,
    /// The number of elements that follow and belong to it; two for each pair of a map.
    pub elements: u32,
}

impl Token {
    /// The place of a string, if it is one that has its length in front.
    pub const fn bulk(&self) -> Option<Extent> {
        match self.kind {
            Kind::Bulk => Some(self.at),
            _ => None,
        }
    }

    /// The number of elements, if it is a list, a set or a map.
    pub const fn list(&self) -> Option<u32> {
        if self.kind.is_aggregate() { Some(self.elements) } else { None }
    }
}

/// The elements of a reply that have not been read yet.
///
/// Attributes are stepped over. What has no length in front (strings and lists of unknown length,
/// which Redis does not send) is not read: there the reading ends. Cheap to copy: a copy is a
/// place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The lengths of a reply have been compared with limits when it was measured.
const MEASURED: RespLimits = RespLimits {
    command_bytes_max: u32::MAX,
    reply_bytes_max: u32::MAX,
    bulk_bytes_max: u32::MAX,
    line_bytes_max: u32::MAX,
};

impl<'a> Tokens<'a> {
    /// The tokens of the reply at `at`.
    pub(super) fn new(bytes: &'a [u8], at: Extent) -> Self {
        let range = at.range();
        Self { bytes: bytes.get(..range.end).unwrap_or_default(), at: range.start }
    }

    /// The bytes that extents refer to.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The offset of the next element.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next element, if it is a string with its length in front.
    #[inline(always)]
    pub fn bulk(&mut self) -> Option<Extent> {
        self.next()?.bulk()
    }

    /// The number of elements of the next element, if it is a list, a set or a map.
    #[inline(always)]
    pub fn list(&mut self) -> Option<u32> {
        self.next()?.list()
    }

    /// Steps over `count` elements with all that belongs to them.
    pub fn step_over(&mut self, count: u32) -> Option<()> {
        let mut left = u64::from(count);
        while left > 0 {
            let token = self.next()?;
            left = left.saturating_sub(1).saturating_add(token.elements.into());
        }
        Some(())
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    #[inline(always)]
    fn next(&mut self) -> Option<Token> {
        if self.bytes.get(self.at) == Some(&b'$')
            && let Number::Value(len, start) = number(self.bytes, self.at.saturating_add(1))
        {
            let end = start.saturating_add(len as usize);
            self.at = end.saturating_add(2);
            return Some(Token { kind: Kind::Bulk, at: Extent::between(start, end), elements: 0 });
        }
        self.other()
    }
}

impl Tokens<'_> {
    /// The next element, whatever it is.
    fn other(&mut self) -> Option<Token> {
        // The elements of attributes, which do not count.
        let mut hidden = 0_u64;
        loop {
            let line = line(self.bytes, self.at, &MEASURED).ok().flatten()?;
            let (end, elements) = match line.behind {
                Behind::Nothing => (line.end, 0),
                Behind::Payload(len) => (line.end.saturating_add(len as usize), 0),
                Behind::Elements(count) => (line.end, count),
                Behind::Attributes(count) => {
                    self.at = line.end;
                    hidden = hidden.saturating_add(count.into());
                    continue;
                }
                _ => return None,
            };
            let (at, next) = match line.behind {
                Behind::Payload(_) => (Extent::between(line.end, end), end.saturating_add(2)),
                _ => (line.text, end),
            };
            self.at = next;
            if hidden > 0 {
                hidden = hidden.saturating_sub(1).saturating_add(elements.into());
                continue;
            }
            return Some(Token { kind: line.kind, at, elements });
        }
    }
}

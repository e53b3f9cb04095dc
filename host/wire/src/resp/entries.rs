//! Stream entries in replies.
//!
//! ```text
//! XREAD, XREADGROUP   [[key, [entry, …]], …]   or, in version 3, {key: [entry, …], …}
//! XCLAIM, XRANGE      [entry, …]
//! XAUTOCLAIM          [cursor, [entry, …], [deleted id, …]]
//! entry               [id, [field, value, …]]   [id, nothing] if it is deleted   id with JUSTID
//! ```

use super::element::Kind;
use super::fields::FieldList;
use super::tokens::Tokens;
use crate::Extent;

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: Extent,
    /// Its fields. `None`: it is deleted, or only its id was asked for.
    pub fields: Option<FieldList>,
    /// How often it has been delivered before, where the broker says it (`CLAIM`).
    pub deliveries: Option<u64>,
}

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// What follows is of this stream.
    Stream(Extent),
    /// An entry.
    Entry(Entry),
}

/// A reply with stream entries, read one after the other.
///
/// Ends early where the reply is not what it should be; [`Self::is_complete`] says.
#[derive(Clone, Copy, Debug)]
pub struct StreamReply<'a> {
    tokens: Tokens<'a>,
    streams_left: u32,
    /// Whether key and entries of a stream are a list of their own.
    is_nested: bool,
    entries_left: u32,
    is_broken: bool,
}

impl<'a> StreamReply<'a> {
    /// The reply to `XREAD` or `XREADGROUP`. `None`: it is an error or something else.
    pub fn read(mut tokens: Tokens<'a>) -> Option<Self> {
        let reply = tokens.next()?;
        let (streams_left, is_nested) = match reply.kind {
            Kind::Null => (0, false),
            Kind::Array => (reply.elements, true),
            Kind::Map => (reply.elements / 2, false),
            _ => return None,
        };
        Some(Self { tokens, streams_left, is_nested, entries_left: 0, is_broken: false })
    }

    /// The reply to `XCLAIM` or `XRANGE`. `None`: it is an error or something else.
    pub fn entries(mut tokens: Tokens<'a>) -> Option<Self> {
        let entries_left = tokens.next().filter(|reply| reply.kind == Kind::Array)?.elements;
        Some(Self { tokens, streams_left: 0, is_nested: false, entries_left, is_broken: false })
    }

    /// The reply to `XAUTOCLAIM`. `None`: it is an error or something else.
    pub fn autoclaimed(mut tokens: Tokens<'a>) -> Option<Self> {
        tokens.list().filter(|&elements| elements >= 2)?;
        tokens.bulk()?;
        Self::entries(tokens)
    }

    /// Whether all entries were read.
    pub const fn is_complete(&self) -> bool {
        self.streams_left == 0 && self.entries_left == 0 && !self.is_broken
    }

    #[inline(always)]
    fn stream(&mut self) -> Option<StreamItem> {
        if self.is_nested {
            self.tokens.list().filter(|&elements| elements == 2)?;
        }
        let key = self.tokens.bulk()?;
        self.entries_left = self.tokens.list()?;
        Some(StreamItem::Stream(key))
    }

    /// The next entry. The inner `None`: nothing in place of one.
    #[inline(always)]
    fn entry(&mut self) -> Option<Option<StreamItem>> {
        let token = self.tokens.next()?;
        let elements = match token.kind {
            Kind::Null => return Some(None),
            Kind::Bulk => {
                let entry = Entry { id: token.at, fields: None, deliveries: None };
                return Some(Some(StreamItem::Entry(entry)));
            }
            Kind::Array if token.elements >= 2 => token.elements,
            _ => return None,
        };
        let id = self.tokens.bulk()?;
        let fields = self.fields()?;
        let mut deliveries = None;
        let others = elements.saturating_sub(2);
        if others == 2 {
            self.tokens.step_over(1)?;
            let token = self.tokens.next().filter(|token| !token.kind.is_aggregate())?;
            deliveries = crate::decimal::parse_u64(token.at.of(self.tokens.bytes()));
        } else {
            self.tokens.step_over(others)?;
        }
        Some(Some(StreamItem::Entry(Entry { id, fields, deliveries })))
    }

    #[inline(always)]
    fn fields(&mut self) -> Option<Option<FieldList>> {
        let list = self.tokens.next()?;
        let (count, per_pair) = match list.kind {
            Kind::Null => return Some(None),
            Kind::Array => (list.elements, 2),
            Kind::Map => (list.elements / 2, 1),
            _ => return None,
        };
        let start = self.tokens.at();
        self.tokens.step_over(list.elements)?;
        Some(Some(FieldList {
            count_at: list.at,
            count,
            per_pair,
            elements: list.elements,
            at: Extent::between(start, self.tokens.at()),
        }))
    }
}

impl Iterator for StreamReply<'_> {
    type Item = StreamItem;

    #[inline]
    fn next(&mut self) -> Option<StreamItem> {
        while !self.is_broken {
            let item = if let Some(left) = self.entries_left.checked_sub(1) {
                self.entries_left = left;
                self.entry()
            } else {
                self.streams_left = self.streams_left.checked_sub(1)?;
                self.stream().map(Some)
            };
            match item {
                Some(None) => {}
                Some(item) => return item,
                None => self.is_broken = true,
            }
        }
        None
    }
}

//! Trace context inside a message body that is a JSON object.
//!
//! ```text
//! json   {"id": 1, "_otel": {"traceparent": "00-…-01", "baggage": "tenant=7"}}
//! kombu  {"body": "…", "headers": {"task": "add", "traceparent": "00-…-01"}, "properties": {…}}
//!                                 └──── context object, with its entries ─┘
//! ```
//!
//! For messages without headers, and for routes that are configured to use it. A kind of
//! [`Envelope`] knows where the context object is; [`Envelope::scan`] finds it, [`Found::splice`]
//! says which bytes to replace. Nothing else in the body changes: not white space, the spelling of
//! numbers, the order of keys, or keys that repeat.
//!
//! A body is left alone, which is the answer `None`, in every case of doubt:
//!
//! - it is not a JSON object in UTF-8 by the grammar of RFC 8259, exceeds a limit, or lacks what
//!   its kind demands;
//! - a name that is looked for occurs twice, or an entry holds something other than a string or
//!   null: then the name is somebody else's;
//! - two entries have one name (names are header names: their case does not matter), or an entry
//!   is spelled with half a surrogate pair and so is no text.
//!
//! A name is found however it is spelled: `"_ot\u0065l"` is the same name to the program that
//! reads the message, and a second member beside it would be a repeated key. An entry that is null
//! counts as absent when reading, and is replaced when written.
//!
//! This module does not know what the entries mean, nor does it read the message's content.

use alloc::borrow::Cow;

use crate::carrier::field_of_name;
use json::{Extent, Member, Members};

mod edit;
mod field;
mod json;
mod kind;
mod kombu;
mod object;
mod plain;
#[cfg(test)]
mod tests;

pub use edit::{Splice, Splices};
pub use json::DEPTH_MAX;
pub use kind::Envelope;
pub use plain::{FIELD, scan};

/// Largest body that is read unless configured otherwise, in bytes.
///
/// A body is held back until it is whole and read in one call, whose deadline is a millisecond.
/// Natively this much takes half of one where it is ordinary records, and all of it where it is
/// nothing but single digits: the slowest shape is at the edge of the deadline, and what the
/// deadline cuts off is left alone too.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Entries of a context object.
///
/// All context formats at once write 16; the rest is room for the two that spell each baggage
/// entry as a name of its own. Also the bound on the number of splices (one more may be added).
pub const ENTRIES_MAX: usize = 32;

/// Longest name of an entry, in bytes.
///
/// Every name is compared with every other one, and names that differ in the last byte only take
/// longest: at this length all of them a twentieth of a millisecond. Names of fields have 39 at
/// most; the rest is for a key of baggage.
pub const ENTRY_NAME_BYTES_MAX: usize = 128;

/// A body with a place for context.
#[derive(Debug)]
pub struct Found<'a> {
    body: &'a [u8],
    /// The name of the context object, where the body does not have it yet.
    missing: Option<&'a str>,
    others: Others,
    entries: [Entry; ENTRIES_MAX],
    len: usize,
    /// Where a new entry goes in; without the context object, where that does.
    insert_at: usize,
    /// Members of the object at `insert_at`, so that a comma is written where one is needed.
    members: usize,
    said: Said<'a>,
}

/// Whose the members of a context object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// All are entries, whatever they are called.
    Refused,
    /// Those with the name of a context field are entries. The others, of any type and in any
    /// number, are stepped over.
    Kept,
}

/// A member of the context object that is an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    member: Member,
    /// How many members, entries or not, stand before it.
    index: usize,
}

/// What an envelope says about its message; empty where it does not say.
#[derive(Debug, Default)]
struct Said<'a> {
    key: Cow<'a, [u8]>,
    message_id: Cow<'a, [u8]>,
    conversation_id: Cow<'a, [u8]>,
    job_name: Cow<'a, [u8]>,
}

impl<'a> Found<'a> {
    /// What the envelope calls the message, to match a settlement to it; empty: it does not say.
    pub fn key(&self) -> &[u8] {
        &self.said.key
    }

    /// The message's id; empty: the envelope does not say.
    pub fn message_id(&self) -> &[u8] {
        &self.said.message_id
    }

    /// What ties a message and its answers together; empty: the envelope does not say.
    pub fn conversation_id(&self) -> &[u8] {
        &self.said.conversation_id
    }

    /// What a job queue calls the work; empty: the envelope does not say.
    pub fn job_name(&self) -> &[u8] {
        &self.said.job_name
    }

    /// Answers whether the body has the context object.
    pub fn is_present(&self) -> bool {
        self.missing.is_none()
    }

    /// The entries that hold a string, in order, as names and values.
    ///
    /// A value may hold any character, control characters too: whoever makes a header of it has to
    /// look. Copies only what was written with escapes.
    pub fn entries(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + '_ {
        self.own().iter().filter_map(|entry| {
            let name = entry.member.name.unquoted().of(self.body);
            Some((field::decode(name)?, self.value(entry)?))
        })
    }

    /// A body without the context object, which can be given one of the name `missing` at
    /// `insert_at`, behind `members` other members.
    fn without_context(body: &'a [u8], missing: &'a str, insert_at: usize, members: usize) -> Self {
        Self {
            body,
            missing: Some(missing),
            others: Others::Refused,
            entries: [Entry::default(); ENTRIES_MAX],
            len: 0,
            insert_at,
            members,
            said: Said::default(),
        }
    }

    /// A body whose context object is the top-level value at `context`. Answers `None` where its
    /// members are not what they should be, or it is no object.
    fn with_context(body: &'a [u8], context: Extent, others: Others) -> Option<Self> {
        let mut found = Self { missing: None, others, ..Self::without_context(body, "", 0, 0) };
        let mut members = Members::open(body, context.start, 1)?;
        while let Some(member) = members.next()? {
            let name = field::decode(member.name.unquoted().of(body));
            let is_entry = match others {
                Others::Refused => true,
                Others::Kept => name.as_deref().is_some_and(|name| field_of_name(name).is_some()),
            };
            if is_entry {
                found.add(Entry { member, index: members.len() - 1 }, &name?)?;
            }
        }
        (found.insert_at, found.members) = (members.insert_at(), members.len());
        Some(found)
    }

    /// Takes an entry with its decoded name.
    fn add(&mut self, entry: Entry, name: &[u8]) -> Option<()> {
        let value = entry.member.value;
        let is_text = value.is_string(self.body) && field::is_text(value.unquoted().of(self.body));
        let is_known = is_text || value.is_null(self.body);
        if !is_known || name.len() > ENTRY_NAME_BYTES_MAX {
            return None;
        }
        if self.own().iter().any(|other| self.is_named(other, name)) {
            return None;
        }
        *self.entries.get_mut(self.len)? = entry;
        self.len += 1;
        Some(())
    }

    fn own(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// The text of an entry; `None` when it is null.
    fn value(&self, entry: &Entry) -> Option<Cow<'a, [u8]>> {
        object::text(self.body, entry.member.value)
    }

    /// Answers whether the entry has this name, in any case.
    fn is_named(&self, entry: &Entry, name: &[u8]) -> bool {
        let raw = entry.member.name.unquoted().of(self.body);
        field::spells(raw, name, <[u8]>::eq_ignore_ascii_case)
    }
}

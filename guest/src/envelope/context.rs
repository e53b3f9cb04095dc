//! A context object: the JSON object whose members are context fields, among others or alone.
//!
//! Only offsets are kept, so that one can lie in a text that was itself decoded from another
//! format ([`Holder`](super::holder::Holder)).

use alloc::borrow::Cow;

use super::json::{Extent, Member, Members};
use super::{ENTRIES_MAX, ENTRY_NAME_BYTES_MAX, field, object};
use crate::carrier::field_of_name;
use crate::field::Field;

/// Where entries are in a text, or can go.
#[derive(Debug)]
pub(super) struct ContextObject<'a> {
    /// The name of the context object, where the text does not have it yet.
    pub(super) missing: Option<&'a str>,
    owner: Owner,
    entries: [Entry; ENTRIES_MAX],
    len: usize,
    /// Where a new entry goes in; without the context object, where that does.
    pub(super) insert_at: usize,
    /// Members of the object at `insert_at`, so that a comma is written where one is needed.
    pub(super) members: usize,
}

/// Whose the members of a context object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// All are entries, whatever they are called.
    Ours,
    /// Those with the name of a context field are entries. The others, of any type and in any
    /// number, are stepped over.
    Shared,
    /// Those named `traceparent` and `tracestate` are entries; nothing else is read or written.
    SharedW3c,
}

/// A member of the context object that is an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) member: Member,
    /// How many members, entries or not, stand before it.
    pub(super) index: usize,
}

impl Owner {
    /// Answers whether a member of this name is an entry.
    fn has(self, name: &[u8]) -> bool {
        match self {
            Self::Ours => true,
            Self::Shared => field_of_name(name).is_some(),
            Self::SharedW3c => {
                matches!(field_of_name(name), Some((Field::Traceparent | Field::Tracestate, _)))
            }
        }
    }

    /// Answers whether a name is left out where it would have to be written: the envelope has no
    /// place for it, which is no reason to leave out the others.
    pub(super) fn leaves_out(self, name: &str) -> bool {
        self == Self::SharedW3c && !self.has(name.as_bytes())
    }

    /// Answers whether a name that no entry has is sure to be nobody else's.
    pub(super) fn may_add(self, name: &str) -> bool {
        self.has(name.as_bytes())
    }
}

impl<'a> ContextObject<'a> {
    /// A text without the context object, which can be given one of the name `missing` at
    /// `insert_at`, behind `members` other members.
    pub(super) fn absent(missing: &'a str, insert_at: usize, members: usize) -> Self {
        let missing = Some(missing);
        let entries = [Entry::default(); ENTRIES_MAX];
        Self { missing, owner: Owner::Ours, entries, len: 0, insert_at, members }
    }

    /// The context object that opens at `at` or after white space there, inside of `depth`
    /// containers. Answers `None` where its members are not what they should be, or it is no
    /// object.
    pub(super) fn read(text: &[u8], at: usize, depth: u32, owner: Owner) -> Option<Self> {
        let mut object = Self { missing: None, owner, ..Self::absent("", 0, 0) };
        let mut members = Members::open(text, at, depth)?;
        while let Some(member) = members.next()? {
            let name = field::decode(member.name.unquoted().of(text));
            if owner == Owner::Ours || name.as_deref().is_some_and(|name| owner.has(name)) {
                object.add(text, Entry { member, index: members.len() - 1 }, &name?)?;
            }
        }
        (object.insert_at, object.members) = (members.insert_at(), members.len());
        Some(object)
    }

    /// The context object that is the whole of `text`.
    pub(super) fn whole(text: &[u8], owner: Owner) -> Option<Self> {
        let mut members = Members::open(text, 0, 0)?;
        while members.next()?.is_some() {}
        if !members.ends_body() {
            return None;
        }
        Self::read(text, 0, 0, owner)
    }

    /// Takes an entry with its decoded name.
    fn add(&mut self, text: &[u8], entry: Entry, name: &[u8]) -> Option<()> {
        let value = entry.member.value;
        let is_text = value.is_string(text) && field::is_text(value.unquoted().of(text));
        let is_known = is_text || value.is_null(text);
        let spelled = entry.member.name.unquoted().of(text);
        if !is_known || spelled.len() > ENTRY_NAME_BYTES_MAX {
            return None;
        }
        if self.own().iter().any(|other| is_named(text, other, name)) {
            return None;
        }
        *self.entries.get_mut(self.len)? = entry;
        self.len += 1;
        Some(())
    }

    /// Whose the members are.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// The entries, in order.
    pub(super) fn own(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// The entries that hold a string, in order, as names and values.
    pub(super) fn texts<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Cow<'t, [u8]>, Cow<'t, [u8]>)> {
        self.own().iter().filter_map(move |entry| {
            let name = entry.member.name.unquoted().of(text);
            Some((field::decode(name)?, value(text, entry)?))
        })
    }
}

/// The text of an entry; `None` when it is null.
pub(super) fn value<'t>(text: &'t [u8], entry: &Entry) -> Option<Cow<'t, [u8]>> {
    object::text(text, entry.member.value)
}

/// Answers whether the entry has this name, in any case.
pub(super) fn is_named(text: &[u8], entry: &Entry, name: &[u8]) -> bool {
    let raw: Extent = entry.member.name.unquoted();
    field::spells(raw.of(text), name, <[u8]>::eq_ignore_ascii_case)
}

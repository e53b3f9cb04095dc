//! A context object: the JSON object whose members are context fields, among others or alone.
//!
//! Only offsets are kept, so that one can lie in a text that was itself decoded from another
//! format ([`Holder`](super::holder::Holder)).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::json::{Member, Members};
use super::object::Object;
use super::{ENTRIES_MAX, ENTRY_NAME_BYTES_MAX, field, object};
use crate::carrier::field_of_name;
use crate::field::Field;

/// Where entries are in a text, or can go.
#[derive(Debug)]
pub(super) struct ContextObject<'a> {
    /// The name of the context object, where the text does not have it yet.
    pub(super) missing: Option<&'a str>,
    owner: Owner,
    /// At most [`ENTRIES_MAX`].
    entries: Vec<Entry>,
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
        Self { missing, insert_at, members, ..Self::new(Owner::Ours) }
    }

    /// A context object that is still to be read: [`take`](Self::take) gets its members, and
    /// [`end`](Self::end) what follows them.
    pub(super) fn new(owner: Owner) -> Self {
        Self { missing: None, owner, entries: Vec::new(), insert_at: 0, members: 0 }
    }

    /// Reads the context object that was entered. Answers `None` where its members are not what
    /// they should be.
    pub(super) fn read(members: &mut Members<'_, '_>, owner: Owner) -> Option<Self> {
        let mut object = Self::new(owner);
        Object::<0>::read(members, [], Some(&mut object))?;
        Some(object)
    }

    /// The context object that is the whole of `text`.
    pub(super) fn whole(text: &[u8], owner: Owner) -> Option<Self> {
        let mut object = Self::new(owner);
        Object::<0>::of_body(text, usize::MAX, [], Some(&mut object))?;
        Some(object)
    }

    /// Takes a member, behind `index` others, if it is an entry; `None`: it should not be there.
    /// `name` is that of the member, where that is text.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        member: Member,
        name: Option<&[u8]>,
        index: usize,
    ) -> Option<()> {
        if self.owner == Owner::Ours || name.is_some_and(|name| self.owner.has(name)) {
            self.add(text, Entry { member, index }, name?)?;
        }
        Some(())
    }

    /// Takes the end of the object.
    pub(super) fn end(&mut self, members: &Members<'_, '_>) {
        (self.insert_at, self.members) = (members.insert_at(), members.len());
    }

    /// Takes an entry with its decoded name.
    fn add(&mut self, text: &[u8], entry: Entry, name: &[u8]) -> Option<()> {
        let Member { name: spelled, value } = entry.member;
        let is_text = value.is_string() && (!value.has_escapes || field::is_text(value.raw(text)));
        let is_known = is_text || value.is_null();
        if !is_known || spelled.raw(text).len() > ENTRY_NAME_BYTES_MAX {
            return None;
        }
        let is_one_more = self.entries.len() < ENTRIES_MAX
            && !self.entries.iter().any(|other| is_named(text, other, name));
        is_one_more.then(|| self.entries.push(entry))
    }

    /// Whose the members are.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// The entries, in order.
    pub(super) fn own(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that hold a string, in order, as names and values.
    pub(super) fn texts<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Cow<'t, [u8]>, Cow<'t, [u8]>)> {
        self.own().iter().filter_map(move |entry| {
            Some((object::text(text, entry.member.name)?, value(text, entry)?))
        })
    }
}

/// The text of an entry; `None` when it is null.
pub(super) fn value<'t>(text: &'t [u8], entry: &Entry) -> Option<Cow<'t, [u8]>> {
    object::text(text, entry.member.value)
}

/// Answers whether the entry has this name, in any case.
pub(super) fn is_named(text: &[u8], entry: &Entry, name: &[u8]) -> bool {
    let spelled = entry.member.name;
    let raw = spelled.raw(text);
    if spelled.has_escapes {
        return field::spells(raw, name, <[u8]>::eq_ignore_ascii_case);
    }
    raw.eq_ignore_ascii_case(name)
}

//! Trace context inside a message body: one field of a JSON object.
//!
//! ```text
//! {"id": 1, "_otel": {"traceparent": "00-…-01", "baggage": "tenant=7"}}
//!            └─┬─┘   └────────────────── entries ────────────────────┘
//!            field
//! ```
//!
//! For messages without headers, and for routes that are configured to use it. [`scan`] finds the
//! field, [`Found::splice`] says which bytes to replace. Nothing else in the body changes: not
//! white space, the spelling of numbers, the order of keys, or keys that repeat.
//!
//! A body is left alone, which is the answer `None`, in every case of doubt:
//!
//! - it is not a JSON object in UTF-8 by the grammar of RFC 8259, or exceeds a limit;
//! - the field occurs twice, holds something other than an object, or an entry of it holds
//!   something other than a string or null: then the name is somebody else's;
//! - two entries have one name (names are header names: their case does not matter), or an entry
//!   is spelled with half a surrogate pair and so is no text.
//!
//! The field is found however it is spelled: `"_ot\u0065l"` is the same name to the program that
//! reads the message, and a second field beside it would be a repeated key. An entry that is null
//! counts as absent when reading, and is replaced when written.
//!
//! This module does not know what the entries mean. Other envelopes are other modules.

use alloc::borrow::Cow;

use json::{Extent, Member, Members};

mod edit;
mod field;
mod json;
mod kind;
#[cfg(test)]
mod tests;

pub use edit::{Splice, Splices};
pub use json::DEPTH_MAX;
pub use kind::Envelope;

/// The name of the field where a route does not configure another.
pub const FIELD: &str = "_otel";

/// Largest body that is read unless configured otherwise, in bytes.
///
/// A body is held back until it is whole and read in one call, whose deadline is a millisecond.
/// Natively this much takes half of one where it is ordinary records, and all of it where it is
/// nothing but single digits: the slowest shape is at the edge of the deadline, and what the
/// deadline cuts off is left alone too.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Entries in the field.
///
/// All context formats at once write 16; the rest is room for the two that spell each baggage
/// entry as a name of its own. Also the bound on the number of splices (one more may be added).
pub const ENTRIES_MAX: usize = 32;

/// A JSON object in which the field was looked for.
#[derive(Debug)]
pub struct Found<'a> {
    body: &'a [u8],
    field: &'a str,
    present: bool,
    entries: [Member; ENTRIES_MAX],
    len: usize,
    /// Where a new entry goes in; without the field, where the field does.
    insert_at: usize,
    /// The object at `insert_at` has members, so a comma is needed.
    comma: bool,
}

/// Looks for the context field in `body`.
///
/// Answers `None` when the body has to be left alone (see the [module](self)); bodies longer than
/// `body_bytes_max` are not looked at. An object without the field is an answer: it can be given
/// one. Reads every byte of the body once, and those of the field twice; allocates nothing, unless
/// the name of an entry has escapes.
pub fn scan<'a>(body: &'a [u8], field: &'a str, body_bytes_max: usize) -> Option<Found<'a>> {
    if body.len() > body_bytes_max {
        return None;
    }
    let mut members = Members::open(body, 0, 0)?;
    let mut value = None;
    while let Some(member) = members.next()? {
        let name = member.name.unquoted().of(body);
        if field::spells(name, field.as_bytes(), |a, b| a == b)
            && value.replace(member.value).is_some()
        {
            return None;
        }
    }
    let (insert_at, comma) = (members.insert_at(), !members.is_empty());
    if !members.ends_body() {
        return None;
    }
    let entries = [Member::default(); ENTRIES_MAX];
    let mut found = Found { body, field, present: false, entries, len: 0, insert_at, comma };
    if let Some(value) = value {
        found.read_entries(value)?;
    }
    Some(found)
}

impl<'a> Found<'a> {
    /// What the envelope calls the message, to match a settlement to it. JSON by itself has none.
    pub fn key(&self) -> &'a [u8] {
        &[]
    }

    /// Answers whether the body has the field.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// The entries that hold a string, in order, as names and values.
    ///
    /// A value may hold any character, control characters too: whoever makes a header of it has to
    /// look. Copies only what was written with escapes.
    pub fn entries(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + '_ {
        self.members().iter().filter_map(|entry| {
            Some((field::decode(entry.name.unquoted().of(self.body))?, self.value(entry)?))
        })
    }

    fn members(&self) -> &[Member] {
        &self.entries[..self.len]
    }

    /// The text of an entry; `None` when it is null.
    fn value(&self, entry: &Member) -> Option<Cow<'a, [u8]>> {
        let is_string = self.body[entry.value.start] == b'"';
        is_string.then(|| field::decode(entry.value.unquoted().of(self.body)))?
    }

    /// Answers whether the entry has this name, in any case.
    fn is_named(&self, entry: &Member, name: &str) -> bool {
        let raw = entry.name.unquoted().of(self.body);
        field::spells(raw, name.as_bytes(), <[u8]>::eq_ignore_ascii_case)
    }

    /// Reads the field's object. Answers `None` where it is not one of ours.
    fn read_entries(&mut self, value: Extent) -> Option<()> {
        let mut members = Members::open(self.body, value.start, 1)?;
        while let Some(entry) = members.next()? {
            let name = field::decode(entry.name.unquoted().of(self.body))?;
            let name = core::str::from_utf8(&name).ok()?;
            let is_known = match self.body[entry.value.start] {
                b'"' => field::is_text(entry.value.unquoted().of(self.body)),
                b'n' => true,
                _ => false,
            };
            if !is_known || self.members().iter().any(|other| self.is_named(other, name)) {
                return None;
            }
            *self.entries.get_mut(self.len)? = entry;
            self.len += 1;
        }
        self.present = true;
        self.insert_at = members.insert_at();
        self.comma = !members.is_empty();
        Some(())
    }
}

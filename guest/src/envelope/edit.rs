//! The splices that change the entries of a context object.
//!
//! ```text
//! {"id":1,"_otel":{"traceparent":"00-…","tracestate":"a=b"}}
//!                                └──┬─┘└────────┬─────────┘╵
//!                            1 replaced   2 removed   3 added
//! ```
//!
//! Splices that touch become one, so there is never an empty change between two of them, and the
//! result is valid JSON whichever entries go.

use alloc::vec::Vec;

use super::json::Member;
use super::{ENTRIES_MAX, Entry, Found, Others, field};
use crate::carrier::field_of_name;

/// One change: `removed` bytes at `offset` give way to `inserted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splice<'a> {
    /// Offset in the body as it came.
    pub offset: usize,
    /// How many bytes of it go; 0 for an insertion.
    pub removed: usize,
    /// What comes in their place.
    pub inserted: &'a [u8],
}

/// Changes to one body: sorted by offset, apart from each other, at most one more than
/// [`ENTRIES_MAX`].
#[derive(Clone, Debug, Default)]
pub struct Splices {
    records: Vec<Record>,
    /// What all of them insert, one after the other.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    offset: usize,
    removed: usize,
    /// Where its part of `bytes` ends.
    inserted_end: usize,
}

/// What becomes of an entry.
#[derive(Clone, Copy)]
enum Fate<'a> {
    Kept,
    Removed,
    Replaced(&'a str),
}

impl Found<'_> {
    /// Says how to change the entries: each of `set` gets its value, each of `remove` goes.
    ///
    /// Names are compared without regard to case, and an existing name keeps its spelling and its
    /// place. New entries are added at the end, in the order given; without the context object,
    /// the object is added as the last member. A name in both lists is set. Of two equal names in
    /// `set` the first counts. An entry that already has its value is not touched, so splicing the
    /// same twice changes nothing the second time. The context object itself is never removed.
    ///
    /// Answers `None`, which means to leave the body alone, when a value is not UTF-8 and so cannot
    /// be put into JSON, when there would be more than [`ENTRIES_MAX`] entries, or when a name that
    /// is no context field is to be added beside members of others: one of those may have it.
    pub fn splice(&self, set: &[(&str, &[u8])], remove: &[&str]) -> Option<Splices> {
        let mut splices = Splices::default();
        let mut removed = 0;
        for entry in self.own() {
            match self.fate(entry, set, remove)? {
                Fate::Kept => {}
                Fate::Replaced(value) => {
                    splices.cut(entry.member.value.start, entry.member.value.end);
                    field::encode(value, &mut splices.bytes);
                    splices.close();
                }
                Fate::Removed => {
                    let (start, end) = self.with_comma(entry, removed);
                    splices.cut(start, end);
                    splices.close();
                    removed += 1;
                }
            }
        }
        self.add_missing(set, removed, &mut splices)?;
        Some(splices)
    }

    fn fate<'v>(
        &self,
        entry: &Entry,
        set: &[(&str, &'v [u8])],
        remove: &[&str],
    ) -> Option<Fate<'v>> {
        let is_named = |name: &str| self.is_named(entry, name.as_bytes());
        if let Some(&(_, value)) = set.iter().find(|(name, _)| is_named(name)) {
            let unchanged = self.value(entry).is_some_and(|old| *old == *value);
            let value = core::str::from_utf8(value).ok()?;
            return Some(if unchanged { Fate::Kept } else { Fate::Replaced(value) });
        }
        let removed = remove.iter().any(|name| is_named(name));
        Some(if removed { Fate::Removed } else { Fate::Kept })
    }

    /// The bytes to take out with an entry so that commas stay right: the one before it where a
    /// member stays there, else the one after it. `removed` of the members before it go.
    ///
    /// Between the members of an object that was read stand one comma and white space.
    fn with_comma(&self, entry: &Entry, removed: usize) -> (usize, usize) {
        let Member { name, value } = entry.member;
        let (before, after) = (&self.body[..name.start], &self.body[value.end..]);
        if entry.index > removed {
            let comma = before.trim_ascii_end().len() - 1;
            return (before[..comma].trim_ascii_end().len(), value.end);
        }
        let next = after.trim_ascii_start().strip_prefix(b",").map(<[u8]>::trim_ascii_start);
        (name.start, next.map_or(value.end, |next| self.body.len() - next.len()))
    }

    fn add_missing(
        &self,
        set: &[(&str, &[u8])],
        removed: usize,
        splices: &mut Splices,
    ) -> Option<()> {
        let is_new = |index: usize| {
            let (name, _) = set[index];
            !set[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
                && !self.own().iter().any(|entry| self.is_named(entry, name.as_bytes()))
        };
        let mut added = (0..set.len()).filter(|&index| is_new(index)).peekable();
        if added.peek().is_none() {
            return Some(());
        }
        splices.cut(self.insert_at, self.insert_at);
        let out = &mut splices.bytes;
        let mut comma = self.members > removed;
        if let Some(name) = self.missing {
            out.extend_from_slice(if comma { b"," } else { b"" });
            field::encode(name, out);
            out.extend_from_slice(b":{");
            comma = false;
        }
        let mut len = self.len;
        for index in added {
            let (name, value) = set[index];
            len += 1;
            if len > ENTRIES_MAX || !self.may_add(name) {
                return None;
            }
            out.extend_from_slice(if comma { b"," } else { b"" });
            field::encode(name, out);
            out.push(b':');
            field::encode(core::str::from_utf8(value).ok()?, out);
            comma = true;
        }
        out.extend_from_slice(if self.missing.is_some() { b"}" } else { b"" });
        splices.close();
        Some(())
    }

    /// Answers whether a name that no entry has is sure to be nobody else's.
    fn may_add(&self, name: &str) -> bool {
        self.others == Others::Refused || field_of_name(name.as_bytes()).is_some()
    }
}

impl Splices {
    /// Answers whether the body stays as it is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The splices, by rising offset.
    pub fn iter(&self) -> impl Iterator<Item = Splice<'_>> {
        let mut start = 0;
        self.records.iter().map(move |record| {
            let inserted = &self.bytes[start..record.inserted_end];
            start = record.inserted_end;
            Splice { offset: record.offset, removed: record.removed, inserted }
        })
    }

    /// The body with the changes made. `body` has to be the one that was scanned.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + self.bytes.len());
        let mut at = 0;
        for splice in self.iter() {
            out.extend_from_slice(&body[at..splice.offset]);
            out.extend_from_slice(splice.inserted);
            at = splice.offset + splice.removed;
        }
        out.extend_from_slice(&body[at..]);
        out
    }

    /// Takes out `start..end`; what is then added to `bytes` comes in its place. Grows the last
    /// splice where this one begins at its end.
    fn cut(&mut self, start: usize, end: usize) {
        let removed = end - start;
        match self.records.last_mut() {
            Some(last) if last.offset + last.removed == start => last.removed += removed,
            _ => {
                let inserted_end = self.bytes.len();
                self.records.push(Record { offset: start, removed, inserted_end });
            }
        }
    }

    /// Gives everything added to `bytes` since to the last splice.
    fn close(&mut self) {
        if let Some(last) = self.records.last_mut() {
            last.inserted_end = self.bytes.len();
        }
    }
}

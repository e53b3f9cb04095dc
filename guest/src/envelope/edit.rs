//! The splices that change the entries of a context field.
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
use super::{ENTRIES_MAX, Found, field};

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
    /// place. New entries are added at the end, in the order given; without the field, the field
    /// is added as the last member. A name in both lists is set. Of two equal names in `set` the
    /// first counts. An entry that already has its value is not touched, so splicing the same
    /// twice changes nothing the second time. The field itself is never removed.
    ///
    /// Answers `None` when a value is not UTF-8 and so cannot be put into JSON, or when the field
    /// would have more than [`ENTRIES_MAX`] entries: leave the body alone.
    pub fn splice(&self, set: &[(&str, &[u8])], remove: &[&str]) -> Option<Splices> {
        let mut splices = Splices::default();
        let mut any_kept = false;
        for (index, entry) in self.members().iter().enumerate() {
            match self.fate(entry, set, remove)? {
                Fate::Kept => any_kept = true,
                Fate::Replaced(value) => {
                    any_kept = true;
                    splices.cut(entry.value.start, entry.value.end);
                    field::encode(value, &mut splices.bytes);
                    splices.close();
                }
                Fate::Removed => {
                    let (start, end) = self.with_comma(index, any_kept);
                    splices.cut(start, end);
                    splices.close();
                }
            }
        }
        self.add_missing(set, any_kept, &mut splices)?;
        Some(splices)
    }

    fn fate<'v>(
        &self,
        entry: &Member,
        set: &[(&str, &'v [u8])],
        remove: &[&str],
    ) -> Option<Fate<'v>> {
        if let Some(&(_, value)) = set.iter().find(|(name, _)| self.is_named(entry, name)) {
            let unchanged = self.value(entry).is_some_and(|old| *old == *value);
            let value = core::str::from_utf8(value).ok()?;
            return Some(if unchanged { Fate::Kept } else { Fate::Replaced(value) });
        }
        let removed = remove.iter().any(|name| self.is_named(entry, name));
        Some(if removed { Fate::Removed } else { Fate::Kept })
    }

    /// The bytes to take out with an entry so that commas stay right: the one before it where an
    /// entry stays there, else the one after it.
    fn with_comma(&self, index: usize, any_kept: bool) -> (usize, usize) {
        let entries = self.members();
        let entry = entries[index];
        if any_kept {
            return (entries[index - 1].value.end, entry.value.end);
        }
        let end = entries.get(index + 1).map_or(entry.value.end, |next| next.name.start);
        (entry.name.start, end)
    }

    fn add_missing(
        &self,
        set: &[(&str, &[u8])],
        any_kept: bool,
        splices: &mut Splices,
    ) -> Option<()> {
        let is_new = |index: usize| {
            let (name, _) = set[index];
            !set[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
                && !self.members().iter().any(|entry| self.is_named(entry, name))
        };
        let mut added = (0..set.len()).filter(|&index| is_new(index)).peekable();
        if added.peek().is_none() {
            return Some(());
        }
        splices.cut(self.insert_at, self.insert_at);
        let out = &mut splices.bytes;
        let mut comma = if self.present { any_kept } else { self.comma };
        if !self.present {
            out.extend_from_slice(if comma { b"," } else { b"" });
            field::encode(self.field, out);
            out.extend_from_slice(b":{");
            comma = false;
        }
        let mut len = self.len;
        for index in added {
            let (name, value) = set[index];
            len += 1;
            if len > ENTRIES_MAX {
                return None;
            }
            out.extend_from_slice(if comma { b"," } else { b"" });
            field::encode(name, out);
            out.push(b':');
            field::encode(core::str::from_utf8(value).ok()?, out);
            comma = true;
        }
        out.extend_from_slice(if self.present { b"" } else { b"}" });
        splices.close();
        Some(())
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

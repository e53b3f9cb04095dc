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

use super::context::{ContextObject, Entry, is_named, value};
use super::json::Member;
use super::{ENTRIES_MAX, field};

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

impl ContextObject<'_> {
    /// Says how to change the entries of this object of `text`: see
    /// [`Found::splice`](super::Found::splice).
    pub(super) fn splice(
        &self,
        text: &[u8],
        set: &[(&str, &[u8])],
        remove: &[&str],
    ) -> Option<Splices> {
        let mut splices = Splices::default();
        splices.bytes.reserve(set.iter().map(|(name, value)| written_bytes(name, value)).sum());
        let mut removed = 0;
        for entry in self.own() {
            match fate(text, entry, set, remove)? {
                Fate::Kept => {}
                Fate::Replaced(value) => {
                    let at = entry.member.value.at;
                    splices.cut(at.start, at.end);
                    field::encode(value, &mut splices.bytes);
                    splices.close();
                }
                Fate::Removed => {
                    let (start, end) = with_comma(text, entry, removed);
                    splices.cut(start, end);
                    splices.close();
                    removed += 1;
                }
            }
        }
        self.add_missing(text, set, removed, &mut splices)?;
        Some(splices)
    }

    fn add_missing(
        &self,
        text: &[u8],
        set: &[(&str, &[u8])],
        removed: usize,
        splices: &mut Splices,
    ) -> Option<()> {
        let is_new = |index: usize| {
            let (name, _) = set[index];
            !set[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
                && !self.own().iter().any(|entry| is_named(text, entry, name.as_bytes()))
                && !self.owner().leaves_out(name)
        };
        let mut added = (0..set.len()).filter(|&index| is_new(index)).peekable();
        if added.peek().is_none() {
            return Some(());
        }
        splices.cut(self.insert_at, self.insert_at);
        let out = &mut splices.bytes;
        let mut comma = self.members > removed;
        if let Some(name) = self.missing {
            if comma {
                out.push(b',');
            }
            field::encode(name, out);
            out.extend_from_slice(b":{");
            comma = false;
        }
        let mut len = self.own().len();
        for index in added {
            let (name, value) = set[index];
            len += 1;
            if len > ENTRIES_MAX || !self.owner().may_add(name) {
                return None;
            }
            if comma {
                out.push(b',');
            }
            field::encode(name, out);
            out.push(b':');
            field::encode(core::str::from_utf8(value).ok()?, out);
            comma = true;
        }
        if self.missing.is_some() {
            out.push(b'}');
        }
        splices.close();
        Some(())
    }
}

/// What an entry takes that is written without escapes: two strings, a colon and a comma. A bound
/// that is too small makes the buffer grow.
fn written_bytes(name: &str, value: &[u8]) -> usize {
    const PUNCTUATION: usize = r#""":"","#.len();
    name.len() + value.len() + PUNCTUATION
}

fn fate<'v>(
    text: &[u8],
    entry: &Entry,
    set: &[(&str, &'v [u8])],
    remove: &[&str],
) -> Option<Fate<'v>> {
    let is_named = |name: &str| is_named(text, entry, name.as_bytes());
    if let Some(&(_, new)) = set.iter().find(|(name, _)| is_named(name)) {
        let unchanged = value(text, entry).is_some_and(|old| *old == *new);
        let new = core::str::from_utf8(new).ok()?;
        return Some(if unchanged { Fate::Kept } else { Fate::Replaced(new) });
    }
    let removed = remove.iter().any(|name| is_named(name));
    Some(if removed { Fate::Removed } else { Fate::Kept })
}

/// The bytes to take out with an entry so that commas stay right: the one before it where a
/// member stays there, else the one after it. `removed` of the members before it go.
///
/// Between the members of an object that was read stand one comma and white space.
fn with_comma(text: &[u8], entry: &Entry, removed: usize) -> (usize, usize) {
    let Member { name, value } = entry.member;
    let (name, value) = (name.at, value.at);
    let (before, after) = (&text[..name.start], &text[value.end..]);
    if entry.index > removed {
        let comma = before.trim_ascii_end().len() - 1;
        return (before[..comma].trim_ascii_end().len(), value.end);
    }
    let next = after.trim_ascii_start().strip_prefix(b",").map(<[u8]>::trim_ascii_start);
    (name.start, next.map_or(value.end, |next| text.len() - next.len()))
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

    /// Replaces `start..end`, which lies behind every splice so far, with what `write` writes.
    pub(super) fn replace(&mut self, start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.cut(start, end);
        write(&mut self.bytes);
        self.close();
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

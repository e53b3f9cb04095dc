//! Changes of one command, collected and then applied.
//!
//! They are collected while arguments are read and applied when nothing is read any more, because a
//! changed argument's bytes are gone. The memory stays for the next command.

use std::ops::Range;

use crate::ffi::{Change, Filter};

/// Memory that is kept. One large body must not pin its memory for good.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Changes of one command.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    list: Vec<(usize, Change, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Changes {
    /// Adds one, of the argument that is at `at` now; the pieces together are the new one.
    pub(crate) fn add(&mut self, at: usize, change: Change, pieces: &[&[u8]]) {
        let from = self.bytes.len();
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.list.push((at, change, from..self.bytes.len()));
    }

    /// Answers whether nothing is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Changes the command, and forgets the changes.
    pub(crate) fn apply(&mut self, filter: Filter<'_>) {
        self.sort();
        for (at, change, range) in self.list.drain(..) {
            filter.change(at, change, self.bytes.get(range).unwrap_or_default());
        }
        self.clear();
    }

    /// Insertions are behind everything else, and deletions go from the last to the first, so no
    /// place moves before its turn.
    fn sort(&mut self) {
        self.list.sort_by_key(|(at, change, _)| match change {
            Change::Insert | Change::Replace => (0, *at),
            Change::Delete => (1, usize::MAX - at),
        });
    }

    /// Forgets the changes.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_moves_before_its_turn() {
        let mut changes = Changes::default();
        changes.add(4, Change::Delete, &[]);
        changes.add(9, Change::Insert, &[b"name"]);
        changes.add(10, Change::Insert, &[b"va", b"lue"]);
        changes.add(6, Change::Delete, &[]);
        changes.add(3, Change::Replace, &[b"x"]);
        changes.sort();
        let order: Vec<_> = changes.list.iter().map(|(at, change, _)| (*at, *change)).collect();
        let expected = [
            (3, Change::Replace),
            (9, Change::Insert),
            (10, Change::Insert),
            (6, Change::Delete),
            (4, Change::Delete),
        ];
        assert_eq!(order, expected);
        assert_eq!(changes.bytes[changes.list[2].2.clone()], *b"value");
        changes.clear();
        assert!(changes.is_empty());
    }
}

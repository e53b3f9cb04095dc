//! Things that a listener remembers, as hashes: a bounded set that forgets the most silent.
//!
//! Two things with one hash are taken for one; so this is for what does no harm when it is only
//! believed of something that looks alike.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::open_spans::{Aged, Weigh};

/// A thing, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hashed(u64);

/// That it is in the set; there is nothing else to say.
#[derive(Debug)]
struct Present;

impl Weigh for Present {
    fn bytes(&self) -> usize {
        0
    }
}

/// A set of things. Shared by the sessions of a listener.
#[derive(Debug)]
pub(super) struct Remembered {
    max: usize,
    hasher: RandomState,
    /// So that nobody takes the lock while there are none.
    count: AtomicUsize,
    table: Mutex<Aged<Present>>,
}

impl Remembered {
    /// Remembers so many things at most.
    pub(super) fn new(max: usize) -> Self {
        let (hasher, count, table) = <(RandomState, AtomicUsize, Mutex<_>)>::default();
        Self { max, hasher, count, table }
    }

    /// What a thing is called here.
    pub(super) fn hash(&self, thing: impl Hash) -> Hashed {
        Hashed(self.hasher.hash_one(thing))
    }

    /// Answers whether a thing is remembered, which then was not silent.
    pub(super) fn contains(&self, thing: impl Hash, now: u64) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let Hashed(hash) = self.hash(thing);
        self.table().touch(&hash.to_le_bytes(), now).is_some()
    }

    /// Remembers a thing. Past the bound the most silent one is forgotten; answers whether that
    /// was so.
    pub(super) fn insert(&self, Hashed(hash): Hashed, now: u64) -> bool {
        let mut table = self.table();
        if table.touch(&hash.to_le_bytes(), now).is_none() {
            table.insert(&hash.to_le_bytes(), Present, now);
        }
        let is_over = table.len() > self.max;
        if is_over {
            table.pop_oldest();
        }
        self.count.store(table.len(), Ordering::Relaxed);
        is_over
    }

    fn table(&self) -> MutexGuard<'_, Aged<Present>> {
        // Nothing that panics runs under the lock, so a poisoned table is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_remembered_until_it_is_the_most_silent_of_too_many() {
        let remembered = Remembered::new(3);
        assert!(!remembered.contains("a", 1));
        let insert = |thing: &str, now| remembered.insert(remembered.hash(thing), now);
        assert!(["a", "b", "c", "a"].iter().all(|thing| !insert(thing, 1)));
        assert!(remembered.contains("b", 2) && !remembered.contains("d", 2));
        assert!(insert("d", 3));
        assert!(remembered.contains("a", 4) && remembered.contains("b", 4));
        assert!(!remembered.contains("c", 4));
    }
}

//! A table that knows the order in which its entries were last touched.
//!
//! ```text
//! index: hash ─▶ slot       oldest ⇄ … ⇄ newest     the slots, linked in the order of their times
//! ```
//!
//! Hashing a key costs more than finding its slot. So whoever does several things with a key
//! hashes it once, and slots remember the hashes of theirs.
//!
//! Every operation takes constant time, so a table can be bounded by dropping the oldest entry and
//! swept by dropping the oldest ones. It does not bound itself: how many entries are too many is
//! its owner's business.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// No slot.
const NONE: u32 = u32::MAX;

/// Slots that an empty table keeps: what a busy session fills and empties all the time.
const SLOTS_KEPT_MAX: usize = 64;

/// What an entry takes beside its key and its value: slot, index and their spare room, rounded up.
const ENTRY_BYTES: usize = 128;

/// A value that knows its size.
pub(crate) trait Weigh {
    /// Bytes that it takes in memory.
    fn bytes(&self) -> usize;
}

/// A key and its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'k> {
    pub(super) bytes: &'k [u8],
    /// By the hasher of the table.
    pub(super) hash: u64,
}

/// What an entry is looked for by: a key, or one that was hashed before.
pub(crate) trait Lookup<'k> {
    /// The key with its hash.
    fn hashed(self, hasher: &RandomState) -> Key<'k>;
}

impl<'k> Lookup<'k> for Key<'k> {
    fn hashed(self, _: &RandomState) -> Self {
        self
    }
}

impl<'k> Lookup<'k> for &'k [u8] {
    fn hashed(self, hasher: &RandomState) -> Key<'k> {
        Key { bytes: self, hash: hasher.hash_one(self) }
    }
}

impl<'k, const N: usize> Lookup<'k> for &'k [u8; N] {
    fn hashed(self, hasher: &RandomState) -> Key<'k> {
        self.as_slice().hashed(hasher)
    }
}

/// Values by key, in the order of their times.
///
/// INVARIANT: `index` holds exactly the slots that hold an entry, and so does the chain from
/// `oldest` to `newest`; every other slot is in `free`.
#[derive(Debug)]
pub(crate) struct Aged<V> {
    // The standard hasher, because keys come from strangers.
    hasher: RandomState,
    index: HashTable<u32>,
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    bytes: usize,
}

#[derive(Debug)]
struct Slot<V> {
    entry: Option<Entry<V>>,
    older: u32,
    newer: u32,
}

#[derive(Debug)]
struct Entry<V> {
    key: Box<[u8]>,
    hash: u64,
    value: V,
    time: u64,
    bytes: usize,
}

impl<V> Default for Aged<V> {
    fn default() -> Self {
        Self::with_hasher(RandomState::new())
    }
}

impl<V> Aged<V> {
    /// An empty table, which takes keys that this hasher hashed.
    pub(crate) fn with_hasher(hasher: RandomState) -> Self {
        Self {
            hasher,
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            bytes: 0,
        }
    }
}

impl<V: Weigh> Aged<V> {
    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Answers whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes that the entries take in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Answers whether there is an entry.
    pub(crate) fn contains<'k>(&self, key: impl Lookup<'k>) -> bool {
        self.find(key.hashed(&self.hasher)).is_some()
    }

    /// When the oldest entry was last touched.
    pub(crate) fn oldest_time(&self) -> Option<u64> {
        self.slots.get(self.oldest as usize)?.entry.as_ref().map(|entry| entry.time)
    }

    /// Adds or replaces an entry, which is then the newest. Answers the value that it replaced.
    pub(crate) fn insert<'k>(&mut self, key: impl Lookup<'k>, value: V, time: u64) -> Option<V> {
        let key = key.hashed(&self.hasher);
        let replaced = self.remove(key);
        let bytes = ENTRY_BYTES + key.bytes.len() + value.bytes();
        let entry = Some(Entry { key: key.bytes.into(), hash: key.hash, value, time, bytes });
        let slot = Slot { entry, older: NONE, newer: NONE };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                // The owners' bounds are far below 2^32.
                (self.slots.len() - 1) as u32
            }
        };
        let Self { index, slots, .. } = self;
        index.insert_unique(key.hash, number, |number| hash_of(slots, *number));
        self.bytes += bytes;
        self.link(number);
        replaced
    }

    /// Changes an entry where it is. `None`: there is none.
    pub(crate) fn update<'k, T>(
        &mut self,
        key: impl Lookup<'k>,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let number = self.find(key.hashed(&self.hasher))?;
        let entry = self.slots[number as usize].entry.as_mut()?;
        let answer = change(&mut entry.value);
        self.bytes -= entry.bytes;
        entry.bytes = ENTRY_BYTES + entry.key.len() + entry.value.bytes();
        self.bytes += entry.bytes;
        Some(answer)
    }

    /// Makes an entry the newest. Answers it; `None`: there is none.
    pub(crate) fn touch<'k>(&mut self, key: impl Lookup<'k>, time: u64) -> Option<&mut V> {
        let number = self.find(key.hashed(&self.hasher))?;
        if number != self.newest {
            self.unlink(number);
            self.link(number);
        }
        let entry = self.slots[number as usize].entry.as_mut()?;
        entry.time = time;
        Some(&mut entry.value)
    }

    /// Takes an entry out.
    pub(crate) fn remove<'k>(&mut self, key: impl Lookup<'k>) -> Option<V> {
        let number = self.find(key.hashed(&self.hasher))?;
        self.vacate(number).map(|entry| entry.value)
    }

    /// Takes the oldest entry out, with the time of its last touch.
    pub(crate) fn pop_oldest(&mut self) -> Option<(u64, V)> {
        self.vacate(self.oldest).map(|entry| (entry.time, entry.value))
    }

    /// The slot of a key.
    fn find(&self, Key { bytes, hash }: Key<'_>) -> Option<u32> {
        let has_key = |number: &u32| {
            let entry = self.slots[*number as usize].entry.as_ref();
            entry.is_some_and(|entry| entry.hash == hash && *entry.key == *bytes)
        };
        self.index.find(hash, has_key).copied()
    }

    fn vacate(&mut self, number: u32) -> Option<Entry<V>> {
        let entry = self.slots.get_mut(number as usize)?.entry.take()?;
        if let Ok(place) = self.index.find_entry(entry.hash, |other| *other == number) {
            place.remove();
        }
        self.unlink(number);
        self.bytes -= entry.bytes;
        self.free.push(number);
        if self.index.is_empty() && self.slots.capacity() > SLOTS_KEPT_MAX {
            *self = Self::with_hasher(self.hasher.clone());
        }
        Some(entry)
    }

    /// Puts a slot that is not linked behind the newest one.
    fn link(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        (slot.older, slot.newer) = (self.newest, NONE);
        match self.newest {
            NONE => self.oldest = number,
            newest => self.slots[newest as usize].newer = number,
        }
        self.newest = number;
    }

    fn unlink(&mut self, number: u32) {
        let Slot { older, newer, .. } = self.slots[number as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }
}

/// The hash of the key in a slot, for an index that grows. All slots in the index have one.
fn hash_of<V>(slots: &[Slot<V>], number: u32) -> u64 {
    slots.get(number as usize).and_then(|slot| slot.entry.as_ref()).map_or(0, |entry| entry.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for u32 {
        fn bytes(&self) -> usize {
            4
        }
    }

    fn drained(mut table: Aged<u32>) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| table.pop_oldest()).collect()
    }

    fn filled(count: u32) -> Aged<u32> {
        let mut table = Aged::default();
        for number in 0..count {
            table.insert(&number.to_le_bytes(), number, number.into());
        }
        table
    }

    #[test]
    fn entries_leave_in_the_order_in_which_they_were_last_touched() {
        let mut table = filled(4);
        assert_eq!(table.touch(&1_u32.to_le_bytes(), 10), Some(&mut 1));
        assert_eq!(table.touch(&3_u32.to_le_bytes(), 11), Some(&mut 3));
        assert_eq!(table.touch(b"none", 12), None);
        assert_eq!(table.insert(&0_u32.to_le_bytes(), 7, 12), Some(0));
        assert_eq!(table.oldest_time(), Some(2));
        assert_eq!(drained(table), [(2, 2), (10, 1), (11, 3), (12, 7)]);
    }

    #[test]
    fn removal_at_both_ends_and_in_between_leaves_the_rest_in_order() {
        for gone in 0..5_u32 {
            let mut table = filled(5);
            assert_eq!(table.remove(&gone.to_le_bytes()), Some(gone));
            assert_eq!(table.remove(&gone.to_le_bytes()), None);
            assert!(!table.contains(&gone.to_le_bytes()));
            table.insert(b"new", 9, 9);
            assert_eq!(table.len(), 5);
            let wanted = (0..5).filter(|&left| left != gone).chain([9]);
            assert_eq!(drained(table), wanted.map(|n| (n.into(), n)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let [one, other, none] =
            [&b"one"[..], b"other", b"none"].map(|bytes| Key { bytes, hash: 7 });
        let mut table = Aged::default();
        assert_eq!((table.insert(one, 1, 1), table.insert(other, 2, 2)), (None, None));
        assert_eq!(table.touch(one, 3), Some(&mut 1));
        assert!(!table.contains(none));
        assert_eq!(table.pop_oldest(), Some((2, 2)));
        assert_eq!((table.remove(other), table.remove(one)), (None, Some(1)));
    }

    #[test]
    fn bytes_follow_the_entries_and_an_empty_table_takes_none() {
        let mut table = filled(1);
        let one = table.bytes();
        assert_eq!(one, ENTRY_BYTES + 4 + 4);
        table.insert(b"long key", 1, 1);
        assert_eq!(table.bytes(), 2 * one + 4);
        assert_eq!(table.update(b"long key", |value| std::mem::replace(value, 5)), Some(1));
        assert_eq!(table.update(b"none", |_| ()), None);
        assert_eq!(drained(table), [(0, 0), (1, 5)]);
        let mut large = filled(1000);
        while large.pop_oldest().is_some() {}
        assert_eq!((large.bytes(), large.slots.capacity(), large.is_empty()), (0, 0, true));
    }
}

//! A table that knows the order in which its entries were last touched.
//!
//! ```text
//! index: key ─▶ slot        oldest ⇄ … ⇄ newest     the slots, linked in the order of their times
//! ```
//!
//! Every operation takes constant time, so a table can be bounded by dropping the oldest entry and
//! swept by dropping the oldest ones. It does not bound itself: how many entries are too many is
//! its owner's business.

use std::collections::HashMap;
use std::sync::Arc;

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

/// Values by key, in the order of their times.
///
/// INVARIANT: `index` holds exactly the slots that hold an entry, and so does the chain from
/// `oldest` to `newest`; every other slot is in `free`.
#[derive(Debug)]
pub(crate) struct Aged<V> {
    // The standard hasher, because keys come from strangers.
    index: HashMap<Arc<[u8]>, u32>,
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
    key: Arc<[u8]>,
    value: V,
    time: u64,
    bytes: usize,
}

impl<V> Default for Aged<V> {
    fn default() -> Self {
        Self {
            index: HashMap::new(),
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
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.index.contains_key(key)
    }

    /// When the oldest entry was last touched.
    pub(crate) fn oldest_time(&self) -> Option<u64> {
        self.slots.get(self.oldest as usize)?.entry.as_ref().map(|entry| entry.time)
    }

    /// Adds or replaces an entry, which is then the newest. Answers the value that it replaced.
    pub(crate) fn insert(&mut self, key: &[u8], value: V, time: u64) -> Option<V> {
        let replaced = self.remove(key);
        let key: Arc<[u8]> = key.into();
        let bytes = ENTRY_BYTES + key.len() + value.bytes();
        let entry = Some(Entry { key: Arc::clone(&key), value, time, bytes });
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
        self.index.insert(key, number);
        self.bytes += bytes;
        self.link(number);
        replaced
    }

    /// Changes an entry where it is. `None`: there is none.
    pub(crate) fn update<T>(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> T) -> Option<T> {
        let &number = self.index.get(key)?;
        let entry = self.slots[number as usize].entry.as_mut()?;
        let answer = change(&mut entry.value);
        self.bytes -= entry.bytes;
        entry.bytes = ENTRY_BYTES + entry.key.len() + entry.value.bytes();
        self.bytes += entry.bytes;
        Some(answer)
    }

    /// Makes an entry the newest. Answers it; `None`: there is none.
    pub(crate) fn touch(&mut self, key: &[u8], time: u64) -> Option<&mut V> {
        let &number = self.index.get(key)?;
        if number != self.newest {
            self.unlink(number);
            self.link(number);
        }
        let entry = self.slots[number as usize].entry.as_mut()?;
        entry.time = time;
        Some(&mut entry.value)
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let number = self.index.remove(key)?;
        self.vacate(number).map(|entry| entry.value)
    }

    /// Takes the oldest entry out, with the time of its last touch.
    pub(crate) fn pop_oldest(&mut self) -> Option<(u64, V)> {
        let number = self.oldest;
        let key = Arc::clone(&self.slots.get(number as usize)?.entry.as_ref()?.key);
        self.index.remove(&key);
        self.vacate(number).map(|entry| (entry.time, entry.value))
    }

    fn vacate(&mut self, number: u32) -> Option<Entry<V>> {
        self.unlink(number);
        let entry = self.slots[number as usize].entry.take()?;
        self.bytes -= entry.bytes;
        self.free.push(number);
        if self.index.is_empty() && self.slots.capacity() > SLOTS_KEPT_MAX {
            *self = Self::default();
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

//! The destinations of a listener where a message with our headers was refused for its size.
//!
//! A stream may take less than its server does (`max_msg_size`), and an account less than the
//! server says in its INFO. Neither is known before a message is refused; then nothing is added to
//! messages to that subject any more, because the next one may be as large.
//!
//! Destinations are kept as hashes: what is not added to a message for want of room is as harmless
//! in one that only looks alike.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spanbridge::metrics::Counters;

use super::limits::REFUSING_MAX;
use crate::open_spans::{Aged, Weigh};

/// A destination, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Destination(u64);

/// That it refused a message; there is nothing else to say.
#[derive(Debug)]
struct Refused;

impl Weigh for Refused {
    fn bytes(&self) -> usize {
        0
    }
}

/// Refusing destinations. Shared by the sessions of a listener.
#[derive(Debug, Default)]
pub(super) struct Refusing {
    hasher: RandomState,
    /// So that nobody takes the lock while there are none.
    count: AtomicUsize,
    table: Mutex<Aged<Refused>>,
}

impl Refusing {
    /// What a subject is called here.
    pub(super) fn destination(&self, subject: &[u8]) -> Destination {
        Destination(self.hasher.hash_one(subject))
    }

    /// Answers whether a message to this subject was refused.
    pub(super) fn contains(&self, subject: &[u8], now: u64) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let Destination(hash) = self.destination(subject);
        self.table().touch(&hash.to_le_bytes(), now).is_some()
    }

    /// A message was refused. Past the bound the destination that was silent for longest is
    /// forgotten: one more message to it may be refused.
    pub(super) fn insert(&self, Destination(hash): Destination, now: u64, counters: &Counters) {
        let mut table = self.table();
        table.insert(&hash.to_le_bytes(), Refused, now);
        if table.len() > REFUSING_MAX {
            table.pop_oldest();
            counters.refusing_destinations_forgotten.add(1);
        }
        self.count.store(table.len(), Ordering::Relaxed);
    }

    fn table(&self) -> MutexGuard<'_, Aged<Refused>> {
        // Nothing that panics runs under the lock, so a poisoned table is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_refuses_until_it_is_the_most_silent_of_too_many() {
        let (refusing, counters) = (Refusing::default(), Counters::default());
        assert!(!refusing.contains(b"a", 1));
        let insert = |subject: &[u8]| refusing.insert(refusing.destination(subject), 1, &counters);
        for number in 0..REFUSING_MAX as u32 {
            insert(&number.to_le_bytes());
        }
        assert!(refusing.contains(&0_u32.to_le_bytes(), 2) && !refusing.contains(b"a", 2));
        assert_eq!(counters.refusing_destinations_forgotten.get(), 0);
        insert(b"a");
        assert_eq!(counters.refusing_destinations_forgotten.get(), 1);
        assert!(refusing.contains(b"a", 3) && refusing.contains(&0_u32.to_le_bytes(), 3));
        assert!(!refusing.contains(&1_u32.to_le_bytes(), 3));
    }
}

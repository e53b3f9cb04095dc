//! The groups of a listener's streams, as far as entries were delivered to them.
//!
//! `XDEL` deletes an entry and names no group. Whoever works on it for one of these is done.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::limits::{GROUPS_MAX, STREAMS_MAX};
use crate::open_spans::{Aged, Weigh};

/// The groups of one stream.
#[derive(Debug, Default)]
struct Names(Vec<Box<[u8]>>);

impl Weigh for Names {
    fn bytes(&self) -> usize {
        self.0.iter().map(|name| name.len()).sum()
    }
}

/// The groups of a listener's streams.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// So that nobody takes the lock while there are none.
    count: AtomicUsize,
    table: Mutex<Aged<Names>>,
}

fn key(database: u64, stream: &[u8]) -> Vec<u8> {
    [&database.to_be_bytes()[..], stream].concat()
}

impl Groups {
    /// Entries of a stream are delivered to a group. Answers whether one was forgotten for it.
    pub(super) fn note(&self, database: u64, stream: &[u8], group: &[u8], now: u64) -> bool {
        let key = key(database, stream);
        let mut table = self.table();
        if table.touch(&key[..], now).is_none() {
            table.insert(&key[..], Names::default(), now);
        }
        let is_over = table.update(&key[..], |Names(names)| {
            if names.iter().any(|name| **name == *group) {
                return false;
            }
            names.push(group.into());
            let is_over = names.len() > GROUPS_MAX;
            if is_over {
                names.remove(0);
            }
            is_over
        });
        let mut is_forgotten = is_over == Some(true);
        if table.len() > STREAMS_MAX {
            table.pop_oldest();
            is_forgotten = true;
        }
        self.count.store(table.len(), Ordering::Relaxed);
        is_forgotten
    }

    /// The groups that entries of a stream were delivered to.
    pub(super) fn of(&self, database: u64, stream: &[u8], now: u64) -> Vec<Box<[u8]>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let names = self.table().touch(&key(database, stream)[..], now).map(|Names(it)| it.clone());
        names.unwrap_or_default()
    }

    fn table(&self) -> MutexGuard<'_, Aged<Names>> {
        // Nothing that panics runs under the lock, so a poisoned table is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(groups: &Groups, database: u64, stream: &str) -> Vec<String> {
        let names = groups.of(database, stream.as_bytes(), 1).into_iter();
        names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    #[test]
    fn groups_are_known_by_database_and_stream_and_once_each() {
        let groups = Groups::default();
        assert!(names(&groups, 0, "s").is_empty());
        for (database, stream, group) in
            [(0, "s", "a"), (0, "s", "b"), (0, "s", "a"), (1, "s", "c")]
        {
            assert!(!groups.note(database, stream.as_bytes(), group.as_bytes(), 1));
        }
        assert_eq!(names(&groups, 0, "s"), ["a", "b"]);
        assert_eq!(names(&groups, 1, "s"), ["c"]);
        assert!(names(&groups, 0, "t").is_empty());
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let groups = Groups::default();
        let all = |count: usize| (0..count).map(|number| number.to_string());
        let forgotten = all(GROUPS_MAX + 1).filter(|it| groups.note(0, b"s", it.as_bytes(), 1));
        assert_eq!(forgotten.count(), 1);
        assert_eq!(names(&groups, 0, "s").len(), GROUPS_MAX);
        assert!(!names(&groups, 0, "s").contains(&"0".to_owned()));
        let forgotten = all(STREAMS_MAX).filter(|it| groups.note(1, it.as_bytes(), b"g", 2));
        assert_eq!(forgotten.count(), 1);
        assert!(names(&groups, 0, "s").is_empty());
    }
}

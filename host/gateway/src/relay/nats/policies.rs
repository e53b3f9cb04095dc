//! How the JetStream consumers of a listener acknowledge, as far as that passed by on its sessions.
//!
//! ```text
//! client ── $JS.API.CONSUMER.CREATE.S.C, reply _INBOX.x ──▶ broker      the reply is remembered
//! client ◀── _INBOX.x {"config":{"ack_policy":"none"…}…} ── broker      learn
//! any session ◀── a delivery of S.C                                     of
//! ```
//!
//! A delivery does not say it: its reply subject is that of an acknowledgement whatever the policy.
//! A consumer that is not known here is taken for one that acknowledges each message, and so is one
//! that was said to acknowledge nothing and gets an acknowledgement after all: two accounts may
//! name their consumers alike.
//!
//! Of a consumer that acknowledges everything up to a message, the deliveries are kept, because one
//! settlement then ends all of those before it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spanbridge::metrics::Counters;
use spanbridge_wire::nats::jetstream::AckPolicy;

use super::limits::{ACK_ALL_DELIVERIES_MAX, POLICIES_MAX};
use crate::open_spans::{Aged, Weigh};

/// Consumers with a policy other than the default, by stream and name.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Moves with every change, so that a session need not look here for each delivery.
    version: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    consumers: Aged<Known>,
    /// Deliveries of all of them.
    deliveries: usize,
}

#[derive(Debug)]
struct Known {
    policy: AckPolicy,
    /// Where one settles those before it: when each was stored, by its number in the stream.
    deliveries: BTreeMap<u64, u64>,
}

impl Weigh for Known {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Policies {
    /// Moves with every change. 0: nothing was ever known.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The policy of a consumer; `None`: it is not known, or the default.
    pub(super) fn get(&self, consumer: &[u8], now: u64) -> Option<AckPolicy> {
        self.table().consumers.touch(consumer, now).map(|known| known.policy)
    }

    /// A broker says how a consumer acknowledges.
    pub(super) fn learn(
        &self,
        consumer: &[u8],
        policy: Option<AckPolicy>,
        now: u64,
        counters: &Counters,
    ) {
        let Some(policy @ (AckPolicy::None | AckPolicy::All)) = policy else {
            return self.forget(consumer);
        };
        let mut table = self.table();
        if table.consumers.touch(consumer, now).is_some_and(|known| known.policy == policy) {
            return;
        }
        table.remove(consumer);
        if table.consumers.len() >= POLICIES_MAX
            && let Some((_, oldest)) = table.consumers.pop_oldest()
        {
            table.deliveries -= oldest.deliveries.len();
            counters.ack_policies_forgotten.add(1);
        }
        table.consumers.insert(consumer, Known { policy, deliveries: BTreeMap::new() }, now);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// A consumer is gone, or is not what it was said to be.
    pub(super) fn forget(&self, consumer: &[u8]) {
        // Most listeners know of no such consumer.
        if self.version() != 0 && self.table().remove(consumer) {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// A consumer that acknowledges everything up to a message is given one.
    pub(super) fn delivered(&self, consumer: &[u8], sequence: u64, stored: u64, count: &Counters) {
        let mut table = self.table();
        let full = table.deliveries >= ACK_ALL_DELIVERIES_MAX;
        let change = table.consumers.update(consumer, |known| {
            let before = known.deliveries.len();
            let room = !full || known.deliveries.pop_first().is_some();
            if room {
                known.deliveries.insert(sequence, stored);
            }
            (before, known.deliveries.len())
        });
        let Some((before, after)) = change else { return };
        table.deliveries = table.deliveries + after - before;
        if full {
            count.ack_all_deliveries_forgotten.add(1);
        }
    }

    /// Such a consumer settles a message: takes out those before it, and the message itself. Number
    /// and time of each of those before it, in their order.
    pub(super) fn settled(&self, consumer: &[u8], sequence: u64) -> BTreeMap<u64, u64> {
        let mut table = self.table();
        let taken = table.consumers.update(consumer, |known| {
            let mut later = known.deliveries.split_off(&sequence);
            let itself = later.remove(&sequence).is_some();
            (std::mem::replace(&mut known.deliveries, later), itself)
        });
        let Some((earlier, itself)) = taken else { return BTreeMap::new() };
        table.deliveries -= earlier.len() + usize::from(itself);
        earlier
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that panics runs under the lock, so a poisoned table is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Answers whether there was one.
    fn remove(&mut self, consumer: &[u8]) -> bool {
        let removed = self.consumers.remove(consumer);
        self.deliveries -= removed.as_ref().map_or(0, |known| known.deliveries.len());
        removed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(policies: &Policies) -> (usize, usize) {
        let table = policies.table();
        (table.consumers.len(), table.deliveries)
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept_and_each_change_shows() {
        let (policies, counters) = (Policies::default(), Counters::default());
        let learn = |policy| policies.learn(b"S.C", policy, 1, &counters);
        let seen = || (policies.version(), policies.get(b"S.C", 2));
        learn(Some(AckPolicy::Explicit));
        learn(None);
        assert_eq!((seen(), known(&policies)), ((0, None), (0, 0)));
        learn(Some(AckPolicy::None));
        learn(Some(AckPolicy::None));
        assert_eq!(seen(), (1, Some(AckPolicy::None)));
        learn(Some(AckPolicy::All));
        assert_eq!(seen(), (2, Some(AckPolicy::All)));
        learn(Some(AckPolicy::Explicit));
        assert_eq!((seen(), known(&policies)), ((3, None), (0, 0)));
        policies.forget(b"S.C");
        assert_eq!(policies.version(), 3);
    }

    #[test]
    fn one_settlement_takes_those_before_it_and_leaves_those_behind_it() {
        let (policies, counters) = (Policies::default(), Counters::default());
        policies.learn(b"S.C", Some(AckPolicy::All), 1, &counters);
        // The second time is a second attempt.
        for sequence in [1, 2, 2, 3, 5] {
            policies.delivered(b"S.C", sequence, sequence * 10, &counters);
            policies.delivered(b"S.other", sequence, 0, &counters);
        }
        assert_eq!(known(&policies), (1, 4));
        assert_eq!(policies.settled(b"S.C", 3), BTreeMap::from([(1, 10), (2, 20)]));
        assert_eq!(policies.settled(b"S.C", 4), BTreeMap::new());
        assert_eq!(policies.settled(b"S.other", 4), BTreeMap::new());
        assert_eq!(known(&policies), (1, 1));
        policies.forget(b"S.C");
        assert_eq!(known(&policies), (0, 0));
    }

    #[test]
    fn the_oldest_go_at_each_bound_and_are_counted() {
        let (policies, counters) = (Policies::default(), Counters::default());
        for number in 0..=POLICIES_MAX as u64 {
            policies.learn(&number.to_le_bytes(), Some(AckPolicy::All), number, &counters);
        }
        assert_eq!(counters.ack_policies_forgotten.get(), 1);
        assert_eq!(policies.get(&0_u64.to_le_bytes(), 1), None);
        let consumer = &1_u64.to_le_bytes();
        for sequence in 0..=ACK_ALL_DELIVERIES_MAX as u64 {
            policies.delivered(consumer, sequence, 0, &counters);
        }
        assert_eq!(known(&policies), (POLICIES_MAX, ACK_ALL_DELIVERIES_MAX));
        // Another one has none of its own to forget.
        policies.delivered(&2_u64.to_le_bytes(), 1, 0, &counters);
        assert_eq!(counters.ack_all_deliveries_forgotten.get(), 2);
        let first = policies.settled(consumer, u64::MAX).into_keys().next();
        assert_eq!((first, known(&policies)), (Some(1), (POLICIES_MAX, 0)));
    }
}

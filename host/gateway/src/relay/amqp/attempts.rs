//! Messages that will be delivered again: the span of their last attempt, by what they are called.
//!
//! A delivery tag is new with each delivery. What stays the same is the message-id that the
//! producer chose, if it chose one, and the queue. A message without one is not known again, and no
//! attempt is claimed to be that of another.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spanbridge::SpanContext;
use spanbridge::metrics::Counters;

use super::limits::ATTEMPTS_MAX;
use crate::open_spans::{Aged, Weigh};

/// A message in a queue. Two hashes with keys of their own, because a link to a stranger's attempt
/// would be a false claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity([u8; 16]);

/// The last attempt's span.
#[derive(Debug)]
struct Attempt(SpanContext);

impl Weigh for Attempt {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// The attempts of a listener's messages.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    hashers: [RandomState; 2],
    table: Mutex<Aged<Attempt>>,
}

impl Attempts {
    /// What a message is called here; `None`: it has no id of its own, or its queue is not known.
    pub(super) fn identity(&self, vhost: &[u8], queue: &[u8], id: &[u8]) -> Option<Identity> {
        if id.is_empty() || queue.is_empty() {
            return None;
        }
        let hash = |hasher: &RandomState| hasher.hash_one((vhost, queue, id)).to_le_bytes();
        let [one, other] = [hash(&self.hashers[0]), hash(&self.hashers[1])];
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&one);
        identity[8..].copy_from_slice(&other);
        Some(Identity(identity))
    }

    /// A message will come again.
    pub(super) fn insert(
        &self,
        Identity(key): Identity,
        span: SpanContext,
        now: u64,
        counters: &Counters,
    ) {
        let mut table = self.table();
        table.insert(&key, Attempt(span), now);
        if table.len() > ATTEMPTS_MAX {
            table.pop_oldest();
            counters.attempts_forgotten.add(1);
        }
    }

    /// It has come. Answers the span of the attempt before, all zero if that is not known.
    pub(super) fn take(&self, Identity(key): Identity) -> SpanContext {
        self.table().remove(&key).map_or_else(SpanContext::default, |Attempt(span)| span)
    }

    fn table(&self) -> MutexGuard<'_, Aged<Attempt>> {
        // Nothing that panics runs under the lock, so a poisoned table is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_known_once_and_only_by_virtual_host_queue_and_id() {
        let (attempts, counters) = (Attempts::default(), Counters::default());
        let of = |vhost: &str, queue: &str, id: &str| {
            attempts.identity(vhost.as_bytes(), queue.as_bytes(), id.as_bytes())
        };
        assert_eq!((of("/", "q", ""), of("/", "", "id")), (None, None));
        let known = of("/", "q", "id").unwrap();
        let span = SpanContext { trace_hi: 1, trace_lo: 2, span_id: 3 };
        attempts.insert(known, span, 1, &counters);
        for other in [of("a", "q", "id"), of("/", "qi", "d"), of("/", "q", "ie")] {
            assert_eq!(attempts.take(other.unwrap()), SpanContext::default());
        }
        assert_eq!(attempts.take(known), span);
        assert_eq!(attempts.take(known), SpanContext::default());
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten_and_counted() {
        let (attempts, counters) = (Attempts::default(), Counters::default());
        let of = |n: u32| attempts.identity(b"/", b"q", &n.to_le_bytes()).unwrap();
        for number in 0..=ATTEMPTS_MAX as u32 {
            let span = SpanContext { span_id: 1, ..SpanContext::default() };
            attempts.insert(of(number), span, 1, &counters);
        }
        assert_eq!(counters.attempts_forgotten.get(), 1);
        assert_eq!((attempts.take(of(0)).span_id, attempts.take(of(1)).span_id), (0, 1));
    }
}

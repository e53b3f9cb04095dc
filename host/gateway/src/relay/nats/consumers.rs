//! The JetStream consumers that a session reads from: when it asked, and what it has not settled.
//!
//! A pull request names its consumer, and so does every delivery: no subscription has to be known.
//! A delivery is taken to answer the consumer's latest request, so the time it was waited for is
//! never overstated where requests overlap.

use super::limits::CONSUMERS_MAX;
use crate::open_spans::{Aged, Unsettled, Weigh};

/// One consumer.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    /// When the session last asked for messages; 0: it never did.
    pub(super) requested: u64,
    /// A message has come since.
    answered: bool,
    /// What was delivered to this session and is not settled.
    pub(super) unsettled: Unsettled,
}

impl Weigh for Consumer {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// What is known about a consumer when it delivers.
#[derive(Debug)]
pub(super) struct Asked {
    /// When the session last asked for messages; 0: it never did.
    pub(super) requested: u64,
    pub(super) unsettled: Unsettled,
    /// The first message since then.
    pub(super) is_first: bool,
}

/// Consumers by stream and name.
#[derive(Debug, Default)]
pub(super) struct Consumers(Aged<Consumer>);

impl Consumers {
    /// The session asks a consumer for messages.
    pub(super) fn pull(&mut self, key: &[u8], now: u64) {
        self.with(key, now, |consumer| {
            consumer.requested = now;
            consumer.answered = false;
        });
    }

    /// A consumer delivers a message. Answers what is known of it.
    pub(super) fn deliver(&mut self, key: &[u8], now: u64) -> Asked {
        self.with(key, now, |consumer| Asked {
            requested: consumer.requested,
            unsettled: consumer.unsettled.clone(),
            is_first: consumer.requested != 0 && !std::mem::replace(&mut consumer.answered, true),
        })
    }

    fn with<T>(&mut self, key: &[u8], now: u64, change: impl FnOnce(&mut Consumer) -> T) -> T {
        if let Some(consumer) = self.0.touch(key, now) {
            return change(consumer);
        }
        if self.0.len() >= CONSUMERS_MAX {
            self.0.pop_oldest();
        }
        let mut consumer = Consumer::default();
        let answer = change(&mut consumer);
        self.0.insert(key, consumer, now);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_known_by_its_latest_request_until_it_is_the_oldest_of_too_many() {
        let mut consumers = Consumers::default();
        consumers.pull(b"S.C", 1);
        consumers.pull(b"S.C", 2);
        assert!(consumers.deliver(b"S.C", 2).is_first && !consumers.deliver(b"S.C", 2).is_first);
        assert!(!consumers.deliver(b"S.push", 2).is_first, "nobody asked");
        assert_eq!(consumers.deliver(b"S.C", 3).requested, 2);
        assert_eq!(consumers.deliver(b"S.push", 3).requested, 0);
        for number in 2..CONSUMERS_MAX {
            consumers.pull(number.to_string().as_bytes(), 4);
        }
        assert_eq!(consumers.deliver(b"S.C", 5).requested, 2);
        consumers.pull(b"one more", 6);
        assert_eq!(consumers.deliver(b"S.C", 7).requested, 2, "it was touched");
        assert_eq!(consumers.0.len(), CONSUMERS_MAX);
        assert!(!consumers.0.contains(b"S.push"), "it was the oldest");
    }
}

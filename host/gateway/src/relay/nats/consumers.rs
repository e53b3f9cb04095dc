//! The JetStream consumers that a session reads from: when it asked, and what it has not settled.
//!
//! A pull request names its consumer, and so does every delivery: no subscription has to be known.
//! A delivery is taken to answer the consumer's latest request, so the time it was waited for is
//! never overstated where requests overlap.

use spanbridge::SpanContext;
use spanbridge_wire::nats::jetstream::AckPolicy;

use super::limits::CONSUMERS_MAX;
use super::policies::Policies;
use crate::measure::Measured;
use crate::open_spans::{Aged, Unsettled, Weigh};

/// One consumer.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumer {
    /// When the session last asked for messages; 0: it never did.
    pub(super) requested: u64,
    /// A message has come since, before this one.
    answered: bool,
    /// What was delivered to this session and is not settled.
    pub(super) unsettled: Unsettled,
    /// What it acknowledges; `None`: each message, as far as is known.
    pub(super) policy: Option<AckPolicy>,
    /// The version of the policies from which this one is.
    version: u64,
}

impl Weigh for Consumer {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Consumer {
    /// Answers whether a message that comes now is the first one since the session asked.
    pub(super) fn is_first_answer(&self) -> bool {
        self.requested != 0 && !self.answered
    }

    /// How long the session waited for a message that comes now.
    pub(super) fn waited(&self, now: u64) -> Measured {
        let (duration, span) = (now.saturating_sub(self.requested), SpanContext::default());
        Measured { duration, span, now }
    }

    fn refresh(&mut self, key: &[u8], now: u64, policies: &Policies) {
        let version = policies.version();
        if self.version != version {
            self.policy = policies.get(key, now);
            self.version = version;
        }
    }
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

    /// What a consumer acknowledges.
    pub(super) fn policy(
        &mut self,
        key: &[u8],
        now: u64,
        policies: &Policies,
    ) -> Option<AckPolicy> {
        // Where nothing is known of any, none has to be looked up.
        if policies.version() == 0 {
            return None;
        }
        self.with(key, now, |consumer| {
            consumer.refresh(key, now, policies);
            consumer.policy
        })
    }

    /// A consumer delivers a message. Answers what is known of it.
    pub(super) fn deliver(&mut self, key: &[u8], now: u64, policies: &Policies) -> Consumer {
        self.with(key, now, |consumer| {
            consumer.refresh(key, now, policies);
            let known = consumer.clone();
            consumer.answered = true;
            known
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
        let deliver =
            |consumers: &mut Consumers, key: &[u8]| consumers.deliver(key, 3, &Policies::default());
        assert!(deliver(&mut consumers, b"S.C").is_first_answer());
        assert!(!deliver(&mut consumers, b"S.C").is_first_answer());
        assert!(!deliver(&mut consumers, b"S.push").is_first_answer(), "nobody asked");
        assert_eq!(deliver(&mut consumers, b"S.C").requested, 2);
        assert_eq!(deliver(&mut consumers, b"S.push").requested, 0);
        for number in 2..CONSUMERS_MAX {
            consumers.pull(number.to_string().as_bytes(), 4);
        }
        assert_eq!(deliver(&mut consumers, b"S.C").requested, 2);
        consumers.pull(b"one more", 6);
        assert_eq!(deliver(&mut consumers, b"S.C").requested, 2, "it was touched");
        assert_eq!(consumers.0.len(), CONSUMERS_MAX);
        assert!(!consumers.0.contains(b"S.push"), "it was the oldest");
    }
}

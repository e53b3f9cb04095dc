//! What a session is subscribed to, as far as its answers have to be counted.
//!
//! The answers say how many subscriptions are left: for channels and patterns together, for shard
//! channels alone. A subscription that is ended without names is answered once for each of its
//! kind.

use spanbridge_wire::resp::Name;

/// How many subscriptions of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscriber {
    channels: u64,
    patterns: u64,
    shards: u64,
}

impl Subscriber {
    /// Answers whether there are any.
    pub(super) fn is_subscribed(&self) -> bool {
        *self != Self::default()
    }

    /// An answer is there, and says how many are left.
    pub(super) fn note(&mut self, name: Name, left: u64) {
        match name {
            Name::Subscribe | Name::Unsubscribe => {
                self.channels = left.saturating_sub(self.patterns);
            }
            Name::Psubscribe | Name::Punsubscribe => {
                self.patterns = left.saturating_sub(self.channels);
            }
            _ => self.shards = left,
        }
    }

    /// How often the end of all subscriptions of a kind is answered.
    pub(super) fn answers(&self, name: Name) -> u64 {
        let count = match name {
            Name::Unsubscribe => self.channels,
            Name::Punsubscribe => self.patterns,
            _ => self.shards,
        };
        count.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_told_apart_by_what_is_left_together() {
        let mut subscriber = Subscriber::default();
        assert_eq!((subscriber.is_subscribed(), subscriber.answers(Name::Unsubscribe)), (false, 1));
        for (name, left) in [
            (Name::Subscribe, 1),
            (Name::Psubscribe, 2),
            (Name::Subscribe, 3),
            (Name::Ssubscribe, 1),
        ] {
            subscriber.note(name, left);
        }
        assert_eq!(subscriber.answers(Name::Unsubscribe), 2);
        assert_eq!(subscriber.answers(Name::Punsubscribe), 1);
        subscriber.note(Name::Unsubscribe, 2);
        subscriber.note(Name::Unsubscribe, 1);
        subscriber.note(Name::Punsubscribe, 0);
        assert!(subscriber.is_subscribed(), "shard channels are counted alone");
        subscriber.note(Name::Sunsubscribe, 0);
        assert!(!subscriber.is_subscribed());
    }
}

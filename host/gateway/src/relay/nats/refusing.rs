//! The destinations of a listener where a message with our headers was refused for its size.
//!
//! A stream may take less than its server does (`max_msg_size`), and an account less than the
//! server says in its INFO. Neither is known before a message is refused; then nothing is added to
//! messages to that subject any more, because the next one may be as large.
//!
//! Destinations are kept as hashes: what is not added to a message for want of room is as harmless
//! in one that only looks alike.

use spanbridge::metrics::Counters;

use super::limits::REFUSING_MAX;
use crate::relay::remembered::{Hashed, Remembered};

/// A destination, by its hash.
pub(super) type Destination = Hashed;

/// Refusing destinations. Shared by the sessions of a listener.
#[derive(Debug)]
pub(super) struct Refusing(Remembered);

impl Default for Refusing {
    fn default() -> Self {
        Self(Remembered::new(REFUSING_MAX))
    }
}

impl Refusing {
    /// What a subject is called here.
    pub(super) fn destination(&self, subject: &[u8]) -> Destination {
        self.0.hash(subject)
    }

    /// Answers whether a message to this subject was refused.
    pub(super) fn contains(&self, subject: &[u8], now: u64) -> bool {
        self.0.contains(subject, now)
    }

    /// A message was refused. Past the bound the destination that was silent for longest is
    /// forgotten: one more message to it may be refused.
    pub(super) fn insert(&self, destination: Destination, now: u64, counters: &Counters) {
        if self.0.insert(destination, now) {
            counters.refusing_destinations_forgotten.add(1);
        }
    }
}

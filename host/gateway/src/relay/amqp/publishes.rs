//! The publishes of a channel that wait for an answer.
//!
//! | mode | what is said | outcome | the span ends |
//! |---|---|---|---|
//! | plain | nothing | | when the message was handed on |
//! | confirm | `basic.ack` | confirmed | now |
//! | confirm | `basic.nack` | refused | now |
//! | confirm, transaction | `basic.return` | returned | now |
//! | transaction | `tx.commit-ok` | confirmed | now |
//! | transaction | `tx.rollback-ok` | unanswered: it was taken back | when it was handed on |
//! | confirm, transaction | the channel is over | unanswered | when it was handed on |
//!
//! Publishes are numbered as the broker numbers them: from one, from `confirm.select` on. A return
//! has no number; it comes before the message's confirmation, in the order of the publishes, and is
//! known by where the message goes, its id and its size.

use std::hash::{DefaultHasher, Hash, Hasher};

use spanbridge::metrics::Counters;
use spanbridge::{Outcome, SettleBatch};

use super::asked::Asked;
use super::limits::{AWAITED_BYTES_MAX, AWAITED_MAX, RETURN_SEARCH_MAX};
use super::room::{Room, counted};
use super::tagged::Tagged;
use crate::relay::awaiting::{Answered, Awaiting};

/// What the broker says of publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Plain,
    Confirm,
    Transaction,
}

/// By what a message that comes back is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn new(exchange: &[u8], routing_key: &[u8], id: &[u8], body_size: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (exchange, routing_key, id, body_size).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A publish that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) publish: Awaiting,
    /// `None`: it does not come back.
    pub(super) mandatory: Option<Fingerprint>,
}

/// The publishes of a channel.
#[derive(Debug, Default)]
pub(super) struct Publishes {
    mode: Mode,
    /// So many so far.
    count: u64,
    waiting: Tagged<Waiting>,
    /// The last publish of each transaction that is being ended.
    ends: Asked<u64>,
}

impl Publishes {
    /// From here on the broker confirms.
    pub(super) fn confirm(&mut self) {
        if self.mode == Mode::Plain {
            self.mode = Mode::Confirm;
        }
    }

    /// From here on publishes are parts of transactions.
    pub(super) fn transact(&mut self) {
        if self.mode == Mode::Plain {
            self.mode = Mode::Transaction;
        }
    }

    /// The number of the next publish. `None`: nothing will be said of it.
    pub(super) fn next(&mut self) -> Option<u64> {
        if self.mode == Mode::Plain {
            return None;
        }
        self.count += 1;
        Some(self.count)
    }

    /// The client ends a transaction.
    pub(super) fn end_transaction(&mut self, counters: &Counters) {
        self.ends.push(self.count, counters);
    }

    /// The broker has done so. Answers the last publish of it.
    pub(super) fn transaction_ended(&mut self) -> Option<u64> {
        self.ends.pop()
    }

    /// A publish was handed on. Past a bound the channel's oldest get no answer any more.
    pub(super) fn insert(
        &mut self,
        number: u64,
        waiting: Waiting,
        room: &mut Room,
        counters: &Counters,
        settle: &mut SettleBatch,
    ) {
        let bytes = waiting.publish.bytes();
        let pushed = counted(&mut room.awaited, &mut self.waiting, |it| it.push(number, waiting));
        match pushed {
            Ok(()) => room.awaited_bytes += bytes,
            Err(waiting) => waiting.publish.give_up(settle),
        }
        loop {
            let unanswered = &counters.publishes_unanswered;
            let counter = if room.awaited > AWAITED_MAX {
                &unanswered.count
            } else if room.awaited_bytes > AWAITED_BYTES_MAX {
                &unanswered.bytes
            } else {
                return;
            };
            let Some(waiting) = self.pop_through(u64::MAX, room) else { return };
            counter.add(1);
            waiting.give_up(settle);
        }
    }

    /// Takes the first publish out whose number is not above this one.
    pub(super) fn pop_through(&mut self, last: u64, room: &mut Room) -> Option<Awaiting> {
        let popped = counted(&mut room.awaited, &mut self.waiting, |it| it.pop_through(last));
        popped.map(|(_, waiting)| leave(waiting, room))
    }

    /// The broker says something of one publish.
    pub(super) fn answered(
        &mut self,
        number: u64,
        outcome: Outcome,
        now: u64,
        room: &mut Room,
        settle: &mut SettleBatch,
    ) {
        let taken = counted(&mut room.awaited, &mut self.waiting, |it| it.take(number));
        if let Some(waiting) = taken {
            let answered = Answered { outcome, detail: b"", is_timed: true };
            leave(waiting, room).answered(&answered, now, settle);
        }
    }

    /// The broker sends a message back: no queue takes it. `detail` is why.
    pub(super) fn returned(
        &mut self,
        what: Fingerprint,
        detail: &[u8],
        now: u64,
        room: &mut Room,
        settle: &mut SettleBatch,
    ) {
        let taken = counted(&mut room.awaited, &mut self.waiting, |it| {
            it.take_first(RETURN_SEARCH_MAX, |waiting| waiting.mandatory == Some(what))
        });
        if let Some(waiting) = taken {
            let answered = Answered { outcome: Outcome::Returned, detail, is_timed: true };
            leave(waiting, room).answered(&answered, now, settle);
        }
    }
}

fn leave(waiting: Waiting, room: &mut Room) -> Awaiting {
    room.awaited_bytes = room.awaited_bytes.saturating_sub(waiting.publish.bytes());
    waiting.publish
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::Measures;

    fn waiting(measures: &Arc<Measures>) -> Waiting {
        let publish = Awaiting { span: None, start: 1, measures: Some(Arc::clone(measures)) };
        Waiting { publish, mandatory: None }
    }

    #[test]
    fn the_oldest_of_too_many_gets_no_answer_and_is_counted() {
        let (counters, measures) = (Counters::default(), Arc::<Measures>::default());
        let (mut publishes, mut other) = (Publishes::default(), Publishes::default());
        let (mut room, mut settle) = (Room::default(), SettleBatch::default());
        other.insert(1, waiting(&measures), &mut room, &counters, &mut settle);
        for number in 1..=AWAITED_MAX as u64 {
            publishes.insert(number, waiting(&measures), &mut room, &counters, &mut settle);
        }
        assert_eq!((counters.publishes_unanswered.count.get(), room.awaited), (1, AWAITED_MAX));
        let outcome = Outcome::Confirmed;
        publishes.answered(1, outcome, 2, &mut room, &mut settle);
        assert_eq!(room.awaited, AWAITED_MAX, "it is not waited for any more");
        while publishes.pop_through(u64::MAX, &mut room).is_some() {}
        other.answered(1, outcome, 2, &mut room, &mut settle);
        assert_eq!((room.awaited, room.awaited_bytes), (0, 0));
    }

    #[test]
    fn publishes_are_numbered_from_the_mode_on_and_the_mode_stays() {
        let mut publishes = Publishes::default();
        assert_eq!(publishes.next(), None);
        publishes.confirm();
        assert_eq!((publishes.next(), publishes.next()), (Some(1), Some(2)));
        // The broker counts on, and refuses the other mode.
        publishes.confirm();
        publishes.transact();
        assert_eq!((publishes.next(), publishes.mode), (Some(3), Mode::Confirm));
    }
}

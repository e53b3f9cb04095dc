//! The replies that a session awaits, in the order of the commands.
//!
//! ```text
//! commands   SET SET GET   XADD      SET  XREADGROUP   MULTI  XADD        SET         EXEC
//! places     Plain(3)      Publish   Plain(1) Read     Plain  Queued(…)   Queued(…)   Exec
//! ```
//!
//! A run of replies that nobody looks into is one place, however long it is.

use std::collections::VecDeque;

use super::limits::{AWAITED_MAX, PLACES_KEPT_MAX};
use super::popped::Popping;
use super::reading::Reading;
use super::topology::Topology;
use crate::relay::awaiting::Awaiting;

/// What a reply, or a run of them, will be about.
#[derive(Debug)]
pub(super) enum Awaited {
    /// So many replies that nobody looks into.
    Plain(u64),
    /// One that nobody looks into, and that comes when something arrives.
    Blocking,
    /// What became of an `XADD`.
    Publish(Awaiting),
    /// How many subscribers got a message.
    Heard(Awaiting),
    /// What became of the messages of one command.
    Publishes(Vec<Awaiting>),
    /// Entries.
    Read(Box<Reading>),
    /// Messages out of a list.
    Pop(Box<Popping>),
    /// Whether a database is selected. Else it is this one still.
    Select { former: u64 },
    /// Whether the client is this user now; and which version is spoken, if that was asked.
    Login { user: Option<Box<str>> },
    /// The addresses of other servers, where it is no error.
    Topology(Topology),
    /// Everything begins anew.
    Reset,
    /// An answer for each channel. `None`: for each there is.
    Subscription { left: Option<u64> },
    /// Whether a command of a transaction is queued, and what its reply will be about then.
    Queued(Box<Self>),
    /// So many of them that nobody looks into further.
    QueuedPlain(u64),
    /// The replies of a transaction. If there are none, this database is selected still.
    Exec { former: u64 },
    /// Whether a transaction is taken back; then likewise.
    Discard { former: u64 },
}

/// Awaited replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    places: VecDeque<Awaited>,
    /// The number of the first place.
    first: u64,
}

impl Replies {
    /// Places in use.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Answers whether a place more may be had.
    pub(super) fn has_room(&self) -> bool {
        self.places.len() < AWAITED_MAX
    }

    /// One more is awaited. Answers the number of its place.
    pub(super) fn push(&mut self, awaited: Awaited) -> u64 {
        match (self.places.back_mut(), &awaited) {
            (Some(Awaited::Plain(count)), Awaited::Plain(more)) => *count += more,
            (Some(Awaited::QueuedPlain(count)), Awaited::QueuedPlain(more)) => *count += more,
            _ => self.places.push_back(awaited),
        }
        self.first + self.places.len() as u64 - 1
    }

    /// What is behind a number that was answered by [`Self::push`].
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Awaited> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.places.get_mut(at)
    }

    /// The one that comes next.
    pub(super) fn front(&self) -> Option<&Awaited> {
        self.places.front()
    }

    /// The same, to be changed.
    pub(super) fn front_mut(&mut self) -> Option<&mut Awaited> {
        self.places.front_mut()
    }

    /// A reply is there. Of a run, one is taken off.
    pub(super) fn pop(&mut self) -> Option<Awaited> {
        match self.places.front_mut()? {
            Awaited::Plain(count @ 2..) => {
                *count -= 1;
                Some(Awaited::Plain(1))
            }
            Awaited::QueuedPlain(count @ 2..) => {
                *count -= 1;
                Some(Awaited::QueuedPlain(1))
            }
            _ => self.pop_place(),
        }
    }

    /// Takes the first place out, with all of its run.
    pub(super) fn pop_place(&mut self) -> Option<Awaited> {
        let place = self.places.pop_front()?;
        self.first += 1;
        if self.places.is_empty() && self.places.capacity() > PLACES_KEPT_MAX {
            // A burst leaves no memory behind.
            self.places = VecDeque::new();
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_replies_is_one_place_and_is_taken_off_one_by_one() {
        let mut replies = Replies::default();
        for _ in 0..1_000_000 {
            replies.push(Awaited::Plain(1));
        }
        assert_eq!(replies.len(), 1);
        for _ in 1..1_000_000 {
            assert!(matches!(replies.pop(), Some(Awaited::Plain(1))));
        }
        assert_eq!(replies.len(), 1);
        assert!(replies.pop().is_some() && replies.pop().is_none());
    }

    #[test]
    fn a_place_keeps_its_number_while_those_before_it_go() {
        let mut replies = Replies::default();
        replies.push(Awaited::Plain(1));
        let number = replies.push(Awaited::Select { former: 7 });
        replies.push(Awaited::Plain(1));
        assert_eq!(replies.push(Awaited::Plain(1)), number + 1, "one run");
        replies.pop();
        assert!(matches!(replies.get_mut(number), Some(Awaited::Select { former: 7 })));
        assert!(matches!(replies.pop(), Some(Awaited::Select { former: 7 })));
        assert!(replies.get_mut(number).is_none());
        assert!(replies.get_mut(number + 1).is_some() && replies.get_mut(number + 2).is_none());
    }

    #[test]
    fn what_is_looked_into_has_a_place_each_up_to_a_bound() {
        let mut replies = Replies::default();
        for _ in 0..AWAITED_MAX {
            assert!(replies.has_room());
            replies.push(Awaited::Reset);
        }
        assert!(!replies.has_room());
        replies.pop();
        assert!(replies.has_room());
        while replies.pop_place().is_some() {}
        assert!(replies.places.capacity() <= PLACES_KEPT_MAX);
    }
}

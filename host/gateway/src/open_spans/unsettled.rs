//! The work of one consumer: what was delivered to it and is not settled, and when each began.
//!
//! A client takes more messages than it works on, and keeps the rest in a queue of its own. Where
//! a route says how many it works on at once, the beginning of each is known better than its
//! delivery: it is the settlement that made room for it.
//!
//! ```text
//! deliveries, two at once    A──────┤ settled
//!                            B──────┼────────┤
//!                            C······├────┤              begins when A is settled
//!                            D······┊····├──────┤       begins when C is settled
//! ```
//!
//! That is an estimate, and the span says so. It never lies before the delivery. Messages that one
//! word settles together were worked on one after the other, at times that nobody knows: each of
//! them begins where the first of them did.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spanbridge::{OpenSpan, Outcome};

use crate::measure::{Measured, Measures, exemplar_of};

/// A waiting message has not begun.
const WAITS: u64 = 0;

/// It was settled before it began, as far as we know.
const GONE: u64 = u64::MAX;

/// Waiting messages from which on those that are gone are looked for and taken out.
const WAITING_SWEPT_MIN: usize = 64;

/// The deliveries to one consumer on one session that are unsettled.
#[derive(Clone, Debug, Default)]
pub struct Unsettled(Arc<Consumer>);

#[derive(Debug, Default)]
struct Consumer {
    count: AtomicU32,
    line: Mutex<Line>,
}

/// Messages that wait for the client to begin with them, where it is known how many it works on.
#[derive(Debug, Default)]
struct Line {
    /// When each began, the oldest delivery first. Bounded by the unsettled messages: those that
    /// are gone are taken out when they are the larger part.
    waiting: VecDeque<Arc<AtomicU64>>,
    /// When room was made last, and the time before that. 0: never.
    last: u64,
    before: u64,
}

impl Line {
    fn wait(&mut self, unsettled: u32) -> Arc<AtomicU64> {
        let (waiting, unsettled) = (&mut self.waiting, unsettled as usize);
        if waiting.len() >= WAITING_SWEPT_MIN && waiting.len() / 2 > unsettled {
            waiting.retain(|began| began.load(Ordering::Relaxed) != GONE);
        }
        let began = Arc::new(AtomicU64::new(WAITS));
        waiting.push_back(Arc::clone(&began));
        began
    }

    /// A message is settled, and the next one begins.
    fn make_room(&mut self, now: u64) {
        if now > self.last {
            (self.before, self.last) = (self.last, now);
        }
        while let Some(next) = self.waiting.pop_front() {
            if next.load(Ordering::Relaxed) != GONE {
                return next.store(now, Ordering::Relaxed);
            }
        }
    }

    /// When room was made last, by another word than that of this moment.
    fn room_before(&self, now: u64) -> u64 {
        if self.last < now { self.last } else { self.before }
    }
}

impl Unsettled {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.count.load(Ordering::Relaxed)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that panics runs under the lock.
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
struct UnsettledOne(Unsettled);

impl Drop for UnsettledOne {
    fn drop(&mut self) {
        self.0.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A message is about to be worked on.
#[derive(Clone, Copy, Debug)]
pub struct Starting<'a> {
    /// By whom.
    pub unsettled: &'a Unsettled,
    /// On how many messages at once. `None`: that is not known.
    pub concurrency: Option<NonZeroU32>,
    /// What its duration is recorded in. `None`: nobody measures.
    pub measures: Option<&'a Arc<Measures>>,
    /// Before then it is not worked on, as the message says. 0: it does not say.
    pub not_before: u64,
    /// When it is delivered, in nanoseconds since the Unix epoch.
    pub now: u64,
}

/// Work that is going on, whether it has a span or not.
///
/// When it is dropped without an end, the client may still be at it: then it makes no room.
#[derive(Debug)]
pub(super) struct Work {
    one: UnsettledOne,
    /// When it was delivered, in nanoseconds since the Unix epoch.
    start: u64,
    /// Its duration may hold time that it waited in the client, or others were worked on.
    pub(super) prefetched: bool,
    turn: Turn,
    /// Before then it does not begin. Not after `start`: it may begin at once.
    not_before: u64,
    measures: Option<Arc<Measures>>,
}

/// When the client begins with a message.
#[derive(Debug)]
enum Turn {
    /// Nobody said how many it works on.
    Unknown,
    /// At once.
    AtOnce,
    /// When there is room.
    Later(Arc<AtomicU64>),
}

impl Work {
    pub(super) fn new(starting: &Starting<'_>) -> Self {
        let Starting { unsettled, concurrency, measures, not_before, now } = *starting;
        let others = unsettled.0.count.fetch_add(1, Ordering::Relaxed);
        let turn = match concurrency {
            None => Turn::Unknown,
            Some(at_once) if others < at_once.get() => Turn::AtOnce,
            Some(_) => Turn::Later(unsettled.line().wait(others)),
        };
        Self {
            one: UnsettledOne(unsettled.clone()),
            start: now,
            prefetched: concurrency.is_none() && others > 0,
            turn,
            not_before,
            measures: measures.cloned(),
        }
    }

    /// Answers whether its beginning will be an estimate.
    pub(super) fn is_estimated(&self) -> bool {
        matches!(self.turn, Turn::Later(_)) || self.not_before > self.start
    }

    /// It is over. Answers when it began, where that is known better than its delivery; else 0.
    pub(super) fn end(self, span: Option<&OpenSpan>, outcome: Outcome, now: u64) -> u64 {
        let mut estimate = self.began(now);
        let Self { one, start, prefetched, not_before, measures, .. } = self;
        if not_before > start {
            // What is settled before its time was not worked on.
            estimate = estimate.max(not_before).min(now);
        }
        drop(one);
        if let Some(measures) = measures {
            let duration = now.saturating_sub(start.max(estimate));
            let measured = Measured { duration, span: exemplar_of(span), now };
            measures.processed(outcome, prefetched, &measured);
        }
        estimate
    }

    /// Makes room for the next message, unless this one had none.
    fn began(&self, now: u64) -> u64 {
        let began = match &self.turn {
            Turn::Unknown => return 0,
            Turn::AtOnce => None,
            Turn::Later(began) => Some(began),
        };
        let mut line = self.one.0.line();
        let Some(began) = began else {
            line.make_room(now);
            return 0;
        };
        let at = match began.load(Ordering::Relaxed) {
            WAITS => {
                began.store(GONE, Ordering::Relaxed);
                line.room_before(now)
            }
            at => {
                line.make_room(now);
                // Begun and settled by one word: it was worked on before.
                if at < now { at } else { line.room_before(now) }
            }
        };
        at.max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<NonZeroU32> = NonZeroU32::new(1);

    fn deliver(unsettled: &Unsettled, concurrency: Option<NonZeroU32>, now: u64) -> Work {
        let (measures, not_before) = (None, 0);
        Work::new(&Starting { unsettled, concurrency, measures, not_before, now })
    }

    fn settle(work: Work, now: u64) -> u64 {
        work.end(None, Outcome::Ack, now)
    }

    #[test]
    fn work_begins_when_there_is_room_for_it() {
        let unsettled = Unsettled::default();
        let two = NonZeroU32::new(2);
        let [a, b, c, d, e] = [10, 10, 11, 12, 13].map(|now| deliver(&unsettled, two, now));
        assert!(!a.is_estimated() && !b.is_estimated() && c.is_estimated());
        assert!(!a.prefetched && !e.prefetched, "no time of waiting is in it");
        assert_eq!((settle(a, 20), unsettled.count()), (0, 4), "it began when it was delivered");
        assert_eq!(settle(c, 25), 20);
        assert_eq!(settle(d, 30), 25);
        assert_eq!(settle(b, 50), 0);
        assert_eq!(settle(e, 60), 30, "not when B was settled: D had made room");
        assert!(!deliver(&unsettled, two, 70).is_estimated());
    }

    #[test]
    fn a_beginning_never_lies_before_the_delivery() {
        let unsettled = Unsettled::default();
        let first = deliver(&unsettled, ONE, 10);
        settle(first, 20);
        let [first, second] = [30, 31].map(|now| deliver(&unsettled, ONE, now));
        assert_eq!(settle(second, 40), 31, "out of turn: at 20 it was not there");
        assert_eq!(settle(first, 50), 0);
    }

    #[test]
    fn what_one_word_settles_begins_where_the_first_of_them_did() {
        let unsettled = Unsettled::default();
        let works = [10; 4].map(|now| deliver(&unsettled, ONE, now));
        let [first, rest @ ..] = works;
        settle(first, 20);
        assert_eq!(rest.map(|work| settle(work, 50)), [20; 3]);
        let [next, after] = [60, 60].map(|now| deliver(&unsettled, ONE, now));
        settle(next, 70);
        assert_eq!(settle(after, 75), 70);
    }

    #[test]
    fn work_does_not_begin_before_its_time() {
        let unsettled = Unsettled::default();
        let deliver = |not_before| {
            let (concurrency, measures, now) = (None, None, 10);
            let unsettled = &unsettled;
            Work::new(&Starting { unsettled, concurrency, measures, not_before, now })
        };
        let [past, future, early] = [9, 20, 50].map(deliver);
        assert!(!past.is_estimated() && future.is_estimated());
        assert_eq!((settle(past, 30), settle(future, 30)), (0, 20));
        assert_eq!(settle(early, 30), 30, "it was put back");
    }

    #[test]
    fn without_a_number_nothing_is_estimated() {
        let unsettled = Unsettled::default();
        let [first, second] = [10, 10].map(|now| deliver(&unsettled, None, now));
        assert!((first.prefetched, second.prefetched) == (false, true));
        assert_eq!((settle(first, 20), settle(second, 30)), (0, 0));
        assert!(unsettled.line().waiting.is_empty());
    }

    #[test]
    fn those_who_are_settled_out_of_turn_do_not_pile_up() {
        let unsettled = Unsettled::default();
        let _stuck = deliver(&unsettled, ONE, 1);
        for now in 2..10_000 {
            let work = deliver(&unsettled, ONE, now);
            assert_eq!(settle(work, now + 1), now);
        }
        assert!(unsettled.line().waiting.len() <= WAITING_SWEPT_MIN);
        drop(_stuck);
        assert_eq!(unsettled.count(), 0);
    }
}

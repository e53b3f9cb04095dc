//! The process spans that wait for a settlement: one table for the process.
//!
//! ```text
//! delivery ──▶ begin ──▶ (component) ──▶ attach            unsettled, with its span
//!                                          │
//!    ack, term ─▶ settle ─▶ forgotten      │   nak ─▶ settle ─▶ remembered, for the next attempt
//!    next attempt ─▶ begin: `expired`      │   age, count, bytes ─▶ evicted: `abandoned`
//! ```
//!
//! One table, because clients settle on other connections than they read from. A key is what the
//! broker calls the message, whoever settles it. The table is cut into shards so that threads
//! seldom wait for each other; no lock is held while the component runs.
//!
//! A delivery without a span (it was not sampled) has an entry as well. Otherwise its settlement
//! could not be told from a stranger's, and a consumer's unsettled messages could not be counted.
//!
//! An `abandoned` span ends when its message was last heard of, not when it was given up: waiting
//! is not work.

mod aged;
mod unsettled;

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spanbridge::metrics::Counters;
use spanbridge::{OpenSpan, Outcome, SettleBatch, Settlement, SpanContext};

use crate::relay::Tools;

pub(crate) use aged::{Aged, Weigh};
use aged::{Key, Lookup as _};
use unsettled::Work;
pub use unsettled::{Starting, Unsettled};

/// Shards of the table. Sixteen threads that work at once wait for each other in one of four
/// operations at worst; more shards only make sweeping longer.
const SHARDS: usize = 64;

/// Bits of a hash below those that choose a shard.
const SHARD_SHIFT: u32 = 32;

/// Memory that a delivery may take on average, in bytes. An ordinary one takes half of it; the
/// rest is for those with much baggage or many attributes.
const BYTES_PER_OPEN_SPAN: usize = 1024;

/// Deliveries that a sweep gives up before the sessions of its thread get their turn: as many
/// spans as a batch of messages has at most.
const SWEPT_PER_TURN_MAX: usize = 1024;

/// The table. Shared by all sessions of a process.
#[derive(Debug)]
pub struct OpenSpans {
    count_max: AtomicUsize,
    /// In nanoseconds.
    age_max: AtomicU64,
    counters: Arc<Counters>,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Entries and bytes of all shards. Behind them by what is being changed this moment.
    count: AtomicUsize,
    bytes: AtomicUsize,
}

type Shard = Aged<Attempt>;

/// A delivery.
#[derive(Debug, Default)]
struct Attempt {
    /// `None`: it has no span, or none yet, or it is settled.
    span: Option<OpenSpan>,
    /// The span of this attempt, or of the one before it. All zero: none.
    last: SpanContext,
    /// `None`: it is settled, and remembered because the message will come again.
    unsettled: Option<Work>,
}

/// What is known of a delivery when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The span of the attempt before this one, all zero if it is not known.
    pub previous: SpanContext,
    /// When the work begins will be an estimate: the client is busy with others.
    pub estimated: bool,
}

/// What else is known of the end of a delivery.
#[derive(Clone, Copy, Debug)]
struct Ending {
    /// The same word settles other deliveries, whose work is in its duration too.
    with_others: bool,
    /// The message may be delivered again, and is remembered for that.
    comes_again: bool,
}

impl Weigh for Attempt {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.span.as_ref().map_or(0, |span| span.beginning.len())
    }
}

impl OpenSpans {
    /// Makes an empty table.
    ///
    /// Past `open_spans_max` deliveries, or a kibibyte for each, the one that was silent for
    /// longest is given up; so is one that was silent for `open_span_age_max`. Work that takes
    /// longer says so meanwhile (`+WPI`), which starts the age again.
    pub fn new(
        open_spans_max: usize,
        open_span_age_max: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        let hasher = RandomState::new();
        let shard = || Mutex::new(Aged::with_hasher(hasher.clone()));
        let table = Self {
            count_max: AtomicUsize::new(0),
            age_max: AtomicU64::new(0),
            counters,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        };
        table.set_bounds(open_spans_max, open_span_age_max);
        table
    }

    /// Changes the bounds. What is past them goes with the next delivery, or the next sweep.
    pub fn set_bounds(&self, open_spans_max: usize, open_span_age_max: Duration) {
        let age_max = u64::try_from(open_span_age_max.as_nanos()).unwrap_or(u64::MAX);
        self.count_max.store(open_spans_max, Ordering::Relaxed);
        self.age_max.store(age_max, Ordering::Relaxed);
    }

    /// The deliveries in the table, those without a span included.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Answers whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message is being delivered.
    ///
    /// An earlier attempt that nobody settled ends here, as `expired`: the broker would not deliver
    /// again if its time for the work had not passed. Ended spans go into `settle`.
    pub fn begin(&self, key: &[u8], starting: &Starting<'_>, settle: &mut SettleBatch) -> Begun {
        let (key, shard) = self.place_of(key);
        let now = starting.now;
        let begun = self.change(shard, |shard| {
            let work = Work::new(starting);
            let estimated = work.is_estimated();
            let mut work = Some(work);
            let again = shard.update(key, |attempt| {
                let former = std::mem::replace(&mut attempt.unsettled, work.take());
                (former, attempt.span.take(), attempt.last)
            });
            let Some((former_work, former, last)) = again else {
                shard.insert(key, Attempt { unsettled: work, ..Attempt::default() }, now);
                return Begun { previous: SpanContext::default(), estimated };
            };
            shard.touch(key, now);
            end_work(former_work, former, &Settlement::new(Outcome::Expired, now), settle);
            Begun { previous: last, estimated }
        });
        self.evict(shard, settle);
        begun
    }

    /// The component gave the delivery a span. It ends at once if the delivery was evicted
    /// meanwhile.
    pub fn attach(&self, key: &[u8], span: OpenSpan, now: u64, settle: &mut SettleBatch) {
        let (key, shard) = self.place_of(key);
        let mut span = Some(span);
        let former = self.change(shard, |shard| {
            shard.update(key, |attempt| {
                attempt.unsettled.as_ref()?;
                attempt.last = span.as_ref().map_or(attempt.last, context);
                std::mem::replace(&mut attempt.span, span.take())
            })
        });
        if let Some(former) = former.flatten() {
            settle.add(&former, &Settlement::new(Outcome::Expired, now));
        }
        match span {
            Some(homeless) => {
                self.counters.open_spans_evicted.count.add(1);
                abandon(&homeless, homeless.start, settle);
            }
            None => self.evict(shard, settle),
        }
    }

    /// A delivery is settled, by whichever session. Counts it as unmatched when it is not known.
    pub fn settle(&self, key: &[u8], end: &Settlement<'_>, settle: &mut SettleBatch) {
        let comes_again = comes_again(end.outcome);
        if !self.end(key, end, Ending { with_others: false, comes_again }, settle) {
            self.counters.settle_unmatched.add(1);
        }
    }

    /// The same for a key that means no other attempt. Answers whether it was unsettled.
    pub fn settle_for_good(
        &self,
        key: &[u8],
        end: &Settlement<'_>,
        with_others: bool,
        to: &mut SettleBatch,
    ) -> bool {
        self.end(key, end, Ending { with_others, comes_again: false }, to)
    }

    /// A delivery is settled by what was said about another one. Answers whether it was unsettled.
    pub fn settle_as_well(
        &self,
        key: &[u8],
        end: &Settlement<'_>,
        settle: &mut SettleBatch,
    ) -> bool {
        let comes_again = comes_again(end.outcome);
        self.end(key, end, Ending { with_others: true, comes_again }, settle)
    }

    fn end(
        &self,
        key: &[u8],
        end: &Settlement<'_>,
        ending: Ending,
        settle: &mut SettleBatch,
    ) -> bool {
        let (key, shard) = self.place_of(key);
        let settled = self.change(shard, |shard| {
            if !ending.comes_again {
                let attempt = shard.remove(key)?;
                return attempt.unsettled.map(|work| (work, attempt.span));
            }
            let (settled, last) = shard.update(key, |attempt| {
                (attempt.unsettled.take().map(|work| (work, attempt.span.take())), attempt.last)
            })?;
            if last != SpanContext::default() {
                shard.touch(key, end.end);
            } else {
                shard.remove(key);
            }
            settled
        });
        let Some((mut work, span)) = settled else { return false };
        work.prefetched |= ending.with_others;
        end_work(Some(work), span, end, settle);
        true
    }

    /// The consumer says that it is still at it.
    pub fn touch(&self, key: &[u8], now: u64) {
        let (key, shard) = self.place_of(key);
        self.change(shard, |shard| shard.touch(key, now).map(|_| ()));
    }

    /// Gives up what was silent for too long. Call it about once a second, and again after the
    /// thread's sessions had their turn while the answer is that there may be more.
    pub fn sweep(&self, now: u64, tools: &mut Tools) -> bool {
        let time = now.saturating_sub(self.age_max.load(Ordering::Relaxed));
        let (aged, more) = self.end_older_than(time, now, SWEPT_PER_TURN_MAX, tools);
        self.counters.open_spans_evicted.age.add(aged);
        more
    }

    /// Ends everything as `abandoned`: the process ends.
    pub fn drain(&self, now: u64, tools: &mut Tools) {
        self.end_older_than(u64::MAX, now, usize::MAX, tools);
    }

    /// Gives up so many deliveries at most. Answers how many spans that ended, and whether there
    /// may be more of them.
    fn end_older_than(
        &self,
        time: u64,
        now: u64,
        mut count_left: usize,
        tools: &mut Tools,
    ) -> (u64, bool) {
        let mut ended = 0;
        for shard in &self.shards {
            // The lock is held for one entry at a time: sessions work meanwhile.
            let pop = |shard: &mut Shard| {
                let is_older = shard.oldest_time().is_some_and(|oldest| oldest < time);
                is_older.then(|| shard.pop_oldest()).flatten()
            };
            while count_left > 0 {
                let Some((at, attempt)) = self.change(shard, pop) else { break };
                count_left -= 1;
                if let Some(span) = attempt.span {
                    ended += 1;
                    tools.make_room();
                    // A clock that was set back must not end a span in the future.
                    abandon(&span, at.min(now), &mut tools.settle);
                }
            }
        }
        tools.settle_ended();
        (ended, count_left == 0)
    }

    /// Gives up the oldest deliveries of a shard until all bounds are kept.
    fn evict(&self, shard: &Mutex<Shard>, settle: &mut SettleBatch) {
        let count_max = self.count_max.load(Ordering::Relaxed);
        let bytes_max = count_max.saturating_mul(BYTES_PER_OPEN_SPAN);
        loop {
            let evicted = &self.counters.open_spans_evicted;
            let counter = if self.count.load(Ordering::Relaxed) > count_max {
                &evicted.count
            } else if self.bytes.load(Ordering::Relaxed) > bytes_max {
                &evicted.bytes
            } else {
                return;
            };
            match self.change(shard, Aged::pop_oldest) {
                Some((at, Attempt { span: Some(span), .. })) => {
                    counter.add(1);
                    abandon(&span, at, settle);
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    /// A key, hashed once for everything that is done with it, and its shard.
    fn place_of<'k>(&self, key: &'k [u8]) -> (Key<'k>, &Mutex<Shard>) {
        let key = key.hashed(&self.hasher);
        // Bits in the middle: a shard finds its slots by those at both ends. Strangers cannot
        // foresee them.
        (key, &self.shards[(key.hash >> SHARD_SHIFT) as usize % SHARDS])
    }

    /// Changes a shard and the totals.
    fn change<T>(&self, shard: &Mutex<Shard>, change: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = lock(shard);
        let (count, bytes) = (shard.len(), shard.bytes());
        let answer = change(&mut shard);
        let difference = |total: &AtomicUsize, before: usize, after: usize| match after {
            after if after > before => total.fetch_add(after - before, Ordering::Relaxed),
            after if after < before => total.fetch_sub(before - after, Ordering::Relaxed),
            _ => 0,
        };
        difference(&self.count, count, shard.len());
        difference(&self.bytes, bytes, shard.bytes());
        answer
    }
}

fn comes_again(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Nack | Outcome::Requeue | Outcome::Claimed)
}

/// Work is over, and its span if it has one.
fn end_work(
    work: Option<Work>,
    span: Option<OpenSpan>,
    end: &Settlement<'_>,
    settle: &mut SettleBatch,
) {
    let start = work.map_or(0, |work| work.end(span.as_ref(), end.outcome, end.end));
    if let Some(span) = span {
        settle.add(&span, &Settlement { start, ..*end });
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing that panics runs under the lock, so a poisoned shard is whole.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn context(span: &OpenSpan) -> SpanContext {
    SpanContext { trace_hi: span.trace_hi, trace_lo: span.trace_lo, span_id: span.span_id }
}

/// Ends a span when it was last heard of.
fn abandon(span: &OpenSpan, at: u64, settle: &mut SettleBatch) {
    settle.add(span, &Settlement::new(Outcome::Abandoned, at.max(span.start)));
}

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
//! could not be told from one that nobody opened, and a consumer's unsettled messages could not be
//! counted.
//!
//! An `abandoned` span ends when its message was last heard of, not when it was given up: waiting
//! is not work.

mod aged;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spanbridge::metrics::Counters;
use spanbridge::{OpenSpan, Outcome, SettleBatch, Settlement, SpanContext, Tracer};

use crate::measure::{Measured, Measures, exemplar_of};
use crate::relay::Tools;

pub(crate) use aged::{Aged, Weigh};

/// Shards of the table. Sixteen threads that work at once wait for each other in one of four
/// operations at worst; more shards only make sweeping longer.
const SHARDS: usize = 64;

/// Memory that a delivery may take on average, in bytes. An ordinary one takes half of it; the
/// rest is for those with much baggage or many attributes.
const BYTES_PER_OPEN_SPAN: usize = 1024;

/// Spans that are ended in one call where no message waits for it. Four calls may then take the
/// time that one could; on a slow machine a call of all of them would be cut off.
const SETTLED_PER_CALL_MAX: usize = 256;

/// Answers whether one more span can be ended with this batch.
pub(crate) fn has_room(settle: &SettleBatch) -> bool {
    settle.len() < SETTLED_PER_CALL_MAX && !settle.is_full()
}

/// Makes sure that one more span can be ended.
pub(crate) fn make_room(tracer: &mut Tracer, settle: &mut SettleBatch) {
    if !has_room(settle) {
        tracer.settle(settle);
        settle.clear();
    }
}

/// The table. Shared by all sessions of a process.
#[derive(Debug)]
pub struct OpenSpans {
    count_max: usize,
    bytes_max: usize,
    /// In nanoseconds.
    age_max: u64,
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

/// Work that is going on, whether it has a span or not.
#[derive(Debug)]
struct Work {
    one: UnsettledOne,
    /// Nanoseconds since the Unix epoch.
    start: u64,
    /// Other messages of the consumer were unsettled when it began.
    prefetched: bool,
    measures: Arc<Measures>,
}

impl Work {
    /// It is over.
    fn end(self, span: Option<&OpenSpan>, outcome: Outcome, now: u64) {
        let Self { one, start, prefetched, measures } = self;
        drop(one);
        let duration = now.saturating_sub(start);
        let measured = Measured { duration, span: exemplar_of(span), now };
        measures.processed(outcome, prefetched, &measured);
    }
}

impl Weigh for Attempt {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.span.as_ref().map_or(0, |span| span.beginning.len())
    }
}

/// The deliveries to one consumer on one session that are unsettled.
#[derive(Clone, Debug, Default)]
pub struct Unsettled(Arc<AtomicU32>);

/// One of them, until it is dropped.
#[derive(Debug)]
struct UnsettledOne(Unsettled);

impl Unsettled {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn one(&self) -> UnsettledOne {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnsettledOne(self.clone())
    }
}

impl Drop for UnsettledOne {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
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
        Self {
            count_max: open_spans_max,
            bytes_max: open_spans_max.saturating_mul(BYTES_PER_OPEN_SPAN),
            age_max: u64::try_from(open_span_age_max.as_nanos()).unwrap_or(u64::MAX),
            counters,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// The deliveries in the table, those without a span included.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Answers whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message is being delivered. Answers the span of the attempt before this one, all zero if
    /// it is not known.
    ///
    /// An earlier attempt that nobody settled ends here, as `expired`: the broker would not deliver
    /// again if its time for the work had not passed. Ended spans go into `settle`.
    pub fn begin(
        &self,
        key: &[u8],
        unsettled: &Unsettled,
        measures: &Arc<Measures>,
        now: u64,
        settle: &mut SettleBatch,
    ) -> SpanContext {
        let shard = self.shard_of(key);
        let previous = self.change(shard, |shard| {
            let prefetched = unsettled.count() > 0;
            let (one, measures) = (unsettled.one(), Arc::clone(measures));
            let mut work = Some(Work { one, start: now, prefetched, measures });
            let again = shard.update(key, |attempt| {
                let former = std::mem::replace(&mut attempt.unsettled, work.take());
                (former, attempt.span.take(), attempt.last)
            });
            let Some((former_work, former, last)) = again else {
                shard.insert(key, Attempt { unsettled: work, ..Attempt::default() }, now);
                return SpanContext::default();
            };
            shard.touch(key, now);
            if let Some(work) = former_work {
                work.end(former.as_ref(), Outcome::Expired, now);
            }
            if let Some(former) = former {
                settle.add(&former, &Settlement::new(Outcome::Expired, now));
            }
            last
        });
        self.evict(shard, settle);
        previous
    }

    /// The component gave the delivery a span. It ends at once if the delivery was evicted
    /// meanwhile.
    pub fn attach(&self, key: &[u8], span: OpenSpan, now: u64, settle: &mut SettleBatch) {
        let shard = self.shard_of(key);
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
        let comes_again = matches!(end.outcome, Outcome::Nack | Outcome::Requeue);
        let settled = self.change(self.shard_of(key), |shard| {
            let (settled, last) = shard.update(key, |attempt| {
                (attempt.unsettled.take().map(|work| (work, attempt.span.take())), attempt.last)
            })?;
            if comes_again && last != SpanContext::default() {
                shard.touch(key, end.end);
            } else {
                shard.remove(key);
            }
            settled
        });
        match settled {
            Some((work, span)) => {
                work.end(span.as_ref(), end.outcome, end.end);
                if let Some(span) = span {
                    settle.add(&span, end);
                }
            }
            None => self.counters.settle_unmatched.add(1),
        }
    }

    /// The consumer says that it is still at it.
    pub fn touch(&self, key: &[u8], now: u64) {
        self.change(self.shard_of(key), |shard| shard.touch(key, now).map(|_| ()));
    }

    /// Gives up what was silent for too long. Call it about once a second.
    pub fn sweep(&self, now: u64, tools: &mut Tools) {
        let aged = self.end_older_than(now.saturating_sub(self.age_max), now, tools);
        self.counters.open_spans_evicted.age.add(aged);
    }

    /// Ends everything as `abandoned`: the process ends.
    pub fn drain(&self, now: u64, tools: &mut Tools) {
        self.end_older_than(u64::MAX, now, tools);
    }

    /// Answers how many spans were ended.
    fn end_older_than(&self, time: u64, now: u64, tools: &mut Tools) -> u64 {
        let Tools { tracer, settle, .. } = tools;
        let mut ended = 0;
        for shard in &self.shards {
            // The lock is held for one entry at a time: sessions work meanwhile.
            let pop = |shard: &mut Shard| {
                let is_older = shard.oldest_time().is_some_and(|oldest| oldest < time);
                is_older.then(|| shard.pop_oldest()).flatten()
            };
            while let Some((at, attempt)) = self.change(shard, pop) {
                if let Some(span) = attempt.span {
                    ended += 1;
                    make_room(tracer, settle);
                    // A clock that was set back must not end a span in the future.
                    abandon(&span, at.min(now), settle);
                }
            }
        }
        tracer.settle(settle);
        settle.clear();
        ended
    }

    /// Gives up the oldest deliveries of a shard until all bounds are kept.
    fn evict(&self, shard: &Mutex<Shard>, settle: &mut SettleBatch) {
        // Whatever is left over when the batch is full goes with the next delivery.
        while has_room(settle) {
            let evicted = &self.counters.open_spans_evicted;
            let counter = if self.count.load(Ordering::Relaxed) > self.count_max {
                &evicted.count
            } else if self.bytes.load(Ordering::Relaxed) > self.bytes_max {
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

    fn shard_of(&self, key: &[u8]) -> &Mutex<Shard> {
        // The low bits of a hash that strangers cannot foresee.
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
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

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing that panics runs under the lock, so a poisoned shard is whole.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn context(span: &OpenSpan) -> SpanContext {
    SpanContext { trace_hi: span.trace_hi, trace_lo: span.trace_lo, span_id: span.span_id }
}

/// Ends a span when it was last heard of.
fn abandon(span: &OpenSpan, at: u64, settle: &mut SettleBatch) {
    settle.add(span, &Settlement::new(Outcome::Abandoned, at.max(span.start)));
}

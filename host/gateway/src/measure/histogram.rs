//! A histogram with fixed bounds that many threads record into.
//!
//! ```text
//! record ─▶ the thread's shard ─▶ one bucket, and the sum      two atomic additions, no lock
//!        └─ of a sampled span, at most once a second a bucket ─▶ its exemplar
//! read   ─▶ every shard, added up
//! ```
//!
//! Nothing is allocated after it was made. The count is the sum of the buckets, so a page that is
//! read while messages pass never shows a count that differs from its last bucket.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use spanbridge::SpanContext;

/// Copies of each number. Threads take them in turn, so two of them share a cache line only where
/// more than these carry messages.
const SHARDS: usize = 8;

/// Least age of a bucket's exemplar before another one takes its place, in nanoseconds. A page is
/// read every few seconds; whatever is replaced between two reads was written for nobody.
const EXEMPLAR_AGE_MIN: u64 = 1_000_000_000;

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    })
}

/// A count that many threads add to.
#[derive(Debug, Default)]
pub(crate) struct Sharded([Padded; SHARDS]);

/// Alone on its cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(AtomicU64);

impl Sharded {
    pub(crate) fn add(&self, n: u64) {
        self.0[shard()].0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}

/// A value that was recorded, with the span that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub span: SpanContext,
    /// In seconds.
    pub value: f64,
    /// In nanoseconds since the Unix epoch.
    pub at: u64,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// In nanoseconds.
    pub duration: u64,
    /// Of a sampled span; all zero: there is none that anybody could look up.
    pub span: SpanContext,
    /// Nanoseconds since the Unix epoch.
    pub now: u64,
}

/// Durations by bucket. A bucket holds what is at most its bound.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// In nanoseconds, ascending.
    bounds: &'static [u64],
    /// `SHARDS` rows of one number for each bucket, one past the last bound, and their sum. A row
    /// begins on a cache line of its own.
    rows: Box<[Line]>,
    lines_per_row: usize,
    /// By bucket: when its exemplar was taken.
    taken: Box<[AtomicU64]>,
    /// By bucket.
    exemplars: Mutex<Box<[Option<Exemplar>]>>,
}

/// A cache line of numbers.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

const LINE: usize = 8;

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    /// By bucket, not added up.
    pub buckets: Vec<u64>,
    /// In seconds.
    pub sum: f64,
    /// By bucket.
    pub exemplars: Vec<Option<Exemplar>>,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        let buckets = bounds.len() + 1;
        let lines_per_row = (buckets + 1).div_ceil(LINE);
        Self {
            bounds,
            rows: (0..SHARDS * lines_per_row).map(|_| Line::default()).collect(),
            lines_per_row,
            taken: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            exemplars: Mutex::new(vec![None; buckets].into()),
        }
    }

    /// The upper bounds of all buckets but the last, in seconds.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = f64> {
        self.bounds.iter().map(|bound| *bound as f64 / NANOSECONDS_PER_SECOND)
    }

    pub(crate) fn record(&self, measured: &Measured) {
        // A handful of comparisons; a search would not be faster.
        let bucket = self.bounds.iter().take_while(|bound| measured.duration > **bound).count();
        let shard = shard();
        self.number(shard, bucket).fetch_add(1, Ordering::Relaxed);
        self.number(shard, self.bounds.len() + 1).fetch_add(measured.duration, Ordering::Relaxed);
        if measured.span != SpanContext::default() {
            self.exemplify(bucket, measured);
        }
    }

    /// The number at `index` of a shard's row.
    fn number(&self, shard: usize, index: usize) -> &AtomicU64 {
        &self.rows[shard * self.lines_per_row + index / LINE].0[index % LINE]
    }

    fn exemplify(&self, bucket: usize, measured: &Measured) {
        let taken = &self.taken[bucket];
        let age = measured.now.saturating_sub(taken.load(Ordering::Relaxed));
        if age < EXEMPLAR_AGE_MIN {
            return;
        }
        // Whoever holds the lock is done in no time, and another message comes.
        let mut exemplars = match self.exemplars.try_lock() {
            Ok(exemplars) => exemplars,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        taken.store(measured.now, Ordering::Relaxed);
        let value = measured.duration as f64 / NANOSECONDS_PER_SECOND;
        exemplars[bucket] = Some(Exemplar { span: measured.span, value, at: measured.now });
    }

    /// Answers whether nothing was recorded.
    pub(crate) fn is_empty(&self) -> bool {
        let at_zero = |number: &AtomicU64| number.load(Ordering::Relaxed) == 0;
        self.rows.iter().all(|line| line.0.iter().all(at_zero))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let total = |index: usize| -> u64 {
            (0..SHARDS).map(|shard| self.number(shard, index).load(Ordering::Relaxed)).sum()
        };
        let exemplars = self.exemplars.lock().unwrap_or_else(PoisonError::into_inner).to_vec();
        let buckets = (0..=self.bounds.len()).map(total).collect();
        let sum = total(self.bounds.len() + 1) as f64 / NANOSECONDS_PER_SECOND;
        Snapshot { buckets, sum, exemplars }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [u64; 2] = [1_000_000_000, 2_000_000_000];

    fn measured(duration: u64, span_id: u64, now: u64) -> Measured {
        let trace = if span_id == 0 { 0 } else { 7 };
        let span = SpanContext { trace_hi: trace, trace_lo: trace, span_id };
        Measured { duration, span, now }
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let histogram = Histogram::new(&BOUNDS);
        for duration in [0, 999_999_999, 1_000_000_000, 1_000_000_001, 2_000_000_000, u64::MAX / 4]
        {
            histogram.record(&measured(duration, 0, 1));
        }
        assert_eq!(histogram.snapshot().buckets, [3, 2, 1]);
        assert_eq!(histogram.bounds().collect::<Vec<_>>(), [1.0, 2.0]);
    }

    #[test]
    fn threads_lose_nothing() {
        const THREADS: u64 = 2 * SHARDS as u64;
        const EACH: u64 = 1000;
        let (histogram, count) = (Histogram::new(&BOUNDS), Sharded::default());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        histogram.record(&measured(500_000_000, 1, 1));
                        count.add(1);
                    }
                });
            }
        });
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.buckets, [THREADS * EACH, 0, 0]);
        assert_eq!(snapshot.sum, (THREADS * EACH) as f64 / 2.0);
        assert_eq!(count.get(), THREADS * EACH);
    }

    #[test]
    fn an_exemplar_is_of_a_sampled_span_and_lasts_a_while() {
        let histogram = Histogram::new(&BOUNDS);
        let second = EXEMPLAR_AGE_MIN;
        histogram.record(&measured(1, 0, 5 * second));
        assert_eq!(histogram.snapshot().exemplars, [None; 3]);
        histogram.record(&measured(500_000_000, 1, 5 * second));
        histogram.record(&measured(600_000_000, 2, 6 * second - 1));
        let seen = |histogram: &Histogram| histogram.snapshot().exemplars[0].unwrap();
        assert_eq!((seen(&histogram).span.span_id, seen(&histogram).value), (1, 0.5));
        histogram.record(&measured(600_000_000, 3, 6 * second));
        assert_eq!(seen(&histogram).span.span_id, 3);
    }
}

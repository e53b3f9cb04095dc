//! What messages did, counted and timed: the `messaging.*` metrics of the semantic conventions.
//!
//! ```text
//! publish, nobody is asked ──▶ sent (handed_on)
//! publish ── answer ─────────▶ sent, operation duration, by outcome
//! pull ── first delivery ────▶ operation duration (receive)
//! delivery ──────────────────▶ consumed, queue wait
//! delivery ── settlement ────▶ process duration, by outcome
//! ```
//!
//! Unlike spans, these count every message, sampled or not. What was not seen is not timed: a
//! publish that asks for no answer has no duration here, and neither has a delivery that nobody
//! settles. A process duration runs from delivery to settlement, so with other messages of that
//! consumer unsettled it holds the client's own queue as well; such ones are kept apart.
//!
//! Series are as many as there are sets of labels. No label is a subject or the name of a stranger,
//! which are unbounded; what is left of a subject without its ids is one, up to a bound.

mod histogram;
mod route;

use std::sync::{Arc, Mutex, PoisonError};

use spanbridge::metrics::Counters;
use spanbridge::{Outcome, RouteSettings, SpanContext, Verdict, VerdictBits};

pub(crate) use histogram::{Exemplar, Histogram, Measured, Sharded};
pub use route::RouteMeasures;

/// Sets of labels, each of which takes about 30 KiB. As many as routes can be open; messages of
/// further ones share one set that says so, and `measures_overflow` moves.
const MEASURES_MAX: usize = 512;

/// Upper bounds of durations, in nanoseconds: those that the conventions ask for
/// (messaging metrics, `messaging.client.operation.duration`).
static DURATION_BOUNDS: [u64; 14] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// Upper bounds of queue waits, in nanoseconds: 1 ms to a day. An idle consumer takes a message
/// within a millisecond; one that is down over the night leaves it for hours. Three bounds a
/// decade where people act on seconds, fewer above a minute.
static WAIT_BOUNDS: [u64; 18] = [
    1_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    300_000_000_000,
    1_800_000_000_000,
    14_400_000_000_000,
    86_400_000_000_000,
];

/// How a publish can end that the broker was asked about.
const ANSWERED: [Outcome; 3] = [Outcome::Confirmed, Outcome::Returned, Outcome::Refused];

/// How work can end. `abandoned` is not among them: when it ended was not seen.
const SETTLED: [Outcome; 7] = [
    Outcome::Ack,
    Outcome::Nack,
    Outcome::Requeue,
    Outcome::Reject,
    Outcome::Term,
    Outcome::Expired,
    Outcome::Claimed,
];

/// What tells one set of measures from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// `messaging.system`.
    pub system: String,
    /// `server.address`: of the first broker.
    pub server_address: String,
    /// `server.port`.
    pub server_port: u16,
    /// `messaging.destination.template`, where there is one.
    pub destination_template: Option<String>,
    /// What the configuration calls the listener.
    pub listener: String,
}

impl Labels {
    /// Those of the messages of a route.
    pub(crate) fn of(route: &RouteSettings, listener: String) -> Self {
        Self {
            system: route.system.clone(),
            server_address: route.server_address.clone(),
            server_port: route.server_port,
            destination_template: route.destination_template.clone(),
            listener,
        }
    }
}

/// What the messages of one set of labels did. Every method may be called from any thread, and
/// none of them allocates or waits.
#[derive(Debug)]
pub struct Measures {
    labels: Labels,
    /// `None`: one of those that share the last set.
    overflow: bool,
    handed_on: Sharded,
    unanswered: Sharded,
    consumed: Sharded,
    answered: [Histogram; ANSWERED.len()],
    received: Histogram,
    waited: Histogram,
    /// Alone at delivery, and with others of the consumer unsettled.
    processed: [[Histogram; SETTLED.len()]; 2],
}

impl Measures {
    fn new(labels: Labels, overflow: bool) -> Self {
        let durations = || Histogram::new(&DURATION_BOUNDS);
        Self {
            labels,
            overflow,
            handed_on: Sharded::default(),
            unanswered: Sharded::default(),
            consumed: Sharded::default(),
            answered: std::array::from_fn(|_| durations()),
            received: durations(),
            waited: Histogram::new(&WAIT_BOUNDS),
            processed: std::array::from_fn(|_| std::array::from_fn(|_| durations())),
        }
    }

    /// A message that asks for no answer went to the broker.
    pub fn handed_on(&self) {
        self.handed_on.add(1);
    }

    /// A message that asks for an answer got none, as far as was seen.
    pub fn unanswered(&self) {
        self.unanswered.add(1);
    }

    /// The broker answered a publish, `nanoseconds` after it was handed on. `None`: how long the
    /// broker itself took was not seen, so the publish is counted and not timed.
    pub(crate) fn answered(&self, outcome: Outcome, measured: Option<&Measured>) {
        let Some(at) = ANSWERED.iter().position(|known| *known == outcome) else { return };
        match measured {
            Some(measured) => self.answered[at].record(measured),
            None => self.handed_on.add(1),
        }
    }

    /// The first message that answers a pull.
    pub(crate) fn received(&self, measured: &Measured) {
        self.received.record(measured);
    }

    /// A message was handed to a consumer.
    pub fn consumed(&self, messages: u64) {
        self.consumed.add(messages);
    }

    /// A message was handed to a consumer for the first time, so long after it was published.
    pub(crate) fn waited(&self, measured: &Measured) {
        self.waited.record(measured);
    }

    /// A delivery was settled.
    pub(crate) fn processed(&self, outcome: Outcome, prefetched: bool, measured: &Measured) {
        if let Some(at) = SETTLED.iter().position(|known| *known == outcome) {
            self.processed[usize::from(prefetched)][at].record(measured);
        }
    }

    pub(crate) fn labels(&self) -> (&Labels, bool) {
        (&self.labels, self.overflow)
    }

    /// Publishes by how they ended: name, whether that is an error, number.
    pub(crate) fn sent(&self) -> Vec<(&'static str, bool, u64)> {
        let answered = ANSWERED.iter().zip(&self.answered).map(|(outcome, histogram)| {
            let count = histogram.snapshot().buckets.iter().sum();
            (outcome.name(), outcome.is_error(), count)
        });
        let others = [("handed_on", &self.handed_on), ("unanswered", &self.unanswered)];
        let others = others.into_iter().map(|(name, count)| (name, false, count.get()));
        answered.chain(others).collect()
    }

    /// Messages handed to consumers.
    pub(crate) fn consumed_total(&self) -> u64 {
        self.consumed.get()
    }

    /// Operations of clients: name of the operation, outcome, histogram.
    pub(crate) fn operations(
        &self,
    ) -> impl Iterator<Item = (&'static str, Option<Outcome>, &Histogram)> {
        let sends = ANSWERED.iter().zip(&self.answered);
        let sends = sends.map(|(outcome, histogram)| ("publish", Some(*outcome), histogram));
        sends.chain([("receive", None, &self.received)])
    }

    /// Work: whether other messages of the consumer were unsettled, outcome, histogram.
    pub(crate) fn works(&self) -> impl Iterator<Item = (bool, Outcome, &Histogram)> {
        [false, true].into_iter().zip(&self.processed).flat_map(|(prefetched, by_outcome)| {
            SETTLED.iter().zip(by_outcome).map(move |(outcome, it)| (prefetched, *outcome, it))
        })
    }

    /// Waits in the broker.
    pub(crate) fn waits(&self) -> &Histogram {
        &self.waited
    }
}

impl Default for Measures {
    fn default() -> Self {
        Self::new(Labels::default(), false)
    }
}

/// The measures of a process.
#[derive(Debug, Default)]
pub struct Measurements {
    counters: Arc<Counters>,
    list: Mutex<Vec<Arc<Measures>>>,
}

impl Measurements {
    /// None yet. What finds no place is counted in `counters`.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, list: Mutex::default() }
    }

    /// The measures of these labels, new ones if there are none. Past 512 sets, one that all share.
    pub fn of(&self, labels: Labels) -> Arc<Measures> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |measures: &&Arc<Measures>| !measures.overflow && measures.labels == labels;
        if let Some(measures) = list.iter().find(same) {
            return Arc::clone(measures);
        }
        let overflow = list.len() >= MEASURES_MAX;
        if overflow {
            self.counters.measures_overflow.add(1);
            if let Some(shared) = list.get(MEASURES_MAX) {
                return Arc::clone(shared);
            }
        }
        let labels = if overflow { Labels::default() } else { labels };
        let measures = Arc::new(Measures::new(labels, overflow));
        list.push(Arc::clone(&measures));
        measures
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Measures>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A span as an exemplar has it; `None` where no span will be exported.
pub(crate) fn exemplar_of(span: Option<&spanbridge::OpenSpan>) -> SpanContext {
    span.map_or_else(SpanContext::default, |span| SpanContext {
        trace_hi: span.trace_hi,
        trace_lo: span.trace_lo,
        span_id: span.span_id,
    })
}

/// How long a message waited; `None`: that is not known, or its clocks contradict each other.
pub(crate) fn queue_wait(verdict: &Verdict, now: u64) -> Option<Measured> {
    let known = verdict.published != 0 && !verdict.bits.contains(VerdictBits::CLOCK_SKEW);
    let Verdict { trace_hi, trace_lo, span_id, .. } = *verdict;
    let span = match verdict.bits.contains(VerdictBits::SAMPLED) {
        true => SpanContext { trace_hi, trace_lo, span_id },
        false => SpanContext::default(),
    };
    known.then(|| Measured { duration: now.saturating_sub(verdict.published), span, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_set_of_measures_each_and_the_rest_share_one() {
        let counters = Arc::new(Counters::default());
        let measurements = Measurements::new(Arc::clone(&counters));
        let labels = |port| Labels { server_port: port, ..Labels::default() };
        let first = measurements.of(labels(0));
        for port in 1..MEASURES_MAX as u16 {
            measurements.of(labels(port));
        }
        assert!(Arc::ptr_eq(&first, &measurements.of(labels(0))));
        assert_eq!(counters.measures_overflow.get(), 0);
        let [one, other] = [60_000, 60_001].map(|port| measurements.of(labels(port)));
        assert!(Arc::ptr_eq(&one, &other) && one.overflow);
        assert_eq!(counters.measures_overflow.get(), 2);
        assert_eq!(measurements.all().len(), MEASURES_MAX + 1);
        assert!(Arc::ptr_eq(&first, &measurements.of(labels(0))));
    }

    #[test]
    fn every_outcome_is_timed_once_or_named_as_untimed() {
        let untimed = [Outcome::Unanswered, Outcome::Abandoned];
        let timed = || ANSWERED.iter().chain(&SETTLED);
        for outcome in Outcome::ALL {
            let times = timed().filter(|known| **known == outcome).count();
            assert_eq!(times, usize::from(!untimed.contains(&outcome)), "{outcome:?}");
        }
    }
}

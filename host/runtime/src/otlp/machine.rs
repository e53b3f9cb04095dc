//! The pipeline as a pure state machine: what to send, when to send it again, when to give up.
//!
//! ```text
//!             ┌────────── top up ─────────┐
//! queue ──────┴──▶ pending ──cut──▶ flight ──attempt──▶ delivered
//!                                    ▲  │ transient
//!                                    └──┴ wait          permanent, or out of time ──▶ dropped
//! ```
//!
//! Time comes in as the duration since the pipeline started; randomness comes in as a number;
//! sending is the worker's business. A drain (by schedule, flush or shutdown) empties the queue
//! once and sends it all, part-filled batches included. Between drains only full batches go out.
//!
//! While every flight waits for its next attempt, new spans stay in the queue, and the queue counts
//! what does not fit.

use std::sync::Arc;
use std::time::Duration;

use super::buffer::SpanBuffer;
use super::exporter::{Batch, Delivered, Failure, FailureKind, Outcome, Retry};
use super::request::{self, Next};
use super::settings::PipelineSettings;
use crate::metrics::Counters;
use crate::resource::Resources;
use crate::sink::Queue;

/// Requests in flight at most. The second hides the round trip of the first; a third would only
/// hold more spans while a receiver is down.
pub(crate) const FLIGHTS_MAX: usize = 2;

/// What the worker does next.
#[derive(Debug)]
pub(crate) enum Action {
    /// Make an attempt and report it with [`Machine::finish`].
    Send { flight: usize, batch: Batch, timeout: Duration },
    /// Nothing to do before that time, or before an attempt ends or the queue wakes the worker.
    Wait { until: Duration },
    /// Closed, and everything is settled.
    Finished,
}

/// What came of an attempt, for a log line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Delivered(Delivered),
    WillRetry { failure: Failure, wait: Duration },
    GaveUp { failure: Failure, spans: u64 },
}

/// A batch between its cut and its end.
#[derive(Debug)]
struct Flight {
    number: u64,
    batch: Batch,
    deadline: Duration,
    attempts: u32,
    /// `None` while an attempt runs.
    next_attempt: Option<Duration>,
}

/// How far a flush has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    Idle,
    Wanted,
    Draining,
    /// Waits for the flights numbered below this.
    Landing(u64),
}

#[derive(Debug)]
pub(crate) struct Machine {
    settings: PipelineSettings,
    queue: Arc<Queue>,
    resources: Resources,
    counters: Arc<Counters>,
    pending: SpanBuffer,
    /// Empty between calls; keeps capacity for the next swap with the queue.
    spare: SpanBuffer,
    flights: Vec<Option<Flight>>,
    next_number: u64,
    draining: bool,
    next_drain: Duration,
    /// A receiver asked for silence until then.
    not_before: Duration,
    flush: Flush,
    closing: bool,
    lost: u64,
}

impl Machine {
    /// `concurrency` is the exporter's; it is lowered to [`FLIGHTS_MAX`].
    pub(crate) fn new(
        settings: PipelineSettings,
        queue: Arc<Queue>,
        resources: Resources,
        counters: Arc<Counters>,
        concurrency: usize,
    ) -> Self {
        let flights = concurrency.clamp(1, FLIGHTS_MAX);
        Self {
            settings,
            queue,
            resources,
            counters,
            pending: SpanBuffer::default(),
            spare: SpanBuffer::default(),
            flights: (0..flights).map(|_| None).collect(),
            next_number: 0,
            draining: false,
            next_drain: settings.schedule_delay,
            not_before: Duration::ZERO,
            flush: Flush::Idle,
            closing: false,
            lost: 0,
        }
    }

    /// Decides the next action. Call again after acting on the answer.
    pub(crate) fn poll(&mut self, now: Duration) -> Action {
        self.turn_drain(now);
        if now >= self.not_before {
            if let Some(action) = self.next_attempt(now) {
                return action;
            }
            // The last cut may have emptied the buffer by dropping an oversized span.
            self.turn_drain(now);
        }
        if self.closing && self.is_empty() {
            return Action::Finished;
        }
        Action::Wait { until: self.next_event(now) }
    }

    /// Takes the outcome of an attempt. `random` spreads the back-off.
    pub(crate) fn finish(
        &mut self,
        index: usize,
        outcome: Outcome,
        now: Duration,
        random: u32,
    ) -> Option<Settled> {
        let slot = self.flights.get_mut(index)?;
        let flight = slot.as_mut()?;
        let spans = flight.batch.spans() as u64;
        let failure = match outcome {
            Outcome::Delivered(delivered) => {
                *slot = None;
                let rejected = delivered.rejected.min(spans);
                self.lost += rejected;
                self.counters.spans_exported.add(spans - rejected);
                self.counters.spans_dropped.rejected.add(rejected);
                return Some(Settled::Delivered(delivered));
            }
            Outcome::Failed(failure) => failure,
        };
        failure.kind.count_failure(&self.counters);
        let wait = self.settings.retry.wait(failure.retry, flight.attempts, random);
        if let (Retry::After(_), Some(wait)) = (failure.retry, wait) {
            self.not_before = self.not_before.max(now + wait);
        }
        let dropped = &self.counters.spans_dropped;
        let gave_up = match wait {
            None => match failure.kind {
                FailureKind::Encode => &dropped.encode,
                _ => &dropped.non_retryable,
            },
            Some(wait)
                if flight.attempts < self.settings.retry.attempts_max
                    && now + wait < flight.deadline =>
            {
                flight.next_attempt = Some(now + wait);
                failure.kind.count_retry(&self.counters);
                return Some(Settled::WillRetry { failure, wait });
            }
            Some(_) => &dropped.retries_exhausted,
        };
        gave_up.add(spans);
        self.lost += spans;
        *slot = None;
        Some(Settled::GaveUp { failure, spans })
    }

    /// Asks for everything queued so far to be sent. [`Self::flushed`] says when it is settled.
    pub(crate) fn flush(&mut self) {
        self.flush = Flush::Wanted;
    }

    /// Whether a flush has ended since the last call.
    pub(crate) fn flushed(&mut self) -> bool {
        let Flush::Landing(number) = self.flush else { return false };
        let landed = self.flights.iter().flatten().all(|flight| flight.number >= number);
        if landed {
            self.flush = Flush::Idle;
        }
        landed
    }

    /// Accepted spans that were lost so far, for whatever reason.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Refuses new spans and sends what is there.
    pub(crate) fn close(&mut self) {
        self.queue.close();
        self.closing = true;
    }

    /// Gives up everything that is left, and answers how many spans that were.
    pub(crate) fn abandon(&mut self) -> u64 {
        self.take_queue();
        let flying: usize = self.flights.iter().flatten().map(|f| f.batch.spans()).sum();
        let left = (self.pending.spans() + flying) as u64;
        self.queue.release(self.pending.spans(), self.pending.bytes());
        self.pending.clear();
        self.flights.fill_with(|| None);
        self.counters.spans_dropped.shutdown.add(left);
        self.lost += left;
        left
    }

    /// Ends a drain that has sent everything, and begins one that is due.
    fn turn_drain(&mut self, now: Duration) {
        self.end_drain();
        let due = now >= self.next_drain || self.closing || self.flush == Flush::Wanted;
        if self.draining || !due {
            return;
        }
        self.next_drain = now + self.settings.schedule_delay;
        self.draining = true;
        if self.flush == Flush::Wanted {
            self.flush = Flush::Draining;
        }
        self.take_queue();
        self.end_drain();
    }

    fn end_drain(&mut self) {
        if self.draining && self.pending.spans() == 0 {
            self.draining = false;
            if self.flush == Flush::Draining {
                self.flush = Flush::Landing(self.next_number);
            }
        }
    }

    /// Between drains: takes the queue when that makes a full batch.
    fn top_up(&mut self) {
        let (spans, bytes) = self.queue.waiting();
        let wake_at = self.queue.wake_at();
        let full = wake_at.reached(self.pending.spans(), self.pending.bytes());
        let would_be = wake_at.reached(self.pending.spans() + spans, self.pending.bytes() + bytes);
        if !self.draining && !full && would_be {
            self.take_queue();
        }
    }

    fn take_queue(&mut self) {
        self.queue.take(&mut self.spare);
        self.pending.append(&mut self.spare);
    }

    /// Cuts the next batch, if one is to go out now.
    fn cut(&mut self, now: Duration) -> Option<Flight> {
        let settings = self.settings;
        let full = self.queue.wake_at().reached(self.pending.spans(), self.pending.bytes());
        if !self.draining && !full {
            return None;
        }
        loop {
            let (spans_max, bytes_max) = (settings.batch_spans_max, settings.request_bytes_max);
            match request::next(&mut self.pending, &self.resources, spans_max, bytes_max) {
                Next::Empty => return None,
                Next::Oversized(bytes) => {
                    self.queue.release(1, bytes);
                    self.counters.spans_dropped.too_large.add(1);
                    self.lost += 1;
                }
                Next::Request(cut) => {
                    self.queue.release(cut.spans, cut.span_bytes);
                    let number = self.next_number;
                    self.next_number += 1;
                    return Some(Flight {
                        number,
                        batch: Batch::new(cut.request, cut.spans),
                        deadline: now + settings.export_timeout,
                        attempts: 0,
                        next_attempt: None,
                    });
                }
            }
        }
    }

    /// Starts the attempt that is due: an older batch first, then a new one in a free flight.
    fn next_attempt(&mut self, now: Duration) -> Option<Action> {
        let due = |flight: &Flight| flight.next_attempt.is_some_and(|at| at <= now);
        if let Some(index) = self.flights.iter().position(|f| f.as_ref().is_some_and(due)) {
            return self.attempt(index, now);
        }
        let index = self.flights.iter().position(Option::is_none)?;
        self.top_up();
        self.flights[index] = Some(self.cut(now)?);
        self.attempt(index, now)
    }

    /// Starts an attempt of a flight.
    fn attempt(&mut self, index: usize, now: Duration) -> Option<Action> {
        let flight = self.flights[index].as_mut()?;
        flight.attempts += 1;
        flight.next_attempt = None;
        self.counters.export_requests.add(1);
        let left = flight.deadline.saturating_sub(now);
        let timeout = self.settings.request_timeout.min(left);
        Some(Action::Send { flight: index, batch: flight.batch.clone(), timeout })
    }

    fn is_empty(&self) -> bool {
        let nothing_flies = self.flights.iter().all(Option::is_none);
        nothing_flies && self.pending.spans() == 0 && self.queue.waiting().0 == 0
    }

    fn next_event(&self, now: Duration) -> Duration {
        let drain = if self.draining { Duration::MAX } else { self.next_drain };
        let silence = if now < self.not_before { self.not_before } else { Duration::MAX };
        let attempts = self.flights.iter().flatten().filter_map(|flight| flight.next_attempt);
        let attempts = attempts.map(|at| at.max(self.not_before));
        attempts.fold(drain.min(silence), Duration::min)
    }
}

#[cfg(test)]
mod tests;

//! The exporter thread: does what the state machine says.
//!
//! One thread, named, with a tokio runtime of its own; no signal handler, no global state, no
//! thread of the embedding process. This module owns the clock and the randomness; every decision
//! is [`Machine`]'s.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::exporter::{Exporter, Failure, FailureKind, Outcome};
use super::machine::{Action, Machine};
use super::pipeline::Flush;
use super::report::Report;
use crate::metrics::Counters;
use crate::sink::Queue;

/// Longest sleep. A timer further away than this is looked at again, so that arithmetic on times
/// never meets its limits.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Flushes that wait behind a running one. More than a handful is a program flushing in a loop.
pub(crate) const FLUSHES_MAX: usize = 16;

/// Where the answer to a flush or a shutdown goes.
pub(crate) type Reply = SyncSender<Flush>;

/// Asks the thread to stop.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) timeout: Duration,
    pub(crate) reply: Reply,
}

/// What a [`super::Pipeline`] gives its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) machine: Machine,
    pub(crate) exporter: Arc<dyn Exporter>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) flushes: mpsc::Receiver<Reply>,
    pub(crate) stop: oneshot::Receiver<Stop>,
}

/// A flush somebody waits for, and what was lost before it.
#[derive(Debug)]
struct Waiter {
    reply: Reply,
    lost_before: u64,
}

/// A shutdown somebody waits for.
#[derive(Debug)]
struct Closing {
    deadline: Instant,
    waiter: Option<Waiter>,
}

#[derive(Debug)]
struct Loop {
    worker: Worker,
    started: Instant,
    random: Random,
    report: Report,
    attempts: JoinSet<Outcome>,
    /// Which flight an attempt belongs to; a task that panics leaves only its id behind.
    flights: Vec<(Id, usize)>,
    /// Answered when the running flush ends.
    flushing: Vec<Waiter>,
    /// Asked for while another flush ran.
    flush_next: Vec<Waiter>,
    closing: Option<Closing>,
}

/// Body of the thread.
pub(crate) fn run(runtime: Runtime, worker: Worker) {
    let exporter = Arc::clone(&worker.exporter);
    let (closing, left) = runtime.block_on(Loop::new(worker).drive());
    // A name lookup may still be stuck in a thread of the runtime; it is not waited for.
    runtime.shutdown_background();
    let time_left = closing.deadline.saturating_duration_since(Instant::now());
    exporter.shutdown(time_left);
    if let Some(waiter) = closing.waiter {
        let _ = waiter.reply.send(left);
    }
}

impl Loop {
    fn new(worker: Worker) -> Self {
        Self {
            worker,
            started: Instant::now(),
            random: Random::new(),
            report: Report::default(),
            attempts: JoinSet::new(),
            flights: Vec::new(),
            flushing: Vec::new(),
            flush_next: Vec::new(),
            closing: None,
        }
    }

    /// Runs until the pipeline is shut down: who asked for it, and the answer.
    async fn drive(mut self) -> (Closing, Flush) {
        loop {
            let now = self.started.elapsed();
            let until = match self.worker.machine.poll(now) {
                Action::Send { flight, batch, timeout: limit } => {
                    let exporter = Arc::clone(&self.worker.exporter);
                    let attempt = async move { timeout(limit, exporter.export(batch)).await };
                    let attempt = async move { attempt.await.unwrap_or_else(|_| late(limit)) };
                    self.flights.push((self.attempts.spawn(attempt).id(), flight));
                    continue;
                }
                Action::Wait { until } => Some(until),
                Action::Finished => None,
            };
            let full = self.worker.counters.spans_dropped.queue_full.get();
            self.report.queue_full(full, now);
            self.answer_flushes();
            let out_of_time =
                self.closing.as_ref().is_some_and(|closing| Instant::now() >= closing.deadline);
            match (until, self.closing.take()) {
                (None, Some(closing)) => return self.end(closing),
                (_, Some(closing)) if out_of_time => return self.end(closing),
                (until, closing) => {
                    self.closing = closing;
                    self.wait(until.unwrap_or(now)).await;
                }
            }
        }
    }

    /// Gives up what is left.
    fn end(mut self, closing: Closing) -> (Closing, Flush) {
        let left = self.worker.machine.abandon();
        let lost = self.worker.machine.lost();
        for waiter in self.flushing.drain(..).chain(self.flush_next.drain(..)) {
            let _ = waiter.reply.send(result(lost - waiter.lost_before, left));
        }
        let before = closing.waiter.as_ref().map_or(lost, |waiter| waiter.lost_before);
        (closing, result(lost - before, left))
    }

    /// Waits for whatever happens first.
    async fn wait(&mut self, until: Duration) {
        let soon = self.started.elapsed() + SLEEP_MAX;
        let mut wake_at = self.started + until.min(soon);
        if let Some(closing) = &self.closing {
            wake_at = wake_at.min(closing.deadline);
        }
        tokio::select! {
            () = sleep_until(wake_at) => {}
            () = self.worker.queue.wake.notified() => {}
            Some(ended) = self.attempts.join_next_with_id() => self.ended(ended),
            stop = &mut self.worker.stop, if self.closing.is_none() => self.close(stop.ok()),
            Some(reply) = self.worker.flushes.recv(), if self.takes_flushes() => {
                let lost_before = self.worker.machine.lost();
                self.flush_next.push(Waiter { reply, lost_before });
            }
        }
    }

    /// A flush whose caller gave up still has its place, so the list needs a bound of its own.
    fn takes_flushes(&self) -> bool {
        self.closing.is_none() && self.flush_next.len() < FLUSHES_MAX
    }

    /// Begins to stop. `None` means that the handle was dropped: nobody waits.
    fn close(&mut self, stop: Option<Stop>) {
        let lost_before = self.worker.machine.lost();
        let timeout = stop.as_ref().map_or(Duration::ZERO, |stop| stop.timeout);
        let waiter = stop.map(|stop| Waiter { reply: stop.reply, lost_before });
        self.worker.machine.close();
        self.closing = Some(Closing { deadline: Instant::now() + timeout, waiter });
    }

    /// Takes the end of an attempt.
    fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = ended.unwrap_or_else(|error| {
            let failure = Failure::permanent(FailureKind::Panic, "the exporter panicked");
            (error.id(), Outcome::Failed(failure))
        });
        let Some(position) = self.flights.iter().position(|(known, _)| *known == id) else {
            return;
        };
        let (_, flight) = self.flights.swap_remove(position);
        let now = self.started.elapsed();
        let random = self.random.next();
        if let Some(settled) = self.worker.machine.finish(flight, outcome, now, random) {
            self.report.settled(&settled, now);
        }
    }

    /// Ends the flush that has landed and starts the next.
    fn answer_flushes(&mut self) {
        if self.worker.machine.flushed() {
            let lost = self.worker.machine.lost();
            for waiter in self.flushing.drain(..) {
                let _ = waiter.reply.send(result(lost - waiter.lost_before, 0));
            }
        }
        if self.flushing.is_empty() && !self.flush_next.is_empty() {
            std::mem::swap(&mut self.flushing, &mut self.flush_next);
            self.worker.machine.flush();
            // Poll again at once rather than at the next event.
            self.worker.queue.wake.notify_one();
        }
    }
}

/// The answer to a flush during which `lost` spans were lost, `left` of them for want of time.
fn result(lost: u64, left: u64) -> Flush {
    match (lost, left) {
        (0, _) => Flush::Done,
        (_, 0) => Flush::Lost { spans: lost },
        _ => Flush::DeadlinePassed,
    }
}

fn late(limit: Duration) -> Outcome {
    let message = format!("no answer within {limit:?}");
    Outcome::Failed(Failure::transient(FailureKind::Timeout, message))
}

/// Spreads back-offs. Not for secrets.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new() -> Self {
        // The standard library seeds its hash maps from the operating system.
        Self(RandomState::new().build_hasher().finish() | 1)
    }

    /// A step of xorshift64, upper half.
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

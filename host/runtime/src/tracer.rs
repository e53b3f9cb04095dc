//! The tracer: calls the component for a thread's messages, and fails open.
//!
//! ```text
//! batch ─▶ instance? ─▶ routes up to date ─▶ call, under the deadline ─▶ check ─▶ answer
//!             │ none          │ fails             │ fails             │ flaw     spans ─▶ sink
//!             ▼               ▼                   ▼                   ▼
//!          bypassed        the instance is given up; a counter moves; the rest of the batch
//!                          is answered with zeros, which reads: leave it as it is
//! ```
//!
//! Nothing here panics, blocks, or answers an error: whatever happens, the caller has an answer for
//! each message within the deadline.
//!
//! # How long a message waits
//!
//! A batch has one millisecond of CPU time; spans are ended when no message waits, and there each
//! call has. A call that exceeds it is cut off between 1 and 2 ms after its start. Time in which
//! the operating system does not run the calling thread is not counted: cutting the call off would
//! not have made it sooner.
//! Where the machine is so busy that the clock's own thread waits, the tick comes as late as that.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::answer::Answer;
use crate::breaker::Breaker;
use crate::check::{self, Raw};
use crate::instance::{Failure, Instance};
use crate::limits::ROUTES_OPENED_PER_CALL_MAX;
use crate::message::{Batch, Cut, DeliverBatch, PublishBatch};
use crate::metrics::Counter;
use crate::record::Record;
use crate::route::Slot;
use crate::runtime::Shared;
use crate::settlement::SettleBatch;
use crate::ticker::Caller;

/// Calls the component for one thread. It can be moved to another thread, not shared.
#[derive(Debug)]
pub struct Tracer {
    shared: Arc<Shared>,
    /// `None` only where the runtime is being taken down.
    caller: Option<Caller>,
    instance: Option<Instance>,
    breaker: Breaker,
    /// Of the component that the breaker's failures are of.
    generation: u64,
    /// The routes as of `version`, so that a call takes no lock.
    slots: Vec<Slot>,
    version: u64,
    not_sync: PhantomData<Cell<()>>,
}

/// A call of the hot path.
type Call<R> = for<'i> fn(&'i mut Instance, &[R], &[u8]) -> Result<Raw<'i>, Failure>;

impl Tracer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let caller = shared.pool.factory().engine.caller();
        let generation = shared.pool.generation();
        let instance = caller.as_ref().and_then(|caller| shared.pool.take_or_make(caller));
        let (breaker, slots) = (Breaker::default(), shared.routes.slots().clone());
        let (version, not_sync) = (0, PhantomData);
        Self { shared, caller, instance, breaker, generation, slots, version, not_sync }
    }

    /// Messages are about to be handed to the broker. Finished spans go to the sink.
    ///
    /// Answers for every message of the batch, in a form that outlives the tracer's next call.
    pub fn publish<'b>(&mut self, batch: &'b mut PublishBatch) -> Answer<'b> {
        self.run(&mut batch.0, Instance::publish);
        Answer::published(batch)
    }

    /// Messages are about to be handed to a consumer. Finished spans go to the sink.
    ///
    /// Answers for every message of the batch, in a form that outlives the tracer's next call.
    pub fn deliver<'b>(&mut self, batch: &'b mut DeliverBatch) -> Answer<'b> {
        self.run(&mut batch.0, Instance::deliver);
        Answer::delivered(batch)
    }

    /// Open spans have come to their end. The spans go to the sink; where the component fails they
    /// are lost and counted. The batch is left as it is; clear it.
    ///
    /// Call it when no message waits: each call of the component has a deadline of its own, so a
    /// large batch takes longer than one deadline. After a call that fails there is no other one.
    pub fn settle(&mut self, batch: &SettleBatch) {
        add(&self.shared.counters.settlements_lost.overflow, batch.overflowed);
        if batch.is_empty() {
            return;
        }
        for (range, arena) in calls(&batch.cuts, batch.len(), batch.arena.len()) {
            let left = (batch.len() - range.start) as u64;
            let settled = self.attempt(|instance, shared, _| {
                let (records, resources) = (&batch.records[range.clone()], &batch.resources[range]);
                let run = instance.settle(records, &batch.arena[arena])?;
                let taken = check::take_settled(run, resources, &*shared.sink);
                taken.map_err(|_| Failure::Answer)
            });
            let lost = &self.shared.counters.settlements_lost;
            match settled {
                Attempt::Done => continue,
                Attempt::Failed => add(&lost.failed, left),
                Attempt::Bypassed => add(&lost.bypassed, left),
            }
            return;
        }
    }

    fn run<R: Record>(&mut self, batch: &mut Batch<R>, call: Call<R>) {
        let counters = &self.shared.counters;
        add(&counters.messages_untraced.overflow, batch.space.overflowed);
        add(&counters.headers_skipped, batch.space.skipped);
        let Batch { records, resources, space, out, .. } = batch;
        out.clear();
        if records.is_empty() {
            return;
        }
        let answered = self.attempt(|instance, shared, slots| {
            for (range, arena) in calls(&space.cuts, records.len(), space.arena.len()) {
                let records = &records[range.clone()];
                let raw = call(instance, records, &space.arena[arena])?;
                let taken = check::take(raw, records, &resources[range], slots, out, &*shared.sink);
                taken.map_err(|_| Failure::Answer)?;
            }
            Ok(())
        });
        let untraced = &self.shared.counters.messages_untraced;
        let left = (records.len() - out.verdicts.len()) as u64;
        match answered {
            Attempt::Done => {}
            Attempt::Failed => add(&untraced.failed, left),
            Attempt::Bypassed => add(&untraced.bypassed, left),
        }
    }

    /// Runs the calls of one batch, if there is an instance to run them.
    fn attempt(
        &mut self,
        calls: impl FnOnce(&mut Instance, &Shared, &[Slot]) -> Result<(), Failure>,
    ) -> Attempt {
        let generation = self.shared.pool.generation();
        if self.generation != generation {
            // Another component has not failed yet.
            self.generation = generation;
            self.breaker = Breaker::default();
        }
        if !self.breaker.is_closed() && !self.breaker.allows(Instant::now()) {
            return Attempt::Bypassed;
        }
        self.prepare();
        let (Some(instance), Some(caller)) = (&mut self.instance, &self.caller) else {
            return Attempt::Bypassed;
        };
        let running = caller.begin();
        instance.begin(self.shared.limits.batch_cpu_max);
        let result = instance
            .update(&self.shared.routes, ROUTES_OPENED_PER_CALL_MAX)
            .and_then(|()| calls(instance, &self.shared, &self.slots));
        drop(running);
        match result {
            Ok(()) => {
                self.breaker.succeeded();
                Attempt::Done
            }
            Err(failure) => {
                self.give_up(failure);
                Attempt::Failed
            }
        }
    }

    /// Sees to the routes, and to an instance that has served its time or lacks too much.
    fn prepare(&mut self) {
        let version = self.shared.routes.version();
        if self.version != version {
            self.slots.clone_from(&self.shared.routes.slots());
            self.version = version;
        }
        let exchange = self.instance.as_ref().is_none_or(|instance| {
            instance.generation != self.generation
                || instance.calls >= self.shared.limits.instance_calls_max
                || instance.missing(&self.shared.routes) > ROUTES_OPENED_PER_CALL_MAX
        });
        if exchange
            && let Some(caller) = &self.caller
            && let Some(spare) = self.shared.pool.take(caller)
            && let Some(old) = self.instance.replace(spare)
        {
            self.shared.counters.instances_recycled.add(1);
            self.shared.pool.discard(old);
        }
    }

    fn give_up(&mut self, failure: Failure) {
        let now = Instant::now();
        let counters = &self.shared.counters;
        let (counter, reason) = match failure {
            Failure::Trap => (&counters.component_failures.trap, "trap"),
            Failure::Deadline => (&counters.component_failures.deadline, "deadline"),
            Failure::Memory => (&counters.component_failures.memory, "memory"),
            Failure::Answer => (&counters.component_failures.answer, "answer"),
        };
        counter.add(1);
        if self.breaker.failed(now) {
            counters.component_bypasses.add(1);
        }
        if self.shared.log.opens(now) {
            tracing::warn!(reason, "component failed; its messages went on unchanged");
        }
        if let Some(instance) = self.instance.take() {
            self.shared.pool.discard(instance);
        }
    }
}

/// Most calls have nothing to count, and a counter's cache line is shared by all threads.
fn add(counter: &Counter, n: u64) {
    if n != 0 {
        counter.add(n);
    }
}

enum Attempt {
    Done,
    Failed,
    Bypassed,
}

/// The shares of a batch, by call: records and bytes of the arena.
fn calls(
    cuts: &[Cut],
    records: usize,
    arena: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let begins = std::iter::once(Cut::default()).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(Cut { records, arena }));
    begins.zip(ends).map(|(from, to)| (from.records..to.records, from.arena..to.arena))
}

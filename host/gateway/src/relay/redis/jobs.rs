//! Jobs of BullMQ on their way to a worker, and what becomes of them.
//!
//! ```text
//! moveToActive  ──▶ [[name, value, …], id, …]     a job: its span begins
//! moveToFinished of job 7 ──▶ 0                   the span of job 7 ends
//!                         ──▶ [[…], 8, …]         and that of job 8 begins
//!                         ──▶ -2                  the lock is lost: somebody else has the job
//! ```
//!
//! | ended by | outcome |
//! |---|---|
//! | `moveToFinished`, completed | ack |
//! | `moveToFinished`, failed | reject |
//! | `retryJob`, `moveToDelayed` behind a failure | nack |
//! | `moveToDelayed`, `moveToWaitingChildren`, `moveJobFromActiveToWait` of the program | requeue |
//!
//! What a script does is known when it is answered; the work was over when it was sent. A worker
//! that loses its job, because it is gone or blocked, says nothing of it. Its attempt ends, as
//! expired, when the job is taken again.

use std::ops::Range;

use spanbridge::{Attribute, Delivery, MessageBits, Outcome, Settlement, SpanContext};
use spanbridge_wire::resp::{Kind, Tokens};

use super::job::Job;
use super::limits::NAME_BYTES_MAX;
use super::replies::Awaited;
use super::scripts::{End, queue};
use super::splice::{MarkedEntry, Place};
use super::state::{Call, Found, State};
use crate::measure::Measured;
use crate::open_spans::{Begun, Starting, Unsettled};
use crate::relay::bodies::Wish;
use crate::relay::{Tools, add_template};
use crate::routing::Choice;

/// The first byte of the key of a job. No other key begins with it.
const JOB_MARK: u8 = 3;

/// A script that takes a job, ends an attempt, or both.
#[derive(Debug)]
pub(super) struct JobCall {
    /// Prefix and queue.
    base: Box<[u8]>,
    database: u64,
    /// When it was sent, in nanoseconds since the Unix epoch.
    requested: u64,
    ends: Option<Ends>,
}

/// The attempt that a script ends.
#[derive(Debug)]
struct Ends {
    id: Box<[u8]>,
    outcome: Outcome,
    delay: u64,
    only_zero: bool,
}

impl JobCall {
    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let id = self.ends.as_ref().map_or(0, |ends| ends.id.len());
        size_of::<Self>() + self.base.len() + id
    }

    /// Appends what a job of this queue is called in the process. Answers where.
    fn write_key(&self, listener: u64, id: &[u8], keys: &mut Vec<u8>) -> Range<usize> {
        let start = keys.len();
        keys.push(JOB_MARK);
        keys.extend_from_slice(&listener.to_be_bytes());
        keys.extend_from_slice(&self.database.to_be_bytes());
        // So that no end of a queue's name is taken for the beginning of an id.
        keys.extend_from_slice(&(self.base.len() as u64).to_be_bytes());
        keys.extend_from_slice(&self.base);
        keys.extend_from_slice(id);
        start..keys.len()
    }
}

impl State {
    /// A client takes a job, or says what became of one.
    pub(super) fn expect_job(&mut self, base: &[u8], end: Option<&End<'_>>, call: &Call<'_>) {
        let ends = end.map(|end| {
            let End { id, outcome, delay, only_zero } = *end;
            Ends { id: id.into(), outcome, delay, only_zero }
        });
        let (database, requested) = (self.database, call.now);
        let job = JobCall { base: base.into(), database, requested, ends };
        let more = job.bytes();
        if !self.has_room(more) {
            call.tools.counters.redis_unread.count.add(1);
            self.expect(Awaited::Plain(1));
            return;
        }
        if self.expect(Awaited::Job(Box::new(job))).is_some() {
            self.awaited_bytes += more;
        }
    }

    /// The broker answers.
    pub(super) fn job_answered(
        &mut self,
        job: &JobCall,
        reply: Tokens<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let mut tokens = reply;
        let Some(token) = tokens.next() else { return };
        self.job_ended(job, token.kind, token.at.of(found.bytes), call);
        if let Some(taken) = Job::of(reply).filter(|taken| taken.id.len() <= NAME_BYTES_MAX)
            && let Some(choice) = self.job_route(job.database, &job.base)
        {
            self.mark_job(job, &taken, choice, found, call);
        }
    }

    /// The attempt that a script is about ends, if the reply says so.
    pub(super) fn job_ended(
        &mut self,
        job: &JobCall,
        kind: Kind,
        text: &[u8],
        call: &mut Call<'_>,
    ) {
        let Some(ends) = &job.ends else { return };
        let has_ended = match kind {
            Kind::Integer => text == b"0" || (!ends.only_zero && !text.starts_with(b"-")),
            kind => kind.is_aggregate() && !ends.only_zero,
        };
        if !has_ended {
            return;
        }
        self.scratch.clear();
        let key = job.write_key(call.shared.number, &ends.id, &mut self.scratch);
        let end = Settlement::new(ends.outcome, job.requested);
        let end = Settlement { delay: ends.delay, ..end };
        let Tools { open_spans, settle, .. } = &mut *call.tools;
        open_spans.settle(&self.scratch[key], &end, settle);
    }

    /// A delivery begins. Answers where its key is, and what is known of it.
    fn begin_job(
        &mut self,
        job: &JobCall,
        id: &[u8],
        choice: Choice,
        call: &mut Call<'_>,
    ) -> (Range<usize>, Begun) {
        let place = job.write_key(call.shared.number, id, &mut self.keys);
        let traced = self.routes.get(choice);
        let Tools { settle, open_spans, template, .. } = &mut *call.tools;
        let template = traced.template(queue(&job.base), template);
        let measures = traced.measures(template);
        let starting = Starting {
            // A worker takes a job when it begins with it, so none waits behind another.
            unsettled: &Unsettled::default(),
            concurrency: None,
            measures: measures.as_ref(),
            not_before: 0,
            now: call.now,
        };
        let begun = open_spans.begin(&self.keys[place.clone()], &starting, settle);
        (place, begun)
    }

    fn mark_job(
        &mut self,
        job: &JobCall,
        taken: &Job<'_>,
        choice: Choice,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let (key, begun) = self.begin_job(job, taken.id, choice, call);
        let Self { routes, resource, delivered, bodies, .. } = self;
        let (traced, queue, now) = (routes.get(choice), queue(&job.base), call.now);
        let Some(route) = traced.route else { return };
        let Tools { deliver, template, counters, .. } = &mut *call.tools;
        let options = taken.options.of(found.bytes);
        let wish = bodies.wish(options.len(), deliver.len(), counters);
        if wish == Wish::Waits {
            counters.bodies_left_alone.bytes.add(1);
        }
        let body = if wish == Wish::Read { options } else { b"" };
        let template = traced.template(queue, template);
        let measures = traced.measures(template);
        if let Some(measures) = &measures {
            let duration = now.saturating_sub(job.requested);
            measures.received(&Measured { duration, span: SpanContext::default(), now });
        }
        // Programs say when they create a job.
        let mut bits = MessageBits::NO_HEADERS | MessageBits::PUBLISHED_BY_PRODUCER;
        bits.set(MessageBits::REDELIVERED, taken.attempt > 1);
        let mut parts = deliver.add(&Delivery {
            route,
            bits,
            resource: traced.consumer.unwrap_or(*resource),
            destination: queue,
            id: taken.id,
            body,
            body_size: taken.size,
            attempt: taken.attempt,
            prefetched: 0,
            start: now,
            requested: job.requested,
            published: taken.due(body, now),
            previous: begun.previous,
        });
        bodies.hand_in(body);
        if !taken.name.is_empty() {
            parts.text_attribute(Attribute::JobName, taken.name);
        }
        add_template(&mut parts, template);
        delivered.push(MarkedEntry {
            range: found.range(),
            place: if body.is_empty() { Place::Kept } else { Place::Value(taken.options) },
            index: parts.index(),
            choice,
            measures,
            key: Some(key),
            tagged_in: None,
            is_first: taken.attempt <= 1,
        });
    }
}

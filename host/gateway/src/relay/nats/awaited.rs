//! The publishes of a session that wait for an answer, by the subject that it will come on.
//!
//! A reply subject may ask a stream for its acknowledgement, or anybody for anything: only the
//! answer tells. What it says about the publish:
//!
//! | answer | outcome | the span ends |
//! |---|---|---|
//! | a stream's: stored | confirmed | now |
//! | a stream's: an error | refused | now |
//! | a status: nobody listens (503) | returned | now |
//! | another status | refused | now |
//! | anything else: a responder's | confirmed | when the message was handed on |
//! | none | unanswered | when the message was handed on |
//!
//! A responder's answer proves that the broker took the message; when it did, nobody said. How long
//! the responder worked is no part of the publish, and neither is how long nothing was heard.

use std::borrow::Cow;
use std::sync::Arc;

use spanbridge::metrics::Counters;
use spanbridge::{OpenSpan, Outcome, SettleBatch, Settlement};
use spanbridge_wire::nats::Status;
use spanbridge_wire::nats::jetstream::PublishAnswer;

use super::limits::{AWAITED_AGE_MAX, AWAITED_BYTES_MAX, AWAITED_MAX, DETAIL_BYTES_MAX};
use crate::measure::{Measured, Measures, exemplar_of};
use crate::open_spans::{Aged, Weigh, has_room};

/// The status of a request that nobody listens to.
const NO_RESPONDERS: u16 = 503;

/// A publish that waits. Its answer is counted and timed whether it has a span or not.
#[derive(Debug)]
pub(super) struct Waiting {
    /// `None`: it was not sampled.
    pub(super) span: Option<OpenSpan>,
    /// When it was handed on, in nanoseconds since the Unix epoch.
    pub(super) start: u64,
    pub(super) measures: Arc<Measures>,
}

impl Weigh for Waiting {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.span.as_ref().map_or(0, |span| span.beginning.len())
    }
}

/// What came on a subject that a publish waits on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// A status of the broker.
    Status(Status<'a>),
    /// What a stream says.
    Stream(PublishAnswer<'a>),
    /// Something else.
    Responder,
}

/// Publishes by reply subject. The spans of a session end with it.
#[derive(Debug, Default)]
pub(super) struct Awaited(Aged<Waiting>);

impl Awaited {
    /// A publish is handed on. One that waits on the same subject gets no answer any more, nor do
    /// those past a bound.
    pub(super) fn insert(
        &mut self,
        reply: &[u8],
        publish: Waiting,
        now: u64,
        counters: &Counters,
        settle: &mut SettleBatch,
    ) {
        let unanswered = &counters.publishes_unanswered;
        if let Some(former) = self.0.insert(reply, publish, now) {
            unanswered.count.add(1);
            give_up(&former, settle);
        }
        // Whatever is left over when the batch is full goes with the next publish.
        while has_room(settle) {
            let aged =
                self.0.oldest_time().is_some_and(|at| now.saturating_sub(at) > AWAITED_AGE_MAX);
            let counter = if aged {
                &unanswered.age
            } else if self.0.len() > AWAITED_MAX {
                &unanswered.count
            } else if self.0.bytes() > AWAITED_BYTES_MAX {
                &unanswered.bytes
            } else {
                return;
            };
            let Some((_, publish)) = self.0.pop_oldest() else { return };
            counter.add(1);
            give_up(&publish, settle);
        }
    }

    /// Answers whether a publish waits for a message on this subject.
    pub(super) fn contains(&self, subject: &[u8]) -> bool {
        // Most sessions wait for nothing most of the time.
        !self.0.is_empty() && self.0.contains(subject)
    }

    /// The answer is there.
    pub(super) fn answer(
        &mut self,
        subject: &[u8],
        answer: Answer<'_>,
        now: u64,
        settle: &mut SettleBatch,
    ) {
        let Some(Waiting { span, start, measures }) = self.0.remove(subject) else { return };
        let (outcome, end, detail) = match answer {
            Answer::Status(status) if status.code == NO_RESPONDERS => {
                (Outcome::Returned, now, Cow::Borrowed(status.description))
            }
            Answer::Status(status) => (Outcome::Refused, now, Cow::Borrowed(status.description)),
            Answer::Stream(PublishAnswer::Stored { .. }) => {
                (Outcome::Confirmed, now, Cow::default())
            }
            Answer::Stream(PublishAnswer::Refused { description, .. }) => {
                let text = description.and_then(|text| text.as_text(DETAIL_BYTES_MAX));
                (Outcome::Refused, now, bytes(text.unwrap_or_default()))
            }
            Answer::Responder => (Outcome::Confirmed, start, Cow::default()),
        };
        let duration = now.saturating_sub(start);
        let measured = Measured { duration, span: exemplar_of(span.as_ref()), now };
        let is_timed = !matches!(answer, Answer::Responder);
        measures.answered(outcome, is_timed.then_some(&measured));
        if let Some(span) = span {
            settle.add(&span, &Settlement { detail: &detail, ..Settlement::new(outcome, end) });
        }
    }

    /// Takes the oldest publish out: the session is over.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.0.pop_oldest().map(|(_, publish)| publish)
    }
}

/// Ends a publish that gets no answer.
pub(super) fn give_up(publish: &Waiting, settle: &mut SettleBatch) {
    publish.measures.unanswered();
    if let Some(span) = &publish.span {
        settle.add(span, &Settlement::new(Outcome::Unanswered, span.start));
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

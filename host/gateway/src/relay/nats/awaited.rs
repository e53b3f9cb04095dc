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

use spanbridge::metrics::Counters;
use spanbridge::{Outcome, SettleBatch};
use spanbridge_wire::nats::Status;
use spanbridge_wire::nats::jetstream::PublishAnswer;

use super::limits::{
    AGED_PER_READ_MAX, AWAITED_AGE_MAX, AWAITED_BYTES_MAX, AWAITED_MAX, DETAIL_BYTES_MAX,
};
use super::refusing::Destination;
use crate::open_spans::{Aged, Weigh};
use crate::relay::awaiting::{Answered, Awaiting};

/// The status of a request that nobody listens to.
const NO_RESPONDERS: u16 = 503;

/// JetStream's error for a message that is larger than its stream takes.
const TOO_LARGE_FOR_STREAM: u64 = 10_054;

/// A publish that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) publish: Awaiting,
    /// Where it went, if it carries our context.
    pub(super) injected: Option<Destination>,
}

impl Waiting {
    /// Nothing comes of its answer.
    pub(super) fn is_idle(&self) -> bool {
        self.publish.is_idle() && self.injected.is_none()
    }
}

impl Weigh for Waiting {
    fn bytes(&self) -> usize {
        size_of::<Option<Destination>>() + self.publish.bytes()
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
pub(super) struct Awaited {
    waiting: Aged<Waiting>,
    /// When the last read was handled, and how many were given up for their age with it.
    aged: (u64, usize),
}

impl Awaited {
    /// A publish is handed on. One that waits on the same subject gets no answer any more, nor do
    /// those past a bound.
    pub(super) fn insert(
        &mut self,
        reply: &[u8],
        waiting: Waiting,
        now: u64,
        counters: &Counters,
        settle: &mut SettleBatch,
    ) {
        let unanswered = &counters.publishes_unanswered;
        if let Some(former) = self.waiting.insert(reply, waiting, now) {
            unanswered.count.add(1);
            former.publish.give_up(settle);
        }
        if self.aged.0 != now {
            self.aged = (now, 0);
        }
        loop {
            // Those that are left over go with the next read's publishes.
            let aged = self.aged.1 < AGED_PER_READ_MAX
                && settle.len() < AGED_PER_READ_MAX
                && self
                    .waiting
                    .oldest_time()
                    .is_some_and(|at| now.saturating_sub(at) > AWAITED_AGE_MAX);
            let counter = if aged {
                &unanswered.age
            } else if self.waiting.len() > AWAITED_MAX {
                &unanswered.count
            } else if self.waiting.bytes() > AWAITED_BYTES_MAX {
                &unanswered.bytes
            } else {
                return;
            };
            let Some((_, waiting)) = self.waiting.pop_oldest() else { return };
            self.aged.1 += usize::from(aged);
            counter.add(1);
            waiting.publish.give_up(settle);
        }
    }

    /// Answers whether a publish waits for a message on this subject.
    pub(super) fn contains(&self, subject: &[u8]) -> bool {
        // Most sessions wait for nothing most of the time.
        !self.waiting.is_empty() && self.waiting.contains(subject)
    }

    /// The answer is there. If it is a refusal for the size, and we made the message larger,
    /// answers where it went.
    pub(super) fn answer(
        &mut self,
        subject: &[u8],
        answer: Answer<'_>,
        now: u64,
        settle: &mut SettleBatch,
    ) -> Option<Destination> {
        let Waiting { publish, injected } = self.waiting.remove(subject)?;
        let refused = match answer {
            Answer::Stream(PublishAnswer::Refused { err_code, .. }) => {
                injected.filter(|_| err_code == Some(TOO_LARGE_FOR_STREAM))
            }
            _ => None,
        };
        let (outcome, detail) = match answer {
            Answer::Status(status) if status.code == NO_RESPONDERS => {
                (Outcome::Returned, Cow::Borrowed(status.description))
            }
            Answer::Status(status) => (Outcome::Refused, Cow::Borrowed(status.description)),
            Answer::Stream(PublishAnswer::Stored { .. }) => (Outcome::Confirmed, Cow::default()),
            Answer::Stream(PublishAnswer::Refused { description, .. }) => {
                let text = description.and_then(|text| text.as_text(DETAIL_BYTES_MAX));
                (Outcome::Refused, bytes(text.unwrap_or_default()))
            }
            Answer::Responder => (Outcome::Confirmed, Cow::default()),
        };
        let is_timed = !matches!(answer, Answer::Responder);
        publish.answered(&Answered { outcome, detail: &detail, is_timed }, now, settle);
        refused
    }

    /// Takes the oldest publish out: the session is over.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.waiting.pop_oldest().map(|(_, waiting)| waiting)
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

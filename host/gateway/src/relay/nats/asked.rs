//! The questions of a session about JetStream consumers, by the subject that the answer comes on.

use std::borrow::Cow;

use spanbridge::metrics::Counters;
use spanbridge_wire::json::Value;
use spanbridge_wire::nats::jetstream::ConsumerAnswer;

use super::limits::{ASKED_MAX, CONSUMER_NAME_BYTES_MAX};
use crate::open_spans::{Aged, Weigh};

/// A question, of which only the answer's subject is of interest.
#[derive(Debug)]
struct Question;

impl Weigh for Question {
    fn bytes(&self) -> usize {
        0
    }
}

/// Reply subjects. They end with the session, or with the answer.
#[derive(Debug, Default)]
pub(super) struct Asked(Aged<Question>);

impl Asked {
    /// The session asks. Past the bound the oldest question is forgotten.
    pub(super) fn ask(&mut self, reply: &[u8], now: u64, counters: &Counters) {
        self.0.insert(reply, Question, now);
        if self.0.len() > ASKED_MAX {
            self.0.pop_oldest();
            counters.consumer_answers_unread.count.add(1);
        }
    }

    /// Answers whether a message on this subject is an answer.
    pub(super) fn contains(&self, subject: &[u8]) -> bool {
        // Most sessions ask nothing most of the time.
        !self.0.is_empty() && self.0.contains(subject)
    }

    /// The answer is there.
    pub(super) fn answered(&mut self, subject: &[u8]) {
        self.0.remove(subject);
    }
}

/// The names of the stream and the consumer that an answer describes.
pub(super) fn names<'a>(answer: &ConsumerAnswer<'a>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let text = |value: Value<'a>| value.as_text(CONSUMER_NAME_BYTES_MAX);
    Some((text(answer.stream)?, text(answer.consumer)?))
}

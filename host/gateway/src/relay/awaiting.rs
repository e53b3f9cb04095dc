//! A publish that waits for its answer.

use std::sync::Arc;

use spanbridge::{OpenSpan, Outcome, SettleBatch, Settlement};

use crate::measure::{Measured, Measures, exemplar_of};

/// A publish whose answer is to come. It is counted and timed whether it has a span or not.
#[derive(Debug)]
pub(super) struct Awaiting {
    /// `None`: it is not sampled.
    pub(super) span: Option<OpenSpan>,
    /// When it was handed on, in nanoseconds since the Unix epoch.
    pub(super) start: u64,
    /// `None`: nobody measures.
    pub(super) measures: Option<Arc<Measures>>,
}

/// What an answer says of a publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered<'a> {
    pub(super) outcome: Outcome,
    /// The broker's words.
    pub(super) detail: &'a [u8],
    /// How long the broker took is known: the publish ends now. Else it ended when it was handed
    /// on.
    pub(super) is_timed: bool,
}

impl Awaiting {
    /// Nothing comes of its answer.
    pub(super) fn is_idle(&self) -> bool {
        self.span.is_none() && self.measures.is_none()
    }

    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.span.as_ref().map_or(0, |span| span.beginning.len())
    }

    /// The answer is there.
    pub(super) fn answered(self, answer: &Answered<'_>, now: u64, settle: &mut SettleBatch) {
        let Self { span, start, measures } = self;
        let &Answered { outcome, detail, is_timed } = answer;
        if let Some(measures) = measures {
            let duration = now.saturating_sub(start);
            let measured = Measured { duration, span: exemplar_of(span.as_ref()), now };
            measures.answered(outcome, is_timed.then_some(&measured));
        }
        if let Some(span) = span {
            let end = if is_timed { now } else { start };
            settle.add(&span, &Settlement { detail, ..Settlement::new(outcome, end) });
        }
    }

    /// It gets no answer. How long nothing was heard is no part of it.
    pub(super) fn give_up(&self, settle: &mut SettleBatch) {
        if let Some(measures) = &self.measures {
            measures.unanswered();
        }
        if let Some(span) = &self.span {
            settle.add(span, &Settlement::new(Outcome::Unanswered, span.start));
        }
    }
}

//! The answer to a call, while it is put together.

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::{
    Answer, MessageBits, Verdict, VerdictBits,
};
use crate::id::{SpanId, TraceId};

/// What a finished span of ours takes, or an open one's beginning; more makes the buffer grow.
const SPAN_BYTES: usize = 640;
/// Two edits: `traceparent`, and a `tracestate` of our member alone.
const EDIT_BYTES: usize = 160;

/// The verdict of a message that is left alone.
pub(crate) const LEAVE_ALONE: Verdict = Verdict {
    trace_hi: 0,
    trace_lo: 0,
    span_id: 0,
    published: 0,
    not_before: 0,
    bits: 0,
    spans: 0,
    edits: 0,
    key: 0,
    open: 0,
};

/// Collects verdicts, spans, and edits with open spans. The parts of one message follow each other.
pub(crate) struct Output {
    verdicts: Vec<Verdict>,
    /// The span run.
    pub spans: Vec<u8>,
    /// Edits and open spans.
    pub rest: Vec<u8>,
}

impl Output {
    pub(crate) fn new(messages: usize) -> Self {
        Self {
            verdicts: Vec::with_capacity(messages),
            // `rest` is allocated first so that `spans`, the larger, can grow in place.
            rest: Vec::with_capacity(messages * EDIT_BYTES),
            spans: Vec::with_capacity(messages * SPAN_BYTES),
        }
    }

    /// Decides one message: `decide` appends to the buffers, and this takes the lengths.
    pub(crate) fn decide(&mut self, decide: impl FnOnce(&mut Self) -> Decision) {
        let spans = self.spans.len();
        let rest = self.rest.len();
        let decision = decide(self);
        self.verdicts.push(Verdict {
            trace_hi: decision.trace_id.hi,
            trace_lo: decision.trace_id.lo,
            span_id: decision.span_id.0,
            published: decision.published,
            not_before: decision.not_before,
            bits: decision.bits.bits().into(),
            spans: (self.spans.len() - spans) as u32,
            edits: (decision.edits_end - rest) as u32,
            key: (decision.key_end - decision.edits_end) as u32,
            open: (self.rest.len() - decision.key_end) as u32,
        });
    }

    pub(crate) fn leave_alone(&mut self) {
        self.verdicts.push(LEAVE_ALONE);
    }

    pub(crate) fn end(mut self) -> Answer {
        let spans = self.spans.len() as u32;
        self.spans.extend_from_slice(&self.rest);
        Answer { verdicts: self.verdicts, spans, bytes: self.spans }
    }
}

/// What was decided about one message.
pub(crate) struct Decision {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub published: u64,
    pub not_before: u64,
    pub bits: VerdictBits,
    /// Where in `Output::rest` the edits end and the key begins.
    pub edits_end: usize,
    /// Where the key ends and an open span begins.
    pub key_end: usize,
}

/// The contract's bits of a message; bits of a newer host's are dropped.
pub(crate) fn message_bits(bits: u32) -> MessageBits {
    MessageBits::from_bits_truncate(bits as u16)
}

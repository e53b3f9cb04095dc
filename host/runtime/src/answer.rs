//! The answer to a batch: a verdict for each message, its edits, and what stays open.
//!
//! An answer is always complete. A message that the component did not see, or whose call failed,
//! has a verdict of zeros, no edits and nothing open, which reads: leave it as it is.

use crate::bits::VerdictBits;
use crate::edit::Edits;
use crate::message::{DeliverBatch, PublishBatch};
use crate::open_span::OpenSpan;
use crate::record::{self, Head, Record};
use crate::resource::ResourceId;
use crate::route::Route;

/// What became of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The trace of our span, or that of the context if there is no span. Zero: neither.
    pub trace_hi: u64,
    /// Its last eight bytes.
    pub trace_lo: u64,
    /// Our span, emitted or not. Zero: none was made.
    pub span_id: u64,
    /// Publish time that is believed, in nanoseconds since the Unix epoch; 0: unknown.
    pub published: u64,
    /// Before then a delivery is not worked on, as its envelope says, in nanoseconds since the Unix
    /// epoch; 0: it does not say.
    pub not_before: u64,
    /// What the component found and did.
    pub bits: VerdictBits,
}

/// What the component answered, checked. Shorter than the batch where a call failed.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub verdicts: Vec<record::Verdict>,
    /// By message: where its edits begin in `bytes`. Its key and its open span follow them.
    pub at: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Buffers {
    pub(crate) fn clear(&mut self) {
        self.verdicts.clear();
        self.at.clear();
        self.bytes.clear();
        self.bytes.shrink_to(crate::limits::BATCH_KEPT_BYTES_MAX);
    }
}

#[derive(Clone, Copy, Debug)]
enum Records<'b> {
    Published(&'b [record::Message]),
    Delivered(&'b [record::Delivery]),
}

/// The answer to a batch, by the messages' numbers in it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'b> {
    out: &'b Buffers,
    records: Records<'b>,
    resources: &'b [ResourceId],
}

impl<'b> Answer<'b> {
    pub(crate) fn published(batch: &'b PublishBatch) -> Self {
        let batch = &batch.0;
        let records = Records::Published(&batch.records);
        Self { out: &batch.out, records, resources: &batch.resources }
    }

    pub(crate) fn delivered(batch: &'b DeliverBatch) -> Self {
        let batch = &batch.0;
        let records = Records::Delivered(&batch.records);
        Self { out: &batch.out, records, resources: &batch.resources }
    }

    /// The verdict of a message. Zeros past the end.
    #[inline]
    pub fn verdict(&self, index: usize) -> Verdict {
        let verdict = self.record(index);
        Verdict {
            trace_hi: verdict.trace_hi,
            trace_lo: verdict.trace_lo,
            span_id: verdict.span_id,
            published: verdict.published,
            not_before: verdict.not_before,
            bits: VerdictBits::from_bits_retain(verdict.bits),
        }
    }

    /// The edits of a message; none past the end.
    #[inline]
    pub fn edits(&self, index: usize) -> Edits<'b> {
        let edits = self.record(index).edits as usize;
        let at = self.out.at.get(index).copied().unwrap_or_default();
        Edits::new(self.out.bytes.get(at..at + edits).unwrap_or_default())
    }

    /// What the envelope calls the message, such as a delivery tag, by which a later settlement
    /// names it. Empty: it does not say.
    #[inline]
    pub fn key(&self, index: usize) -> &'b [u8] {
        let verdict = self.record(index);
        let at = self.out.at.get(index).copied().unwrap_or_default() + verdict.edits as usize;
        self.out.bytes.get(at..at + verdict.key as usize).unwrap_or_default()
    }

    /// Answers whether any message is to be changed.
    pub fn has_edits(&self) -> bool {
        self.out.verdicts.iter().any(|verdict| verdict.edits != 0)
    }

    /// The span of a message that stays open; `None`: nothing is to be settled.
    pub fn open(&self, index: usize) -> Option<OpenSpan> {
        let verdict = self.record(index);
        if verdict.open == 0 {
            return None;
        }
        let at = self.out.at.get(index)? + verdict.edits as usize + verdict.key as usize;
        let beginning = self.out.bytes.get(at..at + verdict.open as usize)?;
        let (head, start) = match self.records {
            Records::Published(records) => head_and_start(records, index)?,
            Records::Delivered(records) => head_and_start(records, index)?,
        };
        Some(OpenSpan {
            route: Route(head.route),
            bits: VerdictBits::from_bits_retain(verdict.bits),
            resource: self.resources.get(index).copied()?,
            trace_hi: verdict.trace_hi,
            trace_lo: verdict.trace_lo,
            span_id: verdict.span_id,
            start,
            published: verdict.published,
            beginning: beginning.into(),
        })
    }

    #[inline]
    fn record(&self, index: usize) -> &'b record::Verdict {
        self.out.verdicts.get(index).unwrap_or(&record::Verdict::NONE)
    }
}

fn head_and_start<R: Record>(records: &[R], index: usize) -> Option<(&Head, u64)> {
    records.get(index).map(|record| (record.head(), record.start()))
}

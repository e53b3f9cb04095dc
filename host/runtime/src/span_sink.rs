//! The seam between calling the component and exporting what it answers.
//!
//! The call path knows this trait and nothing of queues, batches or OTLP. [`Sink`] is the
//! implementation that exports; a test or a demonstration brings its own.

use crate::resource::ResourceId;
use crate::sink::Sink;

/// Takes encoded spans.
pub trait SpanSink: Send + Sync {
    /// Takes a span run: `spans` fields `ScopeSpans.spans` of OTLP (tag `0x12`, length, `Span`),
    /// one after the other, all of one resource.
    ///
    /// Called while messages wait: it must not block and must not panic. Answers whether the run
    /// was taken; whoever refuses one counts it.
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool;
}

impl SpanSink for Sink {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        Self::push(self, resource, run, spans)
    }
}

//! What travels with a message: a span context and baggage.
//!
//! Two shapes. [`TraceParts`] is `Copy`, holds what every format can say about a span, and is what
//! the codecs read and write. [`Context`] owns everything and is what the `propagation` interface
//! and the command line speak.

use alloc::string::String;
use alloc::vec::Vec;

use crate::baggage::Member;
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::tracestate::Tracestate;

/// A span as the formats describe it, without `tracestate`. Both ids are non-zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParts {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that sent the message.
    pub span_id: SpanId,
    /// Sampled and random; the random flag is only ever read from `traceparent`.
    pub flags: TraceFlags,
    /// B3 and Jaeger: force the trace through every sampler. Implies sampled.
    pub debug: bool,
    /// B3: the sender left the sampling decision to the receiver. Excludes sampled.
    pub deferred: bool,
}

impl TraceParts {
    /// Parts without the debug and deferred marks; `None` when an id is all zero.
    pub fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Option<Self> {
        (trace_id.is_valid() && span_id.is_valid()).then_some(Self {
            trace_id,
            span_id,
            flags,
            debug: false,
            deferred: false,
        })
    }
}

/// A span context as it was found in a message, borrowed from it.
#[derive(Clone, Debug)]
pub struct RemoteSpan<'a> {
    /// Ids, flags and marks.
    pub parts: TraceParts,
    /// The members that came with `traceparent`; empty for every other format.
    pub tracestate: Tracestate<'a>,
}

/// The identity of a span, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Sampled and random.
    pub flags: TraceFlags,
    /// The `tracestate` members joined by commas; empty when there are none.
    pub tracestate: String,
}

/// Everything the formats carry, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The remote span; `None` when the message carried baggage alone.
    pub trace: Option<SpanContext>,
    /// The baggage in its order; keys are distinct.
    pub baggage: Vec<Member>,
    /// See [`TraceParts::debug`]; means nothing without `trace`.
    pub debug: bool,
    /// See [`TraceParts::deferred`]; means nothing without `trace`.
    pub deferred: bool,
}

impl Context {
    /// Owns what `span` borrows and adds `baggage`.
    pub fn new(span: Option<RemoteSpan<'_>>, baggage: Vec<Member>) -> Self {
        let Some(RemoteSpan { parts, tracestate }) = span else {
            return Self { baggage, ..Self::default() };
        };
        let mut members = Vec::new();
        tracestate.write(&mut members);
        Self {
            trace: Some(SpanContext {
                trace_id: parts.trace_id,
                span_id: parts.span_id,
                flags: parts.flags,
                // Members are printable ASCII, so nothing is ever replaced here.
                tracestate: String::from_utf8_lossy(&members).into_owned(),
            }),
            baggage,
            debug: parts.debug,
            deferred: parts.deferred,
        }
    }

    /// The span as the formats write it; `None` without a span or when an id is all zero.
    pub fn parts(&self) -> Option<TraceParts> {
        let span = self.trace.as_ref()?;
        let parts = TraceParts::new(span.trace_id, span.span_id, span.flags)?;
        Some(TraceParts { debug: self.debug, deferred: self.deferred, ..parts })
    }
}

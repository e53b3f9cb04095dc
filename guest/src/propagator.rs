//! The formats by the names of `OTEL_PROPAGATORS`, one at a time and several at once.
//!
//! Several formats are used like a composite propagator of the OpenTelemetry SDKs: in the order
//! they were named, each on the result of the one before. When reading, a later format that finds
//! something valid therefore replaces what an earlier one found, the span (with its `tracestate`,
//! debug and deferred marks) and the baggage each on their own and each as a whole; a format that
//! finds nothing valid changes nothing. When writing, every format writes its fields.
//!
//! OpenTelemetry, "Propagators API", "Composite Propagator"; "Environment Variable Specification",
//! "General SDK Configuration".

use alloc::vec::Vec;

use crate::baggage::{self, Member};
use crate::carrier::{Carrier, Entry};
use crate::context::{Context, RemoteSpan, TraceParts};
use crate::field::Field;
use crate::traceparent::Traceparent;
use crate::tracestate::Tracestate;
use crate::{b3, jaeger, ottrace, xray};

/// Receives a field to write: the field, for a family the rest of its name, and the value.
pub type Sink<'a> = dyn FnMut(Field, &[u8], &[u8]) + 'a;

/// One format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagator {
    /// W3C Trace Context Level 2.
    TraceContext,
    /// W3C Baggage.
    Baggage,
    /// B3: reads both encodings, writes one field.
    B3,
    /// B3: reads both encodings, writes several fields.
    B3Multi,
    /// Jaeger, with its baggage.
    Jaeger,
    /// AWS X-Ray.
    XRay,
    /// OT trace, with its baggage.
    OtTrace,
}

impl Propagator {
    /// Every format, in no particular order.
    pub const ALL: [Self; 7] = [
        Self::TraceContext,
        Self::Baggage,
        Self::B3,
        Self::B3Multi,
        Self::Jaeger,
        Self::XRay,
        Self::OtTrace,
    ];

    /// The word for it in `OTEL_PROPAGATORS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
            Self::B3 => "b3",
            Self::B3Multi => "b3multi",
            Self::Jaeger => "jaeger",
            Self::XRay => "xray",
            Self::OtTrace => "ottrace",
        }
    }

    /// The format of a word, in any case; `None` for `none` and for unknown words.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|propagator| propagator.name().eq_ignore_ascii_case(word))
    }

    /// The fields it may read.
    pub const fn reads(self) -> &'static [Field] {
        match self {
            Self::TraceContext => &[Field::Traceparent, Field::Tracestate],
            Self::Baggage => &[Field::Baggage],
            Self::B3 | Self::B3Multi => &[
                Field::B3,
                Field::XB3TraceId,
                Field::XB3SpanId,
                Field::XB3Sampled,
                Field::XB3Flags,
            ],
            Self::Jaeger => &[Field::UberTraceId, Field::JaegerBaggage, Field::Uberctx],
            Self::XRay => &[Field::XAmznTraceId],
            Self::OtTrace => &[
                Field::OtTracerTraceid,
                Field::OtTracerSpanid,
                Field::OtTracerSampled,
                Field::OtBaggage,
            ],
        }
    }

    /// The fields it may write: what a reused carrier has to be cleared of first.
    pub const fn writes(self) -> &'static [Field] {
        match self {
            Self::B3 => &[Field::B3],
            Self::B3Multi => {
                &[Field::XB3TraceId, Field::XB3SpanId, Field::XB3Sampled, Field::XB3Flags]
            }
            Self::Jaeger => &[Field::UberTraceId, Field::Uberctx],
            _ => self.reads(),
        }
    }

    fn extract_span<'a>(self, carrier: Carrier<'a>) -> Option<RemoteSpan<'a>> {
        let parts = match self {
            Self::TraceContext => return extract_traceparent(carrier),
            Self::Baggage => None,
            Self::B3 | Self::B3Multi => b3::extract(carrier),
            Self::Jaeger => jaeger::parse(carrier.first(Field::UberTraceId)?),
            Self::XRay => xray::parse(carrier.first(Field::XAmznTraceId)?),
            Self::OtTrace => ottrace::extract(carrier),
        }?;
        Some(RemoteSpan { parts, tracestate: Tracestate::EMPTY })
    }

    fn extract_baggage(self, carrier: Carrier<'_>) -> Vec<Member> {
        match self {
            Self::Baggage => baggage::parse(carrier.values(Field::Baggage)),
            Self::Jaeger => jaeger::extract_baggage(carrier),
            Self::OtTrace if ottrace::extract(carrier).is_some() => {
                ottrace::extract_baggage(carrier)
            }
            _ => Vec::new(),
        }
    }

    fn inject_span(self, parts: &TraceParts, tracestate: &[u8], sink: &mut Sink<'_>) {
        match self {
            Self::TraceContext => {
                let TraceParts { trace_id, span_id: parent_id, flags, .. } = *parts;
                sink(Field::Traceparent, b"", &Traceparent { trace_id, parent_id, flags }.format());
                if !tracestate.is_empty() {
                    sink(Field::Tracestate, b"", tracestate);
                }
            }
            Self::Baggage => {}
            Self::B3 => {
                let (value, length) = b3::format(parts);
                sink(Field::B3, b"", &value[..length]);
            }
            Self::B3Multi => b3::inject_multi(parts, &mut |field, value| sink(field, b"", value)),
            Self::Jaeger => sink(Field::UberTraceId, b"", &jaeger::format(parts)),
            Self::XRay => sink(Field::XAmznTraceId, b"", &xray::format(parts)),
            Self::OtTrace => ottrace::inject(parts, &mut |field, value| sink(field, b"", value)),
        }
    }

    fn inject_baggage(self, members: &[Member], has_span: bool, sink: &mut Sink<'_>) {
        match self {
            Self::Baggage => {
                let value = baggage::format(members);
                if !value.is_empty() {
                    sink(Field::Baggage, b"", &value);
                }
            }
            Self::Jaeger => {
                jaeger::inject_baggage(members, &mut |key, value| sink(Field::Uberctx, key, value));
            }
            // Nobody would read it: the format's baggage counts beside a span only.
            Self::OtTrace if has_span => ottrace::inject_baggage(members, &mut |key, value| {
                sink(Field::OtBaggage, key, value);
            }),
            _ => {}
        }
    }
}

/// The configured formats, in order and without repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagators {
    /// Valid up to `count`.
    list: [Propagator; Propagator::ALL.len()],
    count: usize,
}

impl Propagators {
    /// No format: nothing is read or written.
    pub const NONE: Self = Self { list: Propagator::ALL, count: 0 };

    /// Reads a list as in `OTEL_PROPAGATORS`: words joined by commas, white space around them and
    /// empty ones ignored. `none` adds no format. Each other word that is no format goes to
    /// `unknown` and is left out.
    pub fn parse(list: &str, mut unknown: impl FnMut(&str)) -> Self {
        let mut propagators = Self::NONE;
        for word in list.split(',').map(str::trim) {
            match Propagator::from_name(word) {
                Some(propagator) => propagators.add(propagator),
                None if word.is_empty() || word.eq_ignore_ascii_case("none") => {}
                None => unknown(word),
            }
        }
        propagators
    }

    /// Adds a format at the end, unless it is there already.
    pub fn add(&mut self, propagator: Propagator) {
        if !self.as_slice().contains(&propagator) {
            // There is a place for each format and each is added once.
            self.list[self.count] = propagator;
            self.count += 1;
        }
    }

    /// The formats in order.
    pub fn as_slice(&self) -> &[Propagator] {
        &self.list[..self.count]
    }

    /// Every field that one of the formats may read, by number.
    pub fn reads(&self) -> impl Iterator<Item = Field> + '_ {
        let is_read = |field: &Field| self.as_slice().iter().any(|p| p.reads().contains(field));
        Field::ALL.into_iter().filter(is_read)
    }

    /// Every field that one of the formats may write, by number.
    pub fn writes(&self) -> impl Iterator<Item = Field> + '_ {
        let is_written = |field: &Field| self.as_slice().iter().any(|p| p.writes().contains(field));
        Field::ALL.into_iter().filter(is_written)
    }

    /// Reads everything from a carrier; `None` when there is neither a valid span nor baggage.
    pub fn extract(&self, entries: &[Entry<'_>]) -> Option<Context> {
        let carrier = Carrier::new(entries);
        let span = self.extract_span(carrier);
        let baggage = self.extract_baggage(carrier);
        (span.is_some() || !baggage.is_empty()).then(|| Context::new(span, baggage))
    }

    /// Reads the span alone: that of the last format that finds a valid one.
    ///
    /// Allocates only when `tracestate` came in several fields.
    pub fn extract_span<'a>(&self, carrier: Carrier<'a>) -> Option<RemoteSpan<'a>> {
        self.as_slice().iter().rev().find_map(|propagator| propagator.extract_span(carrier))
    }

    /// Reads the baggage alone: that of the last format that finds any.
    pub fn extract_baggage(&self, carrier: Carrier<'_>) -> Vec<Member> {
        let found = |propagator: &Propagator| Some(propagator.extract_baggage(carrier));
        let mut lists = self.as_slice().iter().rev().filter_map(found);
        lists.find(|members| !members.is_empty()).unwrap_or_default()
    }

    /// Hands every field of `context` to `sink`. Without a span only baggage is written.
    ///
    /// A `tracestate` that breaks its grammar is left out, as one that was read would have been.
    pub fn inject(&self, context: &Context, sink: &mut Sink<'_>) {
        let span = context.parts();
        let mut tracestate = Vec::new();
        if let Some(span) = &context.trace {
            Tracestate::parse([span.tracestate.as_bytes()]).write(&mut tracestate);
        }
        for propagator in self.as_slice() {
            if let Some(parts) = &span {
                propagator.inject_span(parts, &tracestate, sink);
            }
            propagator.inject_baggage(&context.baggage, span.is_some(), sink);
        }
    }

    /// Hands the fields of a span to `sink`, without allocating. `tracestate` is as [`Tracestate`]
    /// writes it; an empty one is not written.
    pub fn inject_span(&self, parts: &TraceParts, tracestate: &[u8], sink: &mut Sink<'_>) {
        for propagator in self.as_slice() {
            propagator.inject_span(parts, tracestate, sink);
        }
    }
}

/// A repeated `traceparent` is an invalid one; an invalid `tracestate` is none.
fn extract_traceparent(carrier: Carrier<'_>) -> Option<RemoteSpan<'_>> {
    let read = Traceparent::parse(carrier.only(Field::Traceparent)?)?;
    Some(RemoteSpan {
        parts: TraceParts::new(read.trace_id, read.parent_id, read.flags)?,
        tracestate: Tracestate::parse(carrier.values(Field::Tracestate)),
    })
}

#[cfg(test)]
mod tests;

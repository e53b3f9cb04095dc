//! The programs' own spans: a request, a query. What an instrumented program would record with an
//! OpenTelemetry SDK; here a few fields are enough.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use spanbridge::resource::ResourceId;
use spanbridge::sink::Sink;
use spanbridge::{RemoteSpan, SpanContext};

use super::export::Export;
use crate::failure::Failure;
use crate::worker::now;

/// W3C trace-flags: sampled, and the trace-id is random. The low byte of OTLP `Span.flags`.
pub(super) const TRACE_FLAGS: u8 = 0b11;

/// Protobuf tag of `ScopeSpans.spans`: field 2, length-delimited.
const SPANS_TAG: u8 = 0x12;

/// Records spans of one program.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    sink: Sink,
    resource: ResourceId,
    /// Trace-ids of 64 bits, for formats that hold no more.
    short_ids: bool,
}

/// A span that runs.
#[derive(Debug)]
pub(super) struct Running {
    recorder: Recorder,
    context: SpanContext,
    span: Span,
}

impl Recorder {
    /// A recorder for the program of this name.
    pub(super) fn new(export: &Export, service: &str, short_ids: bool) -> Self {
        let resource = export.output().resources.register(service, &[]);
        Self { sink: export.output().sink.clone(), resource, short_ids }
    }

    /// The program's resource.
    pub(super) fn resource(&self) -> ResourceId {
        self.resource
    }

    /// Starts a span; without a parent, and so a trace.
    pub(super) fn start(
        &self,
        name: &str,
        kind: SpanKind,
        parent: Option<SpanContext>,
    ) -> Result<Running, Failure> {
        let span_id = random_id()?;
        let context = match parent {
            Some(parent) => SpanContext { span_id, ..parent },
            None => {
                let trace_hi = if self.short_ids { 0 } else { random_id()? };
                SpanContext { trace_hi, trace_lo: random_id()?, span_id }
            }
        };
        let trace_id = [context.trace_hi.to_be_bytes(), context.trace_lo.to_be_bytes()].concat();
        let span = Span {
            trace_id,
            span_id: span_id.to_be_bytes().to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |p| p.span_id.to_be_bytes().to_vec()),
            flags: TRACE_FLAGS.into(),
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: now(),
            ..Span::default()
        };
        Ok(Running { recorder: self.clone(), context, span })
    }
}

impl Running {
    /// What its children name as their parent.
    pub(super) fn context(&self) -> SpanContext {
        self.context
    }

    /// The same as a message carries it.
    pub(super) fn remote(&self) -> RemoteSpan {
        let SpanContext { trace_hi, trace_lo, span_id } = self.context;
        let tracestate = String::new();
        RemoteSpan { trace_hi, trace_lo, span_id, trace_flags: TRACE_FLAGS, tracestate }
    }

    /// Adds an attribute.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
        self.span.attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        self
    }

    /// Ends it. A full queue drops and counts it, as it does with everybody's.
    pub(super) fn end(mut self) {
        self.span.end_time_unix_nano = now();
        let mut run = vec![SPANS_TAG];
        run.extend(self.span.encode_length_delimited_to_vec());
        self.recorder.sink.push(self.recorder.resource, &run, 1);
    }
}

/// A random number that is not zero.
pub(super) fn random_id() -> Result<u64, Failure> {
    let random = getrandom::u64()
        .map_err(|error| Failure::new("the system has no random numbers").because(error))?;
    Ok(random | u64::from(random == 0))
}

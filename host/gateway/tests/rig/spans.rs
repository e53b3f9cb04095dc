//! A sink that decodes every span.

use std::sync::Mutex;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span as Encoded};
use prost::Message;
use spanbridge::SpanSink;
use spanbridge::resource::ResourceId;

/// A span as a receiver sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// As in OTLP: 3 client, 4 producer, 5 consumer.
    pub(crate) kind: i32,
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) links: Vec<Vec<u8>>,
    pub(crate) error: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) resource: ResourceId,
}

pub(crate) const CLIENT: i32 = 3;
pub(crate) const PRODUCER: i32 = 4;
pub(crate) const CONSUMER: i32 = 5;

impl Span {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn outcome(&self) -> Option<&str> {
        self.get("spanbridge.outcome")
    }
}

/// Keeps every span.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<Span>>);

impl SpanSink for Recorder {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        let scope = ScopeSpans::decode(run).expect("a span run is the spans of a scope");
        assert_eq!(scope.spans.len(), spans as usize);
        let decoded = scope.spans.into_iter().map(|span| decode(span, resource));
        self.0.lock().unwrap().extend(decoded);
        true
    }
}

fn decode(span: Encoded, resource: ResourceId) -> Span {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("no such attribute is written: {other:?}"),
    };
    let status = span.status.unwrap_or_default();
    Span {
        name: span.name,
        kind: span.kind,
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent: span.parent_span_id,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        links: span.links.into_iter().map(|link| link.span_id).collect(),
        error: (status.code == 2).then_some(status.message),
        attributes: span
            .attributes
            .into_iter()
            .map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))))
            .collect(),
        resource,
    }
}

//! From OTLP messages to the SDK's types.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1 as trace;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// `SpanFlags.CONTEXT_IS_REMOTE_MASK`.
const IS_REMOTE: u32 = 0x200;

pub(super) fn resource(spans: &trace::ResourceSpans) -> Resource {
    let attributes = spans.resource.iter().flat_map(|resource| &resource.attributes);
    let attributes: Vec<_> = attributes.cloned().filter_map(key_value).collect();
    Resource::builder_empty().with_schema_url(attributes, spans.schema_url.clone()).build()
}

pub(super) fn spans(resource: trace::ResourceSpans) -> Vec<SpanData> {
    let mut all = Vec::new();
    for scope_spans in resource.scope_spans {
        let scope = scope_spans.scope.unwrap_or_default();
        let scope = InstrumentationScope::builder(scope.name)
            .with_version(scope.version)
            .with_schema_url(scope_spans.schema_url)
            .build();
        all.extend(scope_spans.spans.into_iter().map(|one| span(one, scope.clone())));
    }
    all
}

fn span(span: trace::Span, scope: InstrumentationScope) -> SpanData {
    let mut events = SpanEvents::default();
    events.events = span.events.into_iter().map(event).collect();
    events.dropped_count = span.dropped_events_count;
    let mut links = SpanLinks::default();
    links.links = span.links.into_iter().map(link).collect();
    links.dropped_count = span.dropped_links_count;
    SpanData {
        // The span is this process's own, so its context is not remote; its parent's may be.
        span_context: context(&span.trace_id, &span.span_id, span.flags, false, &span.trace_state),
        parent_span_id: span_id(&span.parent_span_id),
        parent_span_is_remote: span.flags & IS_REMOTE != 0,
        span_kind: match span.kind {
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
        name: span.name.into(),
        start_time: time(span.start_time_unix_nano),
        end_time: time(span.end_time_unix_nano),
        attributes: key_values(span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events,
        links,
        status: status(span.status.unwrap_or_default()),
        instrumentation_scope: scope,
    }
}

fn event(event: trace::span::Event) -> Event {
    let attributes = key_values(event.attributes);
    let timestamp = time(event.time_unix_nano);
    Event::new(event.name, timestamp, attributes, event.dropped_attributes_count)
}

fn link(link: trace::span::Link) -> Link {
    let remote = link.flags & IS_REMOTE != 0;
    let context = context(&link.trace_id, &link.span_id, link.flags, remote, &link.trace_state);
    Link::new(context, key_values(link.attributes), link.dropped_attributes_count)
}

fn status(status: trace::Status) -> Status {
    match status.code {
        1 => Status::Ok,
        2 => Status::error(status.message),
        _ => Status::Unset,
    }
}

/// A `tracestate` that the SDK refuses is left out; the context is valid without it.
fn context(trace_id: &[u8], id: &[u8], flags: u32, remote: bool, state: &str) -> SpanContext {
    let trace_id = trace_id.try_into().map_or(TraceId::INVALID, TraceId::from_bytes);
    // The lowest byte is the W3C trace-flags.
    let flags = TraceFlags::new((flags & 0xff) as u8);
    let state = state.parse::<TraceState>().unwrap_or_default();
    SpanContext::new(trace_id, span_id(id), flags, remote, state)
}

fn span_id(bytes: &[u8]) -> SpanId {
    bytes.try_into().map_or(SpanId::INVALID, SpanId::from_bytes)
}

fn time(unix_nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}

fn key_values(pairs: Vec<common::KeyValue>) -> Vec<KeyValue> {
    pairs.into_iter().filter_map(key_value).collect()
}

/// An attribute; `None` when it has no value, which the SDK cannot hold.
fn key_value(pair: common::KeyValue) -> Option<KeyValue> {
    let any = pair.value.and_then(|any| any.value)?;
    Some(KeyValue::new(pair.key, value(any)))
}

fn value(any: AnyValue) -> Value {
    match any {
        AnyValue::StringValue(text) => text.into(),
        AnyValue::BoolValue(flag) => flag.into(),
        AnyValue::IntValue(number) => number.into(),
        AnyValue::DoubleValue(number) => number.into(),
        AnyValue::ArrayValue(values) => match array(&values) {
            Some(array) => Value::Array(array),
            None => json(&values).into(),
        },
        AnyValue::KvlistValue(list) => json(&list).into(),
        AnyValue::BytesValue(bytes) => json(&bytes).into(),
        AnyValue::StringValueStrindex(_) => String::new().into(),
    }
}

/// An array whose values are all of one simple type.
fn array(values: &common::ArrayValue) -> Option<Array> {
    /// Every value, if each is what `pick` picks.
    fn all<T>(
        values: &common::ArrayValue,
        pick: impl Fn(&AnyValue) -> Option<T>,
    ) -> Option<Vec<T>> {
        values.values.iter().map(|any| any.value.as_ref().and_then(&pick)).collect()
    }
    let texts = |any: &AnyValue| match any {
        AnyValue::StringValue(text) => Some(StringValue::from(text.clone())),
        _ => None,
    };
    let numbers = |any: &AnyValue| match any {
        AnyValue::IntValue(number) => Some(*number),
        _ => None,
    };
    let doubles = |any: &AnyValue| match any {
        AnyValue::DoubleValue(number) => Some(*number),
        _ => None,
    };
    let flags = |any: &AnyValue| match any {
        AnyValue::BoolValue(flag) => Some(*flag),
        _ => None,
    };
    all(values, texts)
        .map(Array::String)
        .or_else(|| all(values, numbers).map(Array::I64))
        .or_else(|| all(values, doubles).map(Array::F64))
        .or_else(|| all(values, flags).map(Array::Bool))
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

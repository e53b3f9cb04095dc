//! The adapter against an exporter that remembers, and one that refuses.

use std::sync::{Arc, Mutex as StdMutex};

use opentelemetry::trace::{SpanKind, Status, TraceFlags};
use opentelemetry::{Array, Key, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span, Status as ProtoStatus};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use super::*;

type Seen = Arc<StdMutex<Vec<(Option<Value>, Vec<SpanData>)>>>;

/// Remembers spans with their service name; refuses those of one service.
#[derive(Debug)]
struct Memory {
    service: Option<Value>,
    refused: &'static str,
    seen: Seen,
}

impl SpanExporter for Memory {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if self.service == Some(Value::from(self.refused)) {
            return Err(OTelSdkError::InternalFailure("no room".into()));
        }
        self.seen.lock().unwrap().push((self.service.clone(), batch));
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.service = resource.get(&Key::from_static_str("service.name"));
    }
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn resource_spans(service: &str, span: Span) -> ResourceSpans {
    let attributes = vec![pair("service.name", Any::StringValue(service.into()))];
    let scope = InstrumentationScope { name: "spanbridge".into(), ..Default::default() };
    let scope_spans =
        ScopeSpans { scope: Some(scope), spans: vec![span], schema_url: String::new() };
    ResourceSpans {
        resource: Some(ProtoResource { attributes, ..ProtoResource::default() }),
        scope_spans: vec![scope_spans],
        schema_url: String::new(),
    }
}

fn export(refused: &'static str, resource_spans: Vec<ResourceSpans>) -> (Outcome, Seen) {
    let seen = Seen::default();
    let memory = Memory { service: None, refused, seen: Arc::clone(&seen) };
    let exporter = SdkExporter::new(memory);
    let spans = resource_spans.len();
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    (runtime.block_on(exporter.export(Batch::new(request.into(), spans))), seen)
}

#[test]
fn every_part_of_a_span_arrives() {
    let mixed = ArrayValue {
        values: vec![
            AnyValue { value: Some(Any::IntValue(1)) },
            AnyValue { value: Some(Any::BoolValue(true)) },
        ],
    };
    let numbers = ArrayValue { values: vec![AnyValue { value: Some(Any::IntValue(7)) }] };
    let link = Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        flags: 0x301,
        trace_state: "a=b".into(),
        ..Link::default()
    };
    let event = Event { name: "returned".into(), time_unix_nano: 5, ..Event::default() };
    let (outcome, seen) = export(
        "",
        vec![resource_spans(
            "shop",
            Span {
                trace_id: vec![1; 16],
                span_id: vec![2; 8],
                parent_span_id: vec![9; 8],
                name: "publish orders".into(),
                kind: 4,
                flags: 0x303,
                trace_state: "spanbridge=p:1".into(),
                start_time_unix_nano: 1_000,
                end_time_unix_nano: 2_000,
                attributes: vec![
                    pair("numbers", Any::ArrayValue(numbers)),
                    pair("mixed", Any::ArrayValue(mixed)),
                ],
                links: vec![link],
                events: vec![event],
                status: Some(ProtoStatus { code: 2, message: "nack".into() }),
                ..Span::default()
            },
        )],
    );
    assert_eq!(outcome, Outcome::Delivered(Delivered::default()));
    let seen = seen.lock().unwrap();
    let (service, spans) = &seen[0];
    assert_eq!(*service, Some(Value::from("shop")));
    let span = &spans[0];
    assert_eq!(span.span_context.trace_id().to_bytes(), [1; 16]);
    assert_eq!(span.span_context.trace_flags(), TraceFlags::new(3));
    assert_eq!(span.span_context.trace_state().get("spanbridge"), Some("p:1"));
    assert!(!span.span_context.is_remote() && span.parent_span_is_remote);
    assert_eq!(span.parent_span_id.to_bytes(), [9; 8]);
    assert_eq!((&*span.name, &span.span_kind), ("publish orders", &SpanKind::Producer));
    assert_eq!(span.end_time.duration_since(span.start_time).unwrap().as_nanos(), 1_000);
    assert_eq!(span.attributes[0].value, Value::Array(Array::I64(vec![7])));
    let text = span.attributes[1].value.as_str();
    assert_eq!(text, r#"{"values":[{"intValue":"1"},{"boolValue":true}]}"#);
    assert!(span.links.links[0].span_context.is_remote());
    assert_eq!(span.events.events[0].name, "returned");
    assert_eq!(span.status, Status::error("nack"));
    assert_eq!(span.instrumentation_scope.name(), "spanbridge");
}

#[test]
fn a_refused_resource_is_rejected_when_another_was_delivered_and_fails_alone() {
    let both =
        || vec![resource_spans("shop", Span::default()), resource_spans("bad", Span::default())];
    let (outcome, seen) = export("bad", both());
    let Outcome::Delivered(delivered) = outcome else { panic!("{outcome:?}") };
    assert_eq!(delivered.rejected, 1);
    assert!(delivered.message.contains("no room"));
    assert_eq!(seen.lock().unwrap().len(), 1);

    let (outcome, _) = export("bad", both().split_off(1));
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, FailureKind::Refused);
}

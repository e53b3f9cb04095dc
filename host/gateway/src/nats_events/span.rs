//! An event as an OTLP span: one span for what one server did with one message.
//!
//! It begins when the message came in and ends with the last thing that the server says of it;
//! what lies between are the span's events, at the server's own times. Nothing has a length that
//! the server does not state: to hand a message to a connection is not to have it delivered.
//!
//! The kind is INTERNAL. A SERVER span below a publish would take the place of the consumer in a
//! backend's service graph, where a publish meets the first SERVER or CONSUMER span that names it
//! as its parent.
//!
//! Names are those of the semantic conventions where they have one (v1.44.0, `messaging.*`);
//! the rest is below `spanbridge.nats`.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};
use spanbridge::RemoteSpan;

use super::event::{Entry, EntryType, Event};
use super::hop::Place;
use crate::scrub::Scrub;

/// `Span.flags`: it is known whether the parent is another process's, and it is.
const PARENT_IS_REMOTE: u32 = 0x300;

/// What JetStream says of a message that it has already. It is not stored twice, which is what the
/// producer wants: no error.
const DUPLICATE: &str = "msgid is duplicate";

/// Builds the span.
pub(super) fn span(event: &Event, context: &RemoteSpan, place: Place, scrub: Scrub) -> Span {
    let subject = &event.ingress.subj;
    let mut template = Vec::new();
    let has_template = scrub.template(subject.as_bytes(), &mut template);
    let template = has_template.then(|| String::from_utf8_lossy(&template).into_owned());
    let mut attributes = ingress_attributes(event);
    put(&mut attributes, "messaging.destination.template", template.as_deref());
    let trace_id = [context.trace_hi.to_be_bytes(), context.trace_lo.to_be_bytes()].concat();
    let status = failure(event);
    if status.is_some() {
        put(&mut attributes, "error.type", Some("not_accepted"));
    }
    Span {
        trace_id,
        span_id: place.span_id.to_be_bytes().to_vec(),
        parent_span_id: place.parent_id.to_be_bytes().to_vec(),
        trace_state: context.tracestate.clone(),
        flags: u32::from(context.trace_flags) | PARENT_IS_REMOTE,
        name: format!("route {}", template.as_ref().unwrap_or(subject)),
        kind: span::SpanKind::Internal.into(),
        start_time_unix_nano: event.ingress.at,
        end_time_unix_nano: event.end,
        attributes,
        events: event.entries.iter().map(span_event).collect(),
        dropped_events_count: u32::try_from(event.left_out.count).unwrap_or(u32::MAX),
        status: status
            .map(|message| Status { message: message.to_owned(), code: StatusCode::Error.into() }),
        ..Span::default()
    }
}

fn ingress_attributes(event: &Event) -> Vec<KeyValue> {
    let ingress = &event.ingress;
    let mut attributes = Vec::new();
    put(&mut attributes, "messaging.system", Some("nats"));
    put(&mut attributes, "messaging.operation.name", Some("route"));
    put(&mut attributes, "messaging.destination.name", Some(&ingress.subj));
    put_number(&mut attributes, "messaging.message.envelope.size", event.message_bytes);
    put_connection(&mut attributes, ingress);
    put(&mut attributes, "spanbridge.nats.account", Some(&ingress.acc));
    put_number(&mut attributes, "spanbridge.nats.egresses", Some(event.egresses));
    attributes
}

/// Why the message was not accepted, if it was not.
fn failure(event: &Event) -> Option<&str> {
    let stored = event.entries.iter().filter(|entry| entry.kind == EntryType::JetStream);
    let refused = stored.map(|entry| entry.error.as_str()).filter(|error| *error != DUPLICATE);
    let mut all = [event.ingress.error.as_str()].into_iter().chain(refused);
    all.find(|error| !error.is_empty())
}

fn span_event(entry: &Entry) -> span::Event {
    let mut attributes = Vec::new();
    if entry.kind == EntryType::Egress {
        put_connection(&mut attributes, entry);
    }
    for (key, value) in [
        ("spanbridge.nats.account", &entry.acc),
        ("spanbridge.nats.from", &entry.from),
        ("spanbridge.nats.to", &entry.to),
        ("spanbridge.nats.hop", &entry.hop),
        ("spanbridge.nats.stored_subject", &entry.subject),
        ("spanbridge.nats.error", &entry.error),
        ("messaging.nats.stream", &entry.stream),
        ("messaging.destination.subscription.name", &entry.sub),
        ("messaging.consumer.group.name", &entry.queue),
    ] {
        put(&mut attributes, key, Some(value));
    }
    if entry.nointerest {
        let value = Some(AnyValue { value: Some(Value::BoolValue(true)) });
        let key = "spanbridge.nats.no_interest".to_owned();
        attributes.push(KeyValue { key, value, ..KeyValue::default() });
    }
    let name = match entry.kind {
        EntryType::Ingress | EntryType::Unknown => "ingress",
        EntryType::SubjectMapping => "subject mapping",
        EntryType::StreamExport => "stream export",
        EntryType::ServiceImport => "service import",
        EntryType::JetStream => "jetstream",
        EntryType::Egress => "egress",
    };
    span::Event {
        time_unix_nano: entry.at,
        name: name.to_owned(),
        attributes,
        ..span::Event::default()
    }
}

fn put_connection(attributes: &mut Vec<KeyValue>, entry: &Entry) {
    put(attributes, "spanbridge.nats.connection.kind", entry.connection());
    put(attributes, "spanbridge.nats.connection.name", Some(&entry.name));
    let id = entry.cid.and_then(|cid| i64::try_from(cid).ok());
    put_number(attributes, "spanbridge.nats.connection.id", id);
}

/// Adds an attribute that has a value.
fn put(attributes: &mut Vec<KeyValue>, key: &str, value: Option<&str>) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
}

fn put_number(attributes: &mut Vec<KeyValue>, key: &str, value: Option<i64>) {
    let Some(value) = value else { return };
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn built(text: &str, scrub: Scrub) -> Span {
        let event = Event::read(text.as_bytes()).unwrap();
        let tracestate = "vendor=1".to_owned();
        let context =
            RemoteSpan { trace_hi: 1, trace_lo: 2, span_id: 3, trace_flags: 3, tracestate };
        let place = Place { span_id: 4, parent_id: 3, has_children: false };
        span(&event, &context, place, scrub)
    }

    fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
        let found = attributes.iter().find(|attribute| attribute.key == key)?;
        found.value.clone()?.value
    }

    fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
        match value(attributes, key) {
            Some(Value::StringValue(text)) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn a_server_is_one_span_with_its_steps_as_events() {
        let span = built(samples::ROUTE_FIRST, Scrub::empty());
        assert_eq!((span.name.as_str(), span.kind()), ("route orders.1", span::SpanKind::Internal));
        assert_eq!((span.flags, span.trace_state.as_str()), (0x303, "vendor=1"));
        assert_eq!(span.parent_span_id, 3_u64.to_be_bytes());
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 159_738);
        assert_eq!(value(&span.attributes, "spanbridge.nats.egresses"), Some(Value::IntValue(2)));
        let name = text(&span.attributes, "spanbridge.nats.connection.name");
        assert_eq!(name.as_deref(), Some("alpha"));
        let names: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["subject mapping", "egress", "egress"]);
        let onward = &span.events[2];
        assert_eq!(text(&onward.attributes, "spanbridge.nats.hop").as_deref(), Some("1"));
        let kind = text(&onward.attributes, "spanbridge.nats.connection.kind");
        assert_eq!(kind.as_deref(), Some("route"));
        assert_eq!(span.status, None);
    }

    #[test]
    fn ids_are_kept_out_of_the_name_where_asked_for() {
        let span = built(samples::ROUTE_FIRST, Scrub::NUMBER);
        assert_eq!(span.name, "route orders.{id}");
        let template = text(&span.attributes, "messaging.destination.template");
        assert_eq!(template.as_deref(), Some("orders.{id}"));
        let name = text(&span.attributes, "messaging.destination.name");
        assert_eq!(name.as_deref(), Some("orders.1"));
    }

    #[test]
    fn a_message_that_is_not_stored_is_an_error_and_a_duplicate_is_none() {
        let refused = built(samples::REFUSED, Scrub::empty());
        let status = refused.status.clone().unwrap();
        assert_eq!(
            (status.code(), &*status.message),
            (StatusCode::Error, "maximum payload exceeded")
        );
        assert!(text(&refused.attributes, "error.type").is_some());
        let duplicate = built(samples::DUPLICATE, Scrub::empty());
        assert_eq!(duplicate.status, None);
        let said = text(&duplicate.events[0].attributes, "spanbridge.nats.error");
        assert_eq!(said.as_deref(), Some(DUPLICATE));
        let denied = samples::REFUSED.replace(r#""subj""#, r#""error":"denied","subj""#);
        assert_eq!(built(&denied, Scrub::empty()).status.unwrap().message, "denied");
    }
}

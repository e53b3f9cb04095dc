//! Celery over Redis: the context goes into the message, and the message says what it is called.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::prelude::*;
use serde_json::Value;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Attribute, DeliveryMode, Envelope, Message, MessageBits, Outcome, Settings, VerdictBits,
};
use spanbridge_guest::component::Component;

use crate::host::{
    Answered, Parts, SECOND, T0, attributes, component, deliver, publish, settings, settle,
    with_bits,
};

/// Of a client without instrumentation.
const PLAIN: &str = include_str!("../data/celery-redis.json");
const PLAIN_ID: &str = "43b6b1e0-ce21-4059-aab7-e24959d07de6";
const PLAIN_TAG: &str = "89f09cba-fa6c-4aae-a060-706d99a95be7";

/// Of a client with it.
const TRACED: &str = include_str!("../data/celery-redis-traced.json");
const TRACED_PARENT: &str = "878eb372b611ef5c";

fn kombu() -> Settings {
    let mut settings = settings("redis");
    settings.envelope = Some(Envelope { kind: "kombu".to_owned(), field: String::new() });
    settings
}

fn with_body(body: &[u8]) -> Parts {
    Parts { body: body.to_vec(), ..Parts::to("celery") }
}

fn without_headers(message: &mut Message) {
    message.bits = MessageBits::NO_HEADERS.bits().into();
}

fn sent(component: &mut Component, message: &Parts) -> Answered {
    publish(component, message, without_headers)
}

fn text(message: &Parts) -> &str {
    str::from_utf8(&message.body).unwrap()
}

fn headers(message: &Parts) -> Value {
    serde_json::from_slice::<Value>(&message.body).unwrap()["headers"].take()
}

fn is_task(span: &Span, id: &str) {
    let attributes = attributes(span);
    assert_eq!(attributes["messaging.message.id"], id);
    assert_eq!(attributes["messaging.message.conversation_id"], id);
    assert_eq!(attributes["spanbridge.job.name"], "tasks.add");
}

#[test]
fn a_task_without_context_is_given_one_and_nothing_else_changes() {
    let mut component = component(kombu());
    let answered = sent(&mut component, &with_body(PLAIN.as_bytes()));
    assert!(answered.has(VerdictBits::INJECTED | VerdictBits::ROOT));
    assert_eq!(answered.key, PLAIN_TAG.as_bytes());
    let [span] = answered.spans.as_slice() else { panic!("one span") };
    assert_eq!((span.kind(), span.name.as_str()), (SpanKind::Producer, "publish celery"));
    is_task(span, PLAIN_ID);

    let message = with_body(PLAIN.as_bytes()).apply(&answered.edits);
    let (before, behind) = PLAIN.split_at(PLAIN.find("}, \"properties\"").unwrap());
    let added = text(&message).strip_prefix(before).unwrap().strip_suffix(behind).unwrap();
    assert!(added.starts_with(r#","traceparent":"00-"#), "{added}");

    let mut read: Value = serde_json::from_slice(&message.body).unwrap();
    let object = read["headers"].as_object_mut().unwrap();
    assert!(object.remove("traceparent").is_some() && object.remove("tracestate").is_some());
    assert_eq!(read, serde_json::from_str::<Value>(PLAIN).unwrap());
}

#[test]
fn an_instrumented_clients_context_stays_and_gets_a_client_span() {
    let answered = sent(&mut component(kombu()), &with_body(TRACED.as_bytes()));
    assert!(answered.has(VerdictBits::FOUND) && !answered.has(VerdictBits::INJECTED));
    assert!(answered.edits.is_empty(), "the message goes on as it came");
    let span = &answered.spans[0];
    assert_eq!(span.kind(), SpanKind::Client);
    let parent: Vec<_> = span.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(parent.concat(), TRACED_PARENT);
    assert_eq!(attributes(span)["spanbridge.job.name"], "tasks.add");
}

#[test]
fn the_process_span_follows_the_publish_and_ends_when_the_task_is_settled() {
    let mut component = component(kombu());
    let published = sent(&mut component, &with_body(PLAIN.as_bytes()));
    let message = with_body(PLAIN.as_bytes()).apply(&published.edits);
    let got = deliver(&mut component, &message, with_bits(MessageBits::NO_HEADERS));
    assert!(got.has(VerdictBits::FOUND | VerdictBits::PUBLISH_TIME_OWN));
    assert!(got.edits.is_empty(), "the consumer gets the context that came");
    // kombu settles over another connection, by this name.
    assert_eq!(got.key, PLAIN_TAG.as_bytes());
    let ack = got.settlement(Outcome::Ack, T0 + 2 * SECOND, T0 + 5 * SECOND);
    let span = settle(&mut Component::new([9; 4]), &[ack]).remove(0);
    assert_eq!((span.kind(), span.name.as_str()), (SpanKind::Consumer, "process celery"));
    assert_eq!(span.parent_span_id, published.spans[0].span_id);
    assert_eq!(span.trace_id, published.spans[0].trace_id);
    assert_eq!(attributes(&span)["spanbridge.outcome"], "ack");
    assert_eq!(attributes(&span)["spanbridge.queue_wait"], "2");
    is_task(&span, PLAIN_ID);
}

/// A task that is not to begin before 2033-05-18T03:33:20Z.
fn with_eta(eta: &str) -> Parts {
    with_body(PLAIN.replace(r#""eta": null"#, &format!(r#""eta": {eta}"#)).as_bytes())
}

#[test]
fn a_task_that_has_to_wait_says_until_when_and_its_start_is_an_estimate() {
    let mut component = component(kombu());
    let unseen = MessageBits::NO_HEADERS | MessageBits::UNSEEN;
    for (eta, bits, not_before, estimated) in [
        (r#""2033-05-18T05:33:20+02:00""#, MessageBits::NO_HEADERS, 2_000_000_000 * SECOND, true),
        (r#""2033-05-18T03:33:20.5Z""#, unseen, 2_000_000_000 * SECOND + SECOND / 2, false),
        (r#""2001-09-09T01:46:40Z""#, MessageBits::NO_HEADERS, 1_000_000_000 * SECOND, false),
        (r#""2033-05-18T03:33:20""#, MessageBits::NO_HEADERS, 0, false),
        ("2000000000", MessageBits::NO_HEADERS, 0, false),
        ("null", MessageBits::NO_HEADERS, 0, false),
    ] {
        let got = deliver(&mut component, &with_eta(eta), with_bits(bits));
        assert_eq!(got.verdict.not_before, not_before, "{eta}");
        let span = match got.spans.first() {
            Some(span) => span.clone(),
            None => settle(&mut component, &[got.settlement(Outcome::Ack, T0, T0)]).remove(0),
        };
        let found = attributes(&span).contains_key("spanbridge.start_estimated");
        assert_eq!(found, estimated, "{eta}");
    }
    assert_eq!(sent(&mut component, &with_eta(r#""2033-05-18T03:33:20Z""#)).verdict.not_before, 0);
}

#[test]
fn spans_of_the_worker_nest_under_ours_where_the_route_continues() {
    let mut settings = kombu();
    settings.delivery = DeliveryMode::Continue;
    let message = with_body(TRACED.as_bytes());
    let got = deliver(&mut component(settings), &message, with_bits(MessageBits::NO_HEADERS));
    let changed = message.clone().apply(&got.edits);
    let traceparent = headers(&changed)["traceparent"].as_str().unwrap().to_owned();
    assert!(traceparent.contains(&format!("{:016x}", got.verdict.span_id)), "{traceparent}");
    assert_eq!(headers(&changed)["id"], headers(&message)["id"]);
}

#[test]
fn a_retry_with_our_old_context_gets_a_new_one_in_its_place() {
    let mut component = component(kombu());
    let first = sent(&mut component, &with_body(PLAIN.as_bytes()));
    let first_message = with_body(PLAIN.as_bytes()).apply(&first.edits);
    // `task.retry()` sends the headers that came, with a new tag.
    let again = text(&first_message)
        .replace(r#""retries": 0"#, r#""retries": 1"#)
        .replace(PLAIN_TAG, "11111111-2222-3333-4444-555555555555");
    let second = sent(&mut component, &with_body(again.as_bytes()));
    assert!(second.has(VerdictBits::COPIED | VerdictBits::INJECTED));
    assert_eq!(second.spans[0].kind(), SpanKind::Producer);
    assert_eq!(second.key, b"11111111-2222-3333-4444-555555555555");

    let message = with_body(again.as_bytes()).apply(&second.edits);
    let old = headers(&first_message)["traceparent"].take();
    let new = headers(&message)["traceparent"].take();
    assert_ne!(old, new);
    assert_eq!(text(&message).matches("traceparent").count(), 1);
    let span_id = format!("{:016x}", second.verdict.span_id);
    assert!(new.as_str().unwrap().contains(&span_id), "{new}");
    assert_eq!(text(&message).matches(&format!("{:016x}", first.verdict.span_id)).count(), 0);
}

#[test]
fn what_the_host_knows_goes_before_what_the_envelope_says() {
    let message = Parts {
        id: "host-id".to_owned(),
        attributes: vec![(Attribute::JobName, "host-job".to_owned())],
        ..with_body(PLAIN.as_bytes())
    };
    let answered = sent(&mut component(kombu()), &message);
    let span = &answered.spans[0];
    assert_eq!(attributes(span)["messaging.message.id"], "host-id");
    assert_eq!(attributes(span)["spanbridge.job.name"], "host-job");
    assert_eq!(attributes(span)["messaging.message.conversation_id"], PLAIN_ID);
    let named = span.attributes.iter().filter(|a| a.key == "spanbridge.job.name");
    assert_eq!(named.count(), 1);
}

#[test]
fn what_is_no_kombu_message_is_left_alone() {
    let cut = (1..PLAIN.trim_end().len()).map(|at| PLAIN[..at].to_owned());
    let foreign = [
        "[1]".to_owned(),
        "{}".to_owned(),
        r#"{"body":"x","headers":{},"properties":{}}"#.to_owned(),
        r#"{"task":"add","id":"1","traceparent":"00-a"}"#.to_owned(),
        PLAIN.replace(r#""delivery_tag": ""#, r#""delivery_tags": ""#),
        PLAIN.replace(r#""lang": "py""#, r#""traceparent": {}"#),
        PLAIN.to_owned() + PLAIN,
    ];
    let mut component = component(kombu());
    for body in cut.chain(foreign) {
        let answered = sent(&mut component, &with_body(body.as_bytes()));
        assert!(answered.edits.is_empty() && answered.key.is_empty(), "{body}");
        assert!(answered.has(VerdictBits::BODY_LEFT_ALONE), "{body}");
        assert_eq!(answered.spans.len(), 1, "the publish is still seen");
    }
}

/// Headers of applications: names that are near ours, ours, and values of every type.
fn application_headers() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let name = "(traceparents|trace|h[0-9]|é\"|stamps)";
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(serde_json::json!({"traceparent": [1, {}]})),
    ];
    let baggage = prop::option::of("[a-z]=[a-z]");
    (prop::collection::btree_map(name, value, 0..8), baggage).prop_map(|(headers, baggage)| {
        let baggage = baggage.map(|value| ("Baggage".to_owned(), Value::from(value)));
        headers.into_iter().chain(baggage).collect()
    })
}

proptest! {
    #[test]
    fn a_context_is_added_to_any_headers_and_nothing_else_changes(
        headers in application_headers(), pretty in any::<bool>()
    ) {
        let mut before: Value = serde_json::from_str(PLAIN).unwrap();
        before["headers"] = headers.into();
        let body = if pretty { format!("{before:#}") } else { before.to_string() };
        let answered = sent(&mut component(kombu()), &with_body(body.as_bytes()));
        prop_assert!(answered.has(VerdictBits::INJECTED));

        let message = with_body(body.as_bytes()).apply(&answered.edits);
        let mut after: Value = serde_json::from_slice(&message.body).unwrap();
        let object = after["headers"].as_object_mut().unwrap();
        prop_assert!(object.remove("traceparent").is_some_and(|value| value.is_string()));
        prop_assert!(object.remove("tracestate").is_some_and(|value| value.is_string()));
        prop_assert_eq!(after, before);
    }
}

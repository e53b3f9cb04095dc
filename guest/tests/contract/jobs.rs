//! Jobs of BullMQ and Sidekiq, and CloudEvents: what each is called, and where its context goes.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::Value;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    DeliveryMode, Envelope, Message, MessageBits, Settings, Trust, VerdictBits,
};
use spanbridge_guest::component::Component;

use crate::host::{Answered, Parts, attributes, component, deliver, publish, settings, with_bits};

const JOB: &[u8] = include_bytes!("../data/bullmq-job.args");
const JOB_TRACED: &[u8] = include_bytes!("../data/bullmq-job-traced.args");
const JOB_DELAYED: &[u8] = include_bytes!("../data/bullmq-job-delayed.args");
const JOB_CHILD: &[u8] = include_bytes!("../data/bullmq-job-child.args");
const JOB_OMITTED: &[u8] = include_bytes!("../data/bullmq-job-omitted.args");
const OPTIONS: &[u8] = include_bytes!("../data/bullmq-options.json");
const OPTIONS_TRACED: &[u8] = include_bytes!("../data/bullmq-options-traced.json");
const OPTIONS_OMITTED: &[u8] = include_bytes!("../data/bullmq-options-omitted.json");
const SIDEKIQ: &[u8] = include_bytes!("../data/sidekiq.json");
const SIDEKIQ_SCHEDULED: &[u8] = include_bytes!("../data/sidekiq-scheduled.json");
const EVENT: &[u8] = include_bytes!("../data/cloudevent.json");
const EVENT_TRACED: &[u8] = include_bytes!("../data/cloudevent-traced.json");

/// The span that BullMQ's telemetry wrote into the job of the recording.
const JOB_PARENT: &str = "b1e362ffd1768d15";

fn route(kind: &str) -> Settings {
    let mut settings = settings("redis");
    settings.envelope = Some(Envelope { kind: kind.to_owned(), field: String::new() });
    settings
}

fn with_body(body: &[u8]) -> Parts {
    Parts { body: body.to_vec(), ..Parts::to("jobs") }
}

fn sent(component: &mut Component, body: &[u8]) -> Answered {
    publish(component, &with_body(body), |message: &mut Message| {
        message.bits = MessageBits::NO_HEADERS.bits().into();
    })
}

fn got(component: &mut Component, body: &[u8]) -> Answered {
    deliver(component, &with_body(body), with_bits(MessageBits::NO_HEADERS | MessageBits::UNSEEN))
}

/// What the edits make of the body.
fn edited(body: &[u8], answered: &Answered) -> Vec<u8> {
    with_body(body).apply(&answered.edits).body
}

fn parent(span: &Span) -> String {
    span.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is called so in the attributes; the empty string: nothing is.
fn said(span: &Span) -> [String; 2] {
    let attributes = attributes(span);
    ["messaging.message.id", "spanbridge.job.name"]
        .map(|name| attributes.get(name).cloned().unwrap_or_default())
}

#[test]
fn a_new_job_is_given_context_in_its_options() {
    for kind in ["bullmq", "auto"] {
        for (body, id, name) in [
            (JOB, "", "welcome"),
            (JOB_DELAYED, "order-7", "remind"),
            (JOB_CHILD, "2b9c3bd0-bb4d-4632-a200-094591633841", "child"),
        ] {
            let mut component = component(route(kind));
            let answered = sent(&mut component, body);
            assert!(answered.has(VerdictBits::INJECTED | VerdictBits::ROOT), "{kind} {name}");
            assert_eq!(said(&answered.spans[0]), [id, name]);
            let after = edited(body, &answered);
            // The map counts one more; everything else of the job is where it was.
            let options = body.windows(9).position(|nine| nine == b"\xa8attempts").unwrap() - 3;
            assert_eq!(after[..options], body[..options]);
            assert_eq!(after[options..options + 3], [0xde, 0, body[options + 2] + 1]);
            let (rest, added) = after[options + 3..].split_at(body.len() - options - 3);
            assert_eq!(rest, &body[options + 3..]);
            let added = added.strip_prefix(b"\xa2tm\xd9").unwrap();
            let context: Value = serde_json::from_slice(&added[1..]).unwrap();
            assert_eq!(usize::from(added[0]), added.len() - 1);
            let traceparent = context["traceparent"].as_str().unwrap();
            assert!(traceparent.contains(&format!("{:016x}", answered.verdict.span_id)));
            assert!(context["tracestate"].as_str().unwrap().starts_with("spanbridge=p:"));
        }
    }
}

#[test]
fn a_job_with_the_context_of_bullmqs_telemetry_stays_as_it_is() {
    let answered = sent(&mut component(route("bullmq")), JOB_TRACED);
    assert!(answered.has(VerdictBits::FOUND) && answered.edits.is_empty());
    let span = &answered.spans[0];
    assert_eq!((span.kind(), parent(span).as_str()), (SpanKind::Client, JOB_PARENT));
    assert_eq!(said(span), ["", "welcome"]);
}

#[test]
fn options_of_a_job_that_is_read_name_its_producer() {
    for kind in ["bullmq", "auto"] {
        let answered = got(&mut component(route(kind)), OPTIONS_TRACED);
        assert!(answered.has(VerdictBits::FOUND) && answered.edits.is_empty());
        let span = &answered.spans[0];
        assert_eq!((span.kind(), parent(span).as_str()), (SpanKind::Consumer, JOB_PARENT));
    }
    let answered = got(&mut component(route("bullmq")), OPTIONS);
    assert!(!answered.has(VerdictBits::FOUND) && !answered.has(VerdictBits::BODY_LEFT_ALONE));
    // Without context they could be anybody's.
    assert!(got(&mut component(route("auto")), OPTIONS).has(VerdictBits::BODY_LEFT_ALONE));
}

#[test]
fn a_job_that_is_read_can_be_continued() {
    for body in [OPTIONS, OPTIONS_TRACED] {
        let mut settings = route("bullmq");
        settings.delivery = DeliveryMode::Continue;
        let answered = got(&mut component(settings), body);
        let after: Value = serde_json::from_slice(&edited(body, &answered)).unwrap();
        let context: Value = serde_json::from_str(after["tm"].as_str().unwrap()).unwrap();
        let traceparent = context["traceparent"].as_str().unwrap();
        assert!(traceparent.contains(&format!("{:016x}", answered.verdict.span_id)), "{after}");
        assert_eq!(after["attempts"], 0);
    }
}

#[test]
fn a_job_that_omits_context_is_seen_and_not_changed() {
    let mut settings = route("bullmq");
    settings.delivery = DeliveryMode::Continue;
    let mut component = component(settings);
    for answered in [sent(&mut component, JOB_OMITTED), got(&mut component, OPTIONS_OMITTED)] {
        assert!(answered.edits.is_empty() && !answered.has(VerdictBits::INJECTED));
        assert!(answered.has(VerdictBits::ROOT) && !answered.has(VerdictBits::BODY_LEFT_ALONE));
        assert_eq!(answered.spans.len(), 1);
    }
}

#[test]
fn a_copied_context_of_ours_gives_way_in_a_job() {
    let mut component = component(route("bullmq"));
    let first = edited(JOB, &sent(&mut component, JOB));
    let again = sent(&mut component, &first);
    assert!(again.has(VerdictBits::COPIED | VerdictBits::INJECTED));
    let second = edited(&first, &again);
    assert_eq!(first.len(), second.len());
    assert_ne!(first, second);
    assert!(sent(&mut component, &second).has(VerdictBits::COPIED));
}

#[test]
fn sidekiq_jobs_and_events_are_given_context_as_their_last_members() {
    for (kind, body, name) in [
        ("sidekiq", SIDEKIQ, ["663691ef83be78750b44231d", "MailJob"]),
        ("sidekiq", SIDEKIQ_SCHEDULED, ["5f073f7d6efd47e75bcdb311", "MailJob"]),
        ("cloudevents", EVENT, ["a234-1234", ""]),
    ] {
        for kind in [kind, "auto"] {
            let mut component = component(route(kind));
            let answered = sent(&mut component, body);
            assert!(answered.has(VerdictBits::INJECTED), "{kind}");
            assert_eq!(said(&answered.spans[0]), name);
            let after = edited(body, &answered);
            let added = after.strip_prefix(&body[..body.len() - 1]).unwrap();
            assert!(added.starts_with(b",\"traceparent\":\"00-") && added.ends_with(b"}"));

            let received = got(&mut component, &after);
            assert_eq!(received.spans[0].parent_span_id, answered.spans[0].span_id);
            assert!(received.has(VerdictBits::PUBLISH_TIME_OWN));
            assert_eq!(said(&received.spans[0]), name);
        }
    }
}

#[test]
fn an_event_of_a_traced_producer_stays_as_it_is_unless_nobody_trusts_it() {
    let answered = sent(&mut component(route("cloudevents")), EVENT_TRACED);
    assert!(answered.has(VerdictBits::FOUND) && answered.edits.is_empty());
    assert_eq!(parent(&answered.spans[0]), "00f067aa0ba902b7");

    let mut settings = route("cloudevents");
    settings.trust = Trust::Restart;
    let answered = sent(&mut component(settings), EVENT_TRACED);
    let after: Value = serde_json::from_slice(&edited(EVENT_TRACED, &answered)).unwrap();
    assert!(!after["traceparent"].as_str().unwrap().contains("4bf92f35"), "{after}");
    assert!(!after["tracestate"].as_str().unwrap().contains("a=b"), "{after}");
}

#[test]
fn every_cut_of_a_recording_is_left_alone() {
    for body in [JOB, JOB_TRACED, JOB_DELAYED, JOB_CHILD, OPTIONS_TRACED, SIDEKIQ, EVENT] {
        let mut component = component(route("auto"));
        for cut in (1..body.len()).map(|end| &body[..end]) {
            let answered = sent(&mut component, cut);
            assert!(answered.edits.is_empty() && answered.has(VerdictBits::BODY_LEFT_ALONE));
            assert_eq!(answered.spans.len(), 1, "the publish is still seen");
        }
    }
}

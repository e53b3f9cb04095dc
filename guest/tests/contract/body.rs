//! Context in a body: read, written by splice, or left alone.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Envelope, MessageBits, Trust, VerdictBits,
};
use spanbridge_guest::component::Component;

use crate::host::{Parts, component, deliver, publish, settings};

fn with_json_envelope() -> Component {
    let mut settings = settings("redis");
    settings.envelope = Some(Envelope { kind: "json".to_owned(), field: String::new() });
    component(settings)
}

fn with_body(body: &str) -> Parts {
    Parts { body: body.as_bytes().to_vec(), ..Parts::to("jobs") }
}

#[test]
fn where_there_are_no_headers_the_context_goes_into_the_body() {
    let mut component = with_json_envelope();
    let body = r#"{ "n" : 1.50e2, "n": [ ] }"#;
    let sent = publish(&mut component, &with_body(body), |message| {
        message.bits = MessageBits::NO_HEADERS.bits().into();
    });
    assert!(sent.has(VerdictBits::INJECTED));
    let message = with_body(body).apply(&sent.edits);
    let text = String::from_utf8(message.body.clone()).unwrap();
    assert!(text.starts_with(r#"{ "n" : 1.50e2, "n": [ ]"#), "{text}");
    assert!(text.contains(r#""_otel":{"traceparent":"00-"#), "{text}");

    let got = deliver(&mut component, &message, |delivery| {
        delivery.bits = (MessageBits::UNSEEN | MessageBits::NO_HEADERS).bits().into();
    });
    assert_eq!(got.spans[0].parent_span_id, sent.spans[0].span_id);
    assert!(got.has(VerdictBits::PUBLISH_TIME_OWN));
}

#[test]
fn a_body_that_is_no_object_is_left_alone() {
    let mut component = with_json_envelope();
    for body in ["[1]", "{", "{} trailing", "\u{feff}{}", r#"{"_otel":3}"#] {
        let answered = publish(&mut component, &with_body(body), |message| {
            message.bits = MessageBits::NO_HEADERS.bits().into();
        });
        assert!(answered.edits.is_empty(), "{body}");
        assert!(answered.has(VerdictBits::BODY_LEFT_ALONE), "{body}");
    }
}

#[test]
fn a_header_wins_over_the_body_and_disagreement_is_told() {
    let mut component = with_json_envelope();
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body =
        r#"{"_otel":{"traceparent":"00-1bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01"}}"#;
    let answered = publish(&mut component, &with_body(body).header("traceparent", header), |_| {});
    assert!(answered.has(VerdictBits::FOUND | VerdictBits::DISAGREED));
    assert_ne!(answered.verdict.span_id, 0);
    assert_eq!(answered.verdict.trace_hi, 0x4bf9_2f35_77b3_4da6);
}

#[test]
fn an_untrusted_body_gets_a_context_of_ours_and_loses_its_baggage() {
    let mut settings = settings("redis");
    settings.envelope = Some(Envelope { kind: "json".to_owned(), field: String::new() });
    settings.trust = Trust::Restart;
    let mut component = component(settings);
    let traceparent = "00-1bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01";
    let body =
        format!(r#"{{"_otel":{{"traceparent":"{traceparent}","baggage":"admin=1"}},"n":1}}"#);
    let answered = publish(&mut component, &with_body(&body), |_| {});
    let text = String::from_utf8(with_body(&body).apply(&answered.edits).body).unwrap();
    assert!(!text.contains("admin") && !text.contains("1bf92f35"), "{text}");
    assert!(text.ends_with(r#""n":1}"#), "{text}");
}

#[test]
fn an_unknown_envelope_is_refused_with_those_that_are_known() {
    for (kind, field, expected) in [
        (
            "xml",
            "",
            "envelope: expected one of `json`, `kombu`, `bullmq`, `sidekiq`, `cloudevents`, \
             `auto`, found `xml`",
        ),
        ("kombu", "x", "envelope: expected no field with kind `kombu`, found `x`"),
        ("auto", "_otel", "envelope: expected no field with kind `auto`, found `_otel`"),
    ] {
        let (kind, field) = (kind.to_owned(), field.to_owned());
        let mut settings = settings("redis");
        settings.envelope = Some(Envelope { kind, field });
        assert_eq!(Component::new([1; 4]).open(0, settings).unwrap_err(), expected);
    }
}

#[test]
fn a_header_that_names_a_span_spares_the_body_unless_the_body_says_more() {
    let sparing = |kind: &str| {
        let mut settings = settings("nats");
        let (kind, field) = (kind.to_owned(), String::new());
        settings.envelope = Some(Envelope { kind, field });
        let fields = component(settings).fields(0).into_iter();
        fields.filter(|field| field.spares_body).map(|field| field.name).collect::<Vec<_>>()
    };
    // Not `tracestate`, not `baggage`, and no hint of a producer.
    assert_eq!(sparing("json"), ["traceparent"]);
    for kind in ["kombu", "bullmq", "sidekiq", "cloudevents", "auto"] {
        assert_eq!(sparing(kind), [""; 0], "{kind}");
    }
}

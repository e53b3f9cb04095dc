//! NATS JetStream: a publish that ends with its PubAck, a delayed nak, pulls, our queue wait.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Attribute, MessageBits, Outcome, Settings, VerdictBits,
};

use crate::host::{
    Parts, SECOND, Settle, T0, attributes, component, deliver, publish, settings, settle, with_bits,
};

#[test]
fn a_publish_ends_with_its_pub_ack() {
    let mut component = component(settings("nats"));
    let open = publish(&mut component, &Parts::to("orders.new"), |message| message.end = 0);
    let confirmed = open.settlement(Outcome::Confirmed, T0, T0 + SECOND);
    let span = settle(&mut component, &[confirmed]).remove(0);
    assert_eq!(span.name, "publish orders.new");
    assert_eq!(span.span_id, open.verdict.span_id.to_be_bytes());
    assert_eq!(span.end_time_unix_nano, T0 + SECOND);
}

#[test]
fn a_delayed_nak_says_when_the_message_comes_again() {
    let mut component = component(settings("nats"));
    let parts = Parts {
        attributes: vec![
            (Attribute::NatsStream, "ORDERS".to_owned()),
            (Attribute::ConsumerGroup, "billing".to_owned()),
        ],
        ..Parts::to("orders.new")
    };
    let open = deliver(&mut component, &parts, |delivery| delivery.published = T0);
    let nak = Settle {
        delay: 30 * SECOND,
        ..open.settlement(Outcome::Nack, T0 + 2 * SECOND, T0 + 3 * SECOND)
    };
    let span = settle(&mut component, &[nak]).remove(0);
    let attributes = attributes(&span);
    assert_eq!(span.kind(), SpanKind::Consumer);
    assert_eq!(attributes["spanbridge.redelivery_delay"], "30");
    assert_eq!(attributes["error.type"], "nack");
    assert_eq!(attributes["messaging.nats.stream"], "ORDERS");
    assert_eq!(attributes["messaging.consumer.group.name"], "billing");
    assert_eq!(attributes["spanbridge.queue_wait"], "2");
    assert_eq!(attributes["spanbridge.queue_wait.source"], "broker");
}

#[test]
fn a_publish_time_that_a_program_says_is_not_called_the_brokers() {
    let mut component = component(settings("redis"));
    let got = deliver(&mut component, &Parts::to("mail"), |delivery| {
        let bits = MessageBits::UNSEEN | MessageBits::PUBLISHED_BY_PRODUCER;
        (delivery.bits, delivery.published) = (u32::from(bits.bits()), T0);
    });
    assert!(!got.has(VerdictBits::PUBLISH_TIME_OWN));
    let attributes = attributes(&got.spans[0]);
    assert_eq!(attributes["spanbridge.queue_wait"], "2");
    assert_eq!(attributes["spanbridge.queue_wait.source"], "producer");
}

#[test]
fn without_the_brokers_time_the_wait_is_measured_from_our_member() {
    let mut component = component(settings("nats"));
    let sent = publish(&mut component, &Parts::to("orders.new"), |_| {});
    let message = Parts::to("orders.new").apply(&sent.edits);
    let got = deliver(&mut component, &message, with_bits(MessageBits::UNSEEN));
    assert!(got.has(VerdictBits::PUBLISH_TIME_OWN));
    assert_eq!(got.verdict.published, T0);
    let span = &got.spans[0];
    assert_eq!(attributes(span)["spanbridge.queue_wait"], "2");
    assert_eq!(attributes(span)["spanbridge.queue_wait.source"], "producer");
    assert_eq!(attributes(span)["spanbridge.execution"], "unseen");
    assert_eq!(span.start_time_unix_nano, span.end_time_unix_nano, "no work is claimed");
}

#[test]
fn an_unknown_publish_time_stays_unknown() {
    let mut component = component(settings("nats"));
    let got = deliver(&mut component, &Parts::to("a"), with_bits(MessageBits::UNSEEN));
    assert_eq!(got.verdict.published, 0);
    assert!(!attributes(&got.spans[0]).contains_key("spanbridge.queue_wait"));
}

#[test]
fn a_clock_that_runs_ahead_makes_no_negative_wait() {
    let mut component = component(settings("nats"));
    let got = deliver(&mut component, &Parts::to("a"), |delivery| {
        delivery.published = delivery.start + SECOND;
        delivery.bits = MessageBits::UNSEEN.bits().into();
    });
    assert!(got.has(VerdictBits::CLOCK_SKEW));
    assert_eq!(attributes(&got.spans[0])["spanbridge.queue_wait"], "0");
    assert_eq!(attributes(&got.spans[0])["spanbridge.clock_skew"], "true");
}

#[test]
fn a_pull_and_a_wait_get_spans_of_their_own_where_the_route_asks_for_them() {
    let mut settings = settings("nats");
    (settings.receive_spans, settings.queue_wait_spans) = (true, true);
    let mut component = component(settings);
    let got = deliver(&mut component, &Parts::to("orders.new"), |delivery| {
        delivery.published = T0;
        delivery.requested = T0 + SECOND;
    });
    let shown: Vec<_> = got
        .spans
        .iter()
        .map(|s| (s.name.as_str(), s.kind(), s.start_time_unix_nano, s.end_time_unix_nano))
        .collect();
    let delivered = T0 + 2 * SECOND;
    let expected = [
        ("wait orders.new", SpanKind::Internal, T0, delivered),
        ("receive orders.new", SpanKind::Client, T0 + SECOND, delivered),
    ];
    assert_eq!(shown, expected);
    assert!(!got.open.is_empty(), "the process span is still open");
}

#[test]
fn a_message_may_say_its_own_template_unless_the_route_has_one() {
    let parts = Parts {
        attributes: vec![(Attribute::DestinationTemplate, "orders.{id}".to_owned())],
        ..Parts::to("orders.7")
    };
    let with_route = |template: Option<&str>| {
        let template = template.map(str::to_owned);
        component(Settings { destination_template: template, ..settings("nats") })
    };
    for (route, expected) in [(None, "orders.{id}"), (Some("orders.>"), "orders.>")] {
        let sent = publish(&mut with_route(route), &parts, |_| {});
        let got = deliver(&mut with_route(route), &parts, with_bits(MessageBits::UNSEEN));
        for (span, operation) in [(&sent.spans[0], "publish"), (&got.spans[0], "process")] {
            assert_eq!(span.name, format!("{operation} {expected}"));
            assert_eq!(attributes(span)["messaging.destination.name"], "orders.7");
            assert_eq!(attributes(span)["messaging.destination.template"], expected);
            let templates = span.attributes.iter().filter(|pair| pair.key.ends_with(".template"));
            assert_eq!(templates.count(), 1);
        }
    }
}

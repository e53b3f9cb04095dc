//! AMQP 0-9-1: confirms, returns, settlements with `multiple` and `requeue`.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Attribute, MessageBits, Outcome, Relation, Settings,
};

use crate::host::{
    Parts, SECOND, Settle, T0, attributes, component, deliver, publish, settings, settle,
};

fn order(number: usize) -> Parts {
    Parts {
        id: format!("order-{number}"),
        attributes: vec![(Attribute::RoutingKey, "eu.paid".to_owned())],
        ..Parts::to("orders:eu.paid")
    }
}

#[test]
fn one_confirm_with_multiple_ends_every_publish_before_it() {
    let mut component = component(settings("rabbitmq"));
    let open: Vec<_> =
        (1..=3).map(|n| publish(&mut component, &order(n), |message| message.end = 0)).collect();
    assert!(open.iter().all(|answered| answered.spans.is_empty() && !answered.open.is_empty()));

    let confirmed = T0 + SECOND / 2;
    let ends: Vec<_> =
        open.iter().map(|open| open.settlement(Outcome::Confirmed, T0, confirmed)).collect();
    let spans = settle(&mut component, &ends);
    assert_eq!(spans.len(), 3);
    for (number, span) in spans.iter().enumerate() {
        let attributes = attributes(span);
        assert_eq!(span.name, "publish orders:eu.paid");
        assert_eq!(span.kind(), SpanKind::Producer);
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (T0, confirmed));
        assert_eq!(attributes["messaging.message.id"], format!("order-{}", number + 1));
        assert_eq!(attributes["messaging.rabbitmq.destination.routing_key"], "eu.paid");
        assert_eq!(attributes["spanbridge.outcome"], "confirmed");
        assert!(span.status.is_none());
    }
}

#[test]
fn a_returned_message_is_an_error_with_the_brokers_reason() {
    let mut component = component(settings("rabbitmq"));
    let open = publish(&mut component, &order(1), |message| message.end = 0);
    let returned = Settle {
        detail: "312 NO_ROUTE".to_owned(),
        ..open.settlement(Outcome::Returned, T0, T0 + SECOND)
    };
    let span = settle(&mut component, &[returned]).remove(0);
    let status = span.status.clone().unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "312 NO_ROUTE"));
    assert_eq!(attributes(&span)["error.type"], "returned");
}

#[test]
fn a_nack_with_requeue_ends_one_attempt_and_the_next_links_to_it() {
    let mut component = component(settings("rabbitmq"));
    let sent = publish(&mut component, &order(1), |_| {});
    let message = order(1).apply(&sent.edits);

    let first = deliver(&mut component, &message, |delivery| delivery.prefetched = 3);
    let requeued = first.settlement(Outcome::Requeue, T0 + 2 * SECOND, T0 + 3 * SECOND);
    let first_span = settle(&mut component, &[requeued]).remove(0);
    assert_eq!(attributes(&first_span)["spanbridge.outcome"], "requeue");
    assert_eq!(attributes(&first_span)["spanbridge.prefetched"], "3");
    assert!(first_span.status.is_none(), "put back is not failed");

    let second = deliver(&mut component, &message, |delivery| {
        delivery.attempt = 2;
        delivery.previous_hi = first.verdict.trace_hi;
        delivery.previous_lo = first.verdict.trace_lo;
        delivery.previous_span = first.verdict.span_id;
    });
    let acked = second.settlement(Outcome::Ack, T0 + 4 * SECOND, T0 + 5 * SECOND);
    let second_span = settle(&mut component, &[acked]).remove(0);
    assert_eq!(attributes(&second_span)["spanbridge.attempt"], "2");
    assert!(second_span.links.iter().any(|link| link.span_id == first_span.span_id));
    assert_eq!(second_span.parent_span_id, sent.spans[0].span_id);
}

#[test]
fn spans_of_several_deliveries_end_in_one_call_in_their_order() {
    let mut component = component(settings("rabbitmq"));
    let open: Vec<_> = (0..4).map(|n| deliver(&mut component, &order(n), |_| {})).collect();
    let outcomes = [Outcome::Ack, Outcome::Reject, Outcome::Ack, Outcome::Abandoned];
    let ends: Vec<_> = open
        .iter()
        .zip(outcomes)
        .map(|(open, outcome)| open.settlement(outcome, T0, T0 + SECOND))
        .collect();
    let spans = settle(&mut component, &ends);
    let shown = spans.iter().map(|span| attributes(span)["spanbridge.outcome"].clone());
    assert_eq!(shown.collect::<Vec<_>>(), ["ack", "reject", "ack", "abandoned"]);
}

#[test]
fn a_redelivery_that_nobody_counts_says_so_and_starts_a_trace_of_its_own_under_auto() {
    let mut component = component(Settings { relation: Relation::Auto, ..settings("rabbitmq") });
    let sent = publish(&mut component, &order(1), |_| {});
    let message = order(1).apply(&sent.edits);
    for (bits, redelivered) in [(MessageBits::empty(), false), (MessageBits::REDELIVERED, true)] {
        let delivered = deliver(&mut component, &message, |delivery| {
            (delivery.bits, delivery.attempt) = (bits.bits().into(), 0);
        });
        let acked = delivered.settlement(Outcome::Ack, T0, T0 + SECOND);
        let span = settle(&mut component, &[acked]).remove(0);
        let shown = attributes(&span).get("spanbridge.redelivered").cloned();
        assert_eq!(shown.as_deref(), redelivered.then_some("true"));
        assert!(!attributes(&span).contains_key("spanbridge.attempt"), "nobody has counted");
        assert_eq!(span.trace_id == sent.spans[0].trace_id, !redelivered);
    }
}

//! Attribute and link limits, old names, and names that are not text.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Attribute, MessageBits, Outcome, VerdictBits,
};

use crate::host::{
    Parts, T0, attributes, component, deliver, publish, settings, settle, with_bits,
};

#[test]
fn old_names_come_beside_the_new_ones() {
    let mut settings = settings("rabbitmq");
    (settings.old_names, settings.body_size) = (true, true);
    let mut component = component(settings);
    let parts = Parts {
        id: "m1".to_owned(),
        attributes: vec![(Attribute::ClientId, "billing".to_owned())],
        body: b"12345".to_vec(),
        ..Parts::to("orders")
    };
    let answered = publish(&mut component, &parts, |_| {});
    let shown = attributes(&answered.spans[0]);
    let table = [
        ("messaging.operation.type", "send"),
        ("messaging.operation", "publish"),
        ("messaging.destination.name", "orders"),
        ("messaging.destination", "orders"),
        ("messaging.client.id", "billing"),
        ("messaging.client_id", "billing"),
        ("messaging.message.id", "m1"),
        ("messaging.message_id", "m1"),
        ("messaging.message.body.size", "5"),
    ];
    for (name, value) in table {
        assert_eq!(shown.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn attributes_past_the_limit_are_counted_and_the_outcome_still_fits() {
    let mut settings = settings("nats");
    settings.attribute_count_max = 5;
    let mut component = component(settings);
    let open = deliver(&mut component, &Parts::to("orders"), |_| {});
    assert!(open.has(VerdictBits::TRUNCATED));
    let failed = open.settlement(Outcome::Nack, T0, T0 + 1);
    let span = settle(&mut component, &[failed]).remove(0);
    assert!(span.attributes.len() <= 5, "{:?}", attributes(&span));
    assert_eq!(attributes(&span)["spanbridge.outcome"], "nack");
    assert!(span.dropped_attributes_count > 0);
}

#[test]
fn a_long_value_is_cut_and_links_past_the_limit_are_counted() {
    let mut settings = settings("nats");
    (settings.attribute_value_length_max, settings.link_count_max) = (4, 0);
    let mut component = component(settings);
    let parts = Parts::to("orders.élan")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let answered = deliver(&mut component, &parts, with_bits(MessageBits::UNSEEN));
    let span = &answered.spans[0];
    assert_eq!(attributes(span)["messaging.destination.name"], "orde");
    assert_eq!((span.links.len(), span.dropped_links_count), (0, 1));
}

#[test]
fn a_span_never_ends_before_it_begins() {
    let mut component = component(settings("nats"));
    let answered = publish(&mut component, &Parts::to("a"), |message| message.end = T0 - 5);
    assert_eq!(answered.spans[0].end_time_unix_nano, T0);
}

//! Who creates the context, who keeps it, and how a consumer's span relates to it.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Delivery, DeliveryMode, MessageBits, Relation, Settings, Trust, VerdictBits,
};
use spanbridge_guest::bindings::spanbridge::tracing::types::Propagator;
use spanbridge_guest::component::Component;

use crate::host::{Answered, Parts, SECOND, component, deliver, publish, settings, with_bits};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn foreign() -> Parts {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    Parts::to("orders").header("Traceparent", &traceparent).header("tracestate", "vendor=x")
}

/// A delivery whose work is unseen, so that its span comes at once.
fn deliver_span(component: &mut Component, parts: &Parts) -> Span {
    deliver(component, parts, with_bits(MessageBits::UNSEEN)).spans.remove(0)
}

fn with(change: impl FnOnce(&mut Settings)) -> Component {
    let mut settings = settings("nats");
    change(&mut settings);
    component(settings)
}

#[test]
fn a_message_without_context_gets_one_from_a_producer_root() {
    let mut component = with(|_| {});
    let answered = publish(&mut component, &Parts::to("orders"), |_| {});
    let span = &answered.spans[0];
    assert_eq!((span.kind(), span.name.as_str()), (SpanKind::Producer, "publish orders"));
    assert!(span.parent_span_id.is_empty() && span.links.is_empty());
    assert!(answered.has(VerdictBits::INJECTED | VerdictBits::ROOT | VerdictBits::SAMPLED));

    let message = Parts::to("orders").apply(&answered.edits);
    let expected = format!("00-{}-{}-03", hex(&span.trace_id), hex(&span.span_id));
    assert_eq!(message.get("traceparent"), Some(expected.as_str()));
    let member = format!("spanbridge=p:{};t:1763900000000", hex(&span.span_id));
    assert_eq!(message.get("tracestate"), Some(member.as_str()));
}

#[test]
fn a_parent_that_the_host_knows_makes_the_publish_its_child() {
    let mut component = with(|_| {});
    let answered = publish(&mut component, &Parts::to("orders"), |message| {
        (message.parent_hi, message.parent_lo, message.parent_span) = (1, 2, 3);
        message.bits = MessageBits::PARENT_SAMPLED.bits().into();
    });
    let span = &answered.spans[0];
    assert_eq!(hex(&span.trace_id), "00000000000000010000000000000002");
    assert_eq!(hex(&span.parent_span_id), "0000000000000003");
    assert_eq!(span.flags, 0x101, "the parent is local, its trace-id not known to be random");
}

#[test]
fn somebody_elses_context_is_never_overwritten() {
    let mut component = with(|_| {});
    let answered = publish(&mut component, &foreign(), |_| {});
    assert!(answered.edits.is_empty());
    assert!(answered.has(VerdictBits::FOUND) && !answered.has(VerdictBits::INJECTED));
    let span = &answered.spans[0];
    assert_eq!(span.kind(), SpanKind::Client);
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), SPAN.into()));
    assert_eq!(hex(&span.links[0].span_id), SPAN);
    assert_eq!(span.trace_state, "vendor=x");
    assert_eq!(span.flags, 0x301, "the parent is remote");
}

#[test]
fn a_copy_of_our_own_context_is_replaced_and_linked() {
    let mut component = with(|settings| settings.relation = Relation::Auto);
    let first = publish(&mut component, &Parts::to("orders"), |_| {});
    let copied = Parts::to("orders").apply(&first.edits).header("baggage", "k=v");
    let again = publish(&mut component, &copied, |_| {});
    assert!(again.has(VerdictBits::COPIED | VerdictBits::INJECTED | VerdictBits::ROOT));
    let span = &again.spans[0];
    assert_eq!(span.kind(), SpanKind::Producer);
    assert_eq!(span.links[0].span_id, first.spans[0].span_id);
    let message = copied.apply(&again.edits);
    assert!(message.get("traceparent").unwrap().contains(&hex(&span.span_id)));
    assert_eq!(message.get("baggage"), Some("k=v"), "baggage survives");
}

#[test]
fn our_own_context_stays_where_a_host_in_front_has_just_written_it() {
    let mut component = with(|settings| settings.relation = Relation::Auto);
    let first = publish(&mut component, &Parts::to("orders"), |_| {});
    let relayed = Parts::to("orders").apply(&first.edits);
    let mut after = |ms: u64, parts: &Parts| {
        publish(&mut component, parts, |message| {
            message.bits = MessageBits::RELAYED.bits().into();
            message.start += ms * 1_000_000;
            message.end += ms * 1_000_000;
        })
    };
    let passed_on = after(999, &relayed);
    assert!(passed_on.edits.is_empty() && passed_on.spans.is_empty());
    assert!(passed_on.has(VerdictBits::FOUND) && passed_on.verdict.span_id == 0);
    assert!(!passed_on.has(VerdictBits::COPIED));
    let copied = after(1000, &relayed);
    assert!(copied.has(VerdictBits::COPIED | VerdictBits::INJECTED), "sent again by its program");
    assert_eq!(copied.spans[0].links[0].span_id, first.spans[0].span_id);
    assert!(after(0, &Parts::to("orders")).has(VerdictBits::INJECTED), "none is there");
    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let theirs = Parts::to("orders").header("traceparent", theirs);
    assert_eq!(after(0, &theirs).spans[0].kind(), SpanKind::Client, "somebody else's");
}

#[test]
fn our_member_goes_stale_when_somebody_continues_the_trace() {
    let mut component = with(|_| {});
    let first = publish(&mut component, &Parts::to("orders"), |_| {});
    let mut continued = Parts::to("orders").apply(&first.edits);
    let traceparent = format!("00-{}-{SPAN}-01", hex(&first.spans[0].trace_id));
    continued.headers.retain(|(name, _)| name != "traceparent");
    let continued = continued.header("traceparent", &traceparent);
    let again = publish(&mut component, &continued, |_| {});
    assert!(again.edits.is_empty() && !again.has(VerdictBits::COPIED));
    assert_eq!(hex(&again.spans[0].parent_span_id), SPAN);
    let got = deliver(&mut component, &continued, |_| {});
    assert_eq!(got.verdict.published, 0, "nor is its time believed");
}

#[test]
fn each_relation_stands_where_it_says() {
    // relation, same trace, links
    let table = [
        (Relation::Parent, true, 0),
        (Relation::ParentAndLink, true, 1),
        (Relation::Link, false, 1),
        (Relation::Root, false, 0),
        (Relation::Auto, true, 1),
    ];
    for (relation, same_trace, links) in table {
        let mut component = with(|settings| settings.relation = relation);
        let span = deliver_span(&mut component, &foreign());
        assert_eq!(hex(&span.trace_id) == TRACE, same_trace, "{relation:?}");
        assert_eq!(span.parent_span_id.is_empty(), !same_trace, "{relation:?}");
        assert_eq!(span.links.len(), links, "{relation:?}");
        assert_eq!((span.kind(), span.name.as_str()), (SpanKind::Consumer, "process orders"));
    }
}

#[test]
fn auto_starts_a_trace_for_second_attempts_fan_out_batches_and_long_waits() {
    type Change = fn(&mut Delivery);
    let table: [(&str, Change, bool); 6] = [
        ("ordinary", |_| {}, false),
        ("redelivered", |delivery| delivery.attempt = 2, true),
        ("fan-out", |delivery| delivery.bits |= u32::from(MessageBits::FAN_OUT.bits()), true),
        ("batch", |delivery| delivery.bits |= u32::from(MessageBits::BATCH.bits()), true),
        ("an hour", |delivery| delivery.published = delivery.start - 3600 * SECOND, true),
        ("nearly", |delivery| delivery.published = delivery.start - 3600 * SECOND + 1, false),
    ];
    for (what, change, root) in table {
        let mut component = with(|settings| settings.relation = Relation::Auto);
        let answered = deliver(&mut component, &foreign(), change);
        assert_eq!(answered.has(VerdictBits::ROOT), root, "{what}");
    }
}

#[test]
fn a_producers_hint_beats_the_routes_relation() {
    let table = [
        ("MT-Activity-Propagation", "Link", true, 1),
        ("MT-Activity-Propagation", "New", true, 0),
        ("MT-Activity-Propagation", "Child", false, 1),
        ("MT-Activity-Propagation", "Whatever", false, 0),
        ("NServiceBus.OpenTelemetry.StartNewTrace", "True", true, 1),
        ("NServiceBus.OpenTelemetry.StartNewTrace", "False", false, 0),
    ];
    for (name, value, root, links) in table {
        let mut component = with(|settings| settings.relation = Relation::Parent);
        let span = deliver_span(&mut component, &foreign().header(name, value));
        assert_eq!((span.parent_span_id.is_empty(), span.links.len()), (root, links), "{value}");
    }
}

#[test]
fn keep_leaves_a_delivery_as_it_is_and_continue_replaces_its_context() {
    let mut keep = with(|_| {});
    assert!(deliver(&mut keep, &foreign(), |_| {}).edits.is_empty());

    let mut component = with(|settings| settings.delivery = DeliveryMode::Continue);
    let answered = deliver(&mut component, &foreign(), with_bits(MessageBits::UNSEEN));
    let message = foreign().apply(&answered.edits);
    let process = hex(&answered.spans[0].span_id);
    assert_eq!(message.get("traceparent"), Some(format!("00-{TRACE}-{process}-01").as_str()));
    let tracestate = message.get("tracestate").unwrap();
    assert!(tracestate.starts_with(&format!("spanbridge=p:{process};t:")), "{tracestate}");
    assert!(tracestate.ends_with(",vendor=x"), "{tracestate}");
}

#[test]
fn without_consumer_spans_a_delivery_is_left_alone_but_its_wait_is_told() {
    let mut component = with(|settings| {
        (settings.consumer_spans, settings.delivery) = (false, DeliveryMode::Continue);
    });
    let answered = deliver(&mut component, &foreign(), |delivery| delivery.published = 5);
    assert!(answered.edits.is_empty() && answered.spans.is_empty() && answered.open.is_empty());
    assert_eq!((answered.verdict.published, answered.verdict.span_id), (5, 0));
}

#[test]
fn an_untrusted_context_is_replaced_linked_and_loses_its_baggage() {
    let mut component = with(|settings| settings.trust = Trust::Restart);
    let parts = foreign().header("baggage", "admin=true").header("x-other", "1");
    let answered = publish(&mut component, &parts, |_| {});
    let span = &answered.spans[0];
    assert_ne!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.links[0].trace_id), TRACE);
    assert_eq!(span.links[0].trace_state, "vendor=x");
    let message = parts.apply(&answered.edits);
    assert!(message.get("traceparent").unwrap().contains(&hex(&span.span_id)));
    assert!(!message.get("tracestate").unwrap().contains("vendor"));
    assert_eq!((message.get("baggage"), message.get("x-other")), (None, Some("1")));
}

#[test]
fn a_context_that_cannot_be_read_counts_as_none_and_is_reported() {
    let mut component = with(|_| {});
    let parts = Parts::to("orders").header("traceparent", "00-zero-zero-01");
    let answered = publish(&mut component, &parts, |_| {});
    assert!(answered.has(VerdictBits::INVALID | VerdictBits::INJECTED));
    assert!(parts.apply(&answered.edits).get("traceparent").unwrap().ends_with("-03"));
}

#[test]
fn a_message_that_must_not_change_gets_a_span_and_no_edit() {
    let mut component = with(|_| {});
    for bits in [MessageBits::READ_ONLY, MessageBits::NO_HEADERS] {
        let answered: Answered = publish(&mut component, &Parts::to("orders"), |message| {
            message.bits = bits.bits().into();
        });
        assert!(answered.edits.is_empty() && !answered.has(VerdictBits::INJECTED));
        assert_eq!(answered.spans.len(), 1);
    }
}

#[test]
fn every_configured_format_is_written() {
    let mut component = with(|settings| {
        settings.propagators = vec![Propagator::B3, Propagator::Jaeger, Propagator::Tracecontext];
    });
    let answered = publish(&mut component, &Parts::to("orders"), |_| {});
    let message = Parts::to("orders").apply(&answered.edits);
    let span = hex(&answered.spans[0].span_id);
    for name in ["traceparent", "tracestate", "b3", "uber-trace-id"] {
        assert!(message.get(name).is_some_and(|value| value.contains(&span)), "{name}");
    }
}

#[test]
fn a_temporary_destination_is_not_in_the_name() {
    let mut component = with(|_| {});
    let answered = publish(&mut component, &Parts::to("_INBOX.x1"), |message| {
        message.bits = MessageBits::TEMPORARY.bits().into();
    });
    assert_eq!(answered.spans[0].name, "publish");
    let mut templated =
        with(|settings| settings.destination_template = Some("orders.{id}".to_owned()));
    let answered = publish(&mut templated, &Parts::to("orders.17"), |_| {});
    assert_eq!(answered.spans[0].name, "publish orders.{id}");
}

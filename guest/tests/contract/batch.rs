//! Many messages in one call.

use std::collections::BTreeSet;

use crate::host::{Parts, component, publish, settings, take_apart};

#[test]
fn sixty_four_messages_to_sixty_four_destinations_are_one_call() {
    let mut component = component(settings("nats"));
    let parts: Vec<_> = (0..64).map(|n| Parts::to(&format!("_INBOX.client.{n}"))).collect();
    let mut arena = Vec::new();
    let messages: Vec<_> = parts.iter().map(|parts| parts.message(&mut arena)).collect();
    let answered = take_apart(component.publish(&messages, &arena));

    let traces: BTreeSet<_> = answered.iter().map(|a| a.verdict.trace_lo).collect();
    assert_eq!(traces.len(), 64, "each has a trace of its own");
    for (parts, answered) in parts.iter().zip(&answered) {
        let [span] = answered.spans.as_slice() else { panic!("one span each") };
        assert_eq!(span.name, format!("publish {}", parts.destination));
        let message = parts.clone().apply(&answered.edits);
        let ids = (answered.verdict.trace_hi, answered.verdict.trace_lo, answered.verdict.span_id);
        let expected = format!("00-{:016x}{:016x}-{:016x}-03", ids.0, ids.1, ids.2);
        assert_eq!(message.get("traceparent"), Some(expected.as_str()));
    }
}

#[test]
fn a_batch_and_the_same_messages_one_by_one_get_the_same_answers() {
    let make = || component(settings("redis"));
    let (mut batched, mut single) = (make(), make());
    let parts: Vec<_> = (0..8)
        .map(|n| {
            let parts = Parts::to("stream").header("baggage", "k=v");
            match n % 3 {
                0 => parts,
                1 => parts.header("traceparent", VALID),
                _ => parts.header("Traceparent", VALID).header("tracestate", "a=1,b=2"),
            }
        })
        .collect();
    let mut arena = Vec::new();
    let messages: Vec<_> = parts.iter().map(|parts| parts.message(&mut arena)).collect();
    let together = take_apart(batched.publish(&messages, &arena));
    for (parts, together) in parts.iter().zip(together) {
        let alone = publish(&mut single, parts, |_| {});
        assert_eq!((alone.edits, alone.spans), (together.edits, together.spans));
        assert_eq!(alone.verdict.span_id, together.verdict.span_id);
    }
}

#[test]
fn a_message_of_a_route_that_is_not_open_is_left_alone() {
    let mut component = component(settings("nats"));
    let answered = publish(&mut component, &Parts::to("a"), |message| message.route = 7);
    assert_eq!((answered.verdict.span_id, answered.verdict.bits), (0, 0));
    assert!(answered.edits.is_empty() && answered.spans.is_empty());
}

#[test]
fn an_empty_call_has_an_empty_answer() {
    let mut component = component(settings("nats"));
    assert!(take_apart(component.publish(&[], &[])).is_empty());
    assert!(component.settle(&[], &[]).is_empty());
}

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

//! What is held of a message whose body has to be looked at, how long, and what is not.

use spanbridge_gateway::relay::Side;
use spanbridge_gateway::relay::bodies::BODY_BYTES_MAX;

use super::{BODY, ROUTE, TRACEPARENT, continuing, in_two, old, taken_out};
use crate::frames::{StreamMessage, deliver, operations, publish};
use crate::harness::START;
use crate::routes::Routed;

/// A JSON object of this length.
fn of_length(length: usize) -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8))
}

#[test]
fn a_message_is_held_until_its_body_is_whole_and_no_longer() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    let message = publish("json.a", "", None, BODY);
    let before = "PING\r\n";
    let all = format!("{before}{message}");
    for cut in 0..=all.len() {
        session.client(&all[..cut]);
        let early = session.take_to_broker();
        let expected = if cut < before.len() { "" } else { before };
        if cut < all.len() {
            assert_eq!(early, expected, "{cut}");
        }
        assert_eq!(
            session.is_at_boundary(Side::Client),
            [0, before.len(), all.len()].contains(&cut)
        );
        session.client(&all[cut..]);
        let sent = early + &session.take_to_broker();
        let sent = operations(sent.as_bytes());
        assert_eq!(sent[1].words, ["PUB", "json.a"], "{cut}");
        let (body, traceparent) = taken_out(&sent[1].payload);
        assert!(body == BODY && traceparent.is_some(), "{cut}");
    }
    assert_eq!(routed.bed.spans().len(), all.len() + 1, "one for each");
}

#[test]
fn a_held_delivery_is_one_delivery() {
    let routed = Routed::new(&continuing());
    let mut session = old(&routed.bed);
    session.client("SUB json.> workers 1\r\nUNSUB 1 2\r\n");
    let message =
        StreamMessage { subject: "json.a".into(), sequence: 1, attempt: 1, stored: START };
    let stream = deliver("json.a", &message.ack_subject(), None, BODY);
    for byte in stream.as_bytes() {
        session.feed(Side::Broker, &[*byte]);
    }
    let got = operations(session.take_to_client().as_bytes()).remove(0);
    assert_eq!(taken_out(&got.payload).0, BODY);
    assert_eq!(
        (routed.bed.open_spans.len(), routed.bed.counters.messages_seen.delivered.get()),
        (1, 1)
    );
    // The subscription ends behind its second message, not before: its group is still known.
    let core = deliver("json.a", "", None, BODY);
    in_two(&mut session, Side::Broker, &core, 20);
    let spans = routed.bed.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(spans[0].get("messaging.consumer.group.name"), Some("workers"));
}

#[test]
fn what_no_body_is_needed_of_is_not_held() {
    let routed = Routed::new(ROUTE);
    let context = format!("traceparent: {TRACEPARENT}\r\n");
    for (subject, headers, body) in [
        // A header names a span.
        ("json.a", Some(context.as_str()), BODY.to_owned()),
        // The route has no envelope.
        ("other", Some(context.as_str()), BODY.to_owned()),
        ("_INBOX.json", None, BODY.to_owned()),
        // One byte too long.
        ("json.a", Some("A: b\r\n"), of_length(BODY_BYTES_MAX + 1)),
    ] {
        for side in [Side::Client, Side::Broker] {
            let mut session = routed.bed.connected();
            let message = match side {
                Side::Client => publish(subject, "", headers, &body),
                Side::Broker => deliver(subject, "", headers, &body),
            };
            let head = message.len() - body.len() - 2;
            session.feed(side, &message.as_bytes()[..head]);
            let got = match side {
                Side::Client => session.take_to_broker(),
                Side::Broker => session.take_to_client(),
            };
            assert!(got.ends_with("\r\n") && got.len() >= head, "{subject} {got:?}");
            session.feed(side, &message.as_bytes()[head..]);
            assert!(session.is_at_boundary(side));
        }
    }
    assert_eq!(routed.bed.counters.bodies_left_alone.bytes.get(), 2);
    assert_eq!(routed.bed.counters.bodies_left_alone.content.get(), 0);
}

#[test]
fn bodies_are_read_up_to_the_limit_and_a_longer_one_is_traced_without() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    for (length, is_read) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let message = publish("json.a", "", None, &of_length(length));
        for piece in message.as_bytes().chunks(1000) {
            session.feed(Side::Client, piece);
        }
        let sent = operations(session.take_to_broker().as_bytes()).remove(0);
        let (body, traceparent) = taken_out(&sent.payload);
        assert!(body.len() == length && traceparent.is_some() == is_read);
    }
    assert_eq!(routed.bed.spans().len(), 2);
    assert_eq!(routed.bed.counters.bodies_left_alone.bytes.get(), 1);
    assert_eq!(routed.bed.counters.injections_skipped.no_headers.get(), 1);
}

#[test]
fn bodies_past_what_one_call_takes_wait_for_the_write_of_those_before_them() {
    let routed = Routed::new(&continuing());
    let mut session = old(&routed.bed);
    // Three together are a byte too many.
    let body = of_length(BODY_BYTES_MAX / 3 + 1);
    for side in [Side::Client, Side::Broker] {
        let one = match side {
            Side::Client => publish("json.a", "", None, &body),
            Side::Broker => deliver("json.a", "", None, &body),
        };
        session.writes = 0;
        session.feed(side, one.repeat(5).as_bytes());
        assert_eq!(session.writes, 3);
        let got = match side {
            Side::Client => session.take_to_broker(),
            Side::Broker => session.take_to_client(),
        };
        let got = operations(got.as_bytes());
        assert_eq!(got.len(), 5);
        for operation in got {
            let (found, traceparent) = taken_out(&operation.payload);
            assert!(found == body && traceparent.is_some());
        }
    }
    assert_eq!(routed.bed.counters.messages_untraced.total(), 0);
}

#[test]
fn messages_behind_a_large_body_wait_for_its_write() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    session.writes = 0;
    let large = publish("json.a", "", None, &of_length(BODY_BYTES_MAX));
    session.client(large + &publish("other", "", None, "x").repeat(1000));
    assert_eq!(session.writes, 2);
    let sent = operations(session.take_to_broker().as_bytes());
    assert!(taken_out(&sent[0].payload).1.is_some());
    assert_eq!((sent.len(), routed.bed.spans().len()), (1001, 1001));
}

#[test]
fn what_is_held_goes_on_when_its_sender_ends() {
    let routed = Routed::new(ROUTE);
    for cut in 1..40 {
        let mut session = old(&routed.bed);
        let message = publish("json.a", "", None, BODY);
        session.client(&message[..cut]);
        session.close();
        assert_eq!(session.take_to_broker(), message[..cut]);
    }
    assert_eq!(routed.bed.spans(), []);
}

#[test]
fn a_body_that_does_not_end_as_it_should_is_not_waited_for() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    let message = format!("PUB json.a {}\r\n{BODY}X", BODY.len());
    session.client(&message);
    assert_eq!(session.take_to_broker(), message);
    assert_eq!(routed.bed.counters.sessions_raw.protocol.get(), 1);
}

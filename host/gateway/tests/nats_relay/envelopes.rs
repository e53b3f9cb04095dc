//! Context in bodies: read, written and left alone, however the bytes come.

mod held;
mod random;

use spanbridge_gateway::relay::Side;

use crate::faults::{FAULTS, faulty};
use crate::frames::{StreamMessage, acknowledge, deliver, operations, publish, status};
use crate::harness::{Bed, CLIENT, CONNECT, INFO, OLD_CONNECT, Options, PRODUCER, START, Session};
use crate::routes::Routed;

/// The route of these tests, for subjects below `json`.
const ROUTE: &str = "[[route]]\ndestination = \"json.>\"\nenvelope = \"json\"\n";

/// A number, a blank and a key that a program that reads and writes JSON would lose.
const BODY: &str = "{ \"n\" : 1.50e2, \"n\": [ ] }";

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn continuing() -> String {
    format!("{ROUTE}delivery = \"continue\"\n")
}

/// A session whose client takes no headers.
fn old(bed: &Bed) -> Session {
    let mut session = bed.session();
    session.broker(INFO);
    session.client(OLD_CONNECT);
    (session.to_broker, session.to_client) = (Vec::new(), Vec::new());
    session
}

/// A body with somebody's context.
fn with_context() -> String {
    format!("{{\"_otel\":{{\"traceparent\":\"{TRACEPARENT}\"}},\"n\":1.0}}")
}

/// What a body was before a context was added at its end, and that context's traceparent.
fn taken_out(body: &[u8]) -> (String, Option<String>) {
    let text = String::from_utf8(body.to_vec()).expect("JSON is text");
    let Some((before, rest)) = text.split_once("\"_otel\":{\"traceparent\":\"") else {
        return (text, None);
    };
    let (value, rest) = rest.split_once("\",\"tracestate\":\"spanbridge=p:").expect("a tracestate");
    let (_, after) = rest.split_once("\"}").expect("the end of the member");
    let before = before.strip_suffix(',').unwrap_or(before);
    (format!("{before}{after}"), Some(value.to_owned()))
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn where_there_are_no_headers_the_context_goes_through_the_body() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    session.client(publish("json.a", "", None, BODY));
    let sent = operations(session.take_to_broker().as_bytes());
    assert_eq!(sent[0].words, ["PUB", "json.a"], "and the length is right");
    let (before, traceparent) = taken_out(&sent[0].payload);
    let publish = routed.bed.only_span();
    assert_eq!((before.as_str(), publish.kind), (BODY, PRODUCER));
    assert!(traceparent.unwrap().contains(&hex(&publish.span_id)));

    let delivered = deliver("json.a", "", None, std::str::from_utf8(&sent[0].payload).unwrap());
    session.broker(&delivered);
    assert_eq!(session.take_to_client(), delivered, "keep: the consumer gets what came");
    let process = routed.bed.spans().pop().unwrap();
    assert_eq!((&process.trace_id, &process.parent), (&publish.trace_id, &publish.span_id));
    assert_eq!(process.get("spanbridge.queue_wait.source"), Some("producer"));
    let counters = &routed.bed.counters;
    assert_eq!(counters.injections_skipped.total() + counters.bodies_left_alone.total(), 0);
}

#[test]
fn where_there_are_headers_the_context_goes_there_unless_the_body_has_one() {
    let routed = Routed::new(ROUTE);
    let mut session = routed.bed.connected();
    session.client(publish("json.a", "", None, BODY));
    let sent = operations(session.take_to_broker().as_bytes());
    assert!(sent[0].traceparent.is_some() && sent[0].payload == BODY.as_bytes());

    // A header that names no span does not speak for the body.
    for headers in [None, Some("baggage: a=1\r\n")] {
        let message = publish("json.a", "", headers, &with_context());
        session.client(&message);
        assert_eq!(session.take_to_broker(), message, "somebody else's context");
        let span = routed.bed.spans().pop().unwrap();
        assert_eq!((hex(&span.trace_id).as_str(), span.kind), (TRACE_ID, CLIENT));
    }
}

#[test]
fn a_copy_of_our_context_in_a_body_gives_way_to_a_new_one() {
    let routed = Routed::new(ROUTE);
    let (mut old, mut new) = (old(&routed.bed), routed.bed.connected());
    old.client(publish("json.a", "", None, BODY));
    let first = operations(old.take_to_broker().as_bytes()).remove(0).payload;
    // A client with headers as well: the place where the context was is the place where it goes.
    new.client(publish("json.a", "", None, std::str::from_utf8(&first).unwrap()));
    let second = operations(new.take_to_broker().as_bytes()).remove(0);
    assert_eq!((second.words.join(" ").as_str(), second.traceparent), ("PUB json.a", None));
    assert_eq!(second.payload.len(), first.len(), "only ids and time change");
    let (before, traceparent) = taken_out(&second.payload);
    assert_eq!(before, BODY);
    assert!(traceparent.unwrap().contains(&hex(&routed.bed.spans()[1].span_id)));
}

#[test]
fn a_consumer_without_headers_continues_from_the_body() {
    let routed = Routed::new(&continuing());
    let mut session = old(&routed.bed);
    let message =
        StreamMessage { subject: "json.a".into(), sequence: 1, attempt: 1, stored: START };
    for (body, grows) in [(with_context(), false), (BODY.to_owned(), true)] {
        session.broker(deliver("json.a", &message.ack_subject(), None, &body));
        let got = operations(session.take_to_client().as_bytes()).remove(0);
        session.client(acknowledge(&message, "+ACK"));
        let process = routed.bed.spans().pop().unwrap();
        let got = String::from_utf8(got.payload).unwrap();
        assert!(got.contains(&hex(&process.span_id)), "{got}");
        if grows {
            assert_eq!(taken_out(got.as_bytes()).0, BODY);
        } else {
            assert_eq!(
                (hex(&process.trace_id).as_str(), process.outcome()),
                (TRACE_ID, Some("ack"))
            );
            assert!(got.starts_with("{\"_otel\":{\"traceparent\":\"00-"));
            assert!(got.ends_with(",\"n\":1.0}"), "{got}");
        }
    }
}

#[test]
fn a_body_that_is_no_envelope_stays_and_is_counted() {
    let routed = Routed::new(ROUTE);
    let mut session = old(&routed.bed);
    let bodies = ["", "[1]", "{", "{}x", "\r\nPUB json.b 2\r\n{}", "{\"_otel\":3}", "caf\u{e9}"];
    for body in bodies {
        let message = publish("json.a", "", None, body);
        session.client(&message);
        assert_eq!(session.take_to_broker(), message);
        let message = deliver("json.a", "", None, body);
        session.broker(&message);
        assert_eq!(session.take_to_client(), message);
    }
    let counters = &routed.bed.counters;
    // An empty one is not looked at.
    assert_eq!(counters.bodies_left_alone.content.get(), 2 * (bodies.len() as u64 - 1));
    assert_eq!(counters.injections_skipped.no_headers.get(), bodies.len() as u64);
    assert_eq!(routed.bed.spans().len(), 2 * bodies.len());
}

#[test]
fn a_body_grows_no_further_than_the_broker_takes() {
    let routed = Routed::new(ROUTE);
    let (mut session, mut grown) = (routed.bed.session(), 0);
    session.broker("INFO {\"headers\":true,\"max_payload\":250}\r\n");
    session.client(OLD_CONNECT);
    session.take_to_broker();
    for length in 50..=250 {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        session.client(publish("json.a", "", None, &body));
        let sent = operations(session.take_to_broker().as_bytes()).remove(0).payload;
        let (before, traceparent) = taken_out(&sent);
        assert!(before == body && sent.len() <= 250, "{length}");
        grown += u64::from(traceparent.is_some());
    }
    assert!(grown > 0);
    assert_eq!(routed.bed.counters.injections_skipped.max_payload.get(), 201 - grown);
}

#[test]
fn a_component_that_fails_leaves_bodies_as_they_came() {
    let component = faulty();
    for fault in FAULTS {
        let component = spanbridge::ComponentSource::Bytes(component.clone());
        let options = Options { component, limits: Default::default(), ..Options::default() };
        let routed = Routed::with(options, "[listener.route]\nenvelope = \"json\"\n");
        let mut session = old(&routed.bed);
        for cut in 0..40 {
            let sent = publish(fault, "", None, BODY) + &publish(fault, "_INBOX.1", None, BODY);
            in_two(&mut session, Side::Client, &sent, cut);
            assert_eq!(session.take_to_broker(), sent, "{fault}");
            let got = deliver(fault, "", None, BODY);
            in_two(&mut session, Side::Broker, &got, cut);
            assert_eq!(session.take_to_client(), got, "{fault}");
        }
        session.close();
        assert!(routed.bed.counters.component_failures.total() > 0, "{fault}");
        assert_eq!(routed.bed.spans(), [], "{fault}");
    }
}

#[test]
fn an_answer_on_a_subject_of_a_route_is_read_once_for_all_who_ask() {
    let routed = Routed::new(&format!("{ROUTE}delivery = \"continue\"\n"));
    let mut session = old(&routed.bed);
    session.client(publish("other", "json.reply", None, "x"));
    session.client("PING\r\n");
    session.take_to_broker();
    session.broker(deliver("json.reply", "", None, BODY) + "PONG\r\n");
    let got = operations(session.take_to_client().as_bytes());
    assert_eq!(got.len(), 2);
    assert_eq!(taken_out(&got[0].payload).0, BODY);
    let spans = routed.bed.spans();
    let names: Vec<_> = spans.iter().map(|span| (span.name.as_str(), span.outcome())).collect();
    assert_eq!(names, [("process json.reply", None), ("publish other", Some("confirmed"))]);

    // The answer of a stream is no message, wherever it comes, and neither is a status.
    session.client(publish("other", "json.reply", None, "x"));
    session.take_to_broker();
    let answer = deliver("json.reply", "", None, r#"{"stream":"S","seq":1}"#)
        + &status("json.status", "503");
    session.broker(&answer);
    assert_eq!(session.take_to_client(), answer);
    assert_eq!(routed.bed.spans().len(), 3);
}

/// Feeds bytes in two reads.
fn in_two(session: &mut Session, side: Side, bytes: &str, cut: usize) {
    let (first, second) = bytes.as_bytes().split_at(cut.min(bytes.len()));
    for piece in [first, second] {
        session.feed(side, piece);
    }
}

/// A session whose client takes headers, or not.
fn either(bed: &Bed, takes_headers: bool) -> Session {
    let mut session = bed.session();
    session.broker(INFO);
    session.client(if takes_headers { CONNECT } else { OLD_CONNECT });
    (session.to_broker, session.to_client) = (Vec::new(), Vec::new());
    session
}

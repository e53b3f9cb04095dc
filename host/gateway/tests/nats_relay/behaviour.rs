//! Publishes and deliveries: which spans they make, and what becomes of their bytes.

use spanbridge::{DeliveryMode, RouteSettings};
use spanbridge_gateway::config::HeaderCase;

use crate::frames::{StreamMessage, deliver, deliver_from_stream, publish, status};
use crate::harness::{Bed, CLIENT, CONSUMER, INFO, OLD_CONNECT, Options, PRODUCER, SECOND, START};

const CONTEXT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_message_without_context_gets_one_and_keeps_its_payload() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish("orders.new", "", None, "hello"));
    let span = bed.only_span();
    assert_eq!((span.name.as_str(), span.kind), ("publish orders.new", PRODUCER));
    assert_eq!((span.start, span.end, span.outcome()), (START, START, None));
    assert_eq!(span.resource, bed.resources.register("billing", &[]));
    let sent = session.take_to_broker();
    let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
    let time = START / 1_000_000;
    let headers =
        format!("traceparent: 00-{trace}-{id}-03\r\ntracestate: spanbridge=p:{id};t:{time}\r\n");
    assert_eq!(sent, publish("orders.new", "", Some(&headers), "hello"));
}

#[test]
fn a_context_that_is_there_stays_and_its_bytes_too() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let headers = format!("Color:red\r\n{CONTEXT}Nats-Msg-Id: 7\r\n");
    let sent = publish("orders.new", "", Some(&headers), "hello");
    session.client(&sent);
    assert_eq!(session.take_to_broker(), sent);
    let span = bed.only_span();
    assert_eq!((hex(&span.parent).as_str(), span.kind), ("b7ad6b7169203331", CLIENT));
    assert_eq!(span.get("messaging.message.id"), Some("7"));
}

#[test]
fn names_are_canonical_where_the_listener_says_so() {
    let options = Options { header_case: HeaderCase::Canonical, ..Options::default() };
    let bed = Bed::with(1, options);
    let mut session = bed.connected();
    session.client(publish("a", "", None, "x"));
    let sent = session.take_to_broker();
    assert!(sent.contains("\r\nTraceparent: 00-") && sent.contains("\r\nTracestate: "), "{sent}");
}

#[test]
fn control_traffic_makes_no_spans_and_is_not_changed() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let mut sent = String::new();
    for subject in [
        "$JS.API.STREAM.INFO.ORDERS",
        "$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing",
        "$JS.FC.ORDERS.x",
        "$SYS.REQ.SERVER.PING",
        "_INBOX.abc.def",
        "$JS.ACK.ORDERS",
    ] {
        sent += &publish(subject, "_INBOX.me.1", None, "{}");
        sent += &publish(subject, "", Some("A: b\r\n"), "{}");
    }
    sent += "HPUB a 16 16\r\nNATS/1.0 100 \r\n\r\n\r\nPING\r\nPONG\r\n";
    session.client(&sent);
    assert_eq!(session.take_to_broker(), sent);

    let mut got = String::from("+OK\r\nPING\r\nPONG\r\n-ERR 'Slow Consumer'\r\n");
    got += &deliver("_INBOX.me.1", "", None, "{}");
    got += &deliver("$JS.EVENT.ADVISORY.API", "", None, "{}");
    for words in ["100 Idle Heartbeat", "404 No Messages", "408 Request Timeout", "409 Deleted"] {
        got += &status("_INBOX.me", words);
        got += &status("orders.reply", words);
    }
    session.broker(&got);
    assert_eq!(session.take_to_client(), got);
    session.close();
    assert_eq!(bed.spans(), []);
    assert_eq!(bed.counters.messages_seen.total(), 0);
}

#[test]
fn a_core_delivery_has_no_length_and_says_who_shares_it() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client("SUB orders.* workers 1\r\nSUB orders.* 2\r\n");
    let got = deliver("orders.new", "", Some(CONTEXT), "hello");
    session.broker(&got);
    assert_eq!(session.take_to_client(), got);
    session.broker(deliver("orders.new", "_INBOX.other.1", None, "hello").replace(" 1 ", " 2 "));
    let [first, second] = &bed.spans()[..] else { panic!("{:?}", bed.spans()) };
    assert_eq!((first.name.as_str(), first.kind), ("process orders.new", CONSUMER));
    assert_eq!((first.start, first.end), (START, START));
    assert_eq!(first.get("spanbridge.execution"), Some("unseen"));
    assert_eq!(first.get("messaging.consumer.group.name"), Some("workers"));
    assert_eq!(hex(&first.parent), "b7ad6b7169203331");
    assert_eq!(second.get("messaging.consumer.group.name"), None);
}

#[test]
fn fan_out_is_said_of_subscriptions_that_are_known_to_be_alone() {
    // With `auto`, a message that others get as well is linked and not continued.
    for (subscription, continues) in [("SUB a 1", false), ("SUB a group 1", true), ("PING", true)] {
        let mut settings = RouteSettings::new("nats");
        settings.relation = spanbridge::Relation::Auto;
        let bed = Bed::with(1, Options { settings, ..Options::default() });
        let mut session = bed.connected();
        session.client(format!("{subscription}\r\n"));
        session.broker(deliver("a", "", Some(CONTEXT), "x"));
        let parent = bed.only_span().parent;
        assert_eq!(!parent.is_empty(), continues, "{subscription}");
    }
}

#[test]
fn a_stream_says_when_it_stored_a_message_and_what_it_is_called() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing", "_INBOX.1", None, ""));
    session.now += SECOND;
    let subject = "orders.new".to_owned();
    let message = StreamMessage { subject, sequence: 42, attempt: 1, stored: START - SECOND };
    let got = deliver_from_stream(&message, Some("Nats-Msg-Id: m1\r\n"));
    session.broker(&got);
    assert_eq!(session.take_to_client(), got);
    let receive = bed.only_span();
    assert_eq!((receive.name.as_str(), receive.kind), ("receive orders.new", CLIENT));
    assert_eq!((receive.start, receive.end), (START, START + SECOND));
    bed.open_spans.drain(session.now, &mut session.tools);
    let process = bed.spans()[1].clone();
    for (name, value) in [
        ("messaging.destination.name", "orders.new"),
        ("messaging.consumer.group.name", "billing"),
        ("messaging.nats.stream", "ORDERS"),
        ("messaging.nats.sequence", "42"),
        ("messaging.message.id", "m1"),
        ("spanbridge.queue_wait", "2"),
    ] {
        assert_eq!(process.get(name), Some(value), "{name}: {process:#?}");
    }
    assert_eq!(process.get("spanbridge.attempt"), None);
}

#[test]
fn a_message_that_grows_past_what_the_broker_takes_stays_as_it_is() {
    let bed = Bed::new(1);
    let mut session = bed.session();
    session.broker(INFO.replace("1048576", "200"));
    session.client(crate::harness::CONNECT);
    session.take_to_broker();
    for (payload, injected) in [(10, true), (190, false), (200, false), (300, false)] {
        let sent = publish("a", "", None, &"x".repeat(payload));
        session.client(&sent);
        assert_eq!(session.take_to_broker() != sent, injected, "{payload}");
    }
    assert_eq!(bed.counters.injections_skipped.max_payload.get(), 3);
    // The broker may change its mind.
    session.broker(INFO);
    let sent = publish("a", "", None, &"x".repeat(300));
    session.client(&sent);
    assert_ne!(session.take_to_broker(), sent);
    assert_eq!(bed.spans().len(), 5, "a message without context has its span");
}

#[test]
fn header_blocks_go_to_nobody_who_did_not_ask_for_them() {
    let without = "INFO {\"max_payload\":1048576}\r\n";
    let connect = crate::harness::CONNECT;
    for (info, connect) in [(INFO, OLD_CONNECT), (without, connect), (INFO, "PING\r\n")] {
        let mut settings = RouteSettings::new("nats");
        settings.delivery = DeliveryMode::Continue;
        let bed = Bed::with(1, Options { settings, ..Options::default() });
        let mut session = bed.session();
        session.broker(info);
        session.client(connect);
        let sent = publish("a", "", None, "x");
        session.client(&sent);
        assert_eq!(session.take_to_broker(), format!("{connect}{sent}"));
        let got = deliver("a", "", None, "x");
        session.broker(&got);
        assert_eq!(session.take_to_client(), format!("{info}{got}"));
        assert_eq!(bed.spans().len(), 2);
        assert_eq!(bed.counters.injections_skipped.no_headers.get(), 1);
    }
}

#[test]
fn where_the_route_says_continue_the_consumer_gets_our_process_span() {
    let mut settings = RouteSettings::new("nats");
    settings.delivery = DeliveryMode::Continue;
    let bed = Bed::with(1, Options { settings, ..Options::default() });
    let mut session = bed.connected();
    session.client("SUB a 1\r\n");
    for headers in [None, Some(CONTEXT)] {
        session.broker(deliver("a", "", headers, "hello"));
        let got = session.take_to_client();
        let span = bed.spans().pop().unwrap();
        assert!(got.starts_with("HMSG a 1 ") && got.ends_with("\r\n\r\nhello\r\n"), "{got}");
        assert!(got.contains(&format!("-{}-", hex(&span.span_id))), "{got}");
    }
}

#[test]
fn headers_that_cannot_be_read_are_left_alone_and_counted() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let sent = "HPUB a 15 16\r\nNATS/1.0\r\nx\r\n\r\nh\r\n";
    session.client(sent);
    assert_eq!(session.take_to_broker(), sent);
    let got = "HMSG a 1 15 16\r\nNATS/1.0\r\nx\r\n\r\nh\r\n";
    session.broker(got);
    assert_eq!(session.take_to_client(), got);
    let long = publish("a", "", Some(&format!("A: {}\r\n", "x".repeat(70_000))), "x");
    session.client(&long);
    assert_eq!(session.take_to_broker(), long);
    assert_eq!(bed.spans(), []);
    assert_eq!(bed.counters.messages_unreadable.get(), 3);
}

#[test]
fn every_format_of_the_route_is_written_and_families_with_their_keys() {
    let mut settings = RouteSettings::new("nats");
    settings.propagators = spanbridge::PropagatorKind::ALL.to_vec();
    let bed = Bed::with(1, Options { settings, ..Options::default() });
    let mut session = bed.connected();
    session.client(publish("a", "", None, "x"));
    let sent = session.take_to_broker();
    for name in ["traceparent", "b3", "x-b3-traceid", "uber-trace-id", "x-amzn-trace-id"] {
        assert!(sent.contains(&format!("\r\n{name}: ")), "{name}: {sent}");
    }
    // An untrusted client's baggage is removed, entry by entry.
    let mut settings = RouteSettings::new("nats");
    settings.propagators = spanbridge::PropagatorKind::ALL.to_vec();
    settings.trust = spanbridge::Trust::Restart;
    let bed = Bed::with(1, Options { settings, ..Options::default() });
    let mut session = bed.connected();
    let headers = format!("{CONTEXT}baggage: k=v\r\nUberctx-One: 1\r\nColor: red\r\n");
    session.client(publish("a", "", Some(&headers), "x"));
    let sent = session.take_to_broker();
    assert!(!sent.contains("baggage") && !sent.contains("Uberctx"), "{sent}");
    assert!(sent.contains("\r\nColor: red\r\n") && sent.ends_with("\r\n\r\nx\r\n"), "{sent}");
}

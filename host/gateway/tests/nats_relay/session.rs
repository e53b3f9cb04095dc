//! Sessions as a whole: pieces of any size, ends, and what cannot be read.

use spanbridge_gateway::relay::Side;
use spanbridge_wire::nats::TlsSaid;

use crate::frames::{StreamMessage, deliver, deliver_from_stream, publish};
use crate::harness::{Bed, CONNECT, INFO, START, Session};

/// The same bytes in pieces of `length`.
fn feed_in_pieces(session: &mut Session, from: Side, bytes: &str, length: usize) {
    for piece in bytes.as_bytes().chunks(length) {
        session.feed(from, piece);
    }
}

#[test]
fn pieces_of_any_size_come_to_the_same_bytes_and_spans() {
    let subject = "orders.new".to_owned();
    let message = StreamMessage { subject, sequence: 1, attempt: 1, stored: START };
    let from_client = [
        CONNECT,
        "SUB a workers 1\r\nsub  b  2 \r\nUNSUB 2 1\r\n",
        &publish("a", "", None, "hello"),
        &publish("a", "_INBOX.me.1", Some("A: b\r\n"), "\r\nPUB a 1\r\n"),
        &publish("_INBOX.you.1", "", None, "an answer"),
        &publish("a", "", None, ""),
        "PING\r\n",
    ]
    .concat();
    let from_broker = [
        INFO,
        &deliver("a", "", Some("traceparent: x\r\n"), "hello\r\n"),
        &deliver("_INBOX.me.1", "", None, r#"{"stream":"S","seq":1}"#),
        &deliver_from_stream(&message, None),
        "PONG\r\n-ERR 'x'\r\n",
    ]
    .concat();
    let run = |length: usize| {
        let bed = Bed::new(7);
        let mut session = bed.session();
        session.broker(INFO);
        feed_in_pieces(&mut session, Side::Client, &from_client, length);
        feed_in_pieces(&mut session, Side::Broker, &from_broker, length);
        assert!(session.is_at_boundary(Side::Client) && session.is_at_boundary(Side::Broker));
        session.close();
        bed.open_spans.drain(session.now, &mut session.tools);
        let mut spans = bed.spans();
        // An answer and a delivery in one read are recorded in another order.
        spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
        (session.take_to_broker(), session.take_to_client(), spans)
    };
    let whole = run(usize::MAX);
    assert_eq!(whole.1, format!("{INFO}{from_broker}"));
    for length in [1, 2, 3, 7, 16, 64] {
        assert_eq!(run(length), whole, "in pieces of {length}");
    }
}

#[test]
fn what_is_held_goes_on_when_a_side_ends() {
    for piece in ["PUB a", "HPUB a 14 15\r\nNATS/1.0\r\n", "PUB $JS.ACK.S.C.1.1.1.1.0 4\r\n+A"] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.client(piece);
        assert!(!session.is_at_boundary(Side::Client));
        assert_eq!(session.take_to_broker(), "");
        session.close();
        assert_eq!(session.take_to_broker(), piece);
        assert_eq!(bed.spans(), []);
    }
}

#[test]
fn a_payload_streams_through() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client("PUB a 10\r\nhel");
    assert!(session.take_to_broker().ends_with("\r\n\r\nhel"));
    assert_eq!(bed.spans().len(), 1, "a message is handed on with its head");
    session.client("lo");
    assert_eq!(session.take_to_broker(), "lo");
    assert!(!session.is_at_boundary(Side::Client));
    session.client("world\r\n");
    assert_eq!(session.take_to_broker(), "world\r\n");
    assert!(session.is_at_boundary(Side::Client));
}

#[test]
fn behind_bytes_that_are_not_the_protocol_everything_goes_on_unread() {
    for (nonsense, spans) in [
        ("HELLO\r\n", 1),
        ("PUB a b c d e\r\n", 1),
        ("PUB a x\r\n", 1),
        ("GET / HTTP", 1),
        ("PUB $JS.ACK.S.C.1.1.1.1.0 1\r\nxyz", 1),
        // The message began like one.
        ("PUB _ 1\r\nxyz", 2),
    ] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.client(publish("a", "", None, "x") + nonsense);
        let sent = session.take_to_broker();
        let end = if spans == 1 { nonsense } else { "\r\n\r\nxyz" };
        assert!(sent.starts_with("HPUB a ") && sent.ends_with(end), "{sent}");
        let more = publish("a", "", None, "x");
        session.client(&more);
        session.broker(deliver("a", "", None, "x"));
        assert_eq!(session.take_to_broker(), more);
        assert_eq!(bed.spans().len(), spans, "{nonsense}");
        let raw = &bed.counters.sessions_raw;
        assert_eq!((raw.protocol.get(), raw.tls.get()), (1, 0));
        assert!(session.is_at_boundary(Side::Client));
    }
}

#[test]
fn what_the_other_side_had_begun_goes_on_as_well() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.broker("MSG a 1 ");
    session.client("HELLO\r\n");
    session.broker("5\r\n");
    assert_eq!(session.take_to_client(), "MSG a 1 5\r\n");
    session.broker("hello\r\n");
    assert_eq!(session.take_to_client(), "hello\r\n");
    assert_eq!(bed.spans(), []);
}

#[test]
fn a_tls_handshake_is_not_read() {
    // The broker asks for one, the client begins one, and the client begins with one.
    let asks = "INFO {\"tls_required\":true,\"headers\":true}\r\n";
    for (info, hello) in [(asks, "\u{16}\u{3}\u{1}"), (INFO, "\u{16}\u{3}\u{1}"), ("", "\u{16}")] {
        let bed = Bed::new(1);
        let mut session = bed.session();
        if !info.is_empty() {
            session.broker(info);
        }
        session.client(hello);
        let secret = publish("a", "", None, "x");
        session.client(&secret);
        session.broker(&secret);
        assert_eq!(session.take_to_broker(), format!("{hello}{secret}"));
        assert_eq!(session.take_to_client(), format!("{info}{secret}"));
        let raw = &bed.counters.sessions_raw;
        assert_eq!((raw.tls.get(), raw.protocol.get()), (1, 0), "{info}");
        assert_eq!(bed.spans(), []);
        assert!(session.unchanged);
    }
}

#[test]
fn where_the_gateway_ends_tls_the_session_is_read_and_info_is_true() {
    let asks = r#"INFO {"headers":true,"tls_required":true,"tls_verify":true,"nonce":"n"}"#;
    for (required, verify, said) in [
        (
            false,
            false,
            r#"INFO {"headers":true,"tls_required":false,"tls_verify":false,"nonce":"n"}"#,
        ),
        (
            true,
            false,
            r#"INFO {"headers":true,"tls_required":true,"tls_verify":false,"nonce":"n"}"#,
        ),
        (true, true, asks),
    ] {
        for piece in [1, 7, usize::MAX] {
            let bed = Bed::with_tls(1, TlsSaid { required, verify });
            let mut session = bed.session();
            session.broker(format!("{asks}\r\n"));
            session.client(CONNECT);
            session.client(publish("a", "", None, "x"));
            assert!(session.take_to_broker().contains("traceparent"));
            assert_eq!(session.take_to_client(), format!("{said}\r\n"));
            // One that comes later, between deliveries of the same read.
            let delivery = deliver("a", "", None, "x");
            let later = format!("{delivery}{asks}\r\n{delivery}PING\r\n");
            feed_in_pieces(&mut session, Side::Broker, &later, piece);
            let found = session.take_to_client();
            assert!(found.contains(&format!("{said}\r\n")), "{found}");
            assert!(found.ends_with("x\r\nPING\r\n"), "{found}");
            assert_eq!(found.matches("INFO").count(), 1, "{found}");
            assert_eq!(bed.spans().len(), 3);
            assert_eq!(bed.counters.sessions_raw.tls.get(), 0);
        }
    }
}

#[test]
fn a_program_is_named_by_connection_name_then_user() {
    for (connect, service) in [
        (r#"CONNECT {"headers":true,"name":"shop","user":"u"}"#, "shop"),
        (r#"CONNECT {"headers":true,"user":"u","pass":"p"}"#, "u"),
        (r#"CONNECT {"headers":true,"name":"","auth_token":"secret"}"#, "unknown_service:nats"),
        (r#"CONNECT {"headers":true,"name":"caf\u00e9"}"#, "café"),
        ("PING", "unknown_service:nats"),
    ] {
        let bed = Bed::new(1);
        let mut session = bed.session();
        session.broker(INFO);
        session.client(format!("{connect}\r\n"));
        session.client(publish("a", "", None, "x"));
        session.broker(deliver("a", "", None, "x"));
        for span in bed.spans() {
            assert_eq!(span.resource, bed.resources.register(service, &[]), "{connect}");
        }
    }
}

#[test]
fn many_messages_of_one_read_each_keep_their_own() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let read: String = (0..200).map(|n| publish(&format!("a.{n}"), "", None, "x")).collect();
    session.client(&read);
    let sent = crate::frames::operations(session.take_to_broker().as_bytes());
    let spans = bed.spans();
    assert_eq!((sent.len(), spans.len()), (200, 200));
    for (number, (operation, span)) in sent.iter().zip(&spans).enumerate() {
        assert_eq!(operation.words, ["PUB".to_owned(), format!("a.{number}")]);
        let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let traceparent = operation.traceparent.as_deref().unwrap();
        assert!(traceparent.contains(&id), "{number}");
        assert_eq!(span.name, format!("publish a.{number}"));
    }
}

#[test]
fn addresses_and_tls_of_one_info_are_changed_together() {
    let bed = Bed::with_tls(1, TlsSaid { required: true, verify: true });
    let mut session = bed.session();
    session.broker(
        "INFO {\"headers\":true,\"connect_urls\":[\"a:1\"],\"tls_available\":true,\"x\":1}\r\n",
    );
    assert_eq!(
        session.take_to_client(),
        "INFO {\"tls_required\":true,\"tls_verify\":true,\"headers\":true,\"connect_urls\":[],\
         \"tls_available\":false,\"x\":1}\r\n"
    );
}

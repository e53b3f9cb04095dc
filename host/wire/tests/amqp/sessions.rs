//! Recorded sessions: pika 1.4.4 and Celery 5.7.0 against RabbitMQ 3.10.8.

use spanbridge_wire::amqp::{
    ClientProperties, Decoder, Frame, HeaderEdit, Method, Rewrite, ServerProperties, Table, Value,
};
use spanbridge_wire::limits::AmqpLimits;

use crate::oracle::parse;
use crate::same::assert_same;
use crate::walk::{Seen, walk};

const PIKA: [&[u8]; 2] =
    [include_bytes!("../data/pika.c2s.bin"), include_bytes!("../data/pika.s2c.bin")];
const CELERY: [&[u8]; 2] =
    [include_bytes!("../data/celery.c2s.bin"), include_bytes!("../data/celery.s2c.bin")];

/// Reads one side of a session, which is well-formed to its end, and compares each frame with the
/// oracle's.
fn whole(start: Decoder, session: &[u8]) -> Vec<Seen> {
    let walked = walk(start, session, &[session.len()]);
    assert_eq!((walked.error, walked.consumed), (None, session.len()));
    for chunk in [1, 2, 3, 16, 100] {
        assert_eq!(walk(start, session, &[chunk]), walked, "in chunks of {chunk}");
    }
    let mut rest = session;
    for seen in &walked.seen {
        let (theirs, len) = parse(rest).expect("they read it too");
        let (Seen::Whole(ours, bytes) | Seen::Streamed(ours, bytes, _)) = seen;
        assert_same(*ours, bytes, &theirs);
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    walked.seen
}

fn client(session: &[u8]) -> Vec<Seen> {
    whole(Decoder::client(AmqpLimits::default()), session)
}

fn broker(session: &[u8]) -> Vec<Seen> {
    whole(Decoder::broker(AmqpLimits::default()), session)
}

fn methods(seen: &[Seen]) -> impl Iterator<Item = (Method, &[u8])> {
    seen.iter().filter_map(|seen| match seen {
        Seen::Whole(Frame::Method { method, .. }, bytes) => Some((*method, bytes.as_slice())),
        _ => None,
    })
}

fn the_header(seen: &[Seen]) -> (spanbridge_wire::amqp::ContentHeader, &[u8]) {
    let found = seen.iter().find_map(|seen| match seen {
        Seen::Whole(Frame::Header(header), bytes) => Some((*header, bytes.as_slice())),
        _ => None,
    });
    found.expect("the session has one")
}

#[test]
fn pika_says_who_it_is_publishes_and_gets() {
    let seen = client(PIKA[0]);
    assert!(matches!(seen[0], Seen::Whole(Frame::ProtocolHeader, _)));
    let mut methods = methods(&seen);
    let Some((Method::ConnectionStartOk(start), bytes)) = methods.next() else { panic!() };
    let properties = ClientProperties::of(Table::new(start.client_properties.of(bytes)));
    assert_eq!(properties.product, Some(b"Pika Python Client Library".as_slice()));
    assert!(properties.connection_blocked && properties.consumer_cancel_notify);
    assert_eq!(start.user.map(|user| user.of(bytes)), Some(b"guest".as_slice()));
    let Some((Method::ConnectionTuneOk(tune), _)) = methods.next() else { panic!() };
    assert_eq!((tune.channel_max, tune.frame_max, tune.heartbeat), (2_047, 131_072, 60));
    let Some((Method::ConnectionOpen { vhost }, bytes)) = methods.next() else { panic!() };
    assert_eq!(vhost.of(bytes), b"/");
    let rest: Vec<_> = methods.collect();
    let [
        _,
        (Method::QueueDeclare(queue), declared),
        (Method::BasicPublish(publish), published),
        ..,
    ] = rest[..]
    else {
        panic!("{rest:?}");
    };
    assert_eq!(queue.queue.of(declared), b"q2");
    assert_eq!(
        (publish.exchange.of(published), publish.routing_key.of(published)),
        (&b""[..], &b"q2"[..])
    );
    assert!(rest.iter().any(|(method, _)| matches!(method, Method::BasicGet(get) if get.no_ack)));
    assert!(
        matches!(rest.last(), Some((Method::ConnectionClose(close), _)) if close.reply_code == 200)
    );
    let (header, bytes) = the_header(&seen);
    let properties = header.properties(bytes).unwrap();
    assert_eq!(properties.content_type, Some(b"application/json".as_slice()));
    let headers = properties.headers.unwrap();
    let tags: Vec<_> = headers.iter().map(|entry| entry.value.tag()).collect();
    assert_eq!(tags, b"SIAF");
    assert_eq!(headers.find(b"i").and_then(Value::as_i64), Some(7));
    let body = seen.iter().find_map(|seen| match seen {
        Seen::Streamed(_, body, true) => Some(body.as_slice()),
        _ => None,
    });
    assert_eq!(body, Some(b"{\"x\":1}".as_slice()));
}

#[test]
fn a_broker_says_who_it_is_and_hands_out_what_it_got() {
    let seen = broker(PIKA[1]);
    let mut methods = methods(&seen);
    let Some((Method::ConnectionStart(start), bytes)) = methods.next() else { panic!() };
    let server = ServerProperties::of(Table::new(start.server_properties.of(bytes)));
    assert_eq!(server.product, Some(b"RabbitMQ".as_slice()));
    assert_eq!(server.version, Some(b"3.10.8".as_slice()));
    assert!(server.publisher_confirms && server.connection_blocked);
    assert_eq!(start.mechanisms.of(bytes), b"AMQPLAIN PLAIN");
    let got = methods.find_map(|(method, _)| match method {
        Method::BasicGetOk(got) => Some(got),
        _ => None,
    });
    assert_eq!(got.map(|got| (got.delivery_tag, got.redelivered)), Some((1, false)));
    // The broker hands out the very header that the client sent.
    let sent = client(PIKA[0]);
    assert_eq!(the_header(&seen).1, the_header(&sent).1);
    broker(CELERY[1]);
}

#[test]
fn celery_publishes_with_a_context_that_can_be_replaced() {
    let seen = client(CELERY[0]);
    let (header, bytes) = the_header(&seen);
    let properties = header.properties(bytes).unwrap();
    assert!(properties.reply_to.is_some() && properties.correlation_id.is_some());
    let headers = properties.headers.unwrap();
    assert_eq!(headers.find(b"task").and_then(Value::as_text), Some(b"tasks.add".as_slice()));
    let context = b"00-2bfbbe2b97362acc99d8d55ee8555d2d-29cd84446ffe34c3-03";
    assert_eq!(headers.find(b"traceparent").and_then(Value::as_text), Some(context.as_slice()));

    let other = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let edits = [HeaderEdit { name: b"traceparent", value: Some(other) }];
    let rewrite = Rewrite::plan(&properties, &edits, 131_072).unwrap();
    let mut out = Vec::new();
    rewrite.write(&mut out);
    let at = bytes.windows(context.len()).position(|window| window == context).unwrap();
    let wanted = [&bytes[..at], other, &bytes[at + other.len()..]].concat();
    assert_eq!(out, wanted, "nothing else changes");
}

//! Who the peers are, what is no AMQP 0-9-1, and how a session ends.

use spanbridge_gateway::relay::Side;

use crate::frames::{Delivery, Properties, close_connection, cut, method, publish, start_ok};
use crate::harness::{Bed, Session};

const SIDES: [Side; 2] = [Side::Client, Side::Broker];

#[test]
fn a_client_is_called_by_its_connection_else_by_its_user() {
    for (name, mechanism, response, expected) in [
        ("shop", "PLAIN", &b"\0app\0secret"[..], "shop"),
        ("", "PLAIN", b"\0app\0secret", "app"),
        ("", "PLAIN", b"", "unknown_service:amqp"),
        ("", "EXTERNAL", b"", "unknown_service:amqp"),
    ] {
        let bed = Bed::new(1);
        let mut session = bed.session();
        session.client(b"AMQP\x00\x00\x09\x01");
        session.client(start_ok(name, mechanism, response));
        session.open_channel(1);
        session.client(publish(1, ("", "tasks"), &Properties::default(), b"x"));
        let service = bed.resources.register(expected, &[]);
        assert_eq!(bed.only_span().resource, service, "{name} {mechanism}");
    }
}

#[test]
fn other_protocols_pass_byte_for_byte() {
    for (client, broker, reason) in [
        (&b"AMQP\x03\x01\x00\x00"[..], &b"AMQP\x03\x01\x00\x00"[..], "version"),
        (b"AMQP\x00\x01\x00\x00", b"anything", "version"),
        (b"AMQP\x01\x01\x00\x0a", b"AMQP\x00\x00\x09\x01", "version"),
        (b"\x16\x03\x01\x02\x00", b"\x16\x03\x03", "tls"),
        (b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x00\x09\x01", "protocol"),
        (b"AMQP\x00\x00\x09\x01\x07", b"", "protocol"),
    ] {
        let bed = Bed::new(1);
        let mut session = bed.session();
        for piece in client.chunks(1) {
            session.client(piece);
        }
        session.broker(broker);
        session.client([0xce; 10]);
        assert_eq!(session.take_to_broker(), [client, &[0xce; 10]].concat());
        assert_eq!(session.take_to_client(), broker);
        let raw = &bed.counters.sessions_raw;
        let found = [("tls", &raw.tls), ("version", &raw.version), ("protocol", &raw.protocol)];
        for (name, counter) in found {
            assert_eq!(counter.get(), u64::from(name == reason), "{client:?} {name}");
        }
        assert!(SIDES.iter().all(|side| session.is_at_boundary(*side)));
        assert!(SIDES.iter().all(|side| session.farewell(*side).is_empty()));
    }
}

#[test]
fn a_broker_of_another_version_says_so_to_the_client() {
    let bed = Bed::new(1);
    let mut session = bed.session();
    session.client(b"AMQP\x00\x00\x09\x01");
    session.broker(b"AMQP\x00\x01\x00\x00");
    assert_eq!(session.take_to_client(), b"AMQP\x00\x01\x00\x00");
    assert_eq!(bed.counters.sessions_raw.version.get(), 1);
}

#[test]
fn both_peers_are_told_that_the_gateway_goes_down() {
    let bed = Bed::new(1);
    let session = bed.connected();
    for side in SIDES {
        let told = cut(&session.farewell(side));
        assert_eq!((told.len(), told[0].kind, told[0].channel), (1, 1, 0));
        assert_eq!(told[0].payload[..6], [0, 10, 0, 50, 1, 64]);
    }
}

#[test]
fn nobody_is_told_before_the_client_is_in_or_when_it_has_said_goodbye() {
    let bed = Bed::new(1);
    let mut early = bed.session();
    early.client(b"AMQP\x00\x00\x09\x01");
    assert!(early.farewell(Side::Client).is_empty() && !early.relay.has_parted());
    for from in SIDES {
        let mut session = bed.connected();
        assert!(!session.relay.has_parted());
        session.feed(from, &close_connection());
        assert!(session.relay.has_parted());
        assert!(SIDES.iter().all(|side| session.farewell(*side).is_empty()));
    }
}

/// Feeds bytes one by one and answers where it was at a boundary.
fn boundaries(session: &mut Session, side: Side, bytes: &[u8]) -> Vec<usize> {
    let mut at = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        session.feed(side, &[*byte]);
        if session.is_at_boundary(side) {
            at.push(index + 1);
        }
    }
    at
}

#[test]
fn a_session_may_end_behind_a_whole_message_and_nowhere_inside() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let sent = publish(1, ("", "tasks"), &Properties::default(), &[b'x'; 9000]);
    assert_eq!(boundaries(&mut session, Side::Client, &sent), [sent.len()]);
    let empty = publish(1, ("", "tasks"), &Properties::default(), b"");
    assert_eq!(boundaries(&mut session, Side::Client, &empty), [empty.len()]);
    session.consume(1, "tasks", "tag", true);
    let got = Delivery::default().frames();
    assert_eq!(boundaries(&mut session, Side::Broker, &got), [got.len()]);
    let heartbeats = [8, 0, 0, 0, 0, 0, 0, 0xce].repeat(2);
    assert_eq!(boundaries(&mut session, Side::Client, &heartbeats), [8, 16]);
}

#[test]
fn new_credentials_and_what_is_not_known_pass_as_they_are() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let secret = [crate::frames::long(b"secret"), crate::frames::short("renewed")].concat();
    session.client([method(0, 10, 70, &secret), method(1, 99, 99, b"?")].concat());
    session.broker([method(0, 10, 71, b""), method(0, 10, 60, b"\x03low")].concat());
    assert!(session.unchanged);
    assert_eq!(bed.counters.sessions_raw.total(), 0);
}

#[test]
fn channels_past_the_bound_go_on_untraced() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    for channel in 2..=4097 {
        session.client(crate::frames::opened(channel).0);
    }
    assert_eq!(bed.counters.channels_untracked.get(), 1);
    session.forget();
    session.client(publish(4096, ("", "tasks"), &Properties::default(), b"x"));
    assert_eq!(bed.spans().len(), 1);
    session.forget();
    session.client(publish(4097, ("", "tasks"), &Properties::default(), b"x"));
    assert!(session.unchanged && bed.spans().len() == 1);
    // One that was closed leaves its place.
    session.client(crate::frames::close_channel(2));
    session.broker(crate::frames::channel_closed(2));
    session.client(crate::frames::opened(4097).0);
    session.client(publish(4097, ("", "tasks"), &Properties::default(), b"x"));
    assert_eq!(bed.spans().len(), 2);
}

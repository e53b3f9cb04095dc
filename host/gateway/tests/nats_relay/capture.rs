//! A recorded session (nats-py 2.16.0, nats-server 2.9.10) through the relay.

use spanbridge_gateway::relay::Side;

use crate::frames::{Operation, operations};
use crate::harness::Bed;

const FROM_CLIENT: &[u8] = include_bytes!("../../../wire/tests/data/nats-py.c2s.bin");
const FROM_BROKER: &[u8] = include_bytes!("../../../wire/tests/data/nats-py.s2c.bin");

/// The subjects that the client publishes to and a person would call destinations.
const PUBLISHED: [&str; 4] = ["orders.1", "orders.2", "orders.3", "js.a"];
/// What its subscription to everything brings, control traffic left out.
const DELIVERED: [&str; 4] = ["mapped.orders.1", "mapped.orders.2", "mapped.orders.3", "js.a"];

#[test]
fn a_recorded_session_goes_through_with_context_added_and_nothing_else() {
    for length in [usize::MAX, 1, 5, 100] {
        let bed = Bed::new(3);
        let mut session = bed.session();
        // Whoever records a session sees the broker speak first.
        let (info, rest) = FROM_BROKER.split_at(line_end(FROM_BROKER));
        session.feed(Side::Broker, info);
        for piece in FROM_CLIENT.chunks(length) {
            session.feed(Side::Client, piece);
        }
        for piece in rest.chunks(length) {
            session.feed(Side::Broker, piece);
        }
        session.close();
        assert_eq!(session.to_client, FROM_BROKER, "deliveries keep their bytes");
        check_sent(&operations(&session.to_broker));

        let spans = bed.spans();
        let named = |operation: &str| -> Vec<String> {
            let names = spans.iter().filter_map(|span| span.name.strip_prefix(operation));
            names.map(str::to_owned).collect()
        };
        assert_eq!(named("publish "), PUBLISHED, "in pieces of {length}");
        assert_eq!(named("process "), DELIVERED, "in pieces of {length}");
        assert_eq!(spans.len(), PUBLISHED.len() + DELIVERED.len());
        let answered = spans.iter().find(|span| span.name == "publish js.a").unwrap();
        assert_eq!(answered.outcome(), Some("confirmed"));
        assert_eq!(bed.counters.sessions_raw.total(), 0);
    }
}

/// Without the context that was added, the client's operations are as they were.
fn check_sent(sent: &[Operation]) {
    let original = operations(FROM_CLIENT);
    assert_eq!(sent.len(), original.len());
    for (sent, original) in sent.iter().zip(&original) {
        let added = sent.traceparent.is_some() && original.traceparent.is_none();
        let subject = original.words.get(1).map_or("", String::as_str);
        assert_eq!(added, ["orders.2", "orders.3"].contains(&subject));
        let expected = Operation { traceparent: sent.traceparent.clone(), ..original.clone() };
        assert_eq!(*sent, expected);
    }
}

fn line_end(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2
}

//! Recorded sessions: nats-py 2.16.0 against nats-server 2.9.10.

use std::collections::BTreeMap;

use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::jetstream::PublishAnswer;
use spanbridge_wire::nats::{BrokerDecoder, ClientDecoder, Connect, Headers, Info};

use crate::walk::{Decode, Seen, Walk, walk};

const FROM_CLIENT: &[u8] = include_bytes!("../data/nats-py.c2s.bin");
const FROM_BROKER: &[u8] = include_bytes!("../data/nats-py.s2c.bin");

fn whole<D: Decode>(session: &[u8]) -> Walk {
    let limits = NatsLimits::default();
    let walked = walk::<D>(session, &[session.len()], limits);
    assert_eq!((walked.error, walked.consumed), (None, session.len()));
    for chunk in [1, 2, 3, 16, 100] {
        assert_eq!(walk::<D>(session, &[chunk], limits), walked, "in chunks of {chunk}");
    }
    walked
}

/// Header block and payload.
type Parts<'a> = (Option<&'a [u8]>, &'a [u8]);

fn messages(walked: &Walk) -> BTreeMap<&str, Vec<Parts<'_>>> {
    let mut found = BTreeMap::<_, Vec<Parts<'_>>>::new();
    for seen in &walked.seen {
        if let Seen::Message { subject, header, payload, ended: true, .. } = seen {
            let subject = std::str::from_utf8(subject).unwrap();
            found.entry(subject).or_default().push((header.as_deref(), payload.as_slice()));
        }
    }
    found
}

fn first_json<'a>(walked: &'a Walk, wanted: &str) -> &'a [u8] {
    let found = walked.seen.iter().find_map(|seen| match seen {
        Seen::Other(name, parts) if *name == wanted => parts.first(),
        _ => None,
    });
    found.expect("the session starts with it")
}

#[test]
fn everything_the_client_said_is_found() {
    let walked = whole::<ClientDecoder>(FROM_CLIENT);
    let connect = Connect::parse(first_json(&walked, "connect")).unwrap();
    assert!(connect.headers && connect.no_responders && !connect.verbose);
    assert_eq!(connect.lang.unwrap().as_text(16).unwrap(), "python3");

    let messages = messages(&walked);
    assert_eq!(messages["orders.2"], [(None, b"plain".as_slice())]);
    let (block, payload) = messages["orders.1"][0];
    let headers = Headers::parse(block.unwrap()).unwrap();
    let wanted = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".as_slice();
    assert_eq!(headers.find(b"Traceparent"), Some(wanted));
    assert_eq!(payload, b"hi");
    assert!(messages.contains_key("$JS.API.STREAM.CREATE.S"));
}

#[test]
fn everything_the_broker_said_is_found() {
    let walked = whole::<BrokerDecoder>(FROM_BROKER);
    let info = Info::parse(first_json(&walked, "info")).unwrap();
    assert!(info.headers && info.jetstream && !info.tls_required);
    assert_eq!(info.max_payload, Some(1_048_576));
    assert_eq!(info.version.unwrap().as_text(16).unwrap(), "2.9.10");

    let messages = messages(&walked);
    assert_eq!(messages["mapped.orders.2"], [(None, b"plain".as_slice())]);
    let answers: Vec<_> = messages
        .values()
        .flatten()
        .filter_map(|(_, payload)| PublishAnswer::parse(payload))
        .collect();
    // The session subscribes to everything, so the client gets the one answer twice.
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let PublishAnswer::Stored { stream, sequence, duplicate } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((stream.raw(), sequence, duplicate), (b"\"S\"".as_slice(), 2, false));
    }
}

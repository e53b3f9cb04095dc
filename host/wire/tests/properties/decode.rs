//! Laws of the decoders.

use proptest::prelude::*;
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{BrokerDecoder, ClientDecoder, Error};
use spanbridge_wire::{Step, nats::ClientFrame};

use crate::generate::{SMALL, damaged, message, stream};
use crate::walk::{Decode, Seen, walk};

fn same_in_all_chunks<D: Decode>(bytes: &[u8], chunks: &[usize], limits: NatsLimits) {
    let at_once = walk::<D>(bytes, &[bytes.len().max(1)], limits);
    assert_eq!(walk::<D>(bytes, &[1], limits), at_once, "byte by byte");
    assert_eq!(walk::<D>(bytes, chunks, limits), at_once, "in chunks of {chunks:?}");
}

proptest! {
    #[test]
    fn well_formed_streams_are_read_to_their_end(client in stream(true), broker in stream(false)) {
        let limits = NatsLimits::default();
        let from_client = walk::<ClientDecoder>(&client, &[7], limits);
        prop_assert_eq!((from_client.error, from_client.consumed), (None, client.len()));
        let from_broker = walk::<BrokerDecoder>(&broker, &[7], limits);
        prop_assert_eq!((from_broker.error, from_broker.consumed), (None, broker.len()));
    }

    #[test]
    fn chunks_do_not_matter(
        client in prop_oneof![stream(true), damaged(true)],
        broker in prop_oneof![stream(false), damaged(false)],
        chunks in proptest::collection::vec(1_usize..40, 1..10),
        small in any::<bool>(),
    ) {
        let limits = if small { SMALL } else { NatsLimits::default() };
        same_in_all_chunks::<ClientDecoder>(&client, &chunks, limits);
        same_in_all_chunks::<BrokerDecoder>(&broker, &chunks, limits);
    }

    #[test]
    fn a_payload_can_be_had_whole(bytes in message(true)) {
        let mut decoder = ClientDecoder::new(NatsLimits::default());
        let Ok(Step::Frame { frame: ClientFrame::Publish(message), len }) = decoder.next(&bytes)
        else {
            panic!("{}", bytes.escape_ascii());
        };
        let behind = &bytes[len..];
        for arrived in 0..behind.len() {
            prop_assert_eq!(decoder.payload(&behind[..arrived]), Ok(Step::Need));
            prop_assert_eq!(decoder.payload_left(), Some(message.payload_len));
        }
        let Ok(Step::Frame { frame: payload, len }) = decoder.payload(behind) else {
            panic!("the payload is there");
        };
        prop_assert_eq!(payload.len(), message.payload_len);
        prop_assert_eq!(len, behind.len());
        prop_assert_eq!(decoder.payload_left(), None);
        prop_assert_eq!(decoder.next(b"PING\r\n").map(|step| step.map(|_| ())),
            Ok(Step::Frame { frame: (), len: 6 }));
    }

    #[test]
    fn nothing_beyond_a_limit_is_looked_at(bytes in damaged(true), tail in any::<[u8; 16]>()) {
        // The longest head is a control line, its end, and a header block.
        let head = SMALL.control_line_bytes_max + 2 + SMALL.header_bytes_max;
        let limit = head.max(SMALL.connect_bytes_max + 2) as usize;
        let mut long = bytes;
        long.resize(limit, b'x');
        let found = ClientDecoder::new(SMALL).next(&long);
        prop_assert_ne!(found, Ok(Step::Need), "nobody is made to hold more than that");
        long.extend_from_slice(&tail);
        prop_assert_eq!(ClientDecoder::new(SMALL).next(&long), found);
    }
}

#[test]
fn lines_are_held_to_the_limit_of_their_operation() {
    let table: [(String, bool); 6] = [
        (format!("PUB {} 0\r\n", "s".repeat(42)), true),
        (format!("PUB {} 0\r\n", "s".repeat(43)), false),
        (format!("PUB {} 0\n", "s".repeat(43)), false),
        (format!("CONNECT {}\r\n", "s".repeat(88)), true),
        (format!("CONNECT {}\r\n", "s".repeat(89)), false),
        (format!("PING{}\r\n", "s".repeat(45)), false),
    ];
    for (line, accepted) in table {
        for chunk in [1, line.len()] {
            let walked = walk::<ClientDecoder>(line.as_bytes(), &[chunk], SMALL);
            assert_eq!(walked.error.is_none(), accepted, "{line}");
            if !accepted {
                assert!(matches!(walked.error, Some(Error::ControlLineLength { .. })), "{line}");
            }
        }
    }
    let info = format!("INFO {}\r\n", "s".repeat(124));
    let walked = walk::<BrokerDecoder>(info.as_bytes(), &[1], SMALL);
    assert_eq!(walked.error, Some(Error::ControlLineLength { max: 128 }));
}

#[test]
fn malformed_lines_name_the_field_that_is_wrong() {
    let count = |found| Error::ArgumentCount { found };
    let table: [(&str, Error); 17] = [
        ("PUB s\r\n", count(1)),
        ("PUB s r 1 2\r\n", count(4)),
        ("HPUB s 1\r\n", count(2)),
        ("HPUB a b c d e f g\r\n", count(6)),
        ("SUB s\r\n", count(1)),
        ("UNSUB \r\n", count(0)),
        ("CONNECT \r\n", count(0)),
        ("PUB s -1\r\n", Error::MessageLength),
        ("PUB s 1234567890\r\n", Error::MessageLength),
        ("HPUB s 5 4\r\n", Error::MessageLength),
        ("HPUB s x 4\r\n", Error::HeaderLength),
        ("PUB s 401\r\n", Error::MessageLimit { max: 400 }),
        ("PUB s\r1 1\r\n", Error::ControlLineReturn),
        ("PUB s 1\r\r\n", Error::ControlLineReturn),
        ("\r\n", Error::Operation { found: b'\r' }),
        ("PUBs 1\r\n", Error::Operation { found: b'P' }),
        ("PUB s 1\r\nxy\r\n", Error::PayloadEnd { found: b'y' }),
    ];
    for (stream, error) in table {
        let walked = walk::<ClientDecoder>(stream.as_bytes(), &[stream.len()], SMALL);
        assert_eq!(walked.error, Some(error), "{stream:?}");
    }
}

#[test]
fn header_block_past_its_limit_goes_by_as_payload() {
    let block = format!("NATS/1.0\r\na: {}\r\n\r\n", "x".repeat(80));
    let bytes = format!("HPUB s {} {}\r\n{block}hi\r\n", block.len(), block.len() + 2);
    let walked = walk::<ClientDecoder>(bytes.as_bytes(), &[3], SMALL);
    let Some(Seen::Message { header, payload, ended, .. }) = walked.seen.first() else {
        panic!("{walked:?}");
    };
    assert_eq!(*header, None);
    assert_eq!(*payload, format!("{block}hi").into_bytes());
    assert!(*ended);
}

//! Laws of the decoder.

use proptest::prelude::*;
use spanbridge_wire::Step;
use spanbridge_wire::amqp::{Decoder, Error, Frame, FrameKind};
use spanbridge_wire::limits::AmqpLimits;

use crate::generate::{SMALL, damaged, stream};
use crate::walk::{Seen, walk};

const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

proptest! {
    #[test]
    fn well_formed_streams_are_read_to_their_end(frames in stream()) {
        let limits = AmqpLimits::default();
        let from_broker = walk(Decoder::broker(limits), &frames, &[7]);
        prop_assert_eq!((from_broker.error, from_broker.consumed), (None, frames.len()));
        let client = [HEADER.as_slice(), &frames].concat();
        let from_client = walk(Decoder::client(limits), &client, &[7]);
        prop_assert_eq!((from_client.error, from_client.consumed), (None, client.len()));
        prop_assert_eq!(&from_client.seen[1..], from_broker.seen);
    }

    #[test]
    fn chunks_do_not_matter(
        frames in prop_oneof![stream(), damaged()],
        chunks in proptest::collection::vec(1_usize..40, 1..10),
        from_client in any::<bool>(),
        small in any::<bool>(),
    ) {
        let limits = if small { SMALL } else { AmqpLimits::default() };
        let start = if from_client { Decoder::client(limits) } else { Decoder::broker(limits) };
        let header: &[u8] = if from_client { HEADER } else { b"" };
        let bytes = [header, &frames].concat();
        let at_once = walk(start, &bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(&walk(start, &bytes, &[1]), &at_once, "byte by byte");
        prop_assert_eq!(&walk(start, &bytes, &chunks), &at_once, "in chunks of {:?}", chunks);
    }

    #[test]
    fn nobody_is_made_to_hold_more_than_the_limit(bytes in damaged(), filler in any::<u8>()) {
        let mut long = bytes;
        long.resize(SMALL.frame_bytes_max as usize, filler);
        prop_assert_ne!(Decoder::broker(SMALL).next(&long), Ok(Step::Need));
        prop_assert_ne!(Decoder::client(SMALL).next(&long), Ok(Step::Need));
    }

    #[test]
    fn what_is_behind_a_frame_is_not_looked_at(frames in stream(), tail in any::<[u8; 9]>()) {
        let whole = Decoder::broker(AmqpLimits::default()).next(&frames);
        if let Ok(Step::Frame { len, .. }) = whole {
            let other = [&frames[..len], &tail].concat();
            prop_assert_eq!(Decoder::broker(AmqpLimits::default()).next(&other), whole);
        }
    }
}

#[test]
fn a_client_begins_with_the_protocol_header_of_0_9_1() {
    let table: [(&[u8], Option<Error>); 9] = [
        (HEADER, None),
        // AMQP 1.0 with SASL, with TLS, and without; 0-9; 0-8.
        (b"AMQP\x03\x01\x00\x00", Some(Error::Protocol { at: 4, found: 3 })),
        (b"AMQP\x02\x01\x00\x00", Some(Error::Protocol { at: 4, found: 2 })),
        (b"AMQP\x00\x01\x00\x00", Some(Error::Protocol { at: 5, found: 1 })),
        (b"AMQP\x01\x01\x00\x09", Some(Error::Protocol { at: 4, found: 1 })),
        (b"AMQP\x01\x01\x08\x00", Some(Error::Protocol { at: 4, found: 1 })),
        // TLS, HTTP, and a frame.
        (b"\x16\x03\x01", Some(Error::Protocol { at: 0, found: 0x16 })),
        (b"GET / HTTP", Some(Error::Protocol { at: 0, found: b'G' })),
        (b"\x01\x00\x00", Some(Error::Protocol { at: 0, found: 1 })),
    ];
    for (bytes, error) in table {
        for chunk in [1, bytes.len()] {
            let walked = walk(Decoder::client(AmqpLimits::default()), bytes, &[chunk]);
            assert_eq!(walked.error, error, "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn malformed_frames_name_the_field_that_is_wrong() {
    let table: [(&[u8], Error); 9] = [
        (b"AMQP\x00\x00\x09\x01", Error::FrameType { found: b'A' }),
        (b"\x00", Error::FrameType { found: 0 }),
        (b"\x04\x00\x00", Error::FrameType { found: 4 }),
        (b"\x08\x00\x00\x00\x00\x00\x00\xcd", Error::FrameEnd { found: 0xcd }),
        (b"\x08\x00\x00\x00\x00\x00\x01x\xce", Error::HeartbeatSize { found: 1 }),
        (b"\x03\x00\x01\x00\x00\x00\x02hi\x00", Error::FrameEnd { found: 0 }),
        (b"\x03\x00\x01\x00\x00\x00\x00\xcf", Error::FrameEnd { found: 0xcf }),
        (b"\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0ax", Error::FrameEnd { found: b'x' }),
        (b"\x02\x00\x01\x00\x00\x00\x02\x00\x3c\xce", Error::ContentHeaderSize { found: 2 }),
    ];
    for (bytes, error) in table {
        for chunk in [1, bytes.len()] {
            let walked = walk(Decoder::broker(AmqpLimits::default()), bytes, &[chunk]);
            assert_eq!(walked.error, Some(error), "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn frames_past_their_limit_go_by_unread() {
    for (kind, wanted) in [(1, FrameKind::Method), (2, FrameKind::Header)] {
        for (size, read) in [(56_u32, true), (57, false), (5_000_000, false)] {
            let mut bytes = vec![kind, 0, 9];
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.resize(7 + size as usize, 0);
            bytes.push(0xce);
            bytes.extend_from_slice(b"\x08\0\0\0\0\0\0\xce");
            let walked = walk(Decoder::broker(SMALL), &bytes, &[1_000]);
            assert_eq!((walked.error, walked.consumed), (None, bytes.len()));
            let unread = Frame::Unread { channel: 9, kind: wanted, size };
            match &walked.seen[..] {
                [Seen::Whole(frame, _), Seen::Whole(Frame::Heartbeat, _)] => {
                    assert!(read, "{frame:?}");
                }
                [Seen::Streamed(frame, payload, true), Seen::Whole(Frame::Heartbeat, _)] => {
                    assert_eq!((read, *frame, payload.len()), (false, unread, size as usize));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_limit_that_no_frame_fits_lets_all_go_by() {
    for frame_bytes_max in [0, 1, 8] {
        let bytes = b"\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\xce";
        let walked = walk(Decoder::broker(AmqpLimits { frame_bytes_max }), bytes, &[1]);
        assert_eq!((walked.error, walked.consumed), (None, bytes.len()));
        assert!(matches!(walked.seen[..], [Seen::Streamed(_, _, true)]));
    }
}

#[test]
fn a_body_of_four_gibibytes_is_counted_and_not_held() {
    let mut decoder = Decoder::broker(AmqpLimits::default());
    let head = b"\x03\x00\x01\xff\xff\xff\xff";
    let frame = Frame::Body { channel: 1, size: u32::MAX };
    assert_eq!(decoder.next(head), Ok(Step::Frame { frame, len: 7 }));
    assert_eq!(decoder.payload_left(), Some(u32::MAX));
    assert!(matches!(decoder.next(&[0xce; 100]), Ok(Step::Frame { len: 100, .. })));
    assert_eq!(decoder.payload_left(), Some(u32::MAX - 100));
    assert_eq!(decoder.next(b""), Ok(Step::Need));
}

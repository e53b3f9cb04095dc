//! Runs a decoder over a stream the way a session does, and writes down what it found.

use spanbridge_wire::Step;
use spanbridge_wire::amqp::{Decoder, Error, Frame};

/// What was found, in a form that does not depend on how a payload was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A frame that was found whole, and its bytes. Its extents start with the frame.
    Whole(Frame, Vec<u8>),
    /// A frame that went by: its head, its payload, and whether that has ended.
    Streamed(Frame, Vec<u8>, bool),
}

/// The result of a whole stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<Error>,
    /// Bytes that belong to frames.
    pub(crate) consumed: usize,
}

/// Feeds `stream` in chunks; the last size is repeated. Every call sees all bytes that have
/// arrived behind the last frame, as in a session.
pub(crate) fn walk(mut decoder: Decoder, stream: &[u8], chunks: &[usize]) -> Walk {
    let mut result = Walk { seen: Vec::new(), error: None, consumed: 0 };
    let mut arrived = 0;
    let mut sizes = chunks.iter().copied().chain(std::iter::repeat(*chunks.last().unwrap()));
    while arrived < stream.len() {
        arrived = (arrived + sizes.next().unwrap().max(1)).min(stream.len());
        loop {
            let bytes = &stream[result.consumed..arrived];
            match decoder.next(bytes) {
                Ok(Step::Need) => break,
                Ok(Step::Frame { frame, len }) => {
                    assert!(len > 0 && len <= bytes.len(), "a step stays within its bytes");
                    note(&mut result.seen, frame, &bytes[..len]);
                    result.consumed += len;
                }
                Err(error) => {
                    assert_eq!(decoder.next(b"\x08\0\0\0\0\0\0\xce"), Err(error), "it is final");
                    result.error = Some(error);
                    return result;
                }
            }
        }
    }
    result
}

fn note(seen: &mut Vec<Seen>, frame: Frame, bytes: &[u8]) {
    match frame {
        Frame::Body { .. } | Frame::Unread { .. } => {
            assert_eq!(bytes.len(), 7, "only its head");
            seen.push(Seen::Streamed(frame, Vec::new(), false));
        }
        Frame::Payload(piece) => {
            let Some(Seen::Streamed(head, payload, ended)) = seen.last_mut() else {
                panic!("a payload follows its head");
            };
            assert!(!*ended, "a payload ends once");
            payload.extend_from_slice(&bytes[..piece.len as usize]);
            let end: &[u8] = if piece.last { b"\xce" } else { b"" };
            assert_eq!(&bytes[piece.len as usize..], end, "only a last piece holds the end");
            *ended = piece.last;
            let (Frame::Body { size, .. } | Frame::Unread { size, .. }) = *head else {
                panic!("{head:?} has no payload");
            };
            assert!(payload.len() <= size as usize, "no byte too many");
            assert!(!*ended || payload.len() == size as usize, "and none too few");
        }
        Frame::ProtocolHeader | Frame::Method { .. } | Frame::Header(_) | Frame::Heartbeat => {
            seen.push(Seen::Whole(frame, bytes.to_vec()));
        }
    }
}

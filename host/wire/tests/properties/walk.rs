//! Runs a decoder over a stream the way a session does, and writes down what it found.

use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{
    BrokerDecoder, BrokerFrame, ClientDecoder, ClientFrame, Delivery, Error, Message, Payload,
};
use spanbridge_wire::{Extent, Step};

/// What was found, without extents, so that it can be compared whatever the chunks were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Subject, reply, sid, header block if seen, payload with an unseen header block in front,
    /// and whether the payload has ended.
    Message {
        subject: Vec<u8>,
        reply: Option<Vec<u8>>,
        sid: Option<Vec<u8>>,
        header: Option<Vec<u8>>,
        payload: Vec<u8>,
        ended: bool,
    },
    /// Any other frame, by name, with the bytes it points to.
    Other(&'static str, Vec<Vec<u8>>),
}

/// The result of a whole stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<Error>,
    /// Bytes that belong to frames.
    pub(crate) consumed: usize,
}

/// A decoder of either direction.
pub(crate) trait Decode {
    type Frame;
    fn start(limits: NatsLimits) -> Self;
    fn decode(&mut self, bytes: &[u8]) -> Result<Step<Self::Frame>, Error>;
    fn classify(frame: Self::Frame, bytes: &[u8]) -> Found;
}

/// A frame of either direction.
pub(crate) enum Found {
    Head(Message, Option<Extent>),
    Payload(Payload),
    Other(Seen),
}

impl Decode for ClientDecoder {
    type Frame = ClientFrame;

    fn start(limits: NatsLimits) -> Self {
        Self::new(limits)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Step<ClientFrame>, Error> {
        self.next(bytes)
    }

    fn classify(frame: ClientFrame, bytes: &[u8]) -> Found {
        let other = |name, extents: &[Extent]| {
            Found::Other(Seen::Other(name, extents.iter().map(|e| e.of(bytes).to_vec()).collect()))
        };
        match frame {
            ClientFrame::Publish(message) => Found::Head(message, None),
            ClientFrame::Payload(payload) => Found::Payload(payload),
            ClientFrame::Connect(json) => other("connect", &[json]),
            ClientFrame::Subscribe(sub) => {
                let group = sub.queue_group.unwrap_or_default();
                other("subscribe", &[sub.subject, group, sub.sid])
            }
            ClientFrame::Unsubscribe(unsub) => other("unsubscribe", &[unsub.sid]),
            ClientFrame::Ping => other("ping", &[]),
            ClientFrame::Pong => other("pong", &[]),
        }
    }
}

impl Decode for BrokerDecoder {
    type Frame = BrokerFrame;

    fn start(limits: NatsLimits) -> Self {
        Self::new(limits)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Step<BrokerFrame>, Error> {
        self.next(bytes)
    }

    fn classify(frame: BrokerFrame, bytes: &[u8]) -> Found {
        let other = |name, extents: &[Extent]| {
            Found::Other(Seen::Other(name, extents.iter().map(|e| e.of(bytes).to_vec()).collect()))
        };
        match frame {
            BrokerFrame::Deliver(Delivery { message, sid }) => Found::Head(message, Some(sid)),
            BrokerFrame::Payload(payload) => Found::Payload(payload),
            BrokerFrame::Info(json) => other("info", &[json]),
            BrokerFrame::Err(text) => other("err", &[text]),
            BrokerFrame::Ok => other("ok", &[]),
            BrokerFrame::Ping => other("ping", &[]),
            BrokerFrame::Pong => other("pong", &[]),
        }
    }
}

/// Feeds `stream` in chunks; the last size is repeated. Every call sees all bytes that have
/// arrived behind the last frame, as in a session.
pub(crate) fn walk<D: Decode>(stream: &[u8], chunks: &[usize], limits: NatsLimits) -> Walk {
    let mut decoder = D::start(limits);
    let mut result = Walk { seen: Vec::new(), error: None, consumed: 0 };
    let mut arrived = 0;
    let mut sizes = chunks.iter().copied().chain(std::iter::repeat(*chunks.last().unwrap()));
    while arrived < stream.len() {
        arrived = (arrived + sizes.next().unwrap().max(1)).min(stream.len());
        loop {
            let bytes = &stream[result.consumed..arrived];
            match decoder.decode(bytes) {
                Ok(Step::Need) => break,
                Ok(Step::Frame { frame, len }) => {
                    assert!(len > 0 && len <= bytes.len(), "a step stays within its bytes");
                    note(&mut result.seen, D::classify(frame, bytes), &bytes[..len]);
                    result.consumed += len;
                }
                Err(error) => {
                    assert!(decoder.decode(b"PING\r\n").is_err(), "an error is final");
                    result.error = Some(error);
                    return result;
                }
            }
        }
    }
    result
}

fn note(seen: &mut Vec<Seen>, found: Found, bytes: &[u8]) {
    match found {
        Found::Other(other) => seen.push(other),
        Found::Head(message, sid) => {
            assert_eq!(bytes.len(), message.head_len(), "the head is the whole step");
            assert!(message.total_len() >= bytes.len() as u64 + 2);
            seen.push(Seen::Message {
                subject: message.subject.of(bytes).to_vec(),
                reply: message.reply.map(|reply| reply.of(bytes).to_vec()),
                sid: sid.map(|sid| sid.of(bytes).to_vec()),
                header: message.header(bytes).map(<[u8]>::to_vec),
                payload: Vec::new(),
                ended: false,
            });
        }
        Found::Payload(piece) => {
            let Some(Seen::Message { payload, ended, .. }) = seen.last_mut() else {
                panic!("a payload follows its head");
            };
            assert!(!*ended, "a payload ends once");
            payload.extend_from_slice(&bytes[..piece.len as usize]);
            let end: &[u8] = if piece.last { b"\r\n" } else { b"" };
            assert_eq!(&bytes[piece.len as usize..], end, "only a last piece holds the end");
            *ended = piece.last;
        }
    }
}

//! What a client sends to a broker.

use super::control::{Line, Subscribe, Unsubscribe};
use super::decode::{Decoder, Payload};
use super::error::Error;
use super::message::Message;
use super::operation::{Operation, Sender};
use crate::limits::NatsLimits;
use crate::{Extent, Step};

/// One step of the client's side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// `CONNECT`, with the place of its JSON, for [`Connect::parse`](super::Connect::parse).
    Connect(Extent),
    /// `PUB` or `HPUB`: the head of a message. [`Self::Payload`] follows.
    Publish(Message),
    /// A piece of the payload of the message before it.
    Payload(Payload),
    /// `SUB`.
    Subscribe(Subscribe),
    /// `UNSUB`.
    Unsubscribe(Unsubscribe),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
}

/// Decodes what a client sends.
///
/// Holds a position in the stream, but no bytes. Cheap to copy: a copy is a place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct ClientDecoder(Decoder);

impl ClientDecoder {
    /// A decoder at the start of a connection.
    pub const fn new(limits: NatsLimits) -> Self {
        Self(Decoder::new(Sender::Client, limits))
    }

    /// The frame at the start of `bytes`.
    ///
    /// `bytes` are all bytes behind the last frame that are there, or more of the same after
    /// [`Step::Need`]. A control line and its header block are found when they are whole; a
    /// payload is handed on in pieces as it comes, or whole by [`Self::payload`].
    ///
    /// # Errors
    ///
    /// The bytes are not the protocol, or exceed a limit. Every later call answers the same.
    #[inline(always)]
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step<ClientFrame>, Error> {
        if let Some(left) = self.0.payload_left() {
            return Ok(self.0.piece(left, bytes)?.map(ClientFrame::Payload));
        }
        let Some(line) = self.0.line(bytes)? else {
            return Ok(Step::Need);
        };
        if matches!(line.operation, Operation::Pub | Operation::Hpub) {
            return match line.publish(self.0.limits()) {
                Ok(message) => {
                    Ok(self.0.head(&message, bytes.len(), ClientFrame::Publish(message)))
                }
                Err(error) => Err(self.0.fail(error)),
            };
        }
        self.other(&line)
    }

    /// The rest of the payload as one range of `bytes`, for whoever has to read it.
    ///
    /// Called in place of [`Self::next`] behind a [`ClientFrame::Publish`]; `bytes` as there. The
    /// step's length includes the payload's end. The caller bounds what it is ready to hold, by
    /// [`Message::payload_len`], before it asks. Between two messages the answer is an empty
    /// range of no length.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub fn payload(&mut self, bytes: &[u8]) -> Result<Step<Extent>, Error> {
        self.0.rest_of_payload(bytes)
    }

    /// The bytes that are left of a payload, without its end; `None` between two messages.
    pub const fn payload_left(&self) -> Option<u32> {
        self.0.payload_left()
    }

    /// A frame that is no message: rare, and a control line only.
    #[inline(always)]
    fn other(&mut self, line: &Line<'_>) -> Result<Step<ClientFrame>, Error> {
        let frame = match line.operation {
            Operation::Sub => line.subscribe().map(ClientFrame::Subscribe),
            Operation::Unsub => line.unsubscribe().map(ClientFrame::Unsubscribe),
            Operation::Connect => line.rest().map(ClientFrame::Connect),
            Operation::Ping => Ok(ClientFrame::Ping),
            // The names that a client may send hold nothing else.
            _ => Ok(ClientFrame::Pong),
        };
        match frame {
            Ok(frame) => Ok(self.0.whole(line, frame)),
            Err(error) => Err(self.0.fail(error)),
        }
    }
}

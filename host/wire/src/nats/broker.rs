//! What a broker sends to a client.

use super::control::{Delivery, Line};
use super::decode::{Decoder, Payload};
use super::error::Error;
use super::operation::{Operation, Sender};
use crate::limits::NatsLimits;
use crate::{Extent, Step};

/// One step of the broker's side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerFrame {
    /// `INFO`, with the place of its JSON, for [`Info::parse`](super::Info::parse).
    Info(Extent),
    /// `MSG` or `HMSG`: the head of a message. [`Self::Payload`] follows.
    Deliver(Delivery),
    /// A piece of the payload of the message before it.
    Payload(Payload),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`: the broker's answer to each frame of a client that asked to be verbose.
    Ok,
    /// `-ERR`, with the place of its text, quotes included.
    Err(Extent),
}

/// Decodes what a broker sends.
///
/// Holds a position in the stream, but no bytes. Cheap to copy: a copy is a place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct BrokerDecoder(Decoder);

impl BrokerDecoder {
    /// A decoder at the start of a connection.
    pub const fn new(limits: NatsLimits) -> Self {
        Self(Decoder::new(Sender::Broker, limits))
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
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step<BrokerFrame>, Error> {
        if let Some(left) = self.0.payload_left() {
            return Ok(self.0.piece(left, bytes)?.map(BrokerFrame::Payload));
        }
        let Some(line) = self.0.line(bytes)? else {
            return Ok(Step::Need);
        };
        if matches!(line.operation, Operation::Msg | Operation::Hmsg) {
            return match line.delivery(self.0.limits()) {
                Ok(found) => {
                    Ok(self.0.head(&found.message, bytes.len(), BrokerFrame::Deliver(found)))
                }
                Err(error) => Err(self.0.fail(error)),
            };
        }
        self.other(&line)
    }

    /// The rest of the payload as one range of `bytes`, for whoever has to read it.
    ///
    /// Called in place of [`Self::next`] behind a [`BrokerFrame::Deliver`]; `bytes` as there. The
    /// step's length includes the payload's end. The caller bounds what it is ready to hold, by
    /// [`Message::payload_len`](super::Message::payload_len), before it asks. Between two
    /// messages the answer is an empty range of no length.
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
    fn other(&mut self, line: &Line<'_>) -> Result<Step<BrokerFrame>, Error> {
        let frame = match line.operation {
            Operation::Info => line.rest().map(BrokerFrame::Info),
            Operation::Err => line.rest().map(BrokerFrame::Err),
            Operation::Ok => Ok(BrokerFrame::Ok),
            Operation::Ping => Ok(BrokerFrame::Ping),
            // The names that a broker may send hold nothing else.
            _ => Ok(BrokerFrame::Pong),
        };
        match frame {
            Ok(frame) => Ok(self.0.whole(line, frame)),
            Err(error) => Err(self.0.fail(error)),
        }
    }
}

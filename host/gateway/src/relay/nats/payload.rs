//! The payload of a delivery, for whoever has to read it.
//!
//! It streams through unless somebody asks; several may, and it is read once.

use spanbridge_wire::Step;
use spanbridge_wire::nats::{BrokerDecoder, Error, Message};

use super::walk::Behind;

/// What follows a head that the decoder has just found.
#[derive(Debug)]
pub(super) struct Payload<'d, 'a> {
    decoder: &'d mut BrokerDecoder,
    /// What is there of it, and what is there behind it.
    bytes: &'a [u8],
    /// Once it was read: the payload, and how many bytes the decoder went on.
    read: Option<(&'a [u8], usize)>,
}

impl<'d, 'a> Payload<'d, 'a> {
    /// `bytes` begin with the message's control line.
    pub(super) fn new(decoder: &'d mut BrokerDecoder, message: &Message, bytes: &'a [u8]) -> Self {
        let bytes = bytes.get(message.head_len()..).unwrap_or_default();
        Self { decoder, bytes, read: None }
    }

    /// The payload; `None`: it is not whole.
    pub(super) fn whole(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if self.read.is_none()
            && let Step::Frame { frame, len } = self.decoder.payload(self.bytes)?
        {
            self.read = Some((frame.of(self.bytes), len));
        }
        Ok(self.read.map(|(payload, _)| payload))
    }

    /// What becomes of the message.
    pub(super) fn behind(&self) -> Behind {
        Behind::Read(self.read.map_or(0, |(_, len)| len))
    }
}

//! What stops a NATS session from being read, and what becomes of a message behind its head.

use spanbridge_wire::nats::{Error, Message};

/// How far one read was understood.
pub(super) type Walk = crate::relay::walk::Walk<Stop>;

/// Why a session is not read any more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// A TLS handshake follows.
    Tls,
    /// The bytes are not the protocol.
    Protocol(Error),
}

/// What becomes of a message behind its head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behind {
    /// So many bytes of its payload were read; the rest streams through.
    Read(usize),
    /// Its payload has to be read. It is held, and read again from its start, once so many bytes of
    /// it are there.
    Held(usize),
    /// It is held until the messages before it have been written.
    Waits,
}

/// Nothing of a payload is read: it streams through.
pub(super) const PAYLOAD_PASSES: Behind = Behind::Read(0);

impl Behind {
    /// The message is held until its payload is whole. One byte more tells whether it ends where it
    /// should.
    pub(super) fn held(message: &Message) -> Self {
        Self::Held(message.head_len() + message.payload_len as usize + 1)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        /// The first byte of a TLS record that carries a handshake: RFC 8446, section 5.1.
        const HANDSHAKE: u8 = 0x16;
        match error {
            Error::Operation { found: HANDSHAKE } => Self::Tls,
            error => Self::Protocol(error),
        }
    }
}

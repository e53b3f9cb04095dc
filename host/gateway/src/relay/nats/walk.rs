//! How far one read of a session was understood.

use spanbridge_wire::nats::{Error, Message};

/// How far one read was understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// So many bytes go on now; the rest is held.
    pub(super) done: usize,
    /// With fewer bytes than these, the rest cannot be read any further.
    pub(super) needed: usize,
    /// The rest is held until what goes on has been written: there are more messages than one call
    /// of the component takes.
    pub(super) full: bool,
    /// From there on, nothing of the session is read any more.
    pub(super) stop: Option<Stop>,
}

/// Why a session is not read any more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// A TLS handshake follows.
    Tls,
    /// The bytes are not the protocol.
    Protocol(Error),
}

impl Walk {
    /// The rest is held until more of it comes.
    pub(super) const fn until(done: usize) -> Self {
        Self { done, needed: 0, full: false, stop: None }
    }

    /// The rest is held until so many bytes of it are there.
    pub(super) const fn until_there_are(needed: usize, done: usize) -> Self {
        Self { done, needed, full: false, stop: None }
    }

    /// The rest is held until this much has been written.
    pub(super) const fn full(done: usize) -> Self {
        Self { done, needed: 0, full: true, stop: None }
    }

    /// Everything goes on, and nothing is read any more.
    pub(super) fn stopped(input: &[u8], stop: impl Into<Stop>) -> Self {
        Self { done: input.len(), needed: 0, full: false, stop: Some(stop.into()) }
    }
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

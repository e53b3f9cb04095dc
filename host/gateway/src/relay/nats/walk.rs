//! How far one read of a session was understood.

use spanbridge_wire::Step;
use spanbridge_wire::nats::Error;

/// How far one read was understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// So many bytes go on now; the rest is held.
    pub(super) done: usize,
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
        Self { done, full: false, stop: None }
    }

    /// The rest is held until this much has been written.
    pub(super) const fn full(done: usize) -> Self {
        Self { done, full: true, stop: None }
    }

    /// Everything goes on, and nothing is read any more.
    pub(super) fn stopped(input: &[u8], stop: impl Into<Stop>) -> Self {
        Self { done: input.len(), full: false, stop: Some(stop.into()) }
    }
}

/// What was read of a payload behind a head: nothing, because it streams through.
pub(super) const PAYLOAD_PASSES: Step<()> = Step::Frame { frame: (), len: 0 };

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

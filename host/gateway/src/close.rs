//! How a session ended: who ended it, and why. Every session ends with exactly one.

use std::{fmt, io};

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The client.
    Client,
    /// The broker.
    Broker,
    /// The gateway.
    Here,
}

/// Why a session ended.
#[derive(Debug)]
pub enum Cause {
    /// Both directions came to their end.
    Ended,
    /// A connection failed.
    Io(io::Error),
    /// No broker of the list could be reached; the error of the last one.
    NoBroker(io::Error),
    /// What comes before a session did not succeed.
    Opening {
        /// Which step.
        step: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The broker is one that sends clients elsewhere: this.
    Refused(&'static str),
    /// The gateway is going down, and the session was between two frames.
    Drained,
    /// The gateway is going down, and the session was still inside a frame.
    DrainTimeout,
}

/// The end of a session.
#[derive(Debug)]
pub struct Close {
    /// Who.
    pub by: By,
    /// Why.
    pub cause: Cause,
}

impl Close {
    /// Answers whether an operator should look at it.
    pub fn is_trouble(&self) -> bool {
        match &self.cause {
            // Its relay has said so, not for each of many sessions.
            Cause::Ended | Cause::Drained | Cause::Refused(_) => false,
            Cause::NoBroker(_) | Cause::DrainTimeout => true,
            // Clients come and go without a word; a broker should not.
            Cause::Io(_) | Cause::Opening { .. } => self.by != By::Client,
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Client => "client",
            By::Broker => "broker",
            By::Here => "gateway",
        };
        match &self.cause {
            Cause::Ended => write!(f, "ended by {by}"),
            Cause::Io(error) => write!(f, "{by} connection failed: {error}"),
            Cause::NoBroker(error) => write!(f, "no broker can be reached: {error}"),
            Cause::Opening { step, error } => write!(f, "{step} failed by {by}: {error}"),
            Cause::Refused(found) => write!(f, "refused: the broker is a {found}"),
            Cause::Drained => f.write_str("drained"),
            Cause::DrainTimeout => f.write_str("cut off inside a frame: the drain timed out"),
        }
    }
}

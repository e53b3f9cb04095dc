//! Why bytes are not the NATS client protocol.

use std::fmt;

/// The field of the protocol that was wrong.
///
/// All of them mean the same for an intermediary: stop looking, relay every byte from here on as
/// it comes. The peer will say what it thinks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes start with no operation that this side of a connection may send.
    Operation {
        /// Their first byte. 0x16 is the start of a TLS handshake.
        found: u8,
    },
    /// The control line has not ended within its limit.
    ControlLineLength {
        /// The limit, in bytes.
        max: u32,
    },
    /// A carriage return stands inside of the control line.
    ///
    /// nats-server drops a byte of such a line, in a way that depends on how it was split by the
    /// network: its meaning cannot be known here.
    ControlLineReturn,
    /// The operation does not take this number of arguments.
    ArgumentCount {
        /// The number of arguments, counted up to one more than any operation takes.
        found: u8,
    },
    /// The length of the header block is no number of one to nine digits.
    HeaderLength,
    /// The length of the message is no number of one to nine digits, or less than its header's.
    MessageLength,
    /// The message is longer than its limit.
    MessageLimit {
        /// The limit, in bytes.
        max: u32,
    },
    /// The payload is not followed by a carriage return and a line feed.
    PayloadEnd {
        /// The byte found in place of one of them.
        found: u8,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Operation { found } => {
                write!(f, "expected an operation of the NATS protocol, found 0x{found:02x}")
            }
            Self::ControlLineLength { max } => {
                write!(f, "expected a control line of at most {max} bytes, found a longer one")
            }
            Self::ControlLineReturn => {
                f.write_str("expected 0x0a behind 0x0d in a control line, found another byte")
            }
            Self::ArgumentCount { found } => {
                write!(f, "expected another number of arguments, found {found}")
            }
            Self::HeaderLength => f.write_str("expected a header length of one to nine digits"),
            Self::MessageLength => {
                f.write_str("expected a message length of one to nine digits, header included")
            }
            Self::MessageLimit { max } => {
                write!(f, "expected a message of at most {max} bytes, found a longer one")
            }
            Self::PayloadEnd { found } => {
                write!(f, "expected payload end 0x0d 0x0a, found 0x{found:02x}")
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_expected_and_what_came() {
        let table = [
            (
                Error::Operation { found: 0x16 },
                "expected an operation of the NATS protocol, found 0x16",
            ),
            (Error::PayloadEnd { found: 0 }, "expected payload end 0x0d 0x0a, found 0x00"),
        ];
        for (error, message) in table {
            assert_eq!(error.to_string(), message);
        }
    }
}

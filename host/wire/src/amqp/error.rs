//! Why bytes are not AMQP 0-9-1.

use std::fmt;

/// The field of the protocol that was wrong.
///
/// All of them mean the same for an intermediary: stop looking, relay every byte from here on as
/// it comes. The peer will say what it thinks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The client does not begin with `AMQP` 0 0 9 1.
    Protocol {
        /// The place of the first byte that differs.
        at: u8,
        /// That byte. 0x16 at 0 is the start of a TLS handshake; 0x03 at 4 is AMQP 1.0 with SASL,
        /// 0x01 at 5 AMQP 1.0 without.
        found: u8,
    },
    /// The frame is of no known type.
    FrameType {
        /// Its type. 0x41 in place of a broker's first frame is a broker that speaks another
        /// version and says which one.
        found: u8,
    },
    /// The payload is not followed by 0xce.
    FrameEnd {
        /// The byte found in its place.
        found: u8,
    },
    /// A heartbeat has a payload.
    HeartbeatSize {
        /// The size of the payload, in bytes.
        found: u32,
    },
    /// A method frame ends before this argument, or within it.
    Argument {
        /// The class of the method, 0 when the frame ends before it.
        class: u16,
        /// The method, 0 when the frame ends before it.
        method: u16,
        /// The argument as the specification spells it.
        name: &'static str,
    },
    /// A content header frame ends before its property flags do.
    ContentHeaderSize {
        /// The size of its payload, in bytes.
        found: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Protocol { at, found } => write!(
                f,
                "expected the protocol header of AMQP 0-9-1, found 0x{found:02x} as byte {at}"
            ),
            Self::FrameType { found } => {
                write!(f, "expected frame type 1, 2, 3 or 8, found 0x{found:02x}")
            }
            Self::FrameEnd { found } => write!(f, "expected frame end 0xce, found 0x{found:02x}"),
            Self::HeartbeatSize { found } => {
                write!(f, "expected a heartbeat without payload, found {found} bytes")
            }
            Self::Argument { class, method, name } => {
                write!(f, "expected {name} in method {class}.{method}, found the end of its frame")
            }
            Self::ContentHeaderSize { found } => {
                write!(f, "expected a content header of at least 14 bytes, found {found}")
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
                Error::Protocol { at: 4, found: 3 },
                "expected the protocol header of AMQP 0-9-1, found 0x03 as byte 4",
            ),
            (Error::FrameType { found: 0x41 }, "expected frame type 1, 2, 3 or 8, found 0x41"),
            (Error::FrameEnd { found: 0 }, "expected frame end 0xce, found 0x00"),
            (
                Error::Argument { class: 60, method: 40, name: "routing-key" },
                "expected routing-key in method 60.40, found the end of its frame",
            ),
        ];
        for (error, message) in table {
            assert_eq!(error.to_string(), message);
        }
    }
}

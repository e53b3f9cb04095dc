//! Why bytes are not RESP.

use std::fmt;

/// The part of the protocol that was wrong.
///
/// All of them mean the same for an intermediary: stop looking, relay every byte from here on as
/// it comes. The peer will say what it thinks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A command does not begin as one: neither `*` nor a word of an inline command.
    Command {
        /// Its first byte. 0x16 is the start of a TLS handshake.
        found: u8,
    },
    /// An argument does not begin with `$`.
    Argument {
        /// The byte found in its place.
        found: u8,
    },
    /// An inline command has no end within [`RespLimits::line_bytes_max`].
    ///
    /// [`RespLimits::line_bytes_max`]: crate::limits::RespLimits::line_bytes_max
    InlineLength {
        /// The limit.
        max: u32,
    },
    /// An inline command has a byte at which Redis stops reading.
    InlineByte {
        /// That byte.
        found: u8,
    },
    /// A reply, or an element of one, is of no known type.
    ReplyType {
        /// Its first byte.
        found: u8,
    },
    /// A length or a count is not a decimal number.
    Number {
        /// The first byte that does not belong.
        found: u8,
    },
    /// A string is longer than [`RespLimits::bulk_bytes_max`].
    ///
    /// [`RespLimits::bulk_bytes_max`]: crate::limits::RespLimits::bulk_bytes_max
    BulkLength {
        /// Its length, in bytes.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// A string is not followed by a line end.
    BulkEnd {
        /// The byte found in its place.
        found: u8,
    },
    /// There are more arguments or elements than Redis counts.
    Count {
        /// The number found.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// A line of a reply ends without a carriage return.
    LineEnd,
    /// A line of a reply has no end within [`RespLimits::line_bytes_max`].
    ///
    /// [`RespLimits::line_bytes_max`]: crate::limits::RespLimits::line_bytes_max
    LineLength {
        /// The limit.
        max: u32,
    },
    /// Attributes in front of a reply are longer than [`RespLimits::reply_bytes_max`].
    ///
    /// [`RespLimits::reply_bytes_max`]: crate::limits::RespLimits::reply_bytes_max
    AttributesLength {
        /// The limit.
        max: u32,
    },
    /// Replies of unknown length are nested deeper than [`STREAMED_DEPTH_MAX`].
    ///
    /// [`STREAMED_DEPTH_MAX`]: crate::limits::STREAMED_DEPTH_MAX
    StreamedDepth {
        /// The limit.
        max: usize,
    },
    /// A part of a reply of unknown length stands where none belongs, or is missing.
    Streamed {
        /// The first byte of what was found.
        found: u8,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Command { found } => {
                write!(f, "expected a command, found 0x{found:02x}")
            }
            Self::Argument { found } => write!(f, "expected '$', found 0x{found:02x}"),
            Self::InlineLength { max } => {
                write!(f, "expected an inline command of at most {max} bytes, found more")
            }
            Self::InlineByte { found } => {
                write!(f, "expected text in an inline command, found 0x{found:02x}")
            }
            Self::ReplyType { found } => {
                write!(f, "expected the type of a reply, found 0x{found:02x}")
            }
            Self::Number { found } => write!(f, "expected a length, found 0x{found:02x}"),
            Self::BulkLength { found, max } => {
                write!(f, "expected a string of at most {max} bytes, found {found}")
            }
            Self::BulkEnd { found } => {
                write!(f, "expected a line end behind a string, found 0x{found:02x}")
            }
            Self::Count { found, max } => {
                write!(f, "expected at most {max} elements, found {found}")
            }
            Self::LineEnd => {
                write!(f, "expected a carriage return in front of a line feed, found none")
            }
            Self::LineLength { max } => {
                write!(f, "expected a line of at most {max} bytes, found more")
            }
            Self::AttributesLength { max } => {
                write!(f, "expected attributes of at most {max} bytes, found more")
            }
            Self::StreamedDepth { max } => {
                write!(f, "expected at most {max} open replies of unknown length, found more")
            }
            Self::Streamed { found } => {
                write!(f, "expected a part of a reply of unknown length, found 0x{found:02x}")
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
            (Error::Command { found: 0x16 }, "expected a command, found 0x16"),
            (Error::Argument { found: b':' }, "expected '$', found 0x3a"),
            (
                Error::BulkLength { found: 9, max: 8 },
                "expected a string of at most 8 bytes, found 9",
            ),
            (Error::BulkEnd { found: 0 }, "expected a line end behind a string, found 0x00"),
            (Error::LineLength { max: 8 }, "expected a line of at most 8 bytes, found more"),
        ];
        for (error, message) in table {
            assert_eq!(error.to_string(), message);
        }
    }
}

//! What a gateway says itself: that a connection has to close.
//!
//! Nothing else is ever put between a peer's frames.

use super::decode::{FRAME_END, FRAME_OVERHEAD};

/// `connection.close-ok`, the answer to a peer that closes.
pub const CONNECTION_CLOSE_OK: [u8; 12] = [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, FRAME_END];

/// The code for "an operator intervened to close the connection", by which clients know that they
/// may come back.
const CONNECTION_FORCED: u16 = 320;

/// The arguments of `connection.close`, without its text: class and method, code, the text's
/// length, and the class and method that were the reason.
const FIXED_LEN: u32 = 4 + 2 + 1 + 4;

/// A text that fits a short string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyText<'a> {
    text: &'a str,
    len: u8,
}

impl<'a> ReplyText<'a> {
    /// Answers `None` for a text of more than 255 bytes.
    pub fn new(text: &'a str) -> Option<Self> {
        Some(Self { text, len: u8::try_from(text.len()).ok()? })
    }
}

/// Appends `connection.close` with the code 320, `CONNECTION_FORCED`.
///
/// Goes to either side, between two frames. A peer answers with `connection.close-ok`, which is
/// then the last frame that is read from it.
pub fn connection_forced(text: ReplyText<'_>, out: &mut Vec<u8>) {
    let size = FIXED_LEN.saturating_add(text.len.into());
    out.reserve(size.saturating_add(FRAME_OVERHEAD) as usize);
    out.extend_from_slice(&[1, 0, 0]);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(&[0, 10, 0, 50]);
    out.extend_from_slice(&CONNECTION_FORCED.to_be_bytes());
    out.push(text.len);
    out.extend_from_slice(text.text.as_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, FRAME_END]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::amqp::{Close, Decoder, Frame, Method};
    use crate::limits::AmqpLimits;

    fn only_frame(bytes: &[u8]) -> Frame {
        match Decoder::broker(AmqpLimits::default()).next(bytes) {
            Ok(Step::Frame { frame, len }) if len == bytes.len() => frame,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_gateway_says_is_read_as_it_is_meant() {
        for text in ["", "CONNECTION_FORCED - the gateway is shutting down", &"é".repeat(127)] {
            let mut out = Vec::new();
            connection_forced(ReplyText::new(text).unwrap(), &mut out);
            let Frame::Method { channel: 0, method: Method::ConnectionClose(close) } =
                only_frame(&out)
            else {
                panic!("{}", out.escape_ascii());
            };
            let Close { reply_code, reply_text, class, method } = close;
            assert_eq!((reply_code, class, method), (320, 0, 0));
            assert_eq!(reply_text.of(&out), text.as_bytes());
        }
        let close_ok = Frame::Method { channel: 0, method: Method::ConnectionCloseOk };
        assert_eq!(only_frame(&CONNECTION_CLOSE_OK), close_ok);
    }

    #[test]
    fn text_that_no_short_string_holds_is_refused() {
        assert_eq!(ReplyText::new(&"x".repeat(256)), None);
    }
}

//! Frames of either direction.
//!
//! ```text
//! method │ content header │ heartbeat     one step each, once the frame is whole
//! body                                    a step for its head, then its payload in pieces
//! any that exceeds its limit              the same, as a frame that is not read
//! ```

use super::content::ContentHeader;
use super::error::Error;
use super::method::Method;
use crate::Step;
use crate::limits::AmqpLimits;

/// Type, channel and size.
pub(super) const HEAD_LEN: usize = 7;

/// What stands behind every payload.
pub(super) const FRAME_END: u8 = 0xce;

/// What a frame has besides its payload: head and end.
pub(super) const FRAME_OVERHEAD: u32 = 8;

/// What a client of AMQP 0-9-1 begins with.
const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// One step of one side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The eight bytes with which a client begins.
    ProtocolHeader,
    /// A method.
    Method {
        /// Its channel; 0 is the connection itself.
        channel: u16,
        /// What it says.
        method: Method,
    },
    /// What describes a message, behind the method that sends it.
    Header(ContentHeader),
    /// The head of a body frame. [`Self::Payload`] follows, also when it is empty.
    Body {
        /// Its channel.
        channel: u16,
        /// The size of its payload, in bytes.
        size: u32,
    },
    /// The head of a frame that exceeds [`AmqpLimits::frame_bytes_max`] and is not looked at.
    /// [`Self::Payload`] follows.
    Unread {
        /// Its channel.
        channel: u16,
        /// What it would have been.
        kind: FrameKind,
        /// The size of its payload, in bytes.
        size: u32,
    },
    /// A piece of the payload of the frame before it.
    Payload(Payload),
    /// A heartbeat.
    Heartbeat,
}

/// A type of frame that is held until it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A method.
    Method,
    /// A content header.
    Header,
}

/// A piece of a payload that goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The number of payload bytes in this piece, at the start of the slice.
    pub len: u32,
    /// Whether it is the last piece of its frame. Only then the step's length includes the byte
    /// that ends a frame.
    pub last: bool,
}

/// Decodes what one side sends.
///
/// Holds a position in the stream, but no bytes. Cheap to copy: a copy is a place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    limits: AmqpLimits,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Where a client's protocol header belongs.
    Start,
    /// At the start of a frame.
    Frame,
    /// In a payload, this many bytes before its end.
    Payload { left: u32 },
    /// The bytes are something else.
    Failed(Error),
}

impl Decoder {
    /// A decoder for a client's side, at the start of a connection.
    pub const fn client(limits: AmqpLimits) -> Self {
        Self { limits, state: State::Start }
    }

    /// A decoder for a broker's side, at the start of a connection.
    pub const fn broker(limits: AmqpLimits) -> Self {
        Self { limits, state: State::Frame }
    }

    /// The frame at the start of `bytes`.
    ///
    /// `bytes` are all bytes behind the last frame that are there, or more of the same after
    /// [`Step::Need`]. A method, a content header and a heartbeat are found when they are whole;
    /// a body is handed on in pieces as it comes.
    ///
    /// # Errors
    ///
    /// The bytes are not the protocol. Every later call answers the same.
    #[inline(always)]
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        match self.state {
            State::Frame => self.frame(bytes),
            State::Payload { left } => self.piece(left, bytes),
            State::Start => self.protocol_header(bytes),
            State::Failed(error) => Err(error),
        }
    }

    /// The bytes that are left of a payload, without the byte that ends its frame; `None` between
    /// two frames.
    pub const fn payload_left(&self) -> Option<u32> {
        match self.state {
            State::Payload { left } => Some(left),
            State::Start | State::Frame | State::Failed(_) => None,
        }
    }

    #[inline(always)]
    fn frame(&mut self, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        let Some(&[kind, channel_1, channel_0, size_3, size_2, size_1, size_0]) =
            bytes.first_chunk::<HEAD_LEN>()
        else {
            return self.check_type(bytes);
        };
        let channel = u16::from_be_bytes([channel_1, channel_0]);
        let size = u32::from_be_bytes([size_3, size_2, size_1, size_0]);
        match kind {
            1 | 2 => self.held(kind, channel, size, bytes),
            3 => Ok(self.streamed(size, Frame::Body { channel, size })),
            8 if size == 0 => self.heartbeat(bytes),
            8 => Err(self.fail(Error::HeartbeatSize { found: size })),
            found => Err(self.fail(Error::FrameType { found })),
        }
    }

    /// A method or a content header, once it is whole.
    #[inline(always)]
    fn held(
        &mut self,
        kind: u8,
        channel: u16,
        size: u32,
        bytes: &[u8],
    ) -> Result<Step<Frame>, Error> {
        if size > self.limits.frame_bytes_max.saturating_sub(FRAME_OVERHEAD) {
            let kind = if kind == 1 { FrameKind::Method } else { FrameKind::Header };
            return Ok(self.streamed(size, Frame::Unread { channel, kind, size }));
        }
        let end = HEAD_LEN.saturating_add(size as usize);
        let Some((inside, behind)) = bytes.split_at_checked(end) else {
            return Ok(Step::Need);
        };
        match behind.first() {
            Some(&FRAME_END) => {}
            Some(&found) => return Err(self.fail(Error::FrameEnd { found })),
            None => return Ok(Step::Need),
        }
        let found = if kind == 1 {
            Method::read(inside).map(|method| Frame::Method { channel, method })
        } else {
            ContentHeader::read(channel, inside).map(Frame::Header)
        };
        match found {
            Ok(frame) => Ok(Step::Frame { frame, len: end.saturating_add(1) }),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn heartbeat(&mut self, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        match bytes.get(HEAD_LEN) {
            Some(&FRAME_END) => {
                Ok(Step::Frame { frame: Frame::Heartbeat, len: HEAD_LEN.saturating_add(1) })
            }
            Some(&found) => Err(self.fail(Error::FrameEnd { found })),
            None => Ok(Step::Need),
        }
    }

    /// A frame whose payload goes by.
    const fn streamed(&mut self, size: u32, frame: Frame) -> Step<Frame> {
        self.state = State::Payload { left: size };
        Step::Frame { frame, len: HEAD_LEN }
    }

    /// The next piece of a payload of which `left` bytes are missing.
    #[inline(always)]
    fn piece(&mut self, left: u32, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        match bytes.get(left as usize) {
            Some(&FRAME_END) => {
                self.state = State::Frame;
                let frame = Frame::Payload(Payload { len: left, last: true });
                return Ok(Step::Frame { frame, len: (left as usize).saturating_add(1) });
            }
            Some(&found) if left == 0 => return Err(self.fail(Error::FrameEnd { found })),
            _ => {}
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(left);
        if len == 0 {
            return Ok(Step::Need);
        }
        self.state = State::Payload { left: left.saturating_sub(len) };
        let frame = Frame::Payload(Payload { len, last: false });
        Ok(Step::Frame { frame, len: len as usize })
    }

    /// Looks at the start of a frame whose head is not whole.
    #[cold]
    fn check_type(&mut self, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        match bytes.first() {
            None | Some(1 | 2 | 3 | 8) => Ok(Step::Need),
            Some(&found) => Err(self.fail(Error::FrameType { found })),
        }
    }

    #[cold]
    fn protocol_header(&mut self, bytes: &[u8]) -> Result<Step<Frame>, Error> {
        for ((at, wanted), &found) in (0..).zip(PROTOCOL_HEADER).zip(bytes) {
            if found != wanted {
                return Err(self.fail(Error::Protocol { at, found }));
            }
        }
        let len = PROTOCOL_HEADER.len();
        if bytes.len() < len {
            return Ok(Step::Need);
        }
        self.state = State::Frame;
        Ok(Step::Frame { frame: Frame::ProtocolHeader, len })
    }

    /// Remembers the error: once lost, a stream has no later place to start again from.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.state = State::Failed(error);
        error
    }
}

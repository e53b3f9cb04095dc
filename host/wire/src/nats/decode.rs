//! What both directions of a connection have in common: lines, heads, payloads.

use memchr::memchr;

use super::control::Line;
use super::error::Error;
use super::message::Message;
use super::operation::Sender;
use crate::limits::NatsLimits;
use crate::{Extent, Step};

/// A carriage return and a line feed.
const END: [u8; 2] = *b"\r\n";

/// A piece of a payload that goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The number of payload bytes in this piece, at the start of the slice.
    pub len: u32,
    /// Whether it is the last piece. Only then the step's length includes the two bytes that end
    /// a payload.
    pub last: bool,
}

/// The state of one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder {
    limits: NatsLimits,
    sender: Sender,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the start of a control line.
    Line {
        /// Bytes in which no line feed was found.
        scanned: usize,
        /// Fewer bytes than these cannot make a whole head.
        needed: usize,
    },
    /// In a payload, this many bytes before its end.
    Payload { left: u32 },
    /// The bytes are something else.
    Failed(Error),
}

impl State {
    const START: Self = Self::Line { scanned: 0, needed: 1 };
}

impl Decoder {
    pub(super) const fn new(sender: Sender, limits: NatsLimits) -> Self {
        Self { limits, sender, state: State::START }
    }

    pub(super) const fn limits(&self) -> &NatsLimits {
        &self.limits
    }

    /// The bytes that are left of the payload, while one goes by.
    pub(super) const fn payload_left(&self) -> Option<u32> {
        match self.state {
            State::Payload { left } => Some(left),
            State::Line { .. } | State::Failed(_) => None,
        }
    }

    /// Remembers the error: once lost, a stream has no later place to start again from.
    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.state = State::Failed(error);
        error
    }

    /// The next control line. `None`: it has not ended yet.
    #[inline(always)]
    pub(super) fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Line<'a>>, Error> {
        let scanned = match self.state {
            State::Line { needed, .. } if bytes.len() < needed => return Ok(None),
            State::Line { scanned, .. } => scanned,
            State::Failed(error) => return Err(error),
            State::Payload { .. } => return Ok(None),
        };
        let max = self.line_bytes_max(bytes.first());
        let visible = bytes.len().min((max as usize).saturating_add(END.len()));
        let unscanned = bytes.get(scanned..visible).unwrap_or_default();
        let Some(at) = memchr(b'\n', unscanned) else {
            self.check_unended(bytes, visible, max)?;
            return Ok(None);
        };
        let end = scanned.saturating_add(at);
        let text = bytes.get(..end).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let Some((operation, name_end)) = self.sender.operation(text) else {
            return Err(self.fail(unknown(bytes)));
        };
        if text.len() > max as usize {
            return Err(self.fail(Error::ControlLineLength { max }));
        }
        Ok(Some(Line { operation, text, name_end, len: end.saturating_add(1) }))
    }

    /// Goes from the control line of `message` to its payload, if its head is there.
    #[inline(always)]
    pub(super) fn head<F>(&mut self, message: &Message, available: usize, frame: F) -> Step<F> {
        let len = message.head_len();
        if available < len {
            self.state = State::Line { scanned: 0, needed: len };
            return Step::Need;
        }
        let left = if message.header_seen { message.payload_len } else { message.size() };
        self.state = State::Payload { left };
        Step::Frame { frame, len }
    }

    /// A frame that is a control line and nothing more.
    pub(super) fn whole<F>(&mut self, line: &Line<'_>, frame: F) -> Step<F> {
        self.state = State::START;
        Step::Frame { frame, len: line.len }
    }

    /// The next piece of a payload of which `left` bytes are missing.
    #[inline(always)]
    pub(super) fn piece(&mut self, left: u32, bytes: &[u8]) -> Result<Step<Payload>, Error> {
        let ended = bytes.get(left as usize..).is_some_and(|behind| behind.starts_with(&END));
        if ended {
            self.state = State::START;
            let len = (left as usize).saturating_add(END.len());
            return Ok(Step::Frame { frame: Payload { len: left, last: true }, len });
        }
        if left == 0 {
            return self.check_end(bytes);
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(left);
        if len == 0 {
            return Ok(Step::Need);
        }
        self.state = State::Payload { left: left.saturating_sub(len) };
        Ok(Step::Frame { frame: Payload { len, last: false }, len: len as usize })
    }

    /// All that is left of a payload, once it is there with its end.
    pub(super) fn rest_of_payload(&mut self, bytes: &[u8]) -> Result<Step<Extent>, Error> {
        let left = match self.state {
            State::Payload { left } => left,
            State::Line { .. } => return Ok(Step::Frame { frame: Extent::default(), len: 0 }),
            State::Failed(error) => return Err(error),
        };
        let rest = Extent::between(0, left as usize);
        let behind = bytes.get(rest.range().end..).unwrap_or_default();
        if !behind.starts_with(&END) {
            return self.check_end(behind);
        }
        self.state = State::START;
        Ok(Step::Frame { frame: rest, len: rest.range().end.saturating_add(END.len()) })
    }

    /// Says what is wrong with an end that is not there: it is late, or it is not one.
    fn check_end<T>(&mut self, bytes: &[u8]) -> Result<Step<T>, Error> {
        match bytes.iter().zip(END).find(|&(&found, wanted)| found != wanted) {
            Some((&found, _)) => Err(self.fail(Error::PayloadEnd { found })),
            None => Ok(Step::Need),
        }
    }

    /// Looks at a line that has not ended, and remembers how far.
    // Answers as little as it can: the rare case must not force the frequent one into memory.
    #[cold]
    fn check_unended(&mut self, bytes: &[u8], visible: usize, max: u32) -> Result<(), Error> {
        let start = bytes.get(..visible).unwrap_or_default();
        if !self.sender.may_start(start) {
            return Err(self.fail(unknown(bytes)));
        }
        if visible >= (max as usize).saturating_add(END.len()) {
            return Err(self.fail(Error::ControlLineLength { max }));
        }
        self.state = State::Line { scanned: visible, needed: visible.saturating_add(1) };
        Ok(())
    }

    /// The limit of a line that starts with this byte: one letter tells the long ones.
    const fn line_bytes_max(&self, first: Option<&u8>) -> u32 {
        match (self.sender, first) {
            (Sender::Client, Some(b'C' | b'c')) => self.limits.connect_bytes_max,
            (Sender::Broker, Some(b'I' | b'i')) => self.limits.info_bytes_max,
            _ => self.limits.control_line_bytes_max,
        }
    }
}

/// No operation starts like this. There is a first byte: without any, nothing is decided.
fn unknown(bytes: &[u8]) -> Error {
    Error::Operation { found: bytes.first().copied().unwrap_or_default() }
}

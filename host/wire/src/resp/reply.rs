//! What a broker sends to a client: replies, and pushes among them.

use super::element::{Behind, Kind, ends_at, line};
use super::error::Error;
use super::tokens::Tokens;
use super::walk::{Stop, Walk};
use crate::limits::RespLimits;
use crate::{Extent, Step};

/// Whether somebody looks into a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is held until it is whole.
    Hold,
    /// It goes by in parts.
    Pass,
}

/// One step of the broker's side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFrame {
    /// A reply that was wanted and is whole.
    Whole(Reply),
    /// A part of a reply that nobody wanted, or that is longer than
    /// [`RespLimits::reply_bytes_max`]. The bytes of the step go on as they are.
    Part(ReplyPart),
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it is.
    pub kind: Kind,
    /// Where it lies, without the attributes in front of it.
    pub at: Extent,
}

impl Reply {
    /// Its elements, one after the other, beginning with itself. `bytes` as given to the decoder.
    pub fn tokens<'a>(&self, bytes: &'a [u8]) -> Tokens<'a> {
        Tokens::new(bytes, self.at)
    }

    /// The code of an error, its first word: `ERR`, `WRONGTYPE`, `NOGROUP`, `OOM`, …
    pub fn error_code<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let token = self.tokens(bytes).next().filter(|token| token.kind.is_error())?;
        token.at.of(bytes).split(|&byte| byte == b' ').next()
    }

    /// The number that it is, if it is one and not negative.
    pub fn number(&self, bytes: &[u8]) -> Option<u64> {
        let token = self.tokens(bytes).next().filter(|token| token.kind == Kind::Integer)?;
        crate::decimal::parse_u64(token.at.of(bytes))
    }

    /// The string that it is, if it is one with its length in front.
    pub fn string(&self, bytes: &[u8]) -> Option<Extent> {
        self.tokens(bytes).next()?.bulk()
    }
}

/// A part of a reply that goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPart {
    /// What the reply is.
    pub kind: Kind,
    /// Whether the reply begins with this part.
    pub first: bool,
    /// Whether the reply ends with this part.
    pub last: bool,
    /// Whether it was wanted, and is too long.
    pub too_long: bool,
}

/// Decodes what a broker sends.
///
/// Holds a position in the stream, but no bytes. Cheap to copy: a copy is a place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct ReplyDecoder {
    limits: RespLimits,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the start of a reply.
    Start,
    /// In a reply that has to be held.
    Held(Walk),
    /// In a reply that goes by.
    Passing { walk: Walk, kind: Kind, too_long: bool },
    /// The bytes are something else.
    Failed(Error),
}

impl ReplyDecoder {
    /// A decoder at the start of a connection.
    pub const fn new(limits: RespLimits) -> Self {
        Self { limits, state: State::Start }
    }

    /// The reply at the start of `bytes`, or a part of it.
    ///
    /// `bytes` are all bytes behind the last frame that are there, or more of the same after
    /// [`Step::Need`]. `reply` says whether the next reply is wanted, `push` whether the next push
    /// is: which of the two comes is not known before. Ask the same way until the reply has ended.
    ///
    /// # Errors
    ///
    /// The bytes are not the protocol, or exceed a limit. Every later call answers the same.
    #[inline]
    pub fn next(
        &mut self,
        bytes: &[u8],
        reply: Want,
        push: Want,
    ) -> Result<Step<ReplyFrame>, Error> {
        let answer = match self.state {
            State::Start => self.start(bytes, reply, push),
            State::Held(walk) => self.held(walk, bytes, reply, push),
            State::Passing { walk, kind, too_long } => {
                self.pass(walk, bytes, ReplyPart { kind, first: false, last: false, too_long })
            }
            State::Failed(error) => Err(error),
        };
        if let Err(error) = answer {
            self.state = State::Failed(error);
        }
        answer
    }

    /// Whether the bytes in front of the next frame are the middle of a reply that goes by.
    pub const fn is_passing(&self) -> bool {
        matches!(self.state, State::Passing { .. })
    }

    /// A reply that is one line or one string needs no walk.
    #[inline(always)]
    fn start(&mut self, bytes: &[u8], reply: Want, push: Want) -> Result<Step<ReplyFrame>, Error> {
        let Some(line) = line(bytes, 0, &self.limits)? else {
            return Ok(Step::Need);
        };
        let len = match line.behind {
            Behind::Nothing => line.end,
            Behind::Payload(len) => {
                let end = line.end.saturating_add(len as usize);
                if !ends_at(bytes, end)? {
                    return self.held(Walk::START, bytes, reply, push);
                }
                end.saturating_add(2)
            }
            _ => return self.held(Walk::START, bytes, reply, push),
        };
        let kind = line.kind;
        let is_wanted = reply == Want::Hold;
        let frame = if is_wanted && len <= self.limits.reply_bytes_max as usize {
            ReplyFrame::Whole(Reply { kind, at: Extent::between(0, len) })
        } else {
            ReplyFrame::Part(ReplyPart { kind, first: true, last: true, too_long: is_wanted })
        };
        Ok(Step::Frame { frame, len })
    }

    #[inline(never)]
    fn held(
        &mut self,
        mut walk: Walk,
        bytes: &[u8],
        reply: Want,
        push: Want,
    ) -> Result<Step<ReplyFrame>, Error> {
        let stop = walk.advance(bytes, &self.limits)?;
        let max = self.limits.reply_bytes_max as usize;
        let known_len = match stop {
            Stop::Done => walk.at(),
            Stop::Line => bytes.len(),
            Stop::Payload(end) => end,
        };
        let Some((kind, start)) = walk.value() else {
            self.state = State::Held(walk);
            return Ok(Step::Need);
        };
        let want = if kind == Kind::Push { push } else { reply };
        let too_long = known_len > max;
        if want == Want::Pass || too_long {
            let too_long = want == Want::Hold;
            return self.go_by(
                walk,
                stop,
                bytes,
                ReplyPart { kind, first: true, last: false, too_long },
            );
        }
        if stop != Stop::Done {
            self.state = State::Held(walk);
            return Ok(Step::Need);
        }
        self.state = State::Start;
        let at = Extent::between(start, walk.at());
        Ok(Step::Frame { frame: ReplyFrame::Whole(Reply { kind, at }), len: walk.at() })
    }

    fn pass(
        &mut self,
        mut walk: Walk,
        bytes: &[u8],
        part: ReplyPart,
    ) -> Result<Step<ReplyFrame>, Error> {
        let stop = walk.advance(bytes, &self.limits)?;
        self.go_by(walk, stop, bytes, part)
    }

    /// Lets go by what there is of a reply.
    #[inline(always)]
    fn go_by(
        &mut self,
        mut walk: Walk,
        stop: Stop,
        bytes: &[u8],
        part: ReplyPart,
    ) -> Result<Step<ReplyFrame>, Error> {
        if stop == Stop::Done {
            self.state = State::Start;
            let frame = ReplyFrame::Part(ReplyPart { last: true, ..part });
            return Ok(Step::Frame { frame, len: walk.at() });
        }
        let len = walk.take(bytes.len());
        if len == 0 {
            return Ok(Step::Need);
        }
        self.state = State::Passing { walk, kind: part.kind, too_long: part.too_long };
        Ok(Step::Frame { frame: ReplyFrame::Part(part), len })
    }
}

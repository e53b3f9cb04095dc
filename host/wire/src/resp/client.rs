//! What a client sends to a broker: commands.
//!
//! ```text
//! *3\r\n $4\r\nXADD\r\n …      held until it is whole, up to a limit
//! *3\r\n $3\r\nSET\r\n …       goes by in parts as it comes, at the cost of its header lines
//! PING\r\n                     inline: a line of words
//! *0\r\n                       nothing, and no reply to it
//! ```

use memchr::memchr;

use super::arguments::Command;
use super::element::{COUNT_MAX, Number, ends_at, number, skip_strings};
use super::error::Error;
use super::name::Name;
use crate::limits::RespLimits;
use crate::{Extent, Step};

/// One step of the client's side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFrame {
    /// A command that somebody may want to look into, whole.
    Command(Command),
    /// A part of another command, or of one that is longer than
    /// [`RespLimits::command_bytes_max`]. The bytes of the step go on as they are.
    Part(CommandPart),
    /// A line of words.
    Inline(Inline),
    /// An empty line, or an array without elements: the broker does not answer it.
    Empty,
}

/// A part of a command that goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandPart {
    /// What the command is.
    pub name: Name,
    /// The number of its arguments behind the name.
    pub arguments_len: u32,
    /// Whether the command begins with this part.
    pub first: bool,
    /// Whether the command ends with this part.
    pub last: bool,
    /// Whether it would have been held, and is too long.
    pub too_long: bool,
}

/// A command as people type them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inline {
    /// What it is. `None`: its first word has quotes, and was not looked at.
    pub name: Option<Name>,
    /// Whether there is more than one word.
    pub has_arguments: bool,
}

/// Decodes what a client sends.
///
/// Holds a position in the stream, but no bytes. Cheap to copy: a copy is a place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct CommandDecoder {
    limits: RespLimits,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the start of a command.
    Start,
    /// In a command that is held.
    Held { command: Command, walk: Walk },
    /// In a command that goes by.
    Passing { name: Name, arguments_len: u32, too_long: bool, walk: Walk },
    /// The bytes are something else.
    Failed(Error),
}

/// A position among the arguments of a command.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// The offset of the next byte that was not looked at.
    at: usize,
    /// The arguments of which the length has not been read.
    left: u32,
    /// The bytes that are left of an argument; its line end comes behind them.
    payload: Option<u32>,
}

impl CommandDecoder {
    /// A decoder at the start of a connection.
    pub const fn new(limits: RespLimits) -> Self {
        Self { limits, state: State::Start }
    }

    /// The command at the start of `bytes`, or a part of it.
    ///
    /// `bytes` are all bytes behind the last frame that are there, or more of the same after
    /// [`Step::Need`].
    ///
    /// # Errors
    ///
    /// The bytes are not the protocol, or exceed a limit. Every later call answers the same.
    #[inline(always)]
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step<CommandFrame>, Error> {
        let answer = match self.state {
            State::Start => self.start(bytes),
            State::Held { command, walk } => self.held(command, walk, bytes),
            State::Passing { name, arguments_len, too_long, walk } => {
                let part = CommandPart { name, arguments_len, first: false, last: false, too_long };
                self.pass(walk, part, bytes)
            }
            State::Failed(error) => Err(error),
        };
        if let Err(error) = answer {
            self.state = State::Failed(error);
        }
        answer
    }

    /// Whether the bytes in front of the next frame are the middle of a command that goes by.
    pub const fn is_passing(&self) -> bool {
        matches!(self.state, State::Passing { .. })
    }

    #[inline(always)]
    fn start(&mut self, bytes: &[u8]) -> Result<Step<CommandFrame>, Error> {
        match bytes.first() {
            Some(b'*') => {}
            Some(&found) => return inline(bytes, found, &self.limits),
            None => return Ok(Step::Need),
        }
        let (count, count_end) = match number(bytes, 1) {
            Number::Value(0, len) => return Ok(Step::Frame { frame: CommandFrame::Empty, len }),
            Number::Value(count, end) if count <= COUNT_MAX => (count, end),
            Number::Value(found, _) => return Err(Error::Count { found, max: COUNT_MAX }),
            Number::Need => return Ok(Step::Need),
            Number::Bad(b'-') => return negative(bytes),
            Number::Bad(found) => return Err(Error::Number { found }),
        };
        let Some((name_len, name_start)) = argument(bytes, count_end, &self.limits)? else {
            return Ok(Step::Need);
        };
        let name_end = name_start.saturating_add(name_len as usize);
        let mut walk = Walk { at: name_start, left: count.saturating_sub(1), payload: None };
        if !ends_at(bytes, name_end)? {
            // A name as long as a line is none, so nobody waits for the rest of it.
            if name_len <= self.limits.line_bytes_max {
                return Ok(Step::Need);
            }
            walk.payload = Some(name_len);
            return self.pass(walk, first_part(Name::Other, count, false), bytes);
        }
        walk.at = name_end.saturating_add(2);
        let name = Name::at(bytes, name_start, name_end);
        if !name.is_held() {
            return self.pass(walk, first_part(name, count, false), bytes);
        }
        let command = Command {
            name,
            name_at: Extent::between(name_start, name_end),
            count_at: Extent::between(1, count_end.saturating_sub(2)),
            count,
            len: 0,
        };
        self.held(command, walk, bytes)
    }

    #[inline(always)]
    fn held(
        &mut self,
        command: Command,
        mut walk: Walk,
        bytes: &[u8],
    ) -> Result<Step<CommandFrame>, Error> {
        let known_len = walk.advance(bytes, &self.limits)?;
        let max = self.limits.command_bytes_max as usize;
        if known_len.unwrap_or(walk.at) > max {
            return Ok(self.go_by(walk, first_part(command.name, command.count, true), bytes));
        }
        if known_len.is_some() {
            self.state = State::Held { command, walk };
            return Ok(Step::Need);
        }
        self.state = State::Start;
        // Not more than the limit, which is a `u32`.
        let len = u32::try_from(walk.at).unwrap_or(u32::MAX);
        let frame = CommandFrame::Command(Command { len, ..command });
        Ok(Step::Frame { frame, len: walk.at })
    }

    #[inline(always)]
    fn pass(
        &mut self,
        mut walk: Walk,
        part: CommandPart,
        bytes: &[u8],
    ) -> Result<Step<CommandFrame>, Error> {
        walk.advance(bytes, &self.limits)?;
        Ok(self.go_by(walk, part, bytes))
    }

    /// Lets go by what there is of a command.
    #[inline(always)]
    fn go_by(&mut self, mut walk: Walk, part: CommandPart, bytes: &[u8]) -> Step<CommandFrame> {
        let last = walk.left == 0 && walk.payload.is_none();
        let len = walk.take(bytes.len());
        if len == 0 {
            return Step::Need;
        }
        let CommandPart { name, arguments_len, too_long, .. } = part;
        self.state = if last {
            State::Start
        } else {
            State::Passing { name, arguments_len, too_long, walk }
        };
        Step::Frame { frame: CommandFrame::Part(CommandPart { last, ..part }), len }
    }
}

impl Walk {
    /// Goes as far as whole arguments reach.
    ///
    /// `None`: to the end. Otherwise the least length that the command can have.
    #[inline(always)]
    fn advance(&mut self, bytes: &[u8], limits: &RespLimits) -> Result<Option<usize>, Error> {
        loop {
            if let Some(len) = self.payload {
                let end = self.at.saturating_add(len as usize);
                if !ends_at(bytes, end)? {
                    return Ok(Some(end.saturating_add(2)));
                }
                self.payload = None;
                self.at = end.saturating_add(2);
            }
            let (at, left) = skip_strings(bytes, self.at, self.left.into(), limits);
            self.at = at;
            // Not more than there were.
            self.left = u32::try_from(left).unwrap_or(u32::MAX);
            if left == 0 {
                return Ok(None);
            }
            let Some((len, start)) = argument(bytes, self.at, limits)? else {
                return Ok(Some(bytes.len()));
            };
            self.left = self.left.saturating_sub(1);
            self.at = start;
            self.payload = Some(len);
        }
    }

    /// Takes what is there of an argument that has not ended, and forgets the bytes up to there.
    ///
    /// Answers their number.
    #[inline(always)]
    fn take(&mut self, available: usize) -> usize {
        let mut taken = self.at;
        if let Some(left) = self.payload {
            let there = available.saturating_sub(self.at);
            let there = u32::try_from(there).unwrap_or(u32::MAX).min(left);
            self.payload = Some(left.saturating_sub(there));
            taken = taken.saturating_add(there as usize);
        }
        self.at = 0;
        taken
    }
}

const fn first_part(name: Name, count: u32, too_long: bool) -> CommandPart {
    let arguments_len = count.saturating_sub(1);
    CommandPart { name, arguments_len, first: true, last: false, too_long }
}

/// The length of the argument at `at`, and the offset at which it begins. `None`: not there yet.
#[inline(always)]
fn argument(bytes: &[u8], at: usize, limits: &RespLimits) -> Result<Option<(u32, usize)>, Error> {
    match bytes.get(at) {
        Some(b'$') => {}
        Some(&found) => return Err(Error::Argument { found }),
        None => return Ok(None),
    }
    match number(bytes, at.saturating_add(1)) {
        Number::Value(len, start) if len <= limits.bulk_bytes_max => Ok(Some((len, start))),
        Number::Value(found, _) => Err(Error::BulkLength { found, max: limits.bulk_bytes_max }),
        Number::Need => Ok(None),
        Number::Bad(found) => Err(Error::Number { found }),
    }
}

/// An array of less than no elements, which Redis ignores like one of none.
#[cold]
fn negative(bytes: &[u8]) -> Result<Step<CommandFrame>, Error> {
    match number(bytes, 2) {
        Number::Value(0, _) => Err(Error::Number { found: b'-' }),
        Number::Value(_, len) => Ok(Step::Frame { frame: CommandFrame::Empty, len }),
        Number::Need => Ok(Step::Need),
        Number::Bad(found) => Err(Error::Number { found }),
    }
}

/// A line of words, once it has ended.
#[cold]
fn inline(bytes: &[u8], first: u8, limits: &RespLimits) -> Result<Step<CommandFrame>, Error> {
    // What cannot be the start of a line is not held back until one comes.
    if first >= 0x80 || (first < b' ' && !first.is_ascii_whitespace()) {
        return Err(Error::Command { found: first });
    }
    let max = limits.line_bytes_max;
    let visible = bytes.len().min((max as usize).saturating_add(2));
    let visible = bytes.get(..visible).unwrap_or_default();
    let end = memchr(b'\n', visible);
    let line = visible.get(..end.unwrap_or(visible.len())).unwrap_or_default();
    if memchr(0, line).is_some() {
        return Err(Error::InlineByte { found: 0 });
    }
    let Some(end) = end else {
        if visible.len() >= (max as usize).saturating_add(2) {
            return Err(Error::InlineLength { max });
        }
        return Ok(Step::Need);
    };
    let mut words = line.split(|&byte| is_blank(byte)).filter(|word| !word.is_empty());
    let frame = words.next().map_or(CommandFrame::Empty, |word| {
        let is_quoted = word.iter().any(|byte| matches!(byte, b'"' | b'\''));
        let name = (!is_quoted).then(|| Name::of(word));
        CommandFrame::Inline(Inline { name, has_arguments: words.next().is_some() })
    });
    Ok(Step::Frame { frame, len: end.saturating_add(1) })
}

/// What `isspace` of C calls a space, as Redis asks it.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

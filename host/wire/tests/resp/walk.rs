//! Runs a decoder over a stream the way a session does, and writes down what it found.

use spanbridge_wire::Step;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Command, CommandDecoder, CommandFrame, CommandPart, Error, Inline, Reply, ReplyDecoder,
    ReplyFrame, ReplyPart, Want,
};

/// What was found, in a form that does not depend on how the bytes were cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Command(Command, Vec<u8>),
    Inline(Inline, Vec<u8>),
    Empty(Vec<u8>),
    Reply(Reply, Vec<u8>),
    /// A command that went by; its flags are those of its first part and of its last.
    Passed(CommandPart, Vec<u8>),
    /// A reply that went by.
    PassedReply(ReplyPart, Vec<u8>),
}

/// The result of a whole stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<Error>,
    /// Bytes that belong to frames, up to the last one that ended.
    pub(crate) whole: usize,
}

/// A decoder with what it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Client(CommandDecoder),
    Broker(ReplyDecoder, Want, Want),
}

pub(crate) fn client(limits: RespLimits) -> Side {
    Side::Client(CommandDecoder::new(limits))
}

pub(crate) fn broker(limits: RespLimits, want: Want) -> Side {
    Side::Broker(ReplyDecoder::new(limits), want, want)
}

impl Side {
    fn next(&mut self, bytes: &[u8]) -> Result<Option<(Seen, usize)>, Error> {
        let of = |len: usize| bytes[..len].to_vec();
        Ok(match self {
            Self::Client(decoder) => match decoder.next(bytes)? {
                Step::Need => None,
                Step::Frame { frame, len } => Some(match frame {
                    CommandFrame::Command(command) => (Seen::Command(command, of(len)), len),
                    CommandFrame::Inline(inline) => (Seen::Inline(inline, of(len)), len),
                    CommandFrame::Empty => (Seen::Empty(of(len)), len),
                    CommandFrame::Part(part) => (Seen::Passed(part, of(len)), len),
                }),
            },
            Self::Broker(decoder, reply, push) => match decoder.next(bytes, *reply, *push)? {
                Step::Need => None,
                Step::Frame { frame, len } => Some(match frame {
                    ReplyFrame::Whole(reply) => (Seen::Reply(reply, of(len)), len),
                    ReplyFrame::Part(part) => (Seen::PassedReply(part, of(len)), len),
                }),
            },
        })
    }
}

/// Feeds `stream` in chunks; the last size is repeated. Every call sees all bytes that have
/// arrived behind the last frame, as in a session.
pub(crate) fn walk(mut side: Side, stream: &[u8], chunks: &[usize]) -> Walk {
    let mut result = Walk { seen: Vec::new(), error: None, whole: 0 };
    let (mut consumed, mut arrived) = (0, 0);
    let mut sizes = chunks.iter().copied().chain(std::iter::repeat(*chunks.last().unwrap()));
    while arrived < stream.len() {
        arrived = (arrived + sizes.next().unwrap().max(1)).min(stream.len());
        loop {
            let bytes = &stream[consumed..arrived];
            match side.next(bytes) {
                Ok(None) => break,
                Ok(Some((seen, len))) => {
                    assert!(len > 0 && len <= bytes.len(), "a step stays within its bytes");
                    consumed += len;
                    if note(&mut result.seen, seen) {
                        result.whole = consumed;
                    }
                }
                Err(error) => {
                    assert_eq!(side.next(b"*1\r\n$4\r\nPING\r\n"), Err(error), "it is final");
                    result.error = Some(error);
                    drop_unended(&mut result.seen);
                    return result;
                }
            }
        }
    }
    drop_unended(&mut result.seen);
    result
}

/// How far an unended one has come depends on how the bytes were cut.
fn drop_unended(seen: &mut Vec<Seen>) {
    match seen.last() {
        Some(Seen::Passed(part, _)) if !part.last => drop(seen.pop()),
        Some(Seen::PassedReply(part, _)) if !part.last => drop(seen.pop()),
        _ => {}
    }
}

/// Notes a step, and says whether something ended with it.
fn note(seen: &mut Vec<Seen>, new: Seen) -> bool {
    match (seen.last_mut(), new) {
        (Some(Seen::Passed(open, bytes)), new) if !open.last => {
            let Seen::Passed(part, more) = new else { panic!("a part follows") };
            assert!(!part.first && open.name == part.name && open.too_long == part.too_long);
            assert_eq!(open.arguments_len, part.arguments_len);
            open.last = part.last;
            bytes.extend_from_slice(&more);
            part.last
        }
        (Some(Seen::PassedReply(open, bytes)), new) if !open.last => {
            let Seen::PassedReply(part, more) = new else { panic!("a part follows") };
            assert!(!part.first && open.kind == part.kind && open.too_long == part.too_long);
            open.last = part.last;
            bytes.extend_from_slice(&more);
            part.last
        }
        (_, new) => {
            let ended = match &new {
                Seen::Passed(part, _) => {
                    assert!(part.first, "a command begins with its first part");
                    part.last
                }
                Seen::PassedReply(part, _) => {
                    assert!(part.first, "a reply begins with its first part");
                    part.last
                }
                _ => true,
            };
            seen.push(new);
            ended
        }
    }
}

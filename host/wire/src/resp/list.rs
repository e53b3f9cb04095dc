//! Commands that put something into a list or a channel, or take it out, and what they take.

use super::arguments::{Arguments, Command};
use super::element::Kind;
use super::name::Name;
use super::tokens::Tokens;
use super::words::{is, is_one_of};
use crate::Extent;

/// `LPUSH`, `RPUSH`, `LPUSHX`, `RPUSHX`, `LINSERT`, `PUBLISH` or `SPUBLISH`.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The list or the channel.
    pub key: Extent,
    /// What is put into it.
    pub values: Arguments<'a>,
}

impl<'a> Push<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = command.arguments(bytes);
        let key = rest.next()?;
        let is_whole = match command.name {
            Name::Lpush | Name::Rpush | Name::Lpushx | Name::Rpushx => rest.left() > 0,
            Name::Publish | Name::Spublish => rest.left() == 1,
            Name::Linsert => {
                let is_placed = is_one_of(rest.text()?, &[b"BEFORE", b"AFTER"]);
                rest.next()?;
                is_placed && rest.left() == 1
            }
            _ => false,
        };
        is_whole.then_some(Self { key, values: rest })
    }
}

/// `LMOVE`, `BLMOVE`, `RPOPLPUSH` or `BRPOPLPUSH`.
///
/// Answered with what was moved, or with nothing.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The list it comes from.
    pub from: Extent,
    /// The list it goes to.
    pub to: Extent,
}

impl Move {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &[u8]) -> Option<Self> {
        let wanted = match command.name {
            Name::Rpoplpush => 2,
            Name::Brpoplpush => 3,
            Name::Lmove => 4,
            Name::Blmove => 5,
            _ => return None,
        };
        let mut rest = command.arguments(bytes);
        let is_whole = rest.left() == wanted;
        is_whole.then_some(Self { from: rest.next()?, to: rest.next()? })
    }
}

/// `LPOP`, `RPOP`, `BLPOP`, `BRPOP`, `LMPOP` or `BLMPOP`.
#[derive(Clone, Copy, Debug)]
pub struct Pop<'a> {
    /// The lists, the first that has something first.
    pub keys: Arguments<'a>,
    /// How much is taken at most, where the command says it. Then it is answered with a list.
    pub count: Option<u64>,
}

impl<'a> Pop<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = command.arguments(bytes);
        match command.name {
            Name::Lpop | Name::Rpop => {
                let keys = rest.split(1)?;
                let count = if rest.left() == 1 { Some(rest.number()?) } else { None };
                (rest.left() == 0).then_some(Self { keys, count })
            }
            Name::Blpop | Name::Brpop => {
                let keys = rest.without_last(1).filter(|keys| keys.left() > 0)?;
                Some(Self { keys, count: None })
            }
            Name::Lmpop => Self::of_many(rest),
            Name::Blmpop => {
                rest.next()?;
                Self::of_many(rest)
            }
            _ => None,
        }
    }

    /// `numkeys key … LEFT | RIGHT [COUNT count]`.
    fn of_many(mut rest: Arguments<'a>) -> Option<Self> {
        let keys_len = u32::try_from(rest.number()?).ok()?;
        let keys = rest.split(keys_len).filter(|_| keys_len > 0)?;
        let is_placed = is_one_of(rest.text()?, &[b"LEFT", b"RIGHT"]);
        let count = match rest.text() {
            None => None,
            Some(word) if is(word, b"COUNT") => Some(rest.number()?),
            Some(_) => return None,
        };
        (is_placed && rest.left() == 0).then_some(Self { keys, count })
    }
}

/// What came out of a list.
#[derive(Clone, Copy, Debug)]
pub struct Popped<'a> {
    /// The list, where the reply names it.
    pub key: Option<Extent>,
    tokens: Tokens<'a>,
    left: u32,
}

impl<'a> Popped<'a> {
    /// Reads the reply to `name`, one of the commands of [`Pop`] and [`Move`].
    ///
    /// `None`: nothing came, or an error, or something that is not understood.
    pub fn of(name: Name, mut tokens: Tokens<'a>) -> Option<Self> {
        let start = tokens;
        let reply = tokens.next()?;
        match (name, reply.kind) {
            (_, Kind::Bulk) => Some(Self { key: None, tokens: start, left: 1 }),
            (Name::Lpop | Name::Rpop, Kind::Array) => {
                Some(Self { key: None, tokens, left: reply.elements })
            }
            (Name::Blpop | Name::Brpop, Kind::Array) if reply.elements == 2 => {
                Some(Self { key: Some(tokens.bulk()?), tokens, left: 1 })
            }
            (Name::Lmpop | Name::Blmpop, Kind::Array) if reply.elements == 2 => {
                let key = Some(tokens.bulk()?);
                let left = tokens.list()?;
                Some(Self { key, tokens, left })
            }
            _ => None,
        }
    }
}

impl Iterator for Popped<'_> {
    type Item = Extent;

    /// The next value.
    fn next(&mut self) -> Option<Extent> {
        self.left = self.left.checked_sub(1)?;
        let value = self.tokens.bulk();
        if value.is_none() {
            self.left = 0;
        }
        value
    }
}

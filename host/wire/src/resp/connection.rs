//! Commands about the connection itself. Passwords are stepped over.

use super::arguments::Command;
use super::name::Name;
use super::words::is;
use crate::Extent;

/// `HELLO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol that the client wants; `None`: the one it has.
    pub version: Option<u64>,
    /// The user, where it logs in.
    pub user: Option<Extent>,
    /// The name it gives the connection.
    pub name: Option<Extent>,
}

impl Hello {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &[u8]) -> Option<Self> {
        if command.name != Name::Hello {
            return None;
        }
        let mut hello = Self { version: None, user: None, name: None };
        let mut rest = command.secret_arguments(bytes);
        if rest.left() > 0 {
            hello.version = Some(rest.number()?);
        }
        while let Some(word) = rest.text() {
            if is(word, b"AUTH") {
                hello.user = Some(rest.next()?);
                rest.next()?;
            } else if is(word, b"SETNAME") {
                hello.name = Some(rest.next()?);
            } else {
                return None;
            }
        }
        Some(hello)
    }
}

/// `AUTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The user; `None`: the default user.
    pub user: Option<Extent>,
}

impl Auth {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &[u8]) -> Option<Self> {
        let mut rest = command.secret_arguments(bytes);
        match (command.name, rest.left()) {
            (Name::Auth, 1) => Some(Self { user: None }),
            (Name::Auth, 2) => Some(Self { user: rest.next() }),
            _ => None,
        }
    }
}

/// `CLIENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `SETNAME`: the name of the connection.
    SetName(Extent),
    /// `REPLY`: which commands are answered.
    Reply(ReplyMode),
    /// `TRACKING`: whether keys are watched, of which pushes tell.
    Tracking {
        /// Whether it is switched on.
        on: bool,
    },
    /// Another subcommand, answered once.
    Other,
}

/// Which commands are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// All from here on, this one too.
    On,
    /// None from here on, not this one either.
    Off,
    /// Neither this one nor the next.
    Skip,
}

impl Client {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &[u8]) -> Option<Self> {
        if command.name != Name::Client {
            return None;
        }
        let mut rest = command.arguments(bytes);
        let subcommand = rest.text()?;
        if is(subcommand, b"SETNAME") {
            return Some(Self::SetName(rest.next()?)).filter(|_| rest.left() == 0);
        }
        if is(subcommand, b"TRACKING") {
            let word = rest.text()?;
            let on = is(word, b"ON");
            return (on || is(word, b"OFF")).then_some(Self::Tracking { on });
        }
        if !is(subcommand, b"REPLY") {
            return Some(Self::Other);
        }
        let word = rest.text()?;
        let mode = [(b"ON".as_slice(), ReplyMode::On), (b"OFF", ReplyMode::Off)]
            .into_iter()
            .chain([(b"SKIP".as_slice(), ReplyMode::Skip)])
            .find(|(name, _)| is(word, name));
        mode.filter(|_| rest.left() == 0).map(|(_, mode)| Self::Reply(mode))
    }
}

/// The database that `SELECT` selects. `None`: it is not understood.
pub fn select(command: &Command, bytes: &[u8]) -> Option<u64> {
    let mut rest = command.arguments(bytes);
    let is_whole = command.name == Name::Select && rest.left() == 1;
    rest.number().filter(|_| is_whole)
}

//! What a command reads from streams, kept until its reply is there.
//!
//! | command | the reply | an entry that was delivered before |
//! |---|---|---|
//! | `XREAD` | streams | |
//! | `XREADGROUP … >` | streams | |
//! | `XREADGROUP … 0` | streams, without those that are done | the same consumer takes it again |
//! | `XCLAIM` | entries | another consumer takes it over |
//! | `XAUTOCLAIM` | where to go on, entries, ids that are gone | likewise |

use spanbridge::Outcome;
use spanbridge_wire::resp::{Claim, Command, Name, StreamRead, StreamReply, Tokens};

use super::limits::NAME_BYTES_MAX;

/// A command that reads.
#[derive(Debug)]
pub(super) struct Reading {
    name: Name,
    pub(super) database: u64,
    /// The stream, where the reply does not name it. Empty: it does.
    pub(super) stream: Box<[u8]>,
    /// `None`: nobody settles.
    pub(super) consumer: Option<Consumer>,
    /// Every reader gets every entry.
    pub(super) is_fan_out: bool,
    /// Its reply comes when something arrives.
    pub(super) is_blocking: bool,
    /// What became of attempts that such entries had before. `None`: they had none.
    pub(super) taken: Option<Outcome>,
    /// When it was sent, in nanoseconds since the Unix epoch.
    pub(super) requested: u64,
    /// The group, also where nobody settles. Empty: there is none.
    pub(super) group: Box<[u8]>,
}

/// Who reads as a part of a group.
#[derive(Debug)]
pub(super) struct Consumer(pub(super) Box<[u8]>);

/// Names that are short enough to be kept.
fn short(name: &[u8]) -> Option<Box<[u8]>> {
    (name.len() <= NAME_BYTES_MAX).then(|| name.into())
}

impl Reading {
    /// Reads what a command asks for. `None`: it is not understood, asks for no entries, or has
    /// names too long to be kept.
    pub(super) fn of(command: &Command, bytes: &[u8], database: u64, now: u64) -> Option<Self> {
        match command.name {
            Name::Xread | Name::Xreadgroup => Self::read(command, bytes, database, now),
            _ => Self::claim(command, bytes, database, now),
        }
    }

    fn read(command: &Command, bytes: &[u8], database: u64, now: u64) -> Option<Self> {
        let read = StreamRead::of(command, bytes)?;
        let is_new = |id: &[u8]| id == b">";
        let mut ids = read.ids;
        let only_new = ids.all(|id| is_new(id.of(bytes)));
        let (group, consumer) = match read.group {
            Some((group, consumer)) => (short(group.of(bytes))?, Some(short(consumer.of(bytes))?)),
            None => (Box::default(), None),
        };
        Some(Self {
            name: command.name,
            database,
            stream: Box::default(),
            consumer: consumer.filter(|_| !read.noack).map(Consumer),
            is_fan_out: read.group.is_none(),
            is_blocking: read.block.is_some(),
            taken: (read.group.is_some() && !only_new).then_some(Outcome::Requeue),
            requested: now,
            group,
        })
    }

    fn claim(command: &Command, bytes: &[u8], database: u64, now: u64) -> Option<Self> {
        let claim = Claim::of(command, bytes)?;
        if claim.just_id {
            return None;
        }
        Some(Self {
            name: command.name,
            database,
            stream: short(claim.key.of(bytes))?,
            consumer: Some(Consumer(short(claim.consumer.of(bytes))?)),
            is_fan_out: false,
            is_blocking: false,
            taken: Some(Outcome::Claimed),
            requested: now,
            group: short(claim.group.of(bytes))?,
        })
    }

    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let consumer = self.consumer.as_ref().map_or(0, |Consumer(name)| name.len());
        size_of::<Self>() + self.stream.len() + self.group.len() + consumer
    }

    /// The entries of its reply. `None`: it is an error.
    pub(super) fn entries<'a>(&self, reply: Tokens<'a>) -> Option<StreamReply<'a>> {
        match self.name {
            Name::Xclaim => StreamReply::entries(reply),
            Name::Xautoclaim => StreamReply::autoclaimed(reply),
            _ => StreamReply::read(reply),
        }
    }
}

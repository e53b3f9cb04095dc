//! A job of BullMQ, as a script hands it to a worker.
//!
//! ```text
//! [[name, welcome, data, {…}, opts, {"attempts":3}, timestamp, 1763900000000, ats, 1], 7, 0, 0]
//!  └ fields of the job's hash                                                        ┘  id
//! ```
//!
//! `ats` counts the attempts that were begun; before version 5, `attemptsMade` does.

use spanbridge_wire::Extent;
use spanbridge_wire::json;
use spanbridge_wire::resp::{Kind, Tokens};

use super::entry::number;
use super::entry::time;

/// A job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Job<'a> {
    pub(super) id: &'a [u8],
    /// What its program calls the work.
    pub(super) name: &'a [u8],
    /// Its options, as JSON.
    pub(super) options: Extent,
    /// The length of its data.
    pub(super) size: u64,
    /// Which attempt it is; 0: that is not said.
    pub(super) attempt: u32,
    /// When it was created, in milliseconds since the Unix epoch; 0: that is not said.
    created: u64,
}

impl<'a> Job<'a> {
    /// Reads the reply of a script that may hand out a job. `None`: it does not.
    pub(super) fn of(mut reply: Tokens<'a>) -> Option<Self> {
        let bytes = reply.bytes();
        reply.list().filter(|&elements| elements >= 2)?;
        let fields = reply.list().filter(|fields| fields % 2 == 0)?;
        let mut job = Self::default();
        for _ in 0..fields / 2 {
            let name = reply.bulk()?;
            // Not one of them has a list for its value.
            let value = reply.next().filter(|value| !value.kind.is_aggregate())?.at;
            let text = value.of(bytes);
            match name.of(bytes) {
                b"name" => job.name = text,
                b"opts" => job.options = value,
                b"data" => job.size = value.len().into(),
                b"timestamp" => job.created = number(text).unwrap_or(0),
                b"ats" | b"attemptsMade" => job.attempt = attempt(text),
                _ => {}
            }
        }
        let id = reply.next().filter(|id| matches!(id.kind, Kind::Bulk | Kind::Integer))?;
        job.id = id.at.of(bytes);
        (!job.id.is_empty()).then_some(job)
    }

    /// When it could first be worked on, in nanoseconds since the Unix epoch: once it was created,
    /// or its delay over. 0: that is not known.
    ///
    /// A job that is there before its delay is over was promoted, nobody says when.
    pub(super) fn due(&self, options: &[u8], now: u64) -> u64 {
        let delay = json::find(options, [b"delay"]).and_then(|[delay]| delay?.as_u64());
        let due = time(self.created.saturating_add(delay.unwrap_or(0)));
        if due > now { time(self.created) } else { due }
    }
}

fn attempt(text: &[u8]) -> u32 {
    number(text).map_or(0, |attempt| u32::try_from(attempt).unwrap_or(u32::MAX))
}

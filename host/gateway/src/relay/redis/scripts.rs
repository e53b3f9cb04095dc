//! The scripts of BullMQ, known by their keys and arguments.
//!
//! ```text
//! EVALSHA hash 9 bull:mail:wait … bull:mail:marker  arguments data options     creates a job
//!                ├───────┤ base: prefix and queue
//! ```
//!
//! | script | keys of the queue | arguments |
//! |---|---|---|
//! | `addStandardJob` and its like | `id`, `events`, `completed` | array, data, map |
//! | `moveToActive` | `wait`, `active`, `delayed`, `stalled` | prefix, time, map |
//! | `moveToFinished` | `wait`, `active`, target, job | job, time, …, …, target, … |
//! | `moveToDelayed` | `active`, `delayed`, job | prefix, time, job, token, delay, skip |
//! | `retryJob` | `active`, `wait`, job | prefix, time, `LPUSH` or `RPUSH`, job |
//! | `moveToWaitingChildren` | `active`, `waiting-children`, job | token, child, time, job |
//! | `moveJobFromActiveToWait` | `active`, `wait`, `stalled` | job, token, the job's key |
//!
//! A hash says nothing: it differs from version to version, and the first call on a connection has
//! the text in its place. All keys have to be of one queue, and what has to be in the arguments is
//! compared, so that somebody else's script is none of these. Their number is not: it grows with
//! the versions. Checked against BullMQ 4.17, 5.20 and 6.7.

use spanbridge::Outcome;
use spanbridge_wire::Extent;
use spanbridge_wire::resp::{Command, Name, Script};

use super::entry::number;
use super::limits::NAME_BYTES_MAX;

/// Keys of a script of BullMQ: 4 of `moveToWaitingChildren` in version 4, 14 of `moveToFinished`
/// in version 6; the rest is room.
const KEYS: std::ops::RangeInclusive<u32> = 4..=20;

/// Arguments that are looked at.
const ARGUMENTS_MAX: usize = 6;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// What a job script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act<'a> {
    /// It creates a job.
    Create {
        /// An array that says what the job is called.
        head: Extent,
        data: Extent,
        /// A map, in which context has a place.
        options: Extent,
    },
    /// It creates jobs, in a way that is not known: those of job schedulers.
    CreateOther,
    /// It takes the next job.
    Take,
    /// It ends an attempt, and may take the next job.
    End(End<'a>),
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End<'a> {
    pub(super) id: &'a [u8],
    pub(super) outcome: Outcome,
    /// In how many nanoseconds the job comes again, where that is said; else 0.
    pub(super) delay: u64,
    /// Any other number than zero says that the attempt goes on.
    pub(super) only_zero: bool,
}

impl<'a> End<'a> {
    fn new(id: &'a [u8], outcome: Outcome) -> Self {
        Self { id, outcome, delay: 0, only_zero: false }
    }
}

/// A call of a script that is about jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobScript<'a> {
    /// What all keys of the queue begin with: prefix and queue, without the last colon.
    pub(super) base: &'a [u8],
    pub(super) act: Act<'a>,
}

/// Answers whether a command runs a script that may write.
pub(super) fn is_script(name: Name) -> bool {
    matches!(name, Name::Eval | Name::Evalsha | Name::Fcall)
}

impl<'a> JobScript<'a> {
    /// Reads a command. `None`: it is no script, or none of those above.
    pub(super) fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        let script = Script::of(command, bytes).filter(|_| is_script(command.name))?;
        let base = base(&script).filter(|base| (1..=NAME_BYTES_MAX).contains(&base.len()))?;
        let keys = Keys::of(base, &script)?;
        let mut arguments = Given { count: script.arguments.left(), ..Given::default() };
        for (place, at) in arguments.places.iter_mut().zip(script.arguments) {
            *place = (at, at.of(bytes));
        }
        let act = arguments.create(&keys).or_else(|| arguments.take_or_end(&keys))?;
        Some(Self { base, act })
    }

    /// The queue, as its programs call it.
    pub(super) fn queue(&self) -> &'a [u8] {
        queue(self.base)
    }
}

/// What the keys of a script begin with, if they are of one queue. `None`: they are of none.
fn base<'a>(script: &Script<'a>) -> Option<&'a [u8]> {
    let mut keys = script.keys;
    if !KEYS.contains(&keys.left()) {
        return None;
    }
    let mut key = keys.text()?;
    if key.ends_with(b":lock") {
        // Of a job, so there is an id between; before version 6.
        key = keys.text()?;
    }
    key.get(..key.iter().rposition(|&byte| byte == b':')?)
}

/// The queue that keys with this beginning are of. A prefix may have colons, a queue has none.
pub(super) fn queue(base: &[u8]) -> &[u8] {
    base.rsplit(|&byte| byte == b':').next().unwrap_or_default()
}

/// What is said of a queue by which of its keys a script gets: a bit each.
const ROLES: [(&[u8], u32); 9] = [
    (b"wait", WAIT),
    (b"active", ACTIVE),
    (b"id", ID),
    (b"events", EVENTS),
    (b"completed", COMPLETED),
    (b"failed", FAILED),
    (b"delayed", DELAYED),
    (b"stalled", STALLED),
    (b"waiting-children", WAITING_CHILDREN),
];
const WAIT: u32 = 1;
const ACTIVE: u32 = 1 << 1;
const ID: u32 = 1 << 2;
const EVENTS: u32 = 1 << 3;
const COMPLETED: u32 = 1 << 4;
const FAILED: u32 = 1 << 5;
const DELAYED: u32 = 1 << 6;
const STALLED: u32 = 1 << 7;
const WAITING_CHILDREN: u32 = 1 << 8;

/// The keys of a script, all of one queue.
struct Keys<'a> {
    base: &'a [u8],
    roles: u32,
    all: Script<'a>,
}

impl<'a> Keys<'a> {
    fn of(base: &'a [u8], script: &Script<'a>) -> Option<Self> {
        let mut roles = 0;
        let mut keys = script.keys;
        while let Some(key) = keys.text() {
            let own = behind(base, key)?;
            roles |= ROLES.iter().find(|(name, _)| *name == own).map_or(0, |&(_, role)| role);
        }
        Some(Self { base, roles, all: *script })
    }

    fn have(&self, roles: u32) -> bool {
        self.roles & roles == roles
    }

    /// Answers whether the key of a job is among them.
    fn have_job(&self, id: &[u8]) -> bool {
        let mut keys = self.all.keys;
        let mut keys = std::iter::from_fn(|| keys.text());
        !id.is_empty() && keys.any(|key| behind(self.base, key) == Some(id))
    }

    /// Answers whether this is what all keys begin with.
    fn begin_with(&self, prefix: &[u8]) -> bool {
        behind(self.base, prefix) == Some(b"")
    }
}

/// What a key has behind the beginning of a queue's keys. `None`: it is of another queue.
fn behind<'a>(base: &[u8], key: &'a [u8]) -> Option<&'a [u8]> {
    key.strip_prefix(base)?.strip_prefix(b":")
}

/// The first arguments of a script. Empty: there are no more.
#[derive(Default)]
struct Given<'a> {
    count: u32,
    places: [(Extent, &'a [u8]); ARGUMENTS_MAX],
}

impl<'a> Given<'a> {
    fn texts(&self) -> [&'a [u8]; ARGUMENTS_MAX] {
        self.places.map(|(_, text)| text)
    }

    fn create(&self, keys: &Keys<'_>) -> Option<Act<'a>> {
        if !keys.have(ID | EVENTS) {
            return None;
        }
        let [(head, head_text), (data, _), (options, options_text), ..] = self.places;
        let is_known = self.count == 3 && keys.have(COMPLETED);
        if is_known && is_array(head_text) && is_map(options_text) {
            return Some(Act::Create { head, data, options });
        }
        Some(Act::CreateOther)
    }

    fn take_or_end(&self, keys: &Keys<'_>) -> Option<Act<'a>> {
        let [prefix, time, third, fourth, ..] = self.texts();
        let is_of_queue = keys.begin_with(prefix) && is_number(time);
        // Version 4 has the id of a job before the options, if it knows it.
        let has_options = match self.count {
            3 => is_map(third),
            4 => is_map(fourth),
            _ => false,
        };
        let is_take = is_of_queue && has_options;
        if is_take && keys.have(WAIT | ACTIVE | DELAYED | STALLED) {
            return Some(Act::Take);
        }
        let end = if is_of_queue && keys.have(ACTIVE) {
            self.retry(keys).or_else(|| self.delay(keys))
        } else {
            self.finish(keys).or_else(|| self.wait(keys))
        };
        end.filter(|end| end.id.len() <= NAME_BYTES_MAX).map(Act::End)
    }

    fn finish(&self, keys: &Keys<'_>) -> Option<End<'a>> {
        let [id, time, _, _, target, _] = self.texts();
        let (role, outcome) = match target {
            b"completed" => (COMPLETED, Outcome::Ack),
            b"failed" => (FAILED, Outcome::Reject),
            _ => return None,
        };
        let is_finish = keys.have(WAIT | ACTIVE | role) && is_number(time) && keys.have_job(id);
        is_finish.then(|| End::new(id, outcome))
    }

    fn retry(&self, keys: &Keys<'_>) -> Option<End<'a>> {
        let [_, _, command, id, ..] = self.texts();
        let is_push = matches!(command, b"LPUSH" | b"RPUSH");
        let is_retry = is_push && keys.have(WAIT) && keys.have_job(id);
        is_retry.then(|| End::new(id, Outcome::Nack))
    }

    fn delay(&self, keys: &Keys<'_>) -> Option<End<'a>> {
        let [_, _, id, old_id, delay, skip] = self.texts();
        if !keys.have(DELAYED) {
            return None;
        }
        if !keys.have_job(id) {
            // The time at which it comes again, the job, …
            let is_old = is_number(id) && keys.have_job(old_id);
            return is_old.then(|| End::new(old_id, Outcome::Nack));
        }
        // The program delays its own job, which has not failed.
        let outcome = if skip == b"1" { Outcome::Requeue } else { Outcome::Nack };
        let delay = number(delay).unwrap_or(0).saturating_mul(NANOSECONDS_PER_MILLISECOND);
        Some(End { delay, ..End::new(id, outcome) })
    }

    /// For its children, or for its turn.
    fn wait(&self, keys: &Keys<'_>) -> Option<End<'a>> {
        let [first, _, third, fourth, ..] = self.texts();
        if keys.have(ACTIVE | WAITING_CHILDREN) && is_number(third) && keys.have_job(fourth) {
            return Some(End { only_zero: true, ..End::new(fourth, Outcome::Requeue) });
        }
        let is_back = keys.have(ACTIVE | WAIT | STALLED)
            && self.count == 3
            && !first.is_empty()
            && behind(keys.base, third) == Some(first);
        is_back.then(|| End::new(first, Outcome::Requeue))
    }
}

fn is_number(text: &[u8]) -> bool {
    number(text).is_some()
}

/// Answers whether `MessagePack` that begins like this is an array of nine elements or more.
fn is_array(text: &[u8]) -> bool {
    matches!(text.first(), Some(0x99..=0x9f | 0xdc))
}

/// Answers whether `MessagePack` that begins like this is a map.
fn is_map(text: &[u8]) -> bool {
    matches!(text.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

#[cfg(test)]
mod tests;

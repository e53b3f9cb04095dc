//! What kombu has taken out of a list and is not done with, by the tag in the message.
//!
//! ```text
//! taken       HSET unacked TAG message             ZADD unacked_index …
//! done with   HDEL unacked TAG                     ZREM unacked_index TAG
//! put back    HGET unacked TAG · HDEL unacked TAG · LPUSH queue message
//! ```
//!
//! A tag is a random UUID, so it is enough to know the database. What was never delivered with a
//! span is not counted as a stranger's: Celery settles most of its tasks before it works on them.

use std::ops::Range;

use spanbridge::{Outcome, Settlement};
use spanbridge_wire::resp::{Command, Name};

use super::limits::NAME_BYTES_MAX;
use super::state::{Call, State};

/// How the names of kombu's hashes end; `global_keyprefix` stands before it.
const UNACKED: &[u8] = b"unacked";

/// The first byte of the key of a message with a tag. No other key begins with it.
const TAG_MARK: u8 = 2;

/// Appends what a message is called in the process that its envelope calls this. Answers where.
pub(super) fn write_tag(
    listener: u64,
    database: u64,
    tag: &[u8],
    keys: &mut Vec<u8>,
) -> Range<usize> {
    let start = keys.len();
    keys.push(TAG_MARK);
    keys.extend_from_slice(&listener.to_be_bytes());
    keys.extend_from_slice(&database.to_be_bytes());
    keys.extend_from_slice(tag);
    start..keys.len()
}

impl State {
    /// A client takes something out of a hash, or looks it up.
    pub(super) fn hash_field(&mut self, command: &Command, bytes: &[u8], call: &mut Call<'_>) {
        let mut arguments = command.arguments(bytes);
        if !arguments.text().is_some_and(|key| key.ends_with(UNACKED)) {
            return;
        }
        if command.name == Name::Hget {
            let tag = arguments.text().filter(|tag| tag.len() <= NAME_BYTES_MAX);
            self.restoring = tag.map(Into::into);
            return;
        }
        let restoring = self.restoring.take();
        let mut key = Vec::new();
        for tag in arguments {
            let tag = tag.of(bytes);
            let is_back = restoring.as_deref() == Some(tag);
            let outcome = if is_back { Outcome::Requeue } else { Outcome::Ack };
            key.clear();
            write_tag(call.shared.number, self.database, tag, &mut key);
            let tools = &mut *call.tools;
            if tools.settle.is_full() {
                // Kombu names one tag at a time.
                return;
            }
            let end = Settlement::new(outcome, call.now);
            tools.open_spans.settle_for_good(&key, &end, false, &mut tools.settle);
        }
    }
}

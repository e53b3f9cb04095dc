//! Trace context inside a message body.
//!
//! ```text
//! json         {"id": 1, "_otel": {"traceparent": "00-…-01", "baggage": "tenant=7"}}
//! kombu        {"body": "…", "headers": {"task": "add", "traceparent": "00-…-01"}, …}
//! bullmq       {"attempts": 0, "tm": "{\"traceparent\":\"00-…-01\"}"}, or MessagePack
//! sidekiq      {"class": "MailJob", "jid": "6636…", …, "traceparent": "00-…-01"}
//! cloudevents  {"specversion": "1.0", "id": "a234", …, "traceparent": "00-…-01"}
//! ```
//!
//! For messages without headers, and for routes that are configured to use it. A kind of
//! [`Envelope`] knows where the context object is; [`Envelope::scan`] finds it, [`Found::splice`]
//! says which bytes to replace. Nothing else in the body changes: not white space, the spelling of
//! numbers, the order of keys, or keys that repeat.
//!
//! A body is left alone, which is the answer `None`, in every case of doubt:
//!
//! - it is not a JSON object in UTF-8 by the grammar of RFC 8259 (of `bullmq`, JSON or
//!   MessagePack), exceeds a limit, or lacks what its kind demands;
//! - a name that is looked for occurs twice, or an entry holds something other than a string or
//!   null: then the name is somebody else's;
//! - two entries have one name (names are header names: their case does not matter), or an entry
//!   is spelled with half a surrogate pair and so is no text.
//!
//! A name is found however it is spelled: `"_ot\u0065l"` is the same name to the program that
//! reads the message, and a second member beside it would be a repeated key. An entry that is null
//! counts as absent when reading, and is replaced when written.
//!
//! This module does not know what the entries mean, nor does it read the message's content.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use context::ContextObject;
use holder::Holder;

mod auto;
mod bullmq;
mod cloudevents;
mod context;
mod edit;
mod field;
mod holder;
mod json;
mod kind;
mod kombu;
mod msgpack;
mod object;
mod plain;
mod sidekiq;
#[cfg(test)]
mod tests;

pub use auto::MEMBERS_MAX;
pub use edit::{Splice, Splices};
pub use json::DEPTH_MAX;
pub use kind::Envelope;
pub use plain::{FIELD, scan};

/// Largest body that is read unless configured otherwise, in bytes.
///
/// A body is held back until it is whole and read in one call, whose deadline is a millisecond.
/// Natively this much takes an eighth of one where it is ordinary records, half of it where it is
/// nothing but single digits, and more where every name is short and written with escapes. What the
/// deadline cuts off is left alone too.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Entries of a context object.
///
/// All context formats at once write 16; the rest is room for the two that spell each baggage
/// entry as a name of its own. Also the bound on the number of splices (one more may be added).
pub const ENTRIES_MAX: usize = 32;

/// Longest name of an entry, in bytes as it is spelled.
///
/// Every name is compared with every other one, and names that differ in the last byte only take
/// longest: at this length all of them a tenth of a millisecond. Names of fields have 39 at most;
/// the rest is for a key of baggage.
pub const ENTRY_NAME_BYTES_MAX: usize = 128;

/// A body with a place for context.
#[derive(Debug)]
pub struct Found<'a> {
    body: &'a [u8],
    /// The JSON in which the context object lies: the body, or what a string in it says.
    text: Cow<'a, [u8]>,
    object: ContextObject<'a>,
    holder: Holder,
    said: Said<'a>,
}

/// What an envelope says about its message; empty where it does not say.
#[derive(Debug, Default)]
struct Said<'a> {
    key: Cow<'a, [u8]>,
    message_id: Cow<'a, [u8]>,
    conversation_id: Cow<'a, [u8]>,
    job_name: Cow<'a, [u8]>,
    /// Nanoseconds since the Unix epoch.
    not_before: u64,
}

impl<'a> Found<'a> {
    /// What the envelope calls the message, to match a settlement to it; empty: it does not say.
    pub fn key(&self) -> &[u8] {
        &self.said.key
    }

    /// The message's id; empty: the envelope does not say.
    pub fn message_id(&self) -> &[u8] {
        &self.said.message_id
    }

    /// What ties a message and its answers together; empty: the envelope does not say.
    pub fn conversation_id(&self) -> &[u8] {
        &self.said.conversation_id
    }

    /// What a job queue calls the work; empty: the envelope does not say.
    pub fn job_name(&self) -> &[u8] {
        &self.said.job_name
    }

    /// Before then the message is not worked on, in nanoseconds since the Unix epoch; 0: the
    /// envelope does not say.
    pub fn not_before(&self) -> u64 {
        self.said.not_before
    }

    /// Answers whether the body has the context object.
    pub fn is_present(&self) -> bool {
        self.object.missing.is_none() && self.holder.has_text()
    }

    /// The entries that hold a string, in order, as names and values.
    ///
    /// A value may hold any character, control characters too: whoever makes a header of it has to
    /// look. Copies only what was written with escapes, or lies in a string that was.
    pub fn entries(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + '_ {
        let owned = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
        let entries: Vec<_> = match &self.text {
            Cow::Borrowed(text) => self.object.texts(text).collect(),
            Cow::Owned(text) => {
                let entries = self.object.texts(text);
                entries.map(|(name, value)| (owned(name), owned(value))).collect()
            }
        };
        entries.into_iter()
    }

    /// Says how to change the entries: each of `set` gets its value, each of `remove` goes.
    ///
    /// Names are compared without regard to case, and an existing name keeps its spelling and its
    /// place. New entries are added at the end, in the order given; without the context object,
    /// the object is added as the last member. A name in both lists is set. Of two equal names in
    /// `set` the first counts. An entry that already has its value is not touched, so splicing the
    /// same twice changes nothing the second time. The context object itself is never removed.
    ///
    /// Answers `None`, which means to leave the body alone, when a value is not UTF-8 and so cannot
    /// be put into JSON, when there would be more than [`ENTRIES_MAX`] entries, when a name that
    /// is no context field is to be added beside members of others: one of those may have it; or
    /// when the message wants no context.
    pub fn splice(&self, set: &[(&str, &[u8])], remove: &[&str]) -> Option<Splices> {
        let inner = self.object.splice(&self.text, set, remove)?;
        self.holder.splices(self.body, &self.text, inner)
    }

    /// A context object that lies in the body itself.
    fn in_body(body: &'a [u8], object: ContextObject<'a>, said: Said<'a>) -> Self {
        Self { body, text: Cow::Borrowed(body), object, holder: Holder::Body, said }
    }
}

//! Writing what one read becomes: the bytes as they came, with other heads where a message changes.
//!
//! ```text
//! input    PUB a 1 ↵ x ↵      PUB b 1 ↵ x ↵      PUB c 1 ↵ x ↵
//! output   PUB a 1 ↵ x ↵      HPUB b 70 71 ↵ … ↵ x ↵      PUB c 1 ↵ x ↵
//!          └─ copied ─┘       └─ rewritten ─┘└─ copied ─────────────┘
//! ```
//!
//! Where the component has seen a body, it may be spliced as well. A message that cannot be
//! rewritten safely stays as it is.

use std::sync::Arc;

use spanbridge::{Edit, Edits};
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{HeaderEdit, Message, Refusal, Rewrite};

use crate::header_names::HeaderNames;
use crate::measure::Measures;
use crate::relay::bodies::BodyEdits;
use crate::routing::Choice;

/// Edits for which there is room without allocating: those of three formats at once.
const EDITS_INLINE_MAX: usize = 8;

/// A message of one read, whose head has been found.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    /// Where it begins in the input.
    pub(super) at: usize,
    pub(super) message: Message,
    /// Its payload is whole, and the component has seen it.
    pub(super) has_body: bool,
    /// Its number in the batch.
    pub(super) index: usize,
    /// Its route.
    pub(super) choice: Choice,
    /// Its key among the keys of the read; empty for a message that nobody settles.
    pub(super) key: std::ops::Range<usize>,
    /// Of its route and destination. `None`: nobody measures.
    pub(super) measures: Option<Arc<Measures>>,
    /// Nobody got it before: its wait is a wait in the queue.
    pub(super) is_first: bool,
}

/// Why a message stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// It would be larger than the receiver takes.
    TooLarge,
    /// Its destination has refused one that our headers made too large.
    SizeRefused,
    /// It cannot be changed safely.
    Refused,
}

/// The output of one read.
#[derive(Debug)]
pub(super) struct Splicer<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// The input up to here has been written.
    copied: usize,
    changed: bool,
}

impl<'a> Splicer<'a> {
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { input, out, copied: 0, changed: false }
    }

    /// The bytes from a message's control line on.
    pub(super) fn bytes_of(&self, marked: &Marked) -> &'a [u8] {
        self.input.get(marked.at..).unwrap_or_default()
    }

    /// Answers whether anything has been changed.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Changes a message: its head, and its body if that was handed in. Messages come in the order
    /// of the input.
    ///
    /// `size_max` is what the receiver takes, header block and payload together. Answers the size
    /// of a message that was changed; `None`: there was nothing to change.
    pub(super) fn edit(
        &mut self,
        marked: &Marked,
        edits: Edits<'_>,
        size_max: u64,
        names: &HeaderNames,
        limits: &NatsLimits,
    ) -> Result<Option<u32>, Skipped> {
        if edits.is_empty() {
            return Ok(None);
        }
        let bytes = self.bytes_of(marked);
        let message = &marked.message;
        let body = marked.has_body.then(|| BodyEdits::of(edits.clone())).flatten();
        let payload_len = match &body {
            Some(body) => body.len_after(message.payload_len).ok_or(Skipped::Refused)?,
            None => message.payload_len,
        };
        with_header_edits(edits, names, |edits| {
            let rewrite = plan(bytes, message, edits, payload_len, limits)?;
            if rewrite.is_unchanged() && body.is_none() {
                return Ok(None);
            }
            if u64::from(rewrite.size()) > size_max {
                return Err(Skipped::TooLarge);
            }
            self.out.extend_from_slice(&self.input[self.copied..marked.at]);
            rewrite.write(self.out);
            let (head, end) = (message.head_len(), body_end(message));
            self.copied = marked.at + head;
            if let Some(body) = &body {
                body.write(bytes.get(head..end).unwrap_or_default(), self.out);
                self.copied = marked.at + end;
            }
            self.changed = true;
            Ok(Some(rewrite.size()))
        })
    }

    /// Writes something else in place of a range. Ranges come in the order of the input.
    pub(super) fn replace(&mut self, range: std::ops::Range<usize>, with: &[u8]) {
        self.out.extend_from_slice(&self.input[self.copied..range.start]);
        self.out.extend_from_slice(with);
        self.copied = range.end;
        self.changed = true;
    }

    /// Writes the input that is left, up to `done`.
    pub(super) fn finish(self, done: usize) {
        self.out.extend_from_slice(&self.input[self.copied..done]);
    }
}

/// Where a message's payload ends, its head included.
fn body_end(message: &Message) -> usize {
    message.head_len() + message.payload_len as usize
}

fn plan<'a>(
    bytes: &'a [u8],
    message: &'a Message,
    edits: &'a [HeaderEdit<'a>],
    payload_len: u32,
    limits: &NatsLimits,
) -> Result<Rewrite<'a>, Skipped> {
    Rewrite::plan(bytes, message, edits, payload_len, limits).map_err(|why| match why {
        Refusal::MessageLimit => Skipped::TooLarge,
        _ => Skipped::Refused,
    })
}

/// Spells the component's edits of headers as those of the protocol; those of a body are passed
/// over.
fn with_header_edits<T>(
    edits: Edits<'_>,
    names: &HeaderNames,
    then: impl FnOnce(&[HeaderEdit<'_>]) -> T,
) -> T {
    // The names of families one after the other: they exist nowhere as one text.
    let mut composed = Vec::new();
    for (name, key, _) in header_edits(edits.clone(), names) {
        if !key.is_empty() {
            composed.extend_from_slice(name);
            composed.extend_from_slice(key);
        }
    }
    let mut left = &composed[..];
    let spelled = header_edits(edits.clone(), names).map(|(name, key, value)| {
        if key.is_empty() {
            return HeaderEdit { name, value };
        }
        let (name, rest) = left.split_at(name.len() + key.len());
        left = rest;
        HeaderEdit { name, value }
    });
    let mut few = [HeaderEdit { name: b"", value: None }; EDITS_INLINE_MAX];
    let count = header_edits(edits, names).count();
    match few.get_mut(..count) {
        Some(few) => {
            for (place, edit) in few.iter_mut().zip(spelled) {
                *place = edit;
            }
            then(few)
        }
        None => then(&spelled.collect::<Vec<_>>()),
    }
}

/// Name, key and value of each edit of a header.
fn header_edits<'a>(
    edits: Edits<'a>,
    names: &'a HeaderNames,
) -> impl Iterator<Item = (&'a [u8], &'a [u8], Option<&'a [u8]>)> {
    edits.filter_map(|edit| match edit {
        Edit::SetHeader { field, key, value } => Some((names.get(field)?, key, Some(value))),
        Edit::RemoveHeader { field, key } => Some((names.get(field)?, key, None)),
        Edit::SpliceBody { .. } => None,
    })
}

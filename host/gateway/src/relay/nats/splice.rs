//! Changing the head of a NATS message.
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

use spanbridge::{Edits, Spelling, with_header_edits};
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{HeaderEdit, Message, Refusal, Rewrite};

use crate::header_names::HeaderNames;
use crate::measure::Measures;
use crate::relay::bodies::BodyEdits;
use crate::relay::splicer::Splicer;
use crate::routing::Choice;

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

/// Edits as the codec of NATS has them.
struct Nats;

impl Spelling for Nats {
    type Edit<'a> = HeaderEdit<'a>;

    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> HeaderEdit<'a> {
        HeaderEdit { name, value }
    }
}

/// Changes the head of a message. Messages come in the order of the input.
///
/// `size_max` is what the receiver takes, header block and payload together. Answers the size of a
/// message that was changed; `None`: there was nothing to change.
pub(super) fn edit(
    splicer: &mut Splicer<'_>,
    marked: &Marked,
    edits: Edits<'_>,
    size_max: u64,
    names: &HeaderNames,
    limits: &NatsLimits,
) -> Result<Option<u32>, Skipped> {
    if edits.is_empty() {
        return Ok(None);
    }
    let bytes = splicer.bytes_from(marked.at);
    let message = &marked.message;
    let body = marked.has_body.then(|| BodyEdits::of(edits.clone())).flatten();
    let payload_len = match &body {
        Some(body) => body.len_after(message.payload_len).ok_or(Skipped::Refused)?,
        None => message.payload_len,
    };
    with_header_edits::<Nats, _>(
        edits,
        |field| names.get(field),
        |edits| {
            let rewrite = plan(bytes, message, edits, payload_len, limits)?;
            if rewrite.is_unchanged() && body.is_none() {
                return Ok(None);
            }
            if u64::from(rewrite.size()) > size_max {
                return Err(Skipped::TooLarge);
            }
            let (head, end) = (message.head_len(), body_end(message));
            splicer.write_over(marked.at..marked.at + head, |out| rewrite.write(out));
            if let Some(body) = &body {
                let before = bytes.get(head..end).unwrap_or_default();
                splicer
                    .write_over(marked.at + head..marked.at + end, |out| body.write(before, out));
            }
            Ok(Some(rewrite.size()))
        },
    )
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

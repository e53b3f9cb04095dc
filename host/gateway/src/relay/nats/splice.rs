//! Changing the head of a NATS message.
//!
//! ```text
//! input    PUB a 1 ↵ x ↵      PUB b 1 ↵ x ↵      PUB c 1 ↵ x ↵
//! output   PUB a 1 ↵ x ↵      HPUB b 70 71 ↵ … ↵ x ↵      PUB c 1 ↵ x ↵
//!          └─ copied ─┘       └─ rewritten ─┘└─ copied ─────────────┘
//! ```
//!
//! A message that cannot be rewritten safely stays as it is.

use std::sync::Arc;

use spanbridge::Edits;
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::{HeaderEdit, Message, Refusal, Rewrite};

use crate::header_names::HeaderNames;
use crate::measure::Measures;
use crate::relay::edits::{Spelling, with_header_edits};
use crate::relay::splicer::Splicer;
use crate::routing::Choice;

/// A message of one read, whose head has been found.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    /// Where it begins in the input.
    pub(super) at: usize,
    pub(super) message: Message,
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
    with_header_edits::<Nats, _>(edits, names, |edits| {
        let rewrite = plan(bytes, message, edits, limits)?;
        if rewrite.is_unchanged() {
            return Ok(None);
        }
        if u64::from(rewrite.size()) > size_max {
            return Err(Skipped::TooLarge);
        }
        let head = marked.at..marked.at + message.head_len();
        splicer.write_over(head, |out| rewrite.write(out));
        Ok(Some(rewrite.size()))
    })
}

fn plan<'a>(
    bytes: &'a [u8],
    message: &'a Message,
    edits: &'a [HeaderEdit<'a>],
    limits: &NatsLimits,
) -> Result<Rewrite<'a>, Skipped> {
    Rewrite::plan(bytes, message, edits, message.payload_len, limits).map_err(|why| match why {
        Refusal::MessageLimit => Skipped::TooLarge,
        _ => Skipped::Refused,
    })
}

//! Changing the content header of a message.
//!
//! ```text
//! input    │ publish │ header        │ body │      │ publish │ header │ body │
//! output   │ publish │ header, longer │ body │     │ publish │ header │ body │
//! ```
//!
//! Nothing else of a message changes. One that cannot be rewritten safely stays as it is.

use std::ops::Range;
use std::sync::Arc;

use spanbridge::{Edits, Spelling, with_header_edits};
use spanbridge_wire::amqp::{ContentHeader, HeaderEdit, Refusal, Rewrite};

use super::publishes::Fingerprint;
use crate::header_names::HeaderNames;
use crate::measure::Measures;
use crate::relay::splicer::Splicer;
use crate::routing::Choice;

/// A message of one read, whose content header has been found.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    /// Where the header's frame is in the input.
    pub(super) frame: Range<usize>,
    pub(super) header: ContentHeader,
    /// Its number in the batch.
    pub(super) index: usize,
    /// Its route.
    pub(super) choice: Choice,
    /// Of its route and destination. `None`: nobody measures.
    pub(super) measures: Option<Arc<Measures>>,
    /// A publish's number, or a delivery's tag. `None`: nothing will be said of it.
    pub(super) number: Option<u64>,
    /// Of a publish: how it is known if it comes back.
    pub(super) mandatory: Option<Fingerprint>,
    /// Of a delivery: nobody got it before, so its wait is a wait in the queue.
    pub(super) is_first: bool,
}

/// Edits as the codec of AMQP has them.
struct Amqp;

impl Spelling for Amqp {
    type Edit<'a> = HeaderEdit<'a>;

    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> HeaderEdit<'a> {
        HeaderEdit { name, value }
    }
}

/// Changes the header of a message. Messages come in the order of the input.
///
/// `frame_max` is the longest frame that the receiver takes; 0: any.
pub(super) fn edit(
    splicer: &mut Splicer<'_>,
    marked: &Marked,
    edits: Edits<'_>,
    frame_max: u32,
    names: &HeaderNames,
) -> Result<(), Refusal> {
    if edits.is_empty() {
        return Ok(());
    }
    // It was readable before.
    let properties = marked.header.properties(splicer.bytes_from(marked.frame.start));
    let properties = properties.ok_or(Refusal::HeadersMalformed)?;
    with_header_edits::<Amqp, _>(
        edits,
        |field| names.get(field),
        |edits| {
            let rewrite = Rewrite::plan(&properties, edits, frame_max)?;
            if !rewrite.is_unchanged() {
                splicer.write_over(marked.frame.clone(), |out| rewrite.write(out));
            }
            Ok(())
        },
    )
}

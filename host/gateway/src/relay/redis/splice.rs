//! Changing the fields of entries, and the messages of lists.
//!
//! ```text
//! input    │ XADD                  │ SET │            [entry, entry, entry]
//! output   │ XADD, with two fields │ SET │            [entry, entry with another value, entry]
//! ```
//!
//! A body is spliced where the component says so.
//!
//! Nothing else of a command or a reply changes. What cannot be rewritten safely stays as it is.

use std::ops::Range;
use std::sync::Arc;

use spanbridge::{Edits, Spelling, with_header_edits};
use spanbridge_wire::Extent;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{self, FieldEdit, FieldList, Refusal};

use crate::header_names::HeaderNames;
use crate::measure::Measures;
use crate::relay::bodies::BodyEdits;
use crate::relay::splicer::Splicer;
use crate::routing::Choice;

/// What of a message may change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The fields of an entry.
    Fields(FieldList),
    /// A body that was handed in.
    Value(Extent),
    /// The end of a body that was handed in, behind so many other bytes of it.
    Behind { at: Extent, before: u32 },
    /// Nothing.
    Kept,
}

impl Place {
    /// Answers whether a body was handed in.
    pub(super) fn is_body(&self) -> bool {
        matches!(self, Self::Value(_) | Self::Behind { .. })
    }
}

/// A message of one read that goes to the broker.
#[derive(Debug)]
pub(super) struct MarkedPublish {
    /// Where it is in the input.
    pub(super) range: Range<usize>,
    pub(super) place: Place,
    /// Its number in the batch.
    pub(super) index: usize,
    /// Its route.
    pub(super) choice: Choice,
    /// Of its route and destination. `None`: nobody measures.
    pub(super) measures: Option<Arc<Measures>>,
    /// The place of its reply. `None`: there will be none.
    pub(super) number: Option<u64>,
    /// Which message of its command it is.
    pub(super) part: usize,
}

/// A message of one read that goes to a consumer.
#[derive(Debug)]
pub(super) struct MarkedEntry {
    /// Where the reply is in the input that it is a part of.
    pub(super) range: Range<usize>,
    pub(super) place: Place,
    /// Its number in the batch.
    pub(super) index: usize,
    /// Its route.
    pub(super) choice: Choice,
    /// Of its route and destination. `None`: nobody measures.
    pub(super) measures: Option<Arc<Measures>>,
    /// Where its key is among those of the read. `None`: nothing will be said of it.
    pub(super) key: Option<Range<usize>>,
    /// It is settled by a tag that the component finds in it, in this database.
    pub(super) tagged_in: Option<u64>,
    /// Nobody got it before, so its wait is a wait in the stream.
    pub(super) is_first: bool,
}

/// Edits as the codec of RESP has them.
struct Resp;

impl Spelling for Resp {
    type Edit<'a> = FieldEdit<'a>;

    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> FieldEdit<'a> {
        FieldEdit { name, value }
    }
}

/// Changes a command or a reply. They come in the order of the input.
pub(super) fn rewrite(
    splicer: &mut Splicer<'_>,
    range: &Range<usize>,
    limits: &RespLimits,
    change: impl FnOnce(&mut resp::Splicer<'_, '_>),
) {
    let bytes = splicer.bytes_from(range.start).get(..range.len()).unwrap_or_default();
    splicer.write_over(range.clone(), |out| {
        let mut inner = resp::Splicer::new(bytes, limits, out);
        change(&mut inner);
        inner.finish();
    });
}

/// Changes one message.
pub(super) fn edit(
    splicer: &mut resp::Splicer<'_, '_>,
    place: &Place,
    edits: Edits<'_>,
    names: &HeaderNames,
) -> Result<(), Refusal> {
    match place {
        Place::Fields(fields) => with_header_edits::<Resp, _>(
            edits,
            |field| names.get(field),
            |edits| splicer.fields(fields, edits).map(drop),
        ),
        Place::Value(at) => body(splicer, *at, 0, edits),
        Place::Behind { at, before } => body(splicer, *at, *before, edits),
        Place::Kept => Ok(()),
    }
}

/// Changes the part of a body behind so many other bytes of it.
fn body(
    splicer: &mut resp::Splicer<'_, '_>,
    at: Extent,
    before: u32,
    edits: Edits<'_>,
) -> Result<(), Refusal> {
    let Some(edits) = BodyEdits::of(edits) else { return Ok(()) };
    let patches = edits.patches(before).ok_or(Refusal::Patches)?;
    splicer.string(at, &patches).map(drop)
}

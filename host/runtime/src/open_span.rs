//! A span that waits for its end: a publish for the broker's answer, a delivery for its settlement.

use crate::bits::VerdictBits;
use crate::resource::ResourceId;
use crate::route::Route;

/// The beginning of a span, kept by the host until [`Tracer::settle`](crate::Tracer::settle).
///
/// It belongs to no instance and no thread: whoever learns of the end settles it. Dropping it
/// loses the span, so a host that gives up on one settles it as
/// [`Outcome::Abandoned`](crate::Outcome::Abandoned).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSpan {
    /// The route of its message.
    pub route: Route,
    /// Of the verdict.
    pub bits: VerdictBits,
    /// Whose span it is.
    pub resource: ResourceId,
    /// First eight bytes of the trace-id, as a big-endian number.
    pub trace_hi: u64,
    /// Last eight bytes of the trace-id.
    pub trace_lo: u64,
    /// The span-id.
    pub span_id: u64,
    /// When the publish or the work began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// Publish time that is believed, in nanoseconds since the Unix epoch; 0: unknown.
    pub published: u64,
    /// What only the component reads.
    pub beginning: Box<[u8]>,
}

impl OpenSpan {
    /// Bytes that it takes in memory, for whoever bounds a table of them.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.beginning.len()
    }
}

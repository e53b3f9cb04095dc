//! An OTLP `Span`, encoded as it is written.
//!
//! ```text
//! beginning  ids · kind · flags · the route's attributes │ parent · trace state · name · the
//!            └──── copied from a template with holes ────┘  message's attributes · links
//! end        start · end · more attributes · dropped counts · status
//! ```
//!
//! A span that stays open is kept by the host as its encoded *beginning*; `settle` puts the end
//! behind it. Protobuf lets fields stand in any order and repeated fields apart, so nothing has
//! to be decoded again. Layout: `opentelemetry/proto/trace/v1/trace.proto`.

use alloc::vec::Vec;

use crate::id::{SpanId, TraceFlags, TraceId};
use crate::lineage::Lineage;
use crate::protobuf::{bytes, nested, put, varint, varint_len};

/// `ScopeSpans.spans`, field 2: what a span run consists of.
const SPANS: u8 = 0x12;
const TRACE_ID: u8 = 0x0a;
const SPAN_ID: u8 = 0x12;
const TRACE_STATE: u8 = 0x1a;
const PARENT_SPAN_ID: u8 = 0x22;
const NAME: u8 = 0x2a;
const KIND: u8 = 0x30;
const START: u8 = 0x39;
const END: u8 = 0x41;
const DROPPED_ATTRIBUTES: u8 = 0x50;
const LINKS: u8 = 0x6a;
const DROPPED_LINKS: u8 = 0x70;
const STATUS: u8 = 0x7a;
/// `Span.flags`, field 16: its tag takes two bytes.
const FLAGS: [u8; 2] = [0x85, 0x01];
/// `Link.flags`, field 6.
const LINK_FLAGS: u8 = 0x35;

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`: the next bit means something.
const HAS_IS_REMOTE: u32 = 0x100;
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const IS_REMOTE: u32 = 0x200;

/// `SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal = 1,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// A span that another one points to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointer<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub flags: TraceFlags,
    /// Left empty where the span that points there carries the same one.
    pub tracestate: &'a [u8],
}

/// What a span begins with, behind what its template says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub lineage: &'a Lineage,
    pub span_id: SpanId,
    pub tracestate: &'a [u8],
    pub kind: Kind,
}

/// Where the holes of the fixed fields are.
const FIXED_BYTES: usize = 36;
const TRACE_ID_AT: usize = 2;
const SPAN_ID_AT: usize = 20;
const KIND_AT: usize = 29;
const FLAGS_AT: usize = 32;

/// The fields whose length is known, with holes for their values. A template begins with them.
pub(crate) fn fixed_fields(kind: Kind) -> [u8; FIXED_BYTES] {
    let mut fields = [0; FIXED_BYTES];
    fields[..TRACE_ID_AT].copy_from_slice(&[TRACE_ID, 16]);
    fields[SPAN_ID_AT - 2..SPAN_ID_AT].copy_from_slice(&[SPAN_ID, 8]);
    fields[KIND_AT - 1..=KIND_AT].copy_from_slice(&[KIND, kind as u8]);
    fields[FLAGS_AT - 2..FLAGS_AT].copy_from_slice(&FLAGS);
    fields
}

/// Writes `beginning`, which begins with the fixed fields, and fills their holes; then trace state
/// and parent.
pub(crate) fn head(out: &mut Vec<u8>, beginning: &[u8], head: &Head<'_>) {
    let (at, lineage) = (out.len(), head.lineage);
    out.extend_from_slice(beginning);
    let Some(fixed) = out[at..].first_chunk_mut::<FIXED_BYTES>() else { return };
    fixed[TRACE_ID_AT..][..16].copy_from_slice(&lineage.trace_id.to_bytes());
    fixed[SPAN_ID_AT..][..8].copy_from_slice(&head.span_id.0.to_be_bytes());
    fixed[KIND_AT] = head.kind as u8;
    let mut flags = u32::from(lineage.flags().bits()) | HAS_IS_REMOTE;
    if lineage.has_remote_parent() {
        flags |= IS_REMOTE;
    }
    fixed[FLAGS_AT..].copy_from_slice(&flags.to_le_bytes());
    if !lineage.is_root() {
        let mut field = [0; 10];
        field[..2].copy_from_slice(&[PARENT_SPAN_ID, 8]);
        field[2..].copy_from_slice(&lineage.parent.0.to_be_bytes());
        out.extend_from_slice(&field);
    }
    if !head.tracestate.is_empty() {
        bytes(out, TRACE_STATE, head.tracestate);
    }
}

/// Writes the name: an operation with a space behind it, which is left out with the destination.
#[inline]
pub(crate) fn name(out: &mut Vec<u8>, spaced: &str, destination: &[u8]) {
    let operation = if destination.is_empty() { spaced.trim_ascii_end() } else { spaced };
    out.push(NAME);
    varint(out, (operation.len() + destination.len()) as u64);
    put(out, operation.as_bytes());
    put(out, destination);
}

/// Writes a link to a span of another process.
pub(crate) fn link(out: &mut Vec<u8>, to: &Pointer<'_>) {
    const TRACE_ID_AT: usize = 2;
    const SPAN_ID_AT: usize = 20;
    const FLAGS_AT: usize = 29;
    let mut fixed = [0; 33];
    fixed[..TRACE_ID_AT].copy_from_slice(&[TRACE_ID, 16]);
    fixed[TRACE_ID_AT..][..16].copy_from_slice(&to.trace_id.to_bytes());
    fixed[SPAN_ID_AT - 2..SPAN_ID_AT].copy_from_slice(&[SPAN_ID, 8]);
    fixed[SPAN_ID_AT..][..8].copy_from_slice(&to.span_id.0.to_be_bytes());
    fixed[FLAGS_AT - 1] = LINK_FLAGS;
    let flags = u32::from(to.flags.bits()) | HAS_IS_REMOTE | IS_REMOTE;
    fixed[FLAGS_AT..].copy_from_slice(&flags.to_le_bytes());
    let members = to.tracestate.len();
    let members_field = if members == 0 { 0 } else { 1 + varint_len(members as u64) + members };
    out.push(LINKS);
    varint(out, (fixed.len() + members_field) as u64);
    out.extend_from_slice(&fixed);
    if members != 0 {
        bytes(out, TRACE_STATE, to.tracestate);
    }
}

/// Writes how much was left out; zero is not written.
pub(crate) fn dropped(out: &mut Vec<u8>, attributes: u32, links: u32) {
    for (tag, count) in [(DROPPED_ATTRIBUTES, attributes), (DROPPED_LINKS, links)] {
        if count > 0 {
            out.push(tag);
            varint(out, count.into());
        }
    }
}

/// Writes the times, in nanoseconds since the Unix epoch. A span never ends before it begins.
pub(crate) fn times(out: &mut Vec<u8>, start: u64, end: u64) {
    let mut fields = [0; 18];
    fields[0] = START;
    fields[1..9].copy_from_slice(&start.to_le_bytes());
    fields[9] = END;
    fields[10..].copy_from_slice(&end.max(start).to_le_bytes());
    out.extend_from_slice(&fields);
}

/// Writes the status Error with a message.
pub(crate) fn status_error(out: &mut Vec<u8>, message: &[u8]) {
    const MESSAGE: u8 = 0x12;
    const CODE_ERROR: [u8; 2] = [0x18, 2];
    nested(out, STATUS, |out| {
        if core::str::from_utf8(message).is_ok_and(|message| !message.is_empty()) {
            bytes(out, MESSAGE, message);
        }
        out.extend_from_slice(&CODE_ERROR);
    });
}

/// Adds a span, which `write` appends, to a span run.
pub(crate) fn run(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    nested(out, SPANS, write);
}

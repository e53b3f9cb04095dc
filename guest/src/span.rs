//! An OTLP `Span`, encoded as it is written.
//!
//! ```text
//! beginning  ids · trace state · parent · name · kind · attributes · links · flags
//! end        start · end · more attributes · dropped counts · status
//! ```
//!
//! A span that stays open is kept by the host as its encoded *beginning*; `settle` puts the end
//! behind it. Protobuf lets fields stand in any order and repeated fields apart, so nothing has
//! to be decoded again. Layout: `opentelemetry/proto/trace/v1/trace.proto`.

use alloc::vec::Vec;

use crate::id::{SpanId, TraceFlags, TraceId};
use crate::protobuf::{bytes, fixed64, nested, varint};

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

/// What a span begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub flags: TraceFlags,
    pub tracestate: &'a [u8],
    /// The parent's id, and whether the parent came out of a message.
    pub parent: Option<(SpanId, bool)>,
    pub kind: Kind,
    /// The operation, with the space behind it where a destination follows.
    pub operation: &'a str,
    pub destination: &'a str,
}

/// Writes ids, name and kind.
pub(crate) fn head(out: &mut Vec<u8>, head: &Head<'_>) {
    let mut ids = [0; 28];
    ids[0] = TRACE_ID;
    ids[1] = 16;
    ids[2..18].copy_from_slice(&head.trace_id.to_bytes());
    ids[18] = SPAN_ID;
    ids[19] = 8;
    ids[20..].copy_from_slice(&head.span_id.0.to_be_bytes());
    out.extend_from_slice(&ids);
    if !head.tracestate.is_empty() {
        bytes(out, TRACE_STATE, head.tracestate);
    }
    let mut flags = u32::from(head.flags.bits()) | HAS_IS_REMOTE;
    if let Some((parent, remote)) = head.parent {
        bytes(out, PARENT_SPAN_ID, &parent.0.to_be_bytes());
        if remote {
            flags |= IS_REMOTE;
        }
    }
    out.push(NAME);
    varint(out, (head.operation.len() + head.destination.len()) as u64);
    out.extend_from_slice(head.operation.as_bytes());
    out.extend_from_slice(head.destination.as_bytes());
    out.extend_from_slice(&[KIND, head.kind as u8]);
    out.extend_from_slice(&FLAGS);
    out.extend_from_slice(&flags.to_le_bytes());
}

/// Writes a link to a span of another process.
pub(crate) fn link(out: &mut Vec<u8>, to: &Pointer<'_>) {
    nested(out, LINKS, |out| {
        bytes(out, TRACE_ID, &to.trace_id.to_bytes());
        bytes(out, SPAN_ID, &to.span_id.0.to_be_bytes());
        if !to.tracestate.is_empty() {
            bytes(out, TRACE_STATE, to.tracestate);
        }
        out.push(LINK_FLAGS);
        let flags = u32::from(to.flags.bits()) | HAS_IS_REMOTE | IS_REMOTE;
        out.extend_from_slice(&flags.to_le_bytes());
    });
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
    fixed64(out, START, start);
    fixed64(out, END, end.max(start));
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

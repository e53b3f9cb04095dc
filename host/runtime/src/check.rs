//! Takes over what the component answered, after looking at all of it.
//!
//! ```text
//! verdicts   64 bytes each, one for each message
//! bytes      span run of message 0, of message 1 … │ edits, key, open span of message 0, of 1 …
//!            └──────────────── spans ──────────────┘ └─────────────────── rest ───────────────
//! ```
//!
//! The component is code of others: every length is compared with what is there before it is used.
//! One that does not fit makes the whole answer void. What is inside a span is not looked at.

use crate::answer::Buffers;
use crate::edit;
use crate::limits::{KEY_BYTES_MAX, OPEN_BYTES_MAX};
use crate::otlp::framing;
use crate::record::{Record, Verdict};
use crate::resource::ResourceId;
use crate::route::Slot;
use crate::span_sink::SpanSink;

/// An answer as it lies in the component's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    pub verdicts: &'a [u8],
    pub spans: u32,
    pub bytes: &'a [u8],
}

/// What is wrong with an answer.
pub(crate) type Flaw = &'static str;

/// Checks an answer, appends verdicts and edits to `out`, and hands the spans to `sink`.
///
/// `records` and `resources` are those of the call. An answer with a flaw leaves no trace.
pub(crate) fn take<R: Record>(
    raw: Raw<'_>,
    records: &[R],
    resources: &[ResourceId],
    slots: &[Slot],
    out: &mut Buffers,
    sink: &dyn SpanSink,
) -> Result<(), Flaw> {
    let (verdicts, bytes) = (out.verdicts.len(), out.bytes.len());
    let checked = check(raw, records, slots, out);
    let run = match checked {
        Ok(run) => run,
        Err(flaw) => {
            out.verdicts.truncate(verdicts);
            out.at.truncate(verdicts);
            out.bytes.truncate(bytes);
            return Err(flaw);
        }
    };
    let lengths = out.verdicts[verdicts..].iter().map(|verdict| verdict.spans as usize);
    push(run.bytes, run.spans, lengths, resources, sink);
    Ok(())
}

struct Run<'a> {
    bytes: &'a [u8],
    spans: u32,
}

fn check<'a, R: Record>(
    raw: Raw<'a>,
    records: &[R],
    slots: &[Slot],
    out: &mut Buffers,
) -> Result<Run<'a>, Flaw> {
    let (verdicts, tail) = raw.verdicts.as_chunks::<{ Verdict::BYTES }>();
    if verdicts.len() != records.len() || !tail.is_empty() {
        return Err("another number of verdicts than of messages");
    }
    let Some((run, rest)) = raw.bytes.split_at_checked(raw.spans as usize) else {
        return Err("a span run that is longer than its bytes");
    };
    let base = out.bytes.len();
    let mut spans = 0;
    let mut run_left = run;
    let mut rest_left = rest;
    for (verdict, record) in verdicts.iter().zip(records) {
        let verdict = Verdict::read(verdict);
        if verdict.spans != 0 {
            let (own, left) = split(run_left, verdict.spans)?;
            spans += framing::count_spans(own).ok_or("a span run that is none")?;
            run_left = left;
        }
        out.at.push(base + rest.len() - rest_left.len());
        if verdict.edits != 0 {
            let (edits, left) = split(rest_left, verdict.edits)?;
            let head = record.head();
            let open = slots.get(head.route as usize).and_then(|slot| slot.open.as_ref());
            edit::check(edits, head, open.map(|open| &*open.fields))?;
            rest_left = left;
        }
        if verdict.key as usize > KEY_BYTES_MAX || verdict.open as usize > OPEN_BYTES_MAX {
            return Err("a key or an open span that is too long");
        }
        rest_left = split(split(rest_left, verdict.key)?.1, verdict.open)?.1;
        out.verdicts.push(verdict);
    }
    if !run_left.is_empty() || !rest_left.is_empty() {
        return Err("bytes that belong to no message");
    }
    out.bytes.extend_from_slice(rest);
    Ok(Run { bytes: run, spans })
}

fn split(bytes: &[u8], length: u32) -> Result<(&[u8], &[u8]), Flaw> {
    bytes.split_at_checked(length as usize).ok_or("a length past the end")
}

/// Checks the answer to settlements, and hands the spans to `sink`.
///
/// Spans belong to settlements in their order; where all have one resource, their number does not
/// matter.
pub(crate) fn take_settled(
    run: &[u8],
    resources: &[ResourceId],
    sink: &dyn SpanSink,
) -> Result<(), Flaw> {
    let spans = framing::count_spans(run).ok_or("a span run that is none")?;
    if !is_one(resources) && spans as usize != resources.len() {
        return Err("another number of spans than of settlements");
    }
    let mut left = run;
    let lengths = std::iter::from_fn(|| {
        let length = framing::first_span(left)?;
        left = &left[length..];
        Some(length)
    });
    push(run, spans, lengths, resources, sink);
    Ok(())
}

/// Hands a run to the sink in pieces of one resource, as few as possible. `lengths` are those of
/// the parts of the run that go with each of `resources`.
fn push(
    run: &[u8],
    spans: u32,
    lengths: impl Iterator<Item = usize>,
    resources: &[ResourceId],
    sink: &dyn SpanSink,
) {
    let Some(&first) = resources.first() else { return };
    if run.is_empty() {
        return;
    }
    if is_one(resources) {
        sink.push(first, run, spans);
        return;
    }
    let mut left = run;
    let mut piece = (first, 0);
    for (length, &resource) in lengths.zip(resources) {
        if resource != piece.0 {
            left = push_piece(left, piece, sink);
            piece = (resource, 0);
        }
        piece.1 += length;
    }
    push_piece(left, piece, sink);
}

fn push_piece<'a>(run: &'a [u8], piece: (ResourceId, usize), sink: &dyn SpanSink) -> &'a [u8] {
    let (own, rest) = run.split_at(piece.1);
    if let Some(spans) = framing::count_spans(own).filter(|&spans| spans != 0) {
        sink.push(piece.0, own, spans);
    }
    rest
}

fn is_one(resources: &[ResourceId]) -> bool {
    resources.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;

//! The edits that nearly every injection makes: a W3C context without other people's members,
//! written into a copy of a template.
//!
//! ```text
//! set traceparent  00-<trace-id>-<parent-id>-<flags>
//! set tracestate   spanbridge=p:<parent-id>;t:<thirteen digits of milliseconds>
//! ```
//!
//! The same bytes as the general way of `inject`, which the tests hold; only sooner: nothing is put
//! together elsewhere and moved.

use alloc::vec::Vec;

use crate::context::TraceParts;
use crate::decimal;
use crate::edit::{self, HEAD_BYTES};
use crate::field::Field;
use crate::hex;
use crate::traceparent;

const TRACEPARENT: &[u8; traceparent::LEN] =
    b"00-00000000000000000000000000000000-0000000000000000-00";
const TRACESTATE: &[u8; 45] = b"spanbridge=p:0000000000000000;t:0000000000000";
const BEFORE_TIME: &[u8; 3] = b";t:";

const TRACESTATE_AT: usize = HEAD_BYTES + TRACEPARENT.len() + HEAD_BYTES;
const EDITS_BYTES: usize = TRACESTATE_AT + TRACESTATE.len();
/// Sixteen digits end with the edits; where the first three of them are, `;t:` belongs.
const TIME_AT: usize = EDITS_BYTES - 16;

/// Milliseconds that have thirteen digits: from 2001 to 2286.
const TIME_MS: core::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;

static TEMPLATE: [u8; EDITS_BYTES] = {
    let mut template = [0; EDITS_BYTES];
    let traceparent = edit::set_head(Field::Traceparent, 0, TRACEPARENT.len());
    put(&mut template, 0, &traceparent);
    put(&mut template, HEAD_BYTES, TRACEPARENT);
    let tracestate = edit::set_head(Field::Tracestate, 0, TRACESTATE.len());
    put(&mut template, HEAD_BYTES + TRACEPARENT.len(), &tracestate);
    put(&mut template, TRACESTATE_AT, TRACESTATE);
    template
};

const fn put(template: &mut [u8; EDITS_BYTES], at: usize, bytes: &[u8]) {
    let mut index = 0;
    while index < bytes.len() {
        template[at + index] = bytes[index];
        index += 1;
    }
}

/// Appends the edits. Answers `false`, and appends nothing, where the time has not thirteen digits.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, parts: &TraceParts, time_ms: u64) -> bool {
    if !TIME_MS.contains(&time_ms) {
        return false;
    }
    let start = out.len();
    out.extend_from_slice(&TEMPLATE);
    let Some(edits) = out[start..].first_chunk_mut::<EDITS_BYTES>() else { return false };
    let mut id = |at: usize, id: u64| {
        if let Some(digits) = edits[at..].first_chunk_mut() {
            hex::write_u64(digits, id);
        }
    };
    id(HEAD_BYTES + 3, parts.trace_id.hi);
    id(HEAD_BYTES + 19, parts.trace_id.lo);
    id(HEAD_BYTES + 36, parts.span_id.0);
    id(TRACESTATE_AT + 13, parts.span_id.0);
    edits[HEAD_BYTES + 53..][..2].copy_from_slice(&hex::format_u8(parts.flags.bits()));
    let (high, low) = decimal::sixteen_digits(time_ms);
    edits[TIME_AT..][..8].copy_from_slice(&high);
    edits[TIME_AT + 8..][..8].copy_from_slice(&low);
    edits[TIME_AT..][..BEFORE_TIME.len()].copy_from_slice(BEFORE_TIME);
    true
}

/// The two fields with the values that [`write()`] has appended, where nothing was before.
pub(crate) fn values(edits: &[u8]) -> Option<[(Field, &[u8]); 2]> {
    let edits = edits.first_chunk::<EDITS_BYTES>()?;
    let traceparent = &edits[HEAD_BYTES..][..TRACEPARENT.len()];
    Some([(Field::Traceparent, traceparent), (Field::Tracestate, &edits[TRACESTATE_AT..])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SpanId, TraceFlags, TraceId};
    use crate::member::Member;
    use crate::traceparent::Traceparent;

    #[test]
    fn the_edits_are_those_of_the_general_way() {
        let trace_id = TraceId { hi: 0x4bf9_2f35_77b3_4da6, lo: 0xa3ce_929d_0e0e_4736 };
        let span_id = SpanId(0x00f0_67aa_0ba9_02b7);
        for (flags, time_ms) in [
            (0, TIME_MS.start),
            (3, 1_763_900_000_123),
            (1, TIME_MS.end - 1),
            (2, 1_234_567_890_987),
        ] {
            let flags = TraceFlags::from_bits(flags);
            let parts = TraceParts::new(trace_id, span_id, flags).unwrap();
            let mut out = b"before".to_vec();
            assert!(write(&mut out, &parts, time_ms));
            let mut expected = b"before".to_vec();
            let traceparent = Traceparent { trace_id, parent_id: span_id, flags }.format();
            edit::set(&mut expected, Field::Traceparent, b"", &traceparent);
            let member = Member::new(span_id, time_ms);
            edit::set(&mut expected, Field::Tracestate, b"", member.as_bytes());
            assert_eq!(out, expected);
            let values = values(&out[b"before".len()..]).unwrap();
            let expected = [&traceparent[..], member.as_bytes()];
            assert_eq!(values.map(|(_, value)| value), expected);
        }
    }

    #[test]
    fn a_time_of_another_length_is_left_to_the_general_way() {
        let parts =
            TraceParts::new(TraceId { hi: 1, lo: 2 }, SpanId(3), TraceFlags::from_bits(0)).unwrap();
        for time_ms in [0, TIME_MS.start - 1, TIME_MS.end, u64::MAX] {
            let mut out = Vec::new();
            assert!(!write(&mut out, &parts, time_ms));
            assert!(out.is_empty());
        }
    }
}

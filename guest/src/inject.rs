//! The edits that put a context into a message, or take one out.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::carrier::Entry;
use crate::context::TraceParts;
use crate::edit;
use crate::envelope;
use crate::field::Field;
use crate::id::SpanId;
use crate::lineage::Lineage;
use crate::member::{self, Value};
use crate::route::Route;
use crate::tracestate::Tracestate;

/// A context of ours, about to go out.
pub(crate) struct Outgoing<'a> {
    pub parts: TraceParts,
    /// Other people's members.
    pub members: &'a [u8],
    /// For our own member: milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// Writes the context in every format of the route, as header edits.
pub(crate) fn headers(out: &mut Vec<u8>, route: &Route, outgoing: &Outgoing<'_>) {
    let tracestate = tracestate(outgoing);
    route.propagators.inject_span(&outgoing.parts, &tracestate, &mut |field, key, value| {
        edit::set(out, field, key, value);
    });
}

/// Writes the context into a JSON body. Answers whether that could be done.
pub(crate) fn body(
    out: &mut Vec<u8>,
    route: &Route,
    scan: &envelope::Found<'_>,
    outgoing: &Outgoing<'_>,
) -> bool {
    let mut set: Vec<(String, Vec<u8>)> = Vec::new();
    let tracestate = tracestate(outgoing);
    // A span's fields are no families: the key is empty.
    route.propagators.inject_span(&outgoing.parts, &tracestate, &mut |field, _, value| {
        set.push((field.name().to_string(), value.to_vec()));
    });
    let set: Vec<(&str, &[u8])> = set.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
    let Some(splices) = scan.splice(&set, &[]) else { return false };
    for splice in splices.iter() {
        // A body that is scanned is far shorter than 4 GiB.
        edit::splice(out, splice.offset as u32, splice.removed as u32, splice.inserted);
    }
    !splices.is_empty()
}

/// Our member, then the others.
fn tracestate(outgoing: &Outgoing<'_>) -> Vec<u8> {
    let value = Value::new(outgoing.parts.span_id, outgoing.time_ms);
    let mut out = Vec::with_capacity(member::KEY.len() + 1 + value.as_bytes().len());
    if outgoing.members.is_empty() {
        out.extend_from_slice(member::KEY);
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    } else {
        let others = Tracestate::parse([outgoing.members]);
        others.write_with(&mut out, member::KEY, value.as_bytes());
    }
    out
}

/// Removes baggage: what an untrusted client says about itself goes no further.
pub(crate) fn remove_baggage(out: &mut Vec<u8>, headers: &[Entry<'_>]) {
    let mut baggage = false;
    for entry in headers {
        match entry.field {
            Field::Baggage | Field::JaegerBaggage if !baggage => {
                baggage = true;
                edit::remove(out, Field::Baggage, b"");
                edit::remove(out, Field::JaegerBaggage, b"");
            }
            Field::Uberctx | Field::OtBaggage => edit::remove(out, entry.field, entry.key),
            _ => {}
        }
    }
}

/// The parts of a context of ours.
pub(crate) fn parts(lineage: &Lineage, span_id: SpanId) -> TraceParts {
    TraceParts {
        trace_id: lineage.trace_id,
        span_id,
        flags: lineage.flags,
        debug: lineage.debug,
        deferred: false,
    }
}

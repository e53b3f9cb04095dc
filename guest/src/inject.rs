//! The edits that put a context into a message, or take one out.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::{MessageBits, VerdictBits};
use crate::carrier::Entry;
use crate::context::TraceParts;
use crate::edit;
use crate::envelope;
use crate::field::Field;
use crate::found::{Body, Found};
use crate::fresh;
use crate::id::SpanId;
use crate::lineage::Lineage;
use crate::member::{self, Member};
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

/// A message that a context is to be put into.
pub(crate) struct Target<'a> {
    pub bits: MessageBits,
    pub found: &'a Found<'a>,
    pub headers: &'a [Entry<'a>],
    pub body: &'a Body<'a>,
    pub body_entries: &'a [Entry<'a>],
}

/// Writes the context where the message can carry it: in headers, else in the body. What a client
/// that is not trusted said about itself is taken out.
pub(crate) fn inject(
    out: &mut Vec<u8>,
    route: &Route,
    target: &Target<'_>,
    outgoing: &Outgoing<'_>,
) -> VerdictBits {
    let in_headers = !target.bits.contains(MessageBits::NO_HEADERS) && !target.found.in_body;
    let injected = if in_headers {
        headers(out, route, outgoing);
        remove_baggage(out, untrusted(route, target.headers));
        route.injects
    } else if let Some(scan) = &target.body.scan {
        body(out, route, scan, outgoing, untrusted(route, target.body_entries))
    } else {
        false
    };
    if injected { VerdictBits::INJECTED } else { VerdictBits::empty() }
}

/// The entries that the route does not believe.
fn untrusted<'a>(route: &Route, entries: &'a [Entry<'a>]) -> &'a [Entry<'a>] {
    if route.restart { entries } else { &[] }
}

/// Writes the context in every format of the route, as header edits.
fn headers(out: &mut Vec<u8>, route: &Route, outgoing: &Outgoing<'_>) {
    if route.injects_w3c_alone
        && outgoing.members.is_empty()
        && fresh::write(out, &outgoing.parts, outgoing.time_ms)
    {
        return;
    }
    let own = Member::new(outgoing.parts.span_id, outgoing.time_ms);
    let tracestate = tracestate(&own, outgoing.members);
    route.propagators.inject_span(&outgoing.parts, &tracestate, &mut |field, key, value| {
        edit::set(out, field, key, value);
    });
}

/// Writes the context into a JSON body, and takes the baggage of `untrusted` entries out of it.
/// Answers whether that could be done.
fn body(
    out: &mut Vec<u8>,
    route: &Route,
    scan: &envelope::Found<'_>,
    outgoing: &Outgoing<'_>,
    untrusted: &[Entry<'_>],
) -> bool {
    let mut fields = Vec::new();
    let (mut edits, mut values) = (Vec::new(), Vec::new());
    if route.injects_w3c_alone
        && outgoing.members.is_empty()
        && fresh::write(&mut edits, &outgoing.parts, outgoing.time_ms)
    {
        fields.extend(fresh::values(&edits).into_iter().flatten());
    } else {
        general(&mut values, route, outgoing);
        fields.extend(values.iter().map(|(field, value)| (*field, &value[..])));
    }
    let set: Vec<_> = fields.iter().map(|&(field, value)| (field.name(), value)).collect();
    let baggage = untrusted.iter().filter(|entry| is_baggage(entry.field));
    let baggage: Vec<String> =
        baggage.map(|e| e.field.name().to_string() + &String::from_utf8_lossy(e.key)).collect();
    let remove: Vec<&str> = baggage.iter().map(String::as_str).collect();
    let Some(splices) = scan.splice(&set, &remove) else { return false };
    for splice in splices.iter() {
        // A body that is scanned is far shorter than 4 GiB.
        edit::splice(out, splice.offset as u32, splice.removed as u32, splice.inserted);
    }
    !splices.is_empty()
}

/// The context in every format of the route.
fn general(values: &mut Vec<(Field, Vec<u8>)>, route: &Route, outgoing: &Outgoing<'_>) {
    let own = Member::new(outgoing.parts.span_id, outgoing.time_ms);
    let tracestate = tracestate(&own, outgoing.members);
    // A span's fields are no families: the key is empty.
    route.propagators.inject_span(&outgoing.parts, &tracestate, &mut |field, _, value| {
        values.push((field, value.to_vec()));
    });
}

/// Our member, then the others.
fn tracestate<'a>(own: &'a Member, others: &[u8]) -> Cow<'a, [u8]> {
    if others.is_empty() {
        return Cow::Borrowed(own.as_bytes());
    }
    let mut out = Vec::new();
    Tracestate::parse([others]).write_with(&mut out, member::KEY, own.value());
    Cow::Owned(out)
}

/// Removes baggage.
fn remove_baggage(out: &mut Vec<u8>, headers: &[Entry<'_>]) {
    for (at, entry) in headers.iter().enumerate() {
        // One edit removes every header of a name.
        let is_same = |e: &Entry<'_>| (e.field, e.key) == (entry.field, entry.key);
        if is_baggage(entry.field) && !headers[..at].iter().any(is_same) {
            edit::remove(out, entry.field, entry.key);
        }
    }
}

fn is_baggage(field: Field) -> bool {
    matches!(field, Field::Baggage | Field::JaegerBaggage | Field::Uberctx | Field::OtBaggage)
}

/// The parts of a context of ours.
pub(crate) fn parts(lineage: &Lineage, span_id: SpanId) -> TraceParts {
    TraceParts {
        trace_id: lineage.trace_id,
        span_id,
        flags: lineage.flags(),
        debug: lineage.is_debug(),
        deferred: false,
    }
}

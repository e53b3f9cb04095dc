//! What becomes of a message on its way to the broker.
//!
//! | context in the message | span | edits |
//! |---|---|---|
//! | none | PRODUCER, root or child of the host's parent | ours is written |
//! | somebody else's | CLIENT, child of it and linked to it | none |
//! | somebody else's, route untrusted | PRODUCER, root, linked to it | ours replaces it |
//! | a copy of ours | PRODUCER, related to it by the route's policy | ours replaces it |
//! | ours, just written by a host in front | none, that host has made it | none |

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::{
    Message, MessageBits, Relation, VerdictBits,
};
use crate::block::Parts;
use crate::carrier::Entry;
use crate::context::RemoteSpan;
use crate::describe::{self, Described};
use crate::found::{Body, Found};
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::inject::{self, Outgoing, Target};
use crate::lineage::{self, Lineage};
use crate::output::{Decision, Output, message_bits};
use crate::random::Random;
use crate::route::Route;
use crate::span::{self, Head, Kind, Pointer};

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// Age of our context up to which a host in front is taken to have just written it: far above what
/// a message takes to the broker, and below the time after which programs send one again.
const PASSED_ON_MS_MAX: u64 = 1000;

/// A message, read.
struct Publish<'a> {
    route: &'a Route,
    message: &'a Message,
    bits: MessageBits,
    parts: Parts<'a>,
    headers: &'a [Entry<'a>],
    body: &'a Body<'a>,
    body_entries: &'a [Entry<'a>],
    found: &'a Found<'a>,
}

/// Decides about one message. `headers` are those of `parts.headers`.
pub(crate) fn publish(
    out: &mut Output,
    route: &Route,
    random: &mut Random,
    message: &Message,
    parts: Parts<'_>,
    headers: &[Entry<'_>],
) -> Decision {
    let body = Body::read(route.envelope.as_ref(), parts.body);
    let body_entries = body.carrier();
    let found = Found::read(route, headers, &body_entries);
    let bits = message_bits(message.bits);
    let parts = body.complete(parts);
    let read = Publish {
        route,
        message,
        bits,
        parts,
        headers,
        body: &body,
        body_entries: &body_entries,
        found: &found,
    };
    read.decide(out, random)
}

impl Publish<'_> {
    fn decide(&self, out: &mut Output, random: &mut Random) -> Decision {
        if let Some(passed_on) = self.passed_on(out) {
            return passed_on;
        }
        let mut members = Vec::new();
        let (lineage, kind) = self.stand(random, &mut members);
        let span_id = random.span_id();
        let mut bits = self.verdict_bits(&lineage);

        if kind == Kind::Producer && !self.bits.contains(MessageBits::READ_ONLY) {
            let outgoing = Outgoing {
                parts: inject::parts(&lineage, span_id),
                members: &members,
                time_ms: self.message.start / NANOSECONDS_PER_MILLISECOND,
            };
            bits |= inject::inject(&mut out.rest, self.route, &self.target(), &outgoing);
        }
        let edits_end = out.rest.len();
        out.rest.extend_from_slice(self.body.key());
        let key_end = out.rest.len();
        if lineage.flags().is_sampled() && self.route.producer_spans {
            bits |= self.write_span(out, &lineage, kind, span_id, &members);
        }
        let (published, not_before) = (0, 0);
        Decision {
            trace_id: lineage.trace_id,
            span_id,
            published,
            not_before,
            bits,
            edits_end,
            key_end,
        }
    }

    /// Where the span stands, and whether it is ours to create the context.
    fn stand(&self, random: &mut Random, members: &mut Vec<u8>) -> (Lineage, Kind) {
        let route = self.route;
        let Some(remote) = &self.found.remote else {
            return (self.stand_alone(random, members), Kind::Producer);
        };
        if route.restart {
            (lineage::root(route, random, true, members), Kind::Producer)
        } else if self.found.own_time_ms.is_some() {
            let lineage = lineage::relate(route, self.copied_relation(), remote, random, members);
            (lineage, Kind::Producer)
        } else {
            (lineage::child(route, remote, true, members), Kind::Client)
        }
    }

    /// What is decided about a message that a host in front of this one has just written our
    /// context into. `None`: about this one, nothing is yet.
    fn passed_on(&self, out: &Output) -> Option<Decision> {
        let may_be = self.bits.contains(MessageBits::RELAYED) && !self.route.restart;
        let written_ms = self.found.own_time_ms.filter(|_| may_be)?;
        let now_ms = self.message.start / NANOSECONDS_PER_MILLISECOND;
        if now_ms.abs_diff(written_ms) >= PASSED_ON_MS_MAX {
            return None;
        }
        let remote = self.found.remote.as_ref()?;
        let mut bits = found_bits(self.found, self.body, self.route, self.parts.body);
        bits.set(VerdictBits::SAMPLED, remote.parts.flags.is_sampled());
        let (span_id, published, not_before) = (SpanId(0), 0, 0);
        let (edits_end, key_end) = (out.rest.len(), out.rest.len());
        let trace_id = remote.parts.trace_id;
        Some(Decision { trace_id, span_id, published, not_before, bits, edits_end, key_end })
    }

    /// A copy is related like a delivery; a copy is a second attempt, which `auto` links.
    fn copied_relation(&self) -> Relation {
        match self.route.relation {
            Relation::Auto => Relation::Link,
            relation => relation,
        }
    }

    fn stand_alone(&self, random: &mut Random, members: &mut Vec<u8>) -> Lineage {
        let m = self.message;
        let trace_id = TraceId { hi: m.parent_hi, lo: m.parent_lo };
        let span_id = SpanId(m.parent_span);
        if !trace_id.is_valid() || !span_id.is_valid() {
            return lineage::root(self.route, random, false, members);
        }
        let mut flags = 0;
        if self.bits.contains(MessageBits::PARENT_SAMPLED) {
            flags |= TraceFlags::SAMPLED;
        }
        if self.bits.contains(MessageBits::PARENT_RANDOM) {
            flags |= TraceFlags::RANDOM;
        }
        let flags = TraceFlags::from_bits(flags);
        lineage::local_child(self.route, &Pointer { trace_id, span_id, flags, tracestate: b"" })
    }

    fn verdict_bits(&self, lineage: &Lineage) -> VerdictBits {
        let found = self.found;
        let copied = found.own_time_ms.is_some() && !self.route.restart;
        let mut bits = found_bits(found, self.body, self.route, self.parts.body);
        bits.set(VerdictBits::SAMPLED, lineage.flags().is_sampled());
        bits.set(VerdictBits::COPIED, copied);
        bits.set(VerdictBits::ROOT, lineage.is_root());
        bits
    }

    fn target(&self) -> Target<'_> {
        Target {
            bits: self.bits,
            found: self.found,
            headers: self.headers,
            body: self.body,
            body_entries: self.body_entries,
        }
    }

    fn write_span(
        &self,
        out: &mut Output,
        lineage: &Lineage,
        kind: Kind,
        span_id: SpanId,
        members: &[u8],
    ) -> VerdictBits {
        let open = self.message.end == 0;
        let mut cut = false;
        let mut write = |out: &mut Vec<u8>| {
            cut = self.write_beginning(out, lineage, kind, span_id, members);
            if !open {
                span::times(out, self.message.start, self.message.end);
            }
        };
        if open {
            write(&mut out.rest);
        } else {
            span::run(&mut out.spans, write);
        }
        if cut { VerdictBits::TRUNCATED } else { VerdictBits::empty() }
    }

    /// Answers whether something was cut at a limit.
    fn write_beginning(
        &self,
        out: &mut Vec<u8>,
        lineage: &Lineage,
        kind: Kind,
        span_id: SpanId,
        members: &[u8],
    ) -> bool {
        let head = Head { lineage, span_id, tracestate: members, kind };
        let (route, parts) = (self.route, &self.parts);
        let message = Described { bits: self.bits, parts, body_size: self.message.body_size };
        let written = describe::describe(out, route, &route.publish, &head, &message, |to| {
            describe::envelope(to, route, parts, self.body);
        });
        let links = links(out, self.route, lineage, self.found.remote.as_ref(), None);
        span::dropped(out, written.dropped, links);
        written.cut || written.dropped + links > 0
    }
}

/// What was found, as bits of a verdict.
pub(crate) fn found_bits(
    found: &Found<'_>,
    body: &Body<'_>,
    route: &Route,
    body_bytes: &[u8],
) -> VerdictBits {
    let mut bits = VerdictBits::empty();
    bits.set(VerdictBits::FOUND, found.remote.is_some());
    bits.set(VerdictBits::INVALID, found.invalid);
    bits.set(VerdictBits::DISAGREED, found.disagreed);
    let asked_for = route.envelope.is_some() && !body_bytes.is_empty();
    bits.set(VerdictBits::BODY_LEFT_ALONE, asked_for && body.scan.is_none());
    bits
}

/// Writes the links of a span and answers how many were dropped.
///
/// The tracestate is repeated on a link only where the span itself does not carry it.
pub(crate) fn links(
    out: &mut Vec<u8>,
    route: &Route,
    lineage: &Lineage,
    remote: Option<&RemoteSpan<'_>>,
    previous: Option<&Pointer<'_>>,
) -> u32 {
    if !lineage.is_linked() && previous.is_none() {
        return 0;
    }
    let mut left = route.link_count_max;
    let mut dropped = 0;
    let mut tracestate = Vec::new();
    if lineage.is_root()
        && let Some(remote) = remote
    {
        remote.tracestate.write(&mut tracestate);
    }
    let remote = remote.filter(|_| lineage.is_linked()).map(|remote| Pointer {
        trace_id: remote.parts.trace_id,
        span_id: remote.parts.span_id,
        flags: remote.parts.flags,
        tracestate: &tracestate,
    });
    for link in [remote.as_ref(), previous].into_iter().flatten() {
        if left == 0 {
            dropped += 1;
        } else {
            span::link(out, link);
            left -= 1;
        }
    }
    dropped
}

//! What becomes of a message on its way to a consumer.
//!
//! The process span runs from delivery to settlement, so it is handed back open; where no
//! settlement can be seen it has no length and says so. The message keeps its context, unless the
//! route says `continue` or does not trust it: then it gets that of the process span.

use alloc::vec::Vec;

use crate::attributes::Attributes;
use crate::bindings::exports::spanbridge::tracing::messaging::{
    Delivery, DeliveryMode, MessageBits, Relation, VerdictBits,
};
use crate::block::Parts;
use crate::carrier::Entry;
use crate::describe::{self, Described};
use crate::found::{self, Body, Found};
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::inject::{self, Outgoing, Target};
use crate::lineage::{self, Lineage};
use crate::output::{Decision, Output, message_bits};
use crate::publish::{found_bits, links};
use crate::random::Random;
use crate::route::{Route, Template};
use crate::semconv;
use crate::span::{self, Head, Kind, Pointer};

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// A delivery, read.
struct Deliver<'a> {
    route: &'a Route,
    delivery: &'a Delivery,
    bits: MessageBits,
    parts: Parts<'a>,
    headers: &'a [Entry<'a>],
    body: &'a Body<'a>,
    body_entries: &'a [Entry<'a>],
    found: &'a Found<'a>,
    /// Publish time that is believed, in nanoseconds; 0: unknown.
    published: u64,
}

/// Decides about one delivery. `headers` are those of `parts.headers`.
pub(crate) fn deliver(
    out: &mut Output,
    route: &Route,
    random: &mut Random,
    delivery: &Delivery,
    parts: Parts<'_>,
    headers: &[Entry<'_>],
) -> Decision {
    let body = Body::read(route.envelope.as_ref(), parts.body);
    let body_entries = body.carrier();
    let found = Found::read(route, headers, &body_entries);
    let own_time =
        || found.own_time_ms.map_or(0, |ms| ms.saturating_mul(NANOSECONDS_PER_MILLISECOND));
    let published = if delivery.published != 0 { delivery.published } else { own_time() };
    let bits = message_bits(delivery.bits);
    let read = Deliver {
        route,
        delivery,
        bits,
        parts: body.complete(parts),
        headers,
        body: &body,
        body_entries: &body_entries,
        found: &found,
        published,
    };
    read.decide(out, random)
}

/// A span of a delivery, about to be written.
struct Planned<'a> {
    template: &'a Template,
    kind: Kind,
    span_id: SpanId,
}

impl Deliver<'_> {
    fn decide(&self, out: &mut Output, random: &mut Random) -> Decision {
        let mut members = Vec::new();
        let lineage = self.stand(random, &mut members);
        let span_id = random.span_id();
        let mut bits = found_bits(self.found, self.body, self.route, self.parts.body);
        bits.set(VerdictBits::SAMPLED, lineage.flags().is_sampled());
        bits.set(VerdictBits::ROOT, lineage.is_root());
        bits.set(VerdictBits::CLOCK_SKEW, self.published > self.delivery.start);
        let own_time = self.delivery.published == 0 && self.published != 0;
        bits.set(VerdictBits::PUBLISH_TIME_OWN, own_time);

        if self.route.consumer_spans && self.replaces_context() {
            bits |= self.inject(out, &lineage, span_id, &members);
        }
        let edits_end = out.rest.len();
        out.rest.extend_from_slice(self.body.key());
        let key_end = out.rest.len();
        if lineage.flags().is_sampled() {
            bits |= self.write_spans(out, random, &lineage, span_id, &members);
        }
        let (trace_id, span_id) = match (self.route.consumer_spans, &self.found.remote) {
            (true, _) => (lineage.trace_id, span_id),
            (false, Some(remote)) => (remote.parts.trace_id, SpanId(0)),
            (false, None) => (TraceId { hi: 0, lo: 0 }, SpanId(0)),
        };
        let (published, not_before) = (self.published, self.body.not_before());
        Decision { trace_id, span_id, published, not_before, bits, edits_end, key_end }
    }

    fn replaces_context(&self) -> bool {
        let untrusted = self.route.restart && self.found.remote.is_some();
        (untrusted || self.route.delivery == DeliveryMode::Continue)
            && !self.bits.contains(MessageBits::READ_ONLY)
    }

    fn stand(&self, random: &mut Random, members: &mut Vec<u8>) -> Lineage {
        let route = self.route;
        match &self.found.remote {
            None => lineage::root(route, random, false, members),
            Some(_) if route.restart => lineage::root(route, random, true, members),
            Some(remote) => lineage::relate(route, self.relation(), remote, random, members),
        }
    }

    /// The route's relation, unless the producer asks for another; `auto` decided.
    fn relation(&self) -> Relation {
        if let Some(relation) = found::hint(self.headers) {
            return relation;
        }
        let wait = self.delivery.start.saturating_sub(self.published);
        let waited_long = self.published != 0 && wait >= self.route.relation_wait_max;
        let shared = self.bits.intersects(MessageBits::BATCH | MessageBits::FAN_OUT);
        match self.route.relation {
            Relation::Auto if self.is_redelivered() || shared || waited_long => Relation::Link,
            Relation::Auto => Relation::ParentAndLink,
            relation => relation,
        }
    }

    fn is_redelivered(&self) -> bool {
        self.delivery.attempt > 1
            || self.delivery.previous_span != 0
            || self.bits.contains(MessageBits::REDELIVERED)
    }

    fn inject(
        &self,
        out: &mut Output,
        lineage: &Lineage,
        span_id: SpanId,
        members: &[u8],
    ) -> VerdictBits {
        let time = if self.published != 0 { self.published } else { self.delivery.start };
        let outgoing = Outgoing {
            parts: inject::parts(lineage, span_id),
            members,
            time_ms: time / NANOSECONDS_PER_MILLISECOND,
        };
        let target = Target {
            bits: self.bits,
            found: self.found,
            headers: self.headers,
            body: self.body,
            body_entries: self.body_entries,
        };
        inject::inject(&mut out.rest, self.route, &target, &outgoing)
    }

    fn write_spans(
        &self,
        out: &mut Output,
        random: &mut Random,
        lineage: &Lineage,
        span_id: SpanId,
        members: &[u8],
    ) -> VerdictBits {
        let route = self.route;
        let (start, requested) = (self.delivery.start, self.delivery.requested);
        let mut cut = false;
        if route.queue_wait_spans && self.published != 0 {
            let span_id = random.span_id();
            let kind = Kind::Internal;
            let wait = Planned { template: &route.wait, kind, span_id };
            span::run(&mut out.spans, |out| {
                cut |= self.write_beginning(out, lineage, &wait, members);
                span::times(out, self.published.min(start), start);
            });
        }
        if route.receive_spans && requested != 0 {
            let (template, kind) = (&route.receive, Kind::Client);
            let span_id = random.span_id();
            let receive = Planned { template, kind, span_id };
            span::run(&mut out.spans, |out| {
                cut |= self.write_beginning(out, lineage, &receive, members);
                span::times(out, requested.min(start), start);
            });
        }
        if route.consumer_spans {
            let (template, kind) = (&route.process, Kind::Consumer);
            let process = Planned { template, kind, span_id };
            if self.bits.contains(MessageBits::UNSEEN) {
                span::run(&mut out.spans, |out| {
                    cut |= self.write_beginning(out, lineage, &process, members);
                    span::times(out, start, start);
                });
            } else {
                cut |= self.write_beginning(&mut out.rest, lineage, &process, members);
            }
        }
        if cut { VerdictBits::TRUNCATED } else { VerdictBits::empty() }
    }

    /// Answers whether something was cut at a limit.
    fn write_beginning(
        &self,
        out: &mut Vec<u8>,
        lineage: &Lineage,
        planned: &Planned<'_>,
        members: &[u8],
    ) -> bool {
        let head =
            Head { lineage, span_id: planned.span_id, tracestate: members, kind: planned.kind };
        let (route, template) = (self.route, planned.template);
        let message =
            Described { bits: self.bits, parts: &self.parts, body_size: self.delivery.body_size };
        let describe_more = |to: &mut Attributes<'_>| self.describe(to, planned.kind);
        let written = describe::describe(out, route, template, &head, &message, describe_more);
        let previous = self.previous().filter(|_| planned.kind == Kind::Consumer);
        let remote = self.found.remote.as_ref();
        let links = links(out, route, lineage, remote, previous.as_ref());
        span::dropped(out, written.dropped, links);
        written.cut || written.dropped + links > 0
    }

    fn describe(&self, to: &mut Attributes<'_>, kind: Kind) {
        describe::envelope(to, self.route, &self.parts, self.body);
        if self.published != 0 {
            let wait = self.delivery.start.saturating_sub(self.published);
            to.seconds(&semconv::QUEUE_WAIT, wait);
            let by_producer = self.delivery.published == 0
                || self.bits.contains(MessageBits::PUBLISHED_BY_PRODUCER);
            to.text(&semconv::QUEUE_WAIT_SOURCE, if by_producer { "producer" } else { "broker" });
            if self.published > self.delivery.start {
                to.bool(&semconv::CLOCK_SKEW, true);
            }
        }
        if kind != Kind::Consumer {
            return;
        }
        if self.delivery.prefetched > 0 {
            to.int(&semconv::PREFETCHED, self.delivery.prefetched.into());
        }
        if self.delivery.attempt > 1 {
            to.int(&semconv::ATTEMPT, self.delivery.attempt.into());
        }
        if self.bits.contains(MessageBits::REDELIVERED) {
            to.bool(&semconv::REDELIVERED, true);
        }
        let is_unseen = self.bits.contains(MessageBits::UNSEEN);
        if is_unseen {
            to.text(&semconv::EXECUTION, "unseen");
        }
        // Of work that is seen, the host learns of that from this answer only.
        let waits = !is_unseen && self.body.not_before() > self.delivery.start;
        if waits || self.bits.contains(MessageBits::ESTIMATED) {
            to.bool(&semconv::START_ESTIMATED, true);
        }
    }

    /// The previous attempt, where the host knows it.
    fn previous(&self) -> Option<Pointer<'static>> {
        let d = self.delivery;
        let trace_id = TraceId { hi: d.previous_hi, lo: d.previous_lo };
        let span_id = SpanId(d.previous_span);
        (trace_id.is_valid() && span_id.is_valid()).then(|| Pointer {
            trace_id,
            span_id,
            // It was kept because it was sampled; an unsampled attempt leaves no span to link to.
            flags: TraceFlags::from_bits(TraceFlags::SAMPLED),
            tracestate: b"",
        })
    }
}

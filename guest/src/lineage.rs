//! Where a new span stands: which trace, which parent, which link, sampled or not.

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::Relation;
use crate::context::RemoteSpan;
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::member;
use crate::ot_sampling::{self, OtSampling, Randomness};
use crate::random::Random;
use crate::route::Route;
use crate::sampler;
use crate::span::Pointer;
use crate::tracestate::Tracestate;

/// Where a span stands.
///
/// Whole words only: it is moved about, and a word that is read where bytes have just been written
/// makes a processor wait for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lineage {
    pub trace_id: TraceId,
    /// Not valid: there is none, a trace begins here.
    pub parent: SpanId,
    /// [`TraceFlags`] and the bits below.
    bits: u32,
}

/// The parent came out of a message.
const REMOTE_PARENT: u32 = 0x100;
/// The span that came in the message is linked.
const LINK: u32 = 0x200;
/// The trace is a debug trace (B3, Jaeger).
const DEBUG: u32 = 0x400;

impl Lineage {
    fn new(trace_id: TraceId, parent: SpanId, flags: TraceFlags, bits: u32) -> Self {
        Self { trace_id, parent, bits: u32::from(flags.bits()) | bits }
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        TraceFlags::from_bits(self.bits as u8)
    }

    pub(crate) fn is_root(&self) -> bool {
        !self.parent.is_valid()
    }

    pub(crate) fn has_remote_parent(&self) -> bool {
        self.bits & REMOTE_PARENT != 0
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.bits & LINK != 0
    }

    pub(crate) fn is_debug(&self) -> bool {
        self.bits & DEBUG != 0
    }
}

/// A bit if it is so.
fn bit(bit: u32, is_so: bool) -> u32 {
    if is_so { bit } else { 0 }
}

/// Starts a trace. Appends its tracestate to `members`.
pub(crate) fn root(
    route: &Route,
    random: &mut Random,
    link: bool,
    members: &mut Vec<u8>,
) -> Lineage {
    let trace_id = random.trace_id();
    let (sampled, threshold) = route.sampler.decide(trace_id);
    if let Some(threshold) = threshold {
        members.extend_from_slice(ot_sampling::KEY);
        members.push(b'=');
        sampler::ot_of(threshold).write(members);
    }
    let flags = TraceFlags::from_bits(TraceFlags::RANDOM).with_sampled(sampled);
    Lineage::new(trace_id, SpanId(0), flags, bit(LINK, link))
}

/// Continues a trace that came in a message. Appends its tracestate, less our own member, to
/// `members`.
pub(crate) fn child(
    route: &Route,
    remote: &RemoteSpan<'_>,
    link: bool,
    members: &mut Vec<u8>,
) -> Lineage {
    let parts = &remote.parts;
    let ours = !route.parent_based || parts.deferred;
    let sampled = if parts.debug {
        true
    } else if ours {
        let ot = OtSampling::parse(remote.tracestate.get(ot_sampling::KEY).unwrap_or_default());
        route.sampler.samples(ot.randomness_of(parts.trace_id))
    } else {
        parts.flags.is_sampled()
    };
    remote.tracestate.write_without(members, member::KEY);
    if ours && route.sampler.threshold().is_some() {
        rewrite_threshold(route, sampled, members);
    }
    let flags = parts.flags.with_sampled(sampled);
    let bits = REMOTE_PARENT | bit(LINK, link) | bit(DEBUG, parts.debug);
    Lineage::new(parts.trace_id, parts.span_id, flags, bits)
}

/// Continues a span that the host knows of.
pub(crate) fn local_child(route: &Route, parent: &Pointer<'_>) -> Lineage {
    let sampled = if route.parent_based {
        parent.flags.is_sampled()
    } else {
        route.sampler.samples(Randomness::of_trace_id(parent.trace_id))
    };
    Lineage::new(parent.trace_id, parent.span_id, parent.flags.with_sampled(sampled), 0)
}

/// Relates a new span to a context as a policy wants it; `auto` has been decided before.
pub(crate) fn relate(
    route: &Route,
    relation: Relation,
    remote: &RemoteSpan<'_>,
    random: &mut Random,
    members: &mut Vec<u8>,
) -> Lineage {
    match relation {
        Relation::Parent => child(route, remote, false, members),
        Relation::ParentAndLink | Relation::Auto => child(route, remote, true, members),
        Relation::Link => root(route, random, true, members),
        Relation::Root => root(route, random, false, members),
    }
}

/// Says in `ot=th:…` with which threshold we sampled; says nothing if we did not.
fn rewrite_threshold(route: &Route, sampled: bool, members: &mut Vec<u8>) {
    let before = core::mem::take(members);
    let tracestate = Tracestate::parse([before.as_slice()]);
    let mut ot = OtSampling::parse(tracestate.get(ot_sampling::KEY).unwrap_or_default());
    ot.threshold = route.sampler.threshold().filter(|_| sampled);
    let mut value = Vec::new();
    ot.write(&mut value);
    if value.is_empty() {
        tracestate.write_without(members, ot_sampling::KEY);
    } else {
        tracestate.write_with(members, ot_sampling::KEY, &value);
    }
}

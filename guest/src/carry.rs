//! The `propagation` interface: contexts of the contract, to and from the codecs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::propagation as contract;
use crate::bindings::spanbridge::tracing::types::{Propagator as Kind, Splice};
use crate::carrier::{Entry, field_of_name};
use crate::context::{Context, SpanContext};
use crate::envelope::{self, Envelope};
use crate::field::Field;
use crate::found::Body;
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::propagator::{Propagator, Propagators};
use crate::{baggage, propagator};

/// The formats of a list of the contract's, in its order.
pub fn propagators(kinds: &[Kind]) -> Propagators {
    let mut propagators = Propagators::NONE;
    for kind in kinds {
        propagators.add(match kind {
            Kind::Tracecontext => Propagator::TraceContext,
            Kind::Baggage => Propagator::Baggage,
            Kind::B3 => Propagator::B3,
            Kind::B3multi => Propagator::B3Multi,
            Kind::Jaeger => Propagator::Jaeger,
            Kind::Xray => Propagator::XRay,
            Kind::Ottrace => Propagator::OtTrace,
        });
    }
    propagators
}

/// See `extract` in `wit/propagation.wit`.
pub fn extract(
    propagators: Propagators,
    carrier: &[(String, String)],
) -> Option<contract::Context> {
    let entries = carrier.iter().filter_map(|(name, value)| {
        let (field, key) = field_of_name(name.as_bytes())?;
        Some(Entry { field, key, value: value.as_bytes() })
    });
    let entries: Vec<_> = entries.collect();
    propagators.extract(&entries).map(to_contract)
}

/// See `inject` in `wit/propagation.wit`.
pub fn inject(propagators: Propagators, context: contract::Context) -> Vec<(String, String)> {
    let mut carrier = Vec::new();
    propagators.inject(&from_contract(context), &mut |field, key, value| {
        carrier.push((name(field, key), text(value)));
    });
    carrier
}

/// See `extract-body` in `wit/propagation.wit`.
pub fn extract_body(
    propagators: Propagators,
    field: &str,
    body: &[u8],
) -> Option<contract::Context> {
    let envelope = Envelope::json(field);
    let body = Body::read(Some(&envelope), body);
    propagators.extract(&body.carrier()).map(to_contract)
}

/// See `inject-body` in `wit/propagation.wit`.
pub fn inject_body(
    propagators: Propagators,
    field: &str,
    body: &[u8],
    context: contract::Context,
) -> Option<Vec<Splice>> {
    let envelope = Envelope::json(field);
    let scan = envelope.scan(body, envelope::BODY_BYTES_MAX)?;
    let mut set = Vec::new();
    let sink: &mut propagator::Sink<'_> =
        &mut |field, key, value| set.push((name(field, key), value.to_vec()));
    propagators.inject(&from_contract(context), sink);
    let set: Vec<_> = set.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
    let splices = scan.splice(&set, &[])?;
    let splices = splices.iter().map(|splice| Splice {
        // A body that is scanned is far shorter than 4 GiB.
        at: splice.offset as u32,
        remove: splice.removed as u32,
        insert: splice.inserted.to_vec(),
    });
    Some(splices.collect())
}

/// A header's name: of a family, the prefix and the key.
fn name(field: Field, key: &[u8]) -> String {
    field.name().to_string() + &text(key)
}

/// What the codecs write is text; anything else would be their mistake, made visible.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn to_contract(context: Context) -> contract::Context {
    let trace = context.trace.map(|span| contract::SpanContext {
        trace_id: (span.trace_id.hi, span.trace_id.lo),
        span_id: span.span_id.0,
        trace_flags: span.flags.bits(),
        tracestate: span.tracestate,
    });
    let baggage = context.baggage.into_iter().map(|member| contract::BaggageMember {
        key: member.key,
        value: member.value,
        properties: member
            .properties
            .into_iter()
            .map(|(key, value)| contract::Property { key, value })
            .collect(),
    });
    contract::Context {
        trace,
        baggage: baggage.collect(),
        debug: context.debug,
        deferred: context.deferred,
    }
}

fn from_contract(context: contract::Context) -> Context {
    let trace = context.trace.map(|span| SpanContext {
        trace_id: TraceId { hi: span.trace_id.0, lo: span.trace_id.1 },
        span_id: SpanId(span.span_id),
        flags: TraceFlags::from_bits(span.trace_flags),
        tracestate: span.tracestate,
    });
    let baggage = context.baggage.into_iter().map(|member| baggage::Member {
        key: member.key,
        value: member.value,
        properties: member.properties.into_iter().map(|p| (p.key, p.value)).collect(),
    });
    Context { trace, baggage: baggage.collect(), debug: context.debug, deferred: context.deferred }
}

//! The component as a propagator of OpenTelemetry for Rust.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt, BaggageMetadata};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use spanbridge::{Propagator, PropagatorKind, Runtime};

use crate::faulty::{self, code_cache};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";

fn runtime() -> Runtime {
    Runtime::builder().code_cache(code_cache()).build().unwrap()
}

fn carrier(headers: &[(&str, &str)]) -> HashMap<String, String> {
    headers.iter().map(|&(name, value)| (name.to_string(), value.to_string())).collect()
}

fn injected(propagator: &Propagator, cx: &Context) -> HashMap<String, String> {
    let mut carrier = HashMap::new();
    propagator.inject_context(cx, &mut carrier);
    carrier
}

#[test]
fn what_is_extracted_is_injected_again() {
    let runtime = runtime();
    let w3c = &[("traceparent", TRACEPARENT), ("tracestate", "a=1,b=2")][..];
    let b3 = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1";
    let debug = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d";
    let deferred = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let jaeger = "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1";
    for (kind, headers) in [
        (PropagatorKind::TraceContext, w3c),
        (PropagatorKind::TraceContext, &w3c[..1]),
        (PropagatorKind::Baggage, &[("baggage", "k=v;p=%2C1;q")]),
        (PropagatorKind::Baggage, &[("baggage", "k=a%20b%25")]),
        (PropagatorKind::B3, &[("b3", b3)]),
        (PropagatorKind::B3, &[("b3", debug)]),
        (PropagatorKind::B3, &[("b3", deferred)]),
        (PropagatorKind::Jaeger, &[("uber-trace-id", jaeger), ("uberctx-user", "me")]),
    ] {
        let propagator = Propagator::new(&runtime, &[kind]).unwrap();
        let before = carrier(headers);
        let cx = propagator.extract_with_context(&Context::new(), &before);
        let after = injected(&propagator, &cx);
        let trimmed: HashMap<_, _> = after
            .into_iter()
            // Jaeger's span-id may be written with its leading zeros.
            .map(|(name, value)| (name, value.replace(":00f0", ":f0")))
            .collect();
        assert_eq!(trimmed, before, "{kind:?}");
    }
    assert_eq!(runtime.counters().propagations_failed.get(), 0);
}

#[test]
fn a_context_reads_as_the_api_has_it() {
    let propagator = Propagator::new(&runtime(), &PropagatorKind::ALL[..2]).unwrap();
    let headers = carrier(&[
        ("traceparent", TRACEPARENT),
        ("tracestate", "a=1"),
        ("baggage", "user=me;p=1;q, k=a%20b"),
        ("other", "header"),
    ]);
    let cx = propagator.extract_with_context(&Context::new(), &headers);
    let span = cx.span();
    let span = span.span_context();
    let trace_id = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    assert_eq!(span.trace_id(), trace_id);
    assert_eq!(span.span_id(), SpanId::from_hex("00f067aa0ba902b7").unwrap());
    assert_eq!(span.trace_flags(), TraceFlags::new(3));
    assert!(span.is_remote());
    assert_eq!(span.trace_state().header(), "a=1");
    let user = cx.baggage().get_with_metadata("user").unwrap();
    assert_eq!(*user, ("me".into(), BaggageMetadata::from("p=1;q")));
    assert_eq!(cx.baggage().get("k").unwrap().as_str(), "a b");
    let fields: Vec<_> = propagator.fields().collect();
    assert_eq!(fields, ["traceparent", "tracestate", "baggage"]);
}

#[test]
fn a_carrier_without_context_leaves_the_context_as_it_is() {
    let propagator = Propagator::new(&runtime(), &[PropagatorKind::TraceContext]).unwrap();
    let mut baggage = Baggage::new();
    baggage.insert("kept", "yes");
    let span = SpanContext::new(
        TraceId::from(1_u128),
        SpanId::from(2_u64),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    let cx = Context::new().with_remote_span_context(span.clone()).with_baggage(baggage);
    for headers in [&[][..], &[("other", "x")], &[("traceparent", "00-1-1-01")]] {
        let after = propagator.extract_with_context(&cx, &carrier(headers));
        assert_eq!(*after.span().span_context(), span);
        assert_eq!(after.baggage().len(), 1);
    }
    assert!(injected(&propagator, &Context::new()).is_empty());
    let none = Propagator::new(&runtime(), &[]).unwrap();
    assert!(injected(&none, &cx).is_empty());
    assert_eq!(none.fields().count(), 0);
}

#[test]
fn a_component_that_fails_extracts_and_injects_nothing() {
    let (runtime, _) = faulty::runtime();
    let propagator = Propagator::new(&runtime, &[PropagatorKind::TraceContext]).unwrap();
    let failed = || runtime.counters().propagations_failed.get();
    for (word, failures) in [("trap", 1), ("fine", 1), ("loop", 2), ("memory", 3)] {
        let cx =
            propagator.extract_with_context(&Context::new(), &carrier(&[("traceparent", word)]));
        assert!(!cx.span().span_context().is_valid());
        assert_eq!(failed(), failures, "{word}");
    }
    let mut baggage = Baggage::new();
    baggage.insert("word", "trap");
    assert!(injected(&propagator, &Context::new().with_baggage(baggage)).is_empty());
    assert_eq!(failed(), 4);
}

#[test]
fn one_propagator_serves_many_threads() {
    let propagator = Propagator::new(&runtime(), &[PropagatorKind::TraceContext]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let propagator = &propagator;
            scope.spawn(move || {
                for call in 0..100_u64 {
                    let value = format!("00-{:032x}-{:016x}-01", thread + 1, call + 1);
                    let headers = carrier(&[("traceparent", &value)]);
                    let cx = propagator.extract_with_context(&Context::new(), &headers);
                    assert_eq!(injected(propagator, &cx)["traceparent"], value);
                }
            });
        }
    });
}

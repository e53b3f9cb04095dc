//! The component as a propagator of OpenTelemetry for Rust.
//!
//! What the API cannot hold travels beside it: whether a trace is a debug trace (B3, Jaeger), and
//! whether the decision to sample was left to us (B3), are a value of their own in the `Context`.
//! What the API refuses is lost: its `TraceState` takes fewer keys than Level 2 allows, and its
//! `Baggage` keeps no order and at most 64 members.
//!
//! A component that fails extracts nothing and injects nothing; `propagations_failed` counts it.

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt, BaggageMetadata};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

use crate::bindings::exports::spanbridge::tracing::propagation as wit;
use crate::breaker::Breaker;
use crate::error::Error;
use crate::fields::Fields;
use crate::instance::{Failure, Instance};
use crate::limits::{CALL_CPU_MAX, PROPAGATOR_INSTANCES_MAX};
use crate::runtime::{Runtime, Shared, control};
use crate::settings::{PropagatorKind, RouteSettings};
use crate::ticker::Caller;

/// A `TextMapPropagator` for any of the formats, and for several at once.
#[derive(Debug)]
pub struct Propagator {
    shared: Arc<Shared>,
    kinds: Vec<PropagatorKind>,
    /// Names to read.
    names: Fields,
    /// Names that may be written.
    written: Vec<String>,
    workers: Mutex<Workers>,
}

#[derive(Debug, Default)]
struct Workers {
    /// Instances that nobody uses at this moment.
    idle: Vec<Worker>,
    breaker: Breaker,
}

/// An instance with the formats chosen.
#[derive(Debug)]
struct Worker {
    instance: Instance,
    caller: Caller,
}

/// What the API's `SpanContext` cannot say about a trace.
#[derive(Clone, Copy, Debug)]
struct Beside {
    trace_id: TraceId,
    span_id: SpanId,
    debug: bool,
    deferred: bool,
}

impl Propagator {
    /// Makes a propagator for formats in the order in which they are read. All of them are
    /// written; an empty list reads and writes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the component fails.
    pub fn new(runtime: &Runtime, kinds: &[PropagatorKind]) -> Result<Self, Error> {
        let shared = Arc::clone(runtime.shared());
        let settings =
            RouteSettings { propagators: kinds.to_vec(), ..RouteSettings::new("spanbridge") };
        let (names, written) = control(&shared.pool.factory(), |instance| {
            instance.configure(kinds)?;
            let written = instance.carrier_fields()?;
            instance.open(0, &settings)?.map_err(|_| Failure::Answer)?;
            Ok((instance.fields(0)?, written))
        })?;
        let workers = Mutex::default();
        Ok(Self { shared, kinds: kinds.to_vec(), names, written, workers })
    }

    /// Calls an instance. `None`: the component failed, or is bypassed.
    fn call<T>(&self, call: impl FnOnce(&mut Instance) -> Result<T, Failure>) -> Option<T> {
        let mut worker = self.worker()?;
        let running = worker.caller.begin();
        worker.instance.begin(CALL_CPU_MAX);
        let result = call(&mut worker.instance);
        drop(running);
        let mut workers = self.workers();
        match result {
            Ok(answer) => {
                workers.breaker.succeeded();
                if workers.idle.len() < PROPAGATOR_INSTANCES_MAX {
                    workers.idle.push(worker);
                }
                Some(answer)
            }
            Err(_) => {
                workers.breaker.failed(Instant::now());
                drop(workers);
                self.shared.counters.propagations_failed.add(1);
                None
            }
        }
    }

    fn worker(&self) -> Option<Worker> {
        let mut workers = self.workers();
        let is_open = !workers.breaker.is_closed() && !workers.breaker.allows(Instant::now());
        let idle = if is_open { None } else { workers.idle.pop() };
        let generation = self.shared.pool.generation();
        let (idle, old) = match idle {
            Some(worker) if worker.instance.generation != generation => {
                (None, std::mem::take(&mut workers.idle))
            }
            idle => (idle, Vec::new()),
        };
        drop(workers);
        drop(old);
        let worker = idle.or_else(|| if is_open { None } else { self.make() });
        if worker.is_none() {
            self.shared.counters.propagations_failed.add(1);
        }
        worker
    }

    fn make(&self) -> Option<Worker> {
        let factory = self.shared.pool.factory();
        let caller = factory.engine.caller()?;
        let running = caller.begin();
        let mut instance = factory.make().ok()?;
        instance.configure(&self.kinds).ok()?;
        drop(running);
        self.shared.counters.instances_made.add(1);
        Some(Worker { instance, caller })
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TextMapPropagator for Propagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let context = to_wit(cx);
        if context.trace.is_none() && context.baggage.is_empty() {
            return;
        }
        for (name, value) in self.call(|instance| instance.inject(&context)).unwrap_or_default() {
            injector.set(&name, value);
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let mut carrier = Vec::new();
        for name in extractor.keys() {
            if self.names.find(name.as_bytes()).is_some() {
                let values = extractor.get_all(name).unwrap_or_default();
                carrier.extend(values.into_iter().map(|value| (name.into(), value.into())));
            }
        }
        if carrier.is_empty() {
            return cx.clone();
        }
        match self.call(|instance| instance.extract(&carrier)) {
            Some(Some(context)) => from_wit(cx, context),
            _ => cx.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.written)
    }
}

fn from_wit(cx: &Context, context: wit::Context) -> Context {
    let mut cx = cx.clone();
    if let Some(trace) = context.trace {
        let (hi, lo) = trace.trace_id;
        let trace_id = TraceId::from((u128::from(hi) << 64) | u128::from(lo));
        let span_id = SpanId::from(trace.span_id);
        let span_context = SpanContext::new(
            trace_id,
            span_id,
            TraceFlags::new(trace.trace_flags),
            true,
            TraceState::from_str(&trace.tracestate).unwrap_or_default(),
        );
        cx = cx.with_remote_span_context(span_context);
        if context.debug || context.deferred {
            let (debug, deferred) = (context.debug, context.deferred);
            cx = cx.with_value(Beside { trace_id, span_id, debug, deferred });
        }
    }
    if !context.baggage.is_empty() {
        let mut baggage = Baggage::new();
        for member in context.baggage {
            let metadata = BaggageMetadata::from(metadata(&member.properties));
            baggage.insert_with_metadata(member.key, member.value, metadata);
        }
        cx = cx.with_baggage(baggage);
    }
    cx
}

fn to_wit(cx: &Context) -> wit::Context {
    let span = cx.span();
    let of_span = span.span_context();
    let beside = cx.get::<Beside>().filter(|beside| beside.trace_id == of_span.trace_id());
    let trace = of_span.is_valid().then(|| {
        let id = u128::from_be_bytes(of_span.trace_id().to_bytes());
        wit::SpanContext {
            trace_id: ((id >> 64) as u64, id as u64),
            span_id: u64::from_be_bytes(of_span.span_id().to_bytes()),
            trace_flags: of_span.trace_flags().to_u8(),
            tracestate: of_span.trace_state().header(),
        }
    });
    let member = |(key, (value, metadata)): (&opentelemetry::Key, &(_, BaggageMetadata))| {
        let value: &opentelemetry::StringValue = value;
        wit::BaggageMember {
            key: key.to_string(),
            value: value.to_string(),
            properties: properties(metadata.as_str()),
        }
    };
    wit::Context {
        trace,
        baggage: cx.baggage().iter().map(member).collect(),
        debug: beside.is_some_and(|beside| beside.debug),
        // A span that was started since has made the decision.
        deferred: beside.is_some_and(|b| b.deferred && b.span_id == of_span.span_id()),
    }
}

/// Properties as the API has them: `a=1;b`.
fn metadata(properties: &[wit::Property]) -> String {
    let property = |property: &wit::Property| match &property.value {
        Some(value) => format!("{}={value}", property.key),
        None => property.key.clone(),
    };
    properties.iter().map(property).collect::<Vec<_>>().join(";")
}

fn properties(metadata: &str) -> Vec<wit::Property> {
    let property = |text: &str| match text.split_once('=') {
        Some((key, value)) => {
            wit::Property { key: key.trim().into(), value: Some(value.trim().into()) }
        }
        None => wit::Property { key: text.into(), value: None },
    };
    metadata.split(';').map(str::trim).filter(|text| !text.is_empty()).map(property).collect()
}

//! Context of carriers as the contract has it, for callers that can wait for the answer.
//!
//! Nothing is lost on the way: the text of a `tracestate`, the properties of baggage and the order
//! of its members, whether a trace is a debug trace, whether the decision to sample was left to the
//! receiver. A command line and a test need that. [`Propagator`](crate::Propagator) is the same for
//! programs that use the OpenTelemetry API, and fails open; this one says that it failed.

use std::fmt;
use std::sync::Arc;

use crate::bindings::exports::spanbridge::tracing::propagation as wit;
use crate::error::Error;
use crate::instance::{Failure, Instance};
use crate::limits::CONTROL_CPU_MAX;
use crate::runtime::{Runtime, Shared, control};
use crate::settings::PropagatorKind;
use crate::ticker::Caller;

/// Everything a carrier says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierContext {
    /// `None`: the carrier holds baggage alone, or an unusable span context.
    pub trace: Option<RemoteSpan>,
    /// In the order of the carrier.
    pub baggage: Vec<BaggageMember>,
    /// B3 and Jaeger: the trace is a debug trace. It is sampled as well.
    pub debug: bool,
    /// B3: the sender left the sampling decision to the receiver.
    pub deferred: bool,
}

/// A span of another process: W3C Trace Context Level 2, whatever format it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteSpan {
    /// First eight bytes of the trace-id, as a big-endian number.
    pub trace_hi: u64,
    /// Last eight bytes of the trace-id. Not zero together with `trace_hi`.
    pub trace_lo: u64,
    /// The span-id. Never zero.
    pub span_id: u64,
    /// Bit 0: sampled. Bit 1: the trace-id is random. Other bits are not written.
    pub trace_flags: u8,
    /// The list-members in their order, or the empty string.
    pub tracestate: String,
}

/// One member of baggage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaggageMember {
    /// Its key.
    pub key: String,
    /// Its value, percent-decoded. Bytes that are not UTF-8 read as U+FFFD.
    pub value: String,
    /// Keys and percent-decoded values of its properties; `None`: a key without `=`.
    pub properties: Vec<(String, Option<String>)>,
}

/// Reads and writes carriers, one at a time.
pub struct Propagation {
    shared: Arc<Shared>,
    kinds: Vec<PropagatorKind>,
    /// `None` before the first call, and after one that failed.
    worker: Option<(Instance, Caller)>,
}

impl Propagation {
    /// Makes one for formats in the order in which they are read; a later one that finds a span
    /// replaces an earlier one's. All of them are written. An empty list reads and writes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the component fails.
    pub fn new(runtime: &Runtime, kinds: &[PropagatorKind]) -> Result<Self, Error> {
        let shared = Arc::clone(runtime.shared());
        control(&shared.pool.factory(), |instance| instance.configure(kinds))?;
        Ok(Self { shared, kinds: kinds.to_vec(), worker: None })
    }

    /// Reads the context from headers given in their order. Names match without regard to case; a
    /// name may occur more than once. `None`: nothing usable is there.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the component fails or takes longer than a fifth of a second
    /// of CPU time. The next call starts afresh.
    pub fn extract(
        &mut self,
        carrier: &[(String, String)],
    ) -> Result<Option<CarrierContext>, Error> {
        let context = self.call(|instance| instance.extract(carrier))?;
        Ok(context.map(CarrierContext::from))
    }

    /// The headers to set for a context, names in lower case.
    ///
    /// # Errors
    ///
    /// As of [`Self::extract`].
    pub fn inject(&mut self, context: &CarrierContext) -> Result<Vec<(String, String)>, Error> {
        let context = wit::Context::from(context);
        self.call(|instance| instance.inject(&context))
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let generation = self.shared.pool.generation();
        let kept = self.worker.take().filter(|(kept, _)| kept.generation == generation);
        let (mut instance, caller) = match kept {
            Some(worker) => worker,
            None => self.make()?,
        };
        let running = caller.begin();
        instance.begin(CONTROL_CPU_MAX);
        let answer = call(&mut instance);
        drop(running);
        let answer = answer.map_err(|failure| failed(&failure))?;
        self.worker = Some((instance, caller));
        Ok(answer)
    }

    fn make(&self) -> Result<(Instance, Caller), Error> {
        let factory = self.shared.pool.factory();
        let caller =
            factory.engine.caller().ok_or_else(|| Error::system("its clock has stopped"))?;
        let running = caller.begin();
        let mut instance = factory
            .make()
            .map_err(|error| Error::probe("it cannot be instantiated").because(error))?;
        instance.begin(CONTROL_CPU_MAX);
        instance.configure(&self.kinds).map_err(|failure| failed(&failure))?;
        drop(running);
        self.shared.counters.instances_made.add(1);
        Ok((instance, caller))
    }
}

fn failed(failure: &Failure) -> Error {
    Error::component(match failure {
        Failure::Trap => "it trapped",
        Failure::Deadline => "it took too long",
        Failure::Memory => "it asked for too much memory",
        Failure::Answer => "its answer is none",
    })
}

impl fmt::Debug for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Propagation").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

impl From<wit::Context> for CarrierContext {
    fn from(context: wit::Context) -> Self {
        let trace = context.trace.map(|trace| RemoteSpan {
            trace_hi: trace.trace_id.0,
            trace_lo: trace.trace_id.1,
            span_id: trace.span_id,
            trace_flags: trace.trace_flags,
            tracestate: trace.tracestate,
        });
        let member = |member: wit::BaggageMember| BaggageMember {
            key: member.key,
            value: member.value,
            properties: member.properties.into_iter().map(|p| (p.key, p.value)).collect(),
        };
        let baggage = context.baggage.into_iter().map(member).collect();
        Self { trace, baggage, debug: context.debug, deferred: context.deferred }
    }
}

impl From<&CarrierContext> for wit::Context {
    fn from(context: &CarrierContext) -> Self {
        let trace = context.trace.as_ref().map(|trace| wit::SpanContext {
            trace_id: (trace.trace_hi, trace.trace_lo),
            span_id: trace.span_id,
            trace_flags: trace.trace_flags,
            tracestate: trace.tracestate.clone(),
        });
        let property = |(key, value): &(String, Option<String>)| wit::Property {
            key: key.clone(),
            value: value.clone(),
        };
        let member = |member: &BaggageMember| wit::BaggageMember {
            key: member.key.clone(),
            value: member.value.clone(),
            properties: member.properties.iter().map(property).collect(),
        };
        let baggage = context.baggage.iter().map(member).collect();
        Self { trace, baggage, debug: context.debug, deferred: context.deferred }
    }
}

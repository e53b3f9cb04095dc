//! One instance of the component: its store, its bounds, and calls into it.
//!
//! An instance is used by one thread at a time. After any failure it is thrown away: the engine
//! does not let it be entered again, and its memory may be anything.

use std::time::Duration;

use wasmtime::component::{Func, WasmList};
use wasmtime::{Store, Trap};

use crate::bindings::{self, exports::spanbridge::tracing::propagation};
use crate::check::Raw;
use crate::convert;
use crate::fields::{Field, Fields};
use crate::lower::{Answer, HotFunc};
use crate::record::{Delivery, Message, Settlement};
use crate::route::Routes;
use crate::settings::{PropagatorKind, RouteSettings};

mod state;

pub(crate) use state::State;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The component trapped.
    Trap,
    /// It used more time than it has.
    Deadline,
    /// It trapped after it was refused memory.
    Memory,
    /// It answered something that is no answer.
    Answer,
}

impl Failure {
    /// What is said of the component.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Trap => "it trapped",
            Self::Deadline => "it took too long",
            Self::Memory => "it asked for too much memory",
            Self::Answer => "its answer is none",
        }
    }
}

/// An instance that is ready to be called.
pub(crate) struct Instance {
    store: Store<State>,
    exports: bindings::Component,
    publish: HotFunc<Message, Answer>,
    deliver: HotFunc<Delivery, Answer>,
    settle: HotFunc<Settlement, WasmList<u8>>,
    /// By route number: the version of the slot that this instance has seen.
    seen: Vec<u64>,
    /// The version of the whole table, once nothing is missing.
    seen_all: u64,
    /// Calls of the hot path.
    pub calls: u64,
    /// Which of the components that the runtime had it is an instance of.
    pub generation: u64,
}

/// The functions of the hot path, found in an instance.
pub(crate) struct HotExports {
    pub publish: Func,
    pub deliver: Func,
    pub settle: Func,
}

impl Instance {
    /// Wraps what was just linked; `hot` must be of the same instance.
    pub(crate) fn new(
        store: Store<State>,
        exports: bindings::Component,
        hot: &HotExports,
        generation: u64,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            publish: HotFunc::new(&store, hot.publish)?,
            deliver: HotFunc::new(&store, hot.deliver)?,
            settle: HotFunc::new(&store, hot.settle)?,
            store,
            exports,
            seen: Vec::new(),
            seen_all: 0,
            calls: 0,
            generation,
        })
    }

    /// Begins a batch: the calls until the next one share this much CPU time.
    pub(crate) fn begin(&mut self, cpu_max: Duration) {
        self.store.data_mut().begin(cpu_max);
        self.store.set_epoch_deadline(1);
    }

    /// Routes that were changed since this instance was brought up to date.
    pub(crate) fn missing(&self, routes: &Routes) -> usize {
        if self.seen_all == routes.version() {
            return 0;
        }
        let seen = self.seen.iter().copied().chain(std::iter::repeat(0));
        routes.slots().iter().zip(seen).filter(|(slot, seen)| slot.version != *seen).count()
    }

    /// Opens and closes routes as the table says, at most `changes_max` of them.
    pub(crate) fn update(&mut self, routes: &Routes, changes_max: usize) -> Result<(), Failure> {
        let version = routes.version();
        if self.seen_all == version {
            return Ok(());
        }
        let mut left = changes_max;
        for (number, slot) in (0_u32..).zip(routes.slots().iter()) {
            let index = number as usize;
            if index >= self.seen.len() {
                self.seen.push(0);
            }
            if self.seen[index] == slot.version {
                continue;
            }
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            match &slot.open {
                // The settings were accepted before the route came into the table.
                Some(open) => self.open(number, &open.settings)?.map_err(|_| Failure::Answer)?,
                None => self.close(number)?,
            }
            self.seen[index] = slot.version;
        }
        // Read before the slots: a change in between is seen again, which does no harm.
        self.seen_all = version;
        Ok(())
    }

    /// Opens a route. The inner error is the component's word on the settings.
    pub(crate) fn open(
        &mut self,
        number: u32,
        settings: &RouteSettings,
    ) -> Result<Result<(), String>, Failure> {
        let settings = convert::settings(settings);
        let messaging = self.exports.spanbridge_tracing_messaging();
        let answer = messaging.call_open(&mut self.store, number, &settings);
        self.failing(answer)
    }

    /// Forgets a route.
    pub(crate) fn close(&mut self, number: u32) -> Result<(), Failure> {
        let messaging = self.exports.spanbridge_tracing_messaging();
        let answer = messaging.call_close(&mut self.store, number);
        self.failing(answer)
    }

    /// The header names of a route.
    pub(crate) fn fields(&mut self, number: u32) -> Result<Fields, Failure> {
        let messaging = self.exports.spanbridge_tracing_messaging();
        let answer = messaging.call_fields(&mut self.store, number);
        let fields = self.failing(answer)?;
        Ok(Fields::new(fields.into_iter().map(|field| Field {
            number: field.number,
            name: field.name.into(),
            family: field.family,
            spares_body: field.spares_body,
        })))
    }

    pub(crate) fn publish(
        &mut self,
        records: &[Message],
        arena: &[u8],
    ) -> Result<Raw<'_>, Failure> {
        let answer = self.publish.call(&mut self.store, records, arena);
        self.answered(answer)
    }

    pub(crate) fn deliver(
        &mut self,
        records: &[Delivery],
        arena: &[u8],
    ) -> Result<Raw<'_>, Failure> {
        let answer = self.deliver.call(&mut self.store, records, arena);
        self.answered(answer)
    }

    /// Answers a span run, where it lies.
    pub(crate) fn settle(
        &mut self,
        records: &[Settlement],
        arena: &[u8],
    ) -> Result<&[u8], Failure> {
        let answer = self.settle.call(&mut self.store, records, arena);
        self.calls += 1;
        let run = self.failing(answer)?;
        Ok(run.as_le_slice(&self.store))
    }

    /// Chooses the formats of the propagation calls.
    pub(crate) fn configure(&mut self, propagators: &[PropagatorKind]) -> Result<(), Failure> {
        let kinds: Vec<_> = propagators.iter().copied().map(convert::propagator).collect();
        let propagation = self.exports.spanbridge_tracing_propagation();
        let answer = propagation.call_configure(&mut self.store, &kinds);
        self.failing(answer)
    }

    /// The header names that `inject` may write.
    pub(crate) fn carrier_fields(&mut self) -> Result<Vec<String>, Failure> {
        let propagation = self.exports.spanbridge_tracing_propagation();
        let answer = propagation.call_fields(&mut self.store);
        self.failing(answer)
    }

    pub(crate) fn extract(
        &mut self,
        carrier: &[(String, String)],
    ) -> Result<Option<propagation::Context>, Failure> {
        let propagation = self.exports.spanbridge_tracing_propagation();
        let answer = propagation.call_extract(&mut self.store, carrier);
        self.failing(answer)
    }

    pub(crate) fn inject(
        &mut self,
        context: &propagation::Context,
    ) -> Result<Vec<(String, String)>, Failure> {
        let propagation = self.exports.spanbridge_tracing_propagation();
        let answer = propagation.call_inject(&mut self.store, context);
        self.failing(answer)
    }

    fn answered(&mut self, answer: wasmtime::Result<Answer>) -> Result<Raw<'_>, Failure> {
        self.calls += 1;
        let answer = self.failing(answer)?;
        let store = &self.store;
        let verdicts = answer.verdicts.0.as_le_slice(store);
        Ok(Raw { verdicts, spans: answer.spans, bytes: answer.bytes.as_le_slice(store) })
    }

    fn failing<T>(&self, answer: wasmtime::Result<T>) -> Result<T, Failure> {
        answer.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &wasmtime::Error) -> Failure {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Failure::Deadline,
            _ if self.store.data().memory_refused() => Failure::Memory,
            Some(_) => Failure::Trap,
            // The engine refused what the component answered.
            None => Failure::Answer,
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("calls", &self.calls).finish_non_exhaustive()
    }
}

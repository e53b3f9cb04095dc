//! Makes instances of one component: compiled, checked and linked once.

use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::{ComponentExportIndex, HasSelf, InstancePre, Linker};

use crate::bindings::{self, ComponentIndices};
use crate::component::{ComponentInfo, Loaded};
use crate::engine::Engine;
use crate::error::Error;
use crate::instance::{HotExports, Instance, State};
use crate::limits::{CONTROL_CPU_MAX, Limits};
use crate::seed::Random;

const MESSAGING: &str = "spanbridge:tracing/messaging@0.1.0";

/// Bits of an instance's number within its generation: a trillion instances, which at 40 µs each
/// is more than a year of making nothing else.
const ORDINAL_BITS: u32 = 40;

/// Makes instances.
pub(crate) struct Factory {
    pub engine: Engine,
    pub info: ComponentInfo,
    pre: InstancePre<State>,
    exports: ComponentIndices,
    publish: ComponentExportIndex,
    deliver: ComponentExportIndex,
    settle: ComponentExportIndex,
    memory_bytes_max: usize,
    seed: Option<u64>,
    /// Instances made for tracers so far.
    ordinal: AtomicU64,
}

impl Factory {
    /// Links a component.
    pub(crate) fn new(
        engine: Engine,
        loaded: Loaded,
        limits: &Limits,
        seed: Option<u64>,
    ) -> Result<Self, Error> {
        Self::link(engine, loaded, limits.instance_memory_bytes_max, seed)
            .map_err(|error| Error::component("its types are not the contract's").because(error))
    }

    fn link(
        engine: Engine,
        loaded: Loaded,
        memory_bytes_max: usize,
        seed: Option<u64>,
    ) -> wasmtime::Result<Self> {
        let Loaded { component, info } = loaded;
        let mut linker = Linker::new(&engine.inner);
        bindings::Component::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        let pre = linker.instantiate_pre(&component)?;
        let exports = ComponentIndices::new(&pre)?;
        let messaging = component.get_export_index(None, MESSAGING);
        let find = |name: &str| {
            component
                .get_export_index(messaging.as_ref(), name)
                .ok_or_else(|| wasmtime::format_err!("no function {name}"))
        };
        Ok(Self {
            publish: find("publish")?,
            deliver: find("deliver")?,
            settle: find("settle")?,
            // A replay's ids must not repeat after an exchange of the component.
            ordinal: AtomicU64::new(info.generation << ORDINAL_BITS),
            engine,
            info,
            pre,
            exports,
            memory_bytes_max,
            seed,
        })
    }

    /// Answers whether ids are the same in every run, which they are when the instances of tracers
    /// are made in the same order.
    pub(crate) fn is_replayed(&self) -> bool {
        self.seed.is_some()
    }

    /// Makes an instance without routes, for a tracer. Takes 20 to 40 µs, so not while a message
    /// waits.
    pub(crate) fn make_for_tracer(&self) -> wasmtime::Result<Instance> {
        self.make_numbered(self.ordinal.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an instance without routes, for calls that make no ids.
    pub(crate) fn make(&self) -> wasmtime::Result<Instance> {
        self.make_numbered(u64::MAX)
    }

    fn make_numbered(&self, ordinal: u64) -> wasmtime::Result<Instance> {
        let state = State::new(Random::of_instance(self.seed, ordinal), self.memory_bytes_max);
        let mut store = state.into_store(&self.engine.inner, CONTROL_CPU_MAX);
        let linked = self.pre.instantiate(&mut store)?;
        let exports = self.exports.load(&mut store, &linked)?;
        let mut find = |index: &ComponentExportIndex| {
            linked
                .get_func(&mut store, index)
                .ok_or_else(|| wasmtime::format_err!("an export that is no function"))
        };
        let hot = HotExports {
            publish: find(&self.publish)?,
            deliver: find(&self.deliver)?,
            settle: find(&self.settle)?,
        };
        Instance::new(store, exports, &hot, self.info.generation)
    }
}

impl std::fmt::Debug for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Factory").field("ordinal", &self.ordinal).finish_non_exhaustive()
    }
}

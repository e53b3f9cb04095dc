//! Spare instances, made by a thread of their own.
//!
//! Making an instance and opening its routes takes longer than a message may wait. So it happens
//! here, ahead of need: a tracer that lost its instance takes a spare, and goes without tracing
//! when there is none. What a tracer gives up is dropped here as well.
//!
//! Which component instances are made of can be exchanged. A tracer sees the new generation at its
//! next call and takes a spare of it; while there is none it goes on with the instance it has.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::Error;
use crate::instance::Instance;
use crate::limits::{CONTROL_CPU_MAX, ROUTES_OPENED_PER_CALL_MAX, SPARE_RETRY};
use crate::metrics::Counters;
use crate::route::Routes;
use crate::ticker::Caller;

mod factory;

pub(crate) use factory::Factory;

/// Given-up instances that wait to be dropped; one more is dropped where it is.
const DISCARDED_MAX: usize = 16;

/// Spares, while this lives.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Of the component that instances are made of now.
    generation: AtomicU64,
    routes: Arc<Routes>,
    counters: Arc<Counters>,
    spares_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    factory: Arc<Factory>,
    spares: VecDeque<Instance>,
    /// The version of the routes that the spares have.
    version: u64,
    discarded: Vec<Instance>,
    stop: bool,
}

impl Pool {
    /// Starts the thread.
    pub(crate) fn start(
        factory: Arc<Factory>,
        routes: Arc<Routes>,
        counters: Arc<Counters>,
        spares_max: usize,
    ) -> Result<Self, Error> {
        let caller = factory.engine.caller();
        let spares_max = if factory.is_replayed() { 0 } else { spares_max };
        let generation = AtomicU64::new(factory.info.generation);
        let (spares, discarded) = (VecDeque::new(), Vec::new());
        let state = State { factory, spares, version: 0, discarded, stop: false };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let shared = Shared { generation, routes, counters, spares_max, state, changed };
        let shared = Arc::new(shared);
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("spanbridge-spares".into())
            .spawn(move || of_thread.run(caller.as_ref()))
            .map_err(|error| Error::system("no thread for spare instances").because(error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Makes the instances of the component that is loaded now.
    pub(crate) fn factory(&self) -> Arc<Factory> {
        Arc::clone(&self.shared.state().factory)
    }

    /// The generation of the component that is loaded now.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Spares that stand ready.
    pub(crate) fn spares(&self) -> usize {
        self.shared.state().spares.len()
    }

    /// Exchanges the component. Its first spares are made before it is seen, so that tracers find
    /// one. Routes must not change meanwhile.
    ///
    /// # Errors
    ///
    /// Fails when no instance with all routes open can be made; then nothing was exchanged.
    #[cfg(feature = "compiler")]
    pub(crate) fn exchange(&self, factory: Arc<Factory>) -> Result<(), Error> {
        let caller = factory.engine.caller();
        let version = self.shared.routes.version();
        let mut spares = VecDeque::new();
        // One at least is made, for the proof.
        for _ in 0..self.shared.spares_max.max(1) {
            let made = self.shared.make(&factory, caller.as_ref());
            spares.push_back(made.ok_or_else(|| Error::probe("its routes cannot be opened"))?);
        }
        let generation = factory.info.generation;
        let mut state = self.shared.state();
        spares.truncate(self.shared.spares_max);
        std::mem::swap(&mut state.spares, &mut spares);
        let old = std::mem::replace(&mut state.factory, factory);
        state.version = version;
        self.shared.generation.store(generation, Ordering::Release);
        drop(state);
        // Code and memory of the old component go when the last tracer has seen the new one.
        drop((old, spares));
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Takes a spare, oldest first. `None`: there is none at this moment, or it is of a time
    /// before too many routes.
    ///
    /// For a replay there are no spares: how many were made depends on the machine. An instance is
    /// made here then, and a message may wait a little.
    pub(crate) fn take(&self, caller: &Caller) -> Option<Instance> {
        let mut state = self.shared.state();
        if state.factory.is_replayed() {
            let factory = Arc::clone(&state.factory);
            drop(state);
            return self.shared.make(&factory, Some(caller));
        }
        let spare = state.spares.pop_front();
        let missing = spare.as_ref().map_or(0, |spare| spare.missing(&self.shared.routes));
        let spare = if missing > ROUTES_OPENED_PER_CALL_MAX {
            state.discarded.extend(spare);
            None
        } else {
            spare
        };
        self.shared.changed.notify_one();
        spare
    }

    /// Takes a spare, or makes an instance. Not for a thread on which a message waits.
    pub(crate) fn take_or_make(&self, caller: &Caller) -> Option<Instance> {
        self.take(caller).or_else(|| self.shared.make(&self.factory(), Some(caller)))
    }

    /// Drops an instance elsewhere.
    pub(crate) fn discard(&self, instance: Instance) {
        let mut state = self.shared.state();
        if state.discarded.len() < DISCARDED_MAX {
            state.discarded.push(instance);
            drop(state);
            self.shared.changed.notify_one();
        }
    }

    /// Has the spares made anew where routes were changed.
    pub(crate) fn routes_changed(&self) {
        // Under the lock, or the thread could miss it between looking and waiting.
        let state = self.shared.state();
        self.shared.changed.notify_one();
        drop(state);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, caller: Option<&Caller>) {
        let mut state = self.state();
        while !state.stop {
            let stale = if state.version == self.routes.version() {
                VecDeque::new()
            } else {
                state.version = self.routes.version();
                std::mem::take(&mut state.spares)
            };
            let discarded = std::mem::take(&mut state.discarded);
            let lacks_one = state.spares.len() < self.spares_max;
            let factory = Arc::clone(&state.factory);
            drop(state);
            drop((stale, discarded));
            let made = if lacks_one { self.make(&factory, caller) } else { None };
            let failed = lacks_one && made.is_none();
            state = self.state();
            // The component may have been exchanged meanwhile; then the loop makes another one.
            let is_current = factory.info.generation == state.factory.info.generation;
            state.spares.extend(made.filter(|_| is_current));
            if failed {
                let waited = self.changed.wait_timeout(state, SPARE_RETRY);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else if state.spares.len() >= self.spares_max
                && state.discarded.is_empty()
                && state.version == self.routes.version()
                && !state.stop
            {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Makes an instance with every route open.
    fn make(&self, factory: &Factory, caller: Option<&Caller>) -> Option<Instance> {
        let running = caller.map(Caller::begin);
        let mut instance = factory.make_for_tracer().ok()?;
        instance.begin(CONTROL_CPU_MAX);
        instance.update(&self.routes, usize::MAX).ok()?;
        drop(running);
        self.counters.instances_made.add(1);
        Some(instance)
    }
}

//! What one scheduler of the broker's has for its publishes: an instance, buffers, counters.

use std::sync::{Mutex, MutexGuard, TryLockError};

use spanbridge::metrics::Counter;
use spanbridge::{PublishBatch, Runtime, Tracer};

/// What one scheduler has. Alone on its cache lines: see [`Counter`].
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) seen: Counter,
    pub(crate) injected: Counter,
    /// There would be no room for a context.
    pub(crate) skipped: Counter,
    /// A context could not be written safely.
    pub(crate) refused: Counter,
    /// Its headers cannot be read, or are too many.
    pub(crate) unreadable: Counter,
    pub(crate) passed_on: Counter,
    pub(crate) working: Mutex<Option<Working>>,
}

/// What a publish needs, for one at a time.
#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) runtime: Runtime,
    pub(crate) tracer: Tracer,
    pub(crate) batch: PublishBatch,
    pub(crate) destination: Vec<u8>,
    /// The properties that came, as a frame, and those that go on.
    pub(crate) frame: Vec<u8>,
    pub(crate) rewritten: Vec<u8>,
}

impl Slot {
    /// `None`: another thread has it, or has panicked with it.
    pub(crate) fn take(&self) -> Option<MutexGuard<'_, Option<Working>>> {
        match self.working.try_lock() {
            Ok(working) => Some(working),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(poisoned)) => {
                // What was in the middle of a call is not trusted any more.
                let mut working = poisoned.into_inner();
                *working = working.take().map(|old| Working::new(&old.runtime));
                self.working.clear_poison();
                Some(working)
            }
        }
    }
}

impl Working {
    pub(crate) fn new(runtime: &Runtime) -> Self {
        let (tracer, batch) = (runtime.tracer(), runtime.publish_batch());
        let (destination, frame, rewritten) = <(Vec<u8>, Vec<u8>, Vec<u8>)>::default();
        Self { runtime: runtime.clone(), tracer, batch, destination, frame, rewritten }
    }
}

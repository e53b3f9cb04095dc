//! The engine: how components are compiled and bounded, and the clock of their deadline.
//!
//! There are two ways to set it up, one for our own process and one for a process in which we are
//! guests. Code of one does not load into the other: the settings that matter to code are in it,
//! and the engine compares them.
//!
//! What is switched off here is switched off twice over: no other proposal of WebAssembly than a
//! plain Rust component needs, and no cargo feature of the engine that would bring more.

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::Config;
#[cfg(feature = "compiler")]
use wasmtime::OptLevel;

use crate::error::Error;
use crate::limits::{GUEST_MEMORY_BYTES, WASM_STACK_BYTES_MAX};
use crate::ticker::{Caller, Ticker};

/// The engine of one runtime. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub inner: wasmtime::Engine,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// Makes the engine of this build and starts its clock.
    pub(crate) fn start() -> Result<Self, Error> {
        let config = if cfg!(feature = "compiler") { config() } else { guest_config() };
        let inner = wasmtime::Engine::new(&config)
            .map_err(|error| Error::system("no engine for this machine").because(error))?;
        let weak = inner.weak();
        let ticker = Ticker::start(move || {
            if let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
            }
        })
        .map_err(|error| Error::system("no thread for the deadline").because(error))?;
        Ok(Self { inner, ticker: Arc::new(ticker) })
    }

    /// Registers a thread that will call components.
    pub(crate) fn caller(&self) -> Option<Caller> {
        self.ticker.caller()
    }
}

/// An engine that compiles what [`Engine::start`] runs in a build without a compiler, for any
/// processor of this architecture. It has no clock and runs nothing.
#[cfg(feature = "compiler")]
pub(crate) fn for_guests() -> wasmtime::Result<wasmtime::Engine> {
    let mut config = guest_config();
    // Named, or the code would use whatever the processor that compiles it has.
    config.target(env!("SPANBRIDGE_TARGET"))?;
    wasmtime::Engine::new(&config)
}

/// For a process that is somebody else's.
fn guest_config() -> Config {
    let mut config = config();
    config
        // Signals belong to the process: Redis and the BEAM write crash reports from theirs.
        .signals_based_traps(false)
        // No file descriptors.
        .memory_init_cow(false)
        // What an instance may have, and not the 4 GiB of address space that would spare checks
        // of bounds if signals could be had. So it never moves either.
        .memory_reservation(GUEST_MEMORY_BYTES)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .memory_may_move(false);
    config
}

fn config() -> Config {
    let mut config = Config::new();
    config
        // Halves the cost of a call: no task is made for it. Our exports are synchronous.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES_MAX)
        // A trap is counted, not explained: the frames of a stripped component say nothing.
        .wasm_backtrace_max_frames(None::<NonZeroUsize>)
        .generate_address_map(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_relaxed_simd(false);
    #[cfg(feature = "compiler")]
    config.cranelift_opt_level(OptLevel::Speed);
    config
}

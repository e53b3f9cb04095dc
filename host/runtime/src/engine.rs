//! The engine: how components are compiled and bounded, and the clock of their deadline.
//!
//! What is switched off here is switched off twice over: no other proposal of WebAssembly than a
//! plain Rust component needs, and no cargo feature of the engine that would bring more.

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::{Config, OptLevel};

use crate::error::Error;
use crate::limits::WASM_STACK_BYTES_MAX;
use crate::ticker::{Caller, Ticker};

/// The engine of one runtime. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub inner: wasmtime::Engine,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// Makes an engine and starts its clock.
    pub(crate) fn new() -> Result<Self, Error> {
        let inner = wasmtime::Engine::new(&config())
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

fn config() -> Config {
    let mut config = Config::new();
    config
        // Halves the cost of a call: no task is made for it. Our exports are synchronous.
        .concurrency_support(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
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
    config
}

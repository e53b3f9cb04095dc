//! How a runtime is made: the component is read, compiled, linked, and called once.

use std::sync::{Arc, Mutex};

use super::probe::probe;
use super::{Runtime, Shared};
#[cfg(feature = "compiler")]
use crate::cache::CodeCache;
use crate::component::Loaded;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Limits;
use crate::log_gate::LogGate;
use crate::metrics::Counters;
use crate::pool::{Factory, Pool};
#[cfg(not(feature = "compiler"))]
use crate::precompiled;
use crate::route::Routes;
use crate::sink::Sink;
#[cfg(feature = "compiler")]
use crate::source::ComponentSource;
use crate::span_sink::SpanSink;

/// How to make a runtime. Every setting has a default.
pub struct Builder {
    #[cfg(feature = "compiler")]
    component: ComponentSource,
    #[cfg(feature = "compiler")]
    code_cache: CodeCache,
    limits: Limits,
    sink: Arc<dyn SpanSink>,
    counters: Arc<Counters>,
    seed: Option<u64>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            #[cfg(feature = "compiler")]
            component: ComponentSource::default(),
            #[cfg(feature = "compiler")]
            code_cache: CodeCache::default(),
            limits: Limits::default(),
            sink: Arc::new(Sink::discarding()),
            counters: Arc::default(),
            seed: None,
        }
    }
}

impl Builder {
    /// Another component than the one of this crate.
    #[cfg(feature = "compiler")]
    pub fn component(mut self, component: ComponentSource) -> Self {
        self.component = component;
        self
    }

    /// Another place for compiled components than the user's cache directory.
    #[cfg(feature = "compiler")]
    pub fn code_cache(mut self, code_cache: CodeCache) -> Self {
        self.code_cache = code_cache;
        self
    }

    /// Other bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where spans go. Without this they are forgotten.
    pub fn sink(mut self, sink: Arc<dyn SpanSink>) -> Self {
        self.sink = sink;
        self
    }

    /// Counters to share, such as with the exporter.
    pub fn counters(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Makes every id a function of this number and the order in which tracers are made and called:
    /// for replays. Ids are then not unique among runs, and a message may wait for an instance to
    /// be made.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Reads, compiles and links the component, and calls it once.
    ///
    /// Compiling takes tens of milliseconds, loading from the cache about one. Without the feature
    /// `compiler` it is the component that was compiled before this crate was, and nothing is read.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the file cannot be read, is no component, is one for another
    /// version of the contract or has other imports, or fails its first calls. Else the machine
    /// cannot run it, or has no more threads.
    pub fn build(self) -> Result<Runtime, Error> {
        let engine = Engine::start()?;
        let loaded = self.load(&engine)?;
        let factory = Factory::new(engine.clone(), loaded, &self.limits, self.seed)?;
        #[cfg(feature = "compiler")]
        let code_cache = self.code_cache;
        let Self { limits, sink, counters, seed, .. } = self;
        probe(&factory)?;
        let routes = Arc::new(Routes::default());
        let pool = Pool::start(
            Arc::new(factory),
            Arc::clone(&routes),
            Arc::clone(&counters),
            limits.spare_instances_max,
        )?;
        let shared = Shared {
            pool,
            #[cfg(feature = "compiler")]
            engine,
            #[cfg(feature = "compiler")]
            code_cache,
            #[cfg(feature = "compiler")]
            seed,
            routes,
            limits,
            sink,
            counters,
            log: LogGate::default(),
            changing: Mutex::default(),
            #[cfg(feature = "compiler")]
            loading: Mutex::default(),
        };
        Ok(Runtime { shared: Arc::new(shared) })
    }

    #[cfg(feature = "compiler")]
    fn load(&self, engine: &Engine) -> Result<Loaded, Error> {
        self.component.load(engine, 0, &self.code_cache, &self.counters)
    }

    #[cfg(not(feature = "compiler"))]
    #[expect(clippy::unused_self, reason = "there is nothing to choose from")]
    fn load(&self, engine: &Engine) -> Result<Loaded, Error> {
        precompiled::load(engine)
    }
}

//! How a runtime is made: the component is read, compiled, linked, and called once.

use std::sync::{Arc, Mutex};

use super::{Runtime, Shared, control};
use crate::answer::Buffers;
use crate::bits::MessageBits;
use crate::cache::CodeCache;
use crate::check;
use crate::component::ComponentSource;
use crate::error::Error;
use crate::instance::Failure;
use crate::limits::Limits;
use crate::log_gate::LogGate;
use crate::metrics::Counters;
use crate::pool::{Factory, Pool};
use crate::record::{Head, Message};
use crate::resource::ResourceId;
use crate::route::Routes;
use crate::settings::RouteSettings;
use crate::sink::Sink;
use crate::span_sink::SpanSink;

/// How to make a runtime. Every setting has a default.
pub struct Builder {
    component: ComponentSource,
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
            component: ComponentSource::default(),
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
    pub fn component(mut self, component: ComponentSource) -> Self {
        self.component = component;
        self
    }

    /// Another place for compiled components than the user's cache directory.
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
    /// Compiling takes tens of milliseconds, loading from the cache about one.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the file cannot be read, is no component, is one for another
    /// version of the contract or has other imports, or fails its first calls. Else the machine
    /// cannot run it, or has no more threads.
    pub fn build(self) -> Result<Runtime, Error> {
        let Self { component, code_cache, limits, sink, counters, seed } = self;
        let factory = Factory::new(&component, &code_cache, &limits, seed, &counters)?;
        probe(&factory)?;
        let factory = Arc::new(factory);
        let routes = Arc::new(Routes::default());
        let pool = Pool::start(
            Arc::clone(&factory),
            Arc::clone(&routes),
            Arc::clone(&counters),
            limits.spare_instances_max,
        )?;
        let (log, changing) = (LogGate::default(), Mutex::default());
        let shared = Shared { pool, factory, routes, limits, sink, counters, log, changing };
        Ok(Runtime { shared: Arc::new(shared) })
    }
}

/// Calls a component once before it is accepted: a route, and a message of it.
fn probe(factory: &Factory) -> Result<(), Error> {
    control(factory, |instance| {
        if instance.open(0, &RouteSettings::new("spanbridge"))?.is_err() {
            return Err(Failure::Answer);
        }
        instance.fields(0)?;
        let arena = b"spanbridge.probe";
        // Read-only, so that any edit is a flaw.
        let bits = MessageBits::READ_ONLY.bits();
        let head = Head { bits, destination: arena.len() as u32, ..Head::default() };
        let record = Message { head, start: 1, end: 2, ..Message::default() };
        let raw = instance.publish(&[record], arena)?;
        let (mut out, sink) = (Buffers::default(), Sink::discarding());
        let taken = check::take(raw, &[record], &[ResourceId::DEFAULT], &[], &mut out, &sink);
        taken.map_err(|_| Failure::Answer)
    })
}

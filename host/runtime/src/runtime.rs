//! The runtime: one component, its routes, and the tracers that call it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::answer::Buffers;
use crate::cache::CodeCache;
use crate::check;
use crate::component::ComponentSource;
use crate::error::Error;
use crate::fields::Fields;
use crate::instance::{Failure, Instance};
use crate::limits::{CONTROL_CPU_MAX, LOG_INTERVAL, Limits};
use crate::message::{DeliverBatch, PublishBatch};
use crate::metrics::Counters;
use crate::pool::{Factory, Pool};
use crate::record::{Head, Message};
use crate::resource::ResourceId;
use crate::route::{OpenRoute, Route, Routes};
use crate::settings::RouteSettings;
use crate::settlement::SettleBatch;
use crate::sink::Sink;
use crate::span_sink::SpanSink;
use crate::tracer::Tracer;

/// A loaded component and everything it needs. Cloning it is cheap and gives the same runtime.
///
/// Two threads belong to it: one keeps the deadline and sleeps while nobody calls, one makes spare
/// instances. Both end when the last clone, tracer and propagator is dropped.
#[derive(Clone, Debug)]
pub struct Runtime {
    shared: Arc<Shared>,
}

/// What tracers and propagators share.
pub(crate) struct Shared {
    // Before `factory`: its thread calls the engine.
    pub pool: Pool,
    pub factory: Arc<Factory>,
    pub routes: Arc<Routes>,
    pub limits: Limits,
    pub sink: Arc<dyn SpanSink>,
    pub counters: Arc<Counters>,
    pub log: LogGate,
    /// Held while a route is opened or closed.
    changing: Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

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
    /// for replays. Ids are then not unique among runs.
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

impl Runtime {
    /// Begins a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Opens a route: its settings are checked by the component, and every tracer knows it from
    /// its next call on.
    ///
    /// # Errors
    ///
    /// [`Error::is_config`] when the component says that a setting cannot be had, or when
    /// [`Limits::routes_max`] routes are open. [`Error::is_component`] when the component fails.
    pub fn open_route(&self, settings: RouteSettings) -> Result<Route, Error> {
        let changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.shared.routes.next_number(self.shared.limits.routes_max)?;
        let fields =
            control(&self.shared.factory, |instance| match instance.open(number, &settings)? {
                Ok(()) => instance.fields(number).map(Ok),
                Err(refused) => Ok(Err(refused)),
            })?
            .map_err(Error::config)?;
        let fields = fields.iter().map(|(number, name, family)| (*number, &name[..], *family));
        let fields = Arc::new(Fields::new(fields));
        let open = OpenRoute { settings: Arc::new(settings), fields };
        self.shared.routes.set(number, Some(open));
        drop(changing);
        self.shared.pool.routes_changed();
        Ok(Route(number))
    }

    /// Closes a route. Messages of it go on untraced; its number may be given to the next one, so
    /// close a route when nothing uses it.
    pub fn close_route(&self, route: Route) {
        let changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.routes.fields(route).is_some() {
            self.shared.routes.set(route.0, None);
        }
        drop(changing);
        self.shared.pool.routes_changed();
    }

    /// The header names to look for on messages of a route; none when it is not open. Takes a
    /// lock, so ask once a session.
    pub fn fields(&self, route: Route) -> Arc<Fields> {
        self.shared.routes.fields(route).unwrap_or_default()
    }

    /// Makes a tracer for a calling thread, with an instance of its own. Takes up to a tenth of a
    /// millisecond. A component that cannot be instantiated gives a tracer that does nothing, and
    /// tries again.
    pub fn tracer(&self) -> Tracer {
        Tracer::new(Arc::clone(&self.shared))
    }

    /// An empty batch of messages for the broker, with this runtime's bounds.
    pub fn publish_batch(&self) -> PublishBatch {
        PublishBatch::new(&self.shared.limits)
    }

    /// An empty batch of messages for a consumer, with this runtime's bounds.
    pub fn deliver_batch(&self) -> DeliverBatch {
        DeliverBatch::new(&self.shared.limits)
    }

    /// An empty batch of settlements, with this runtime's bounds.
    pub fn settle_batch(&self) -> SettleBatch {
        SettleBatch::new(&self.shared.limits)
    }

    /// What was counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Calls a fresh instance for something that no message waits for.
pub(crate) fn control<T>(
    factory: &Factory,
    calls: impl FnOnce(&mut Instance) -> Result<T, Failure>,
) -> Result<T, Error> {
    let caller = factory.engine.caller();
    let running = caller.as_ref().map(|caller| caller.begin());
    let mut instance =
        factory.make().map_err(|error| Error::probe("it cannot be instantiated").because(error))?;
    instance.begin(CONTROL_CPU_MAX);
    let result = calls(&mut instance).map_err(|failure| {
        Error::probe(match failure {
            Failure::Trap => "it trapped",
            Failure::Deadline => "it took too long",
            Failure::Memory => "it asked for too much memory",
            Failure::Answer => "its answer is none",
        })
    });
    drop(running);
    result
}

/// Calls a component once before it is accepted: a route, and a message of it.
fn probe(factory: &Factory) -> Result<(), Error> {
    control(factory, |instance| {
        if instance.open(0, &RouteSettings::new("spanbridge"))?.is_err() {
            return Err(Failure::Answer);
        }
        instance.fields(0)?;
        let arena = b"spanbridge.probe";
        let head = Head { destination: arena.len() as u32, ..Head::default() };
        // No edits are looked for, because no route is given: the probe is of a read-only message.
        let bits = crate::bits::MessageBits::READ_ONLY.bits();
        let record =
            Message { head: Head { bits, ..head }, start: 1, end: 2, ..Message::default() };
        let raw = instance.publish(&[record], arena)?;
        let (mut out, sink) = (Buffers::default(), Sink::discarding());
        let taken = check::take(raw, &[record], &[ResourceId::DEFAULT], &[], &mut out, &sink);
        taken.map_err(|_| Failure::Answer)
    })
}

/// Lets one log line through in each interval.
#[derive(Debug)]
pub(crate) struct LogGate {
    start: Instant,
    /// Milliseconds from `start` to when the gate opens again.
    opens_at: AtomicU64,
}

impl Default for LogGate {
    fn default() -> Self {
        Self { start: Instant::now(), opens_at: AtomicU64::new(0) }
    }
}

impl LogGate {
    /// Answers whether a line may be written now. Of several threads one is told so.
    pub(crate) fn opens(&self, now: Instant) -> bool {
        let now = now.duration_since(self.start).as_millis() as u64;
        let opens_at = self.opens_at.load(Ordering::Relaxed);
        let next = now + LOG_INTERVAL.as_millis() as u64;
        now >= opens_at
            && self
                .opens_at
                .compare_exchange(opens_at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_once_in_an_interval() {
        let gate = LogGate::default();
        let now = gate.start;
        assert!(gate.opens(now));
        assert!(!gate.opens(now + LOG_INTERVAL / 2));
        assert!(gate.opens(now + LOG_INTERVAL));
        assert!(!gate.opens(now + LOG_INTERVAL));
    }
}

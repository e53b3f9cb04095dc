//! The runtime: one component, its routes, and the tracers that call it.

use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "compiler")]
use crate::cache::CodeCache;
use crate::component::ComponentInfo;
#[cfg(feature = "compiler")]
use crate::engine::Engine;
use crate::error::Error;
use crate::fields::Fields;
use crate::limits::Limits;
use crate::log_gate::LogGate;
use crate::message::{DeliverBatch, PublishBatch};
use crate::metrics::Counters;
use crate::pool::Pool;
use crate::route::{OpenRoute, Route, Routes};
use crate::settings::RouteSettings;
use crate::settlement::SettleBatch;
use crate::span_sink::SpanSink;
use crate::tracer::Tracer;

mod builder;
#[cfg(feature = "compiler")]
mod load;
mod probe;

pub use builder::Builder;
pub(crate) use probe::control;

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
    pub pool: Pool,
    #[cfg(feature = "compiler")]
    engine: Engine,
    #[cfg(feature = "compiler")]
    code_cache: CodeCache,
    #[cfg(feature = "compiler")]
    seed: Option<u64>,
    pub routes: Arc<Routes>,
    pub limits: Limits,
    pub sink: Arc<dyn SpanSink>,
    pub counters: Arc<Counters>,
    pub log: LogGate,
    /// Held while a route is opened or closed.
    changing: Mutex<()>,
    /// Held while a component is loaded.
    #[cfg(feature = "compiler")]
    loading: Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
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
        let fields = control(&self.shared.pool.factory(), |instance| {
            match instance.open(number, &settings)? {
                Ok(()) => instance.fields(number).map(Ok),
                Err(refused) => Ok(Err(refused)),
            }
        })?
        .map_err(Error::config)?;
        let open = OpenRoute { settings: Arc::new(settings), fields: Arc::new(fields) };
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

    /// What is loaded.
    pub fn component(&self) -> ComponentInfo {
        self.shared.pool.factory().info.clone()
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

    /// Instances that stand ready for a thread that loses its own.
    pub fn spare_instances(&self) -> usize {
        self.shared.pool.spares()
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

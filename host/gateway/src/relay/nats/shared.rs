//! What the NATS sessions of one listener share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spanbridge::resource::ResourceId;
use spanbridge::{Route, Runtime};
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::TlsSaid;

use super::limits::LOG_INTERVAL;
use super::policies::Policies;
use super::refusing::Refusing;
use crate::config::HeaderCase;
use crate::header_names::HeaderNames;
use crate::routing::{RouteTable, Traced};
use crate::scrub::Scrub;
use crate::service::Services;

/// The protocol's name in `unknown_service:<protocol>`.
const PROTOCOL: &str = "nats";

/// A listener's routes, for all of its sessions.
#[derive(Debug)]
pub struct NatsShared {
    routes: Mutex<Arc<RouteTable>>,
    /// Grows by one with each table; a session that has the table of this version has the last.
    version: AtomicU64,
    pub(super) limits: NatsLimits,
    pub(super) services: Arc<Services>,
    /// The resource of a client that has not said who it is.
    pub(super) unnamed: ResourceId,
    pub(super) policies: Policies,
    pub(super) refusing: Refusing,
    /// What an `INFO` has to say about a client's connection, where the gateway ends TLS.
    pub(super) tls_said: Option<TlsSaid>,
    /// Nanoseconds since the Unix epoch; before it, no line is logged.
    log_at: AtomicU64,
}

impl NatsShared {
    /// Prepares an open route of the runtime, without envelope, for sessions all of whose messages
    /// are of it.
    pub fn new(
        runtime: &Runtime,
        route: Route,
        services: Arc<Services>,
        header_case: HeaderCase,
    ) -> Self {
        let fields = runtime.fields(route);
        let default = Traced {
            route: Some(route),
            names: HeaderNames::new(&fields, header_case),
            fields,
            producer: None,
            consumer: None,
            has_envelope: false,
            scrub: Scrub::empty(),
            concurrency: None,
            measures: None,
        };
        Self::with_routes(Arc::new(RouteTable::new(Vec::new(), default)), services)
    }

    /// Prepares the routes of a listener for sessions.
    pub fn with_routes(routes: Arc<RouteTable>, services: Arc<Services>) -> Self {
        Self {
            routes: Mutex::new(routes),
            version: AtomicU64::new(1),
            limits: NatsLimits::default(),
            unnamed: services.of_client(PROTOCOL, None, None),
            services,
            policies: Policies::default(),
            refusing: Refusing::default(),
            tls_said: None,
            log_at: AtomicU64::new(0),
        }
    }

    /// For sessions whose connections the gateway takes TLS off: nothing that follows in them is
    /// hidden, and each `INFO` has to say what is true for the client's connection.
    #[must_use]
    pub fn with_tls(self, tls_said: Option<TlsSaid>) -> Self {
        Self { tls_said, ..self }
    }

    /// Replaces the routes. Each session takes the new ones with its next read.
    pub fn set_routes(&self, routes: Arc<RouteTable>) {
        *self.routes.lock().unwrap_or_else(PoisonError::into_inner) = routes;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Answers whether there are other routes than those of this version. Asked for each read.
    pub(super) fn has_newer_routes(&self, version: u64) -> bool {
        self.version.load(Ordering::Acquire) != version
    }

    /// The routes, and their version.
    pub(super) fn routes(&self, version: &mut u64) -> Arc<RouteTable> {
        // Read before the routes: a change in between is taken again, which does no harm.
        *version = self.version.load(Ordering::Acquire);
        Arc::clone(&self.routes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The resource of a client that said this about itself.
    pub(super) fn resource(&self, name: Option<&str>, user: Option<&str>) -> ResourceId {
        self.services.of_client(PROTOCOL, name, user)
    }

    /// Answers whether a line may be logged now.
    pub(super) fn may_log(&self, now: u64) -> bool {
        let at = self.log_at.load(Ordering::Relaxed);
        let next = now.saturating_add(LOG_INTERVAL);
        let set =
            |from| self.log_at.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
        now >= at && set(at).is_ok()
    }
}

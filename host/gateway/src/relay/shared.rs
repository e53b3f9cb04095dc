//! What the sessions of one listener share, whatever protocol they speak.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spanbridge::metrics::SessionsRaw;
use spanbridge::resource::ResourceId;
use spanbridge::{Route, Runtime, Verdict};
use tracing::warn;

use super::Side;
use crate::config::{Acks, HeaderCase};
use crate::header_names::HeaderNames;
use crate::routing::{RouteTable, Traced};
use crate::scrub::Scrub;
use crate::service::Services;

/// Time between two log lines about messages and sessions, in nanoseconds: ten seconds.
const LOG_INTERVAL: u64 = 10 * 1_000_000_000;

/// A listener's routes, and what its clients are called.
#[derive(Debug)]
pub struct Shared {
    routes: Mutex<Arc<RouteTable>>,
    /// Grows by one with each table; a session that has the table of this version has the last.
    version: AtomicU64,
    services: Arc<Services>,
    /// The protocol's name in `unknown_service:<protocol>`.
    protocol: &'static str,
    /// The resource of a client that has not said who it is.
    pub(super) unnamed: ResourceId,
    /// Nanoseconds since the Unix epoch; before it, no line is logged.
    log_at: AtomicU64,
}

impl Shared {
    /// Prepares the routes of a listener for sessions.
    pub(super) fn new(
        protocol: &'static str,
        routes: Arc<RouteTable>,
        services: Arc<Services>,
    ) -> Self {
        Self {
            routes: Mutex::new(routes),
            version: AtomicU64::new(1),
            unnamed: services.of_client(protocol, None, None),
            services,
            protocol,
            log_at: AtomicU64::new(0),
        }
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
        self.services.of_client(self.protocol, name, user)
    }

    /// Answers whether a line may be logged now.
    pub(super) fn may_log(&self, now: u64) -> bool {
        let at = self.log_at.load(Ordering::Relaxed);
        let next = now.saturating_add(LOG_INTERVAL);
        let set =
            |from| self.log_at.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
        now >= at && set(at).is_ok()
    }

    /// A session is not read any more: a TLS handshake follows.
    pub(super) fn raw_for_tls(&self, sessions: &SessionsRaw, now: u64) {
        sessions.tls.add(1);
        if self.may_log(now) {
            warn!("session is relayed unread: client and broker speak TLS with each other");
        }
    }

    /// A session is not read any more: its bytes are not the protocol.
    pub(super) fn raw_for_protocol(
        &self,
        sessions: &SessionsRaw,
        from: Side,
        error: &dyn Display,
        now: u64,
    ) {
        sessions.protocol.add(1);
        if self.may_log(now) {
            warn!(?from, %error, "session is relayed unread from here on");
        }
    }

    /// A message went on without the context that it should have had.
    pub(super) fn log_skipped(&self, reason: &str, verdict: &Verdict, now: u64) {
        if self.may_log(now) {
            let Verdict { trace_hi, trace_lo, span_id, .. } = verdict;
            let trace_id = format_args!("{trace_hi:016x}{trace_lo:016x}");
            let span_id = format_args!("{span_id:016x}");
            warn!(%trace_id, %span_id, reason, "message goes on without its context");
        }
    }
}

/// A table of one open route of the runtime, which all messages are of.
pub(super) fn one_route(
    runtime: &Runtime,
    route: Route,
    header_case: HeaderCase,
) -> Arc<RouteTable> {
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
        acks: Acks::default(),
        measures: None,
    };
    Arc::new(RouteTable::new(Vec::new(), default))
}

//! What the NATS sessions of one listener share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spanbridge::resource::ResourceId;
use spanbridge::{Fields, Route, Runtime};
use spanbridge_wire::limits::NatsLimits;

use super::limits::LOG_INTERVAL;
use crate::config::HeaderCase;
use crate::measure::Measures;
use crate::service::Services;

/// The protocol's name in `unknown_service:<protocol>`.
const PROTOCOL: &str = "nats";

/// A listener's route and names, for all of its sessions.
#[derive(Debug)]
pub struct NatsShared {
    pub(super) route: Route,
    /// The headers to look for.
    pub(super) fields: Arc<Fields>,
    /// How they are written where there were none.
    pub(super) names: HeaderNames,
    pub(super) limits: NatsLimits,
    pub(super) services: Arc<Services>,
    /// What the route's messages did.
    pub(super) measures: Arc<Measures>,
    /// The resource of a client that has not said who it is.
    pub(super) unnamed: ResourceId,
    /// Nanoseconds since the Unix epoch; before it, no line is logged.
    log_at: AtomicU64,
}

impl NatsShared {
    /// Prepares an open route of the runtime for sessions.
    pub fn new(
        runtime: &Runtime,
        route: Route,
        services: Arc<Services>,
        header_case: HeaderCase,
    ) -> Self {
        let fields = runtime.fields(route);
        Self {
            route,
            names: HeaderNames::new(&fields, header_case),
            fields,
            limits: NatsLimits::default(),
            unnamed: services.of_client(PROTOCOL, None, None),
            services,
            measures: Arc::default(),
            log_at: AtomicU64::new(0),
        }
    }

    /// Counts and times the route's messages there.
    #[must_use]
    pub fn measured(mut self, measures: Arc<Measures>) -> Self {
        self.measures = measures;
        self
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

/// The names of the headers that the component writes, in the listener's casing.
#[derive(Debug)]
pub(super) struct HeaderNames {
    /// By number; of a family, the prefix.
    names: Box<[(u8, Box<[u8]>)]>,
}

impl HeaderNames {
    fn new(fields: &Fields, header_case: HeaderCase) -> Self {
        let spelled = |name: &str| match header_case {
            HeaderCase::Lower => name.as_bytes().into(),
            HeaderCase::Canonical => canonical(name),
        };
        Self { names: fields.iter().map(|(number, name)| (number, spelled(name))).collect() }
    }

    /// The name of a field.
    pub(super) fn get(&self, field: u8) -> Option<&[u8]> {
        self.names.iter().find(|(number, _)| *number == field).map(|(_, name)| &**name)
    }
}

/// Go's canonical form: the first letter and each one behind a hyphen in upper case.
fn canonical(name: &str) -> Box<[u8]> {
    let mut upper = true;
    let spelled = name.bytes().map(|byte| {
        let now = if upper { byte.to_ascii_uppercase() } else { byte };
        upper = byte == b'-';
        now
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_are_those_of_go() {
        for (name, expected) in [
            ("traceparent", "Traceparent"),
            ("x-b3-traceid", "X-B3-Traceid"),
            ("uberctx-", "Uberctx-"),
            ("", ""),
        ] {
            assert_eq!(*canonical(name), *expected.as_bytes());
        }
    }
}

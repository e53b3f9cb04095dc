//! What the NATS sessions of one listener share.

use std::sync::Arc;

use spanbridge::{Route, Runtime};
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::TlsSaid;

use super::policies::Policies;
use super::refusing::Refusing;
use crate::config::HeaderCase;
use crate::relay::shared::{Shared, one_route};
use crate::routing::RouteTable;
use crate::service::Services;

/// What the NATS sessions of one listener share.
#[derive(Debug)]
pub struct NatsShared {
    /// What has nothing to do with NATS.
    pub listener: Shared,
    pub(super) limits: NatsLimits,
    pub(super) policies: Policies,
    pub(super) refusing: Refusing,
    /// What an `INFO` has to say about a client's connection, where the gateway ends TLS.
    pub(super) tls_said: Option<TlsSaid>,
}

impl AsRef<Shared> for NatsShared {
    fn as_ref(&self) -> &Shared {
        &self.listener
    }
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
        Self::with_routes(one_route(runtime, route, header_case), services)
    }

    /// Prepares the routes of a listener for sessions.
    pub fn with_routes(routes: Arc<RouteTable>, services: Arc<Services>) -> Self {
        Self {
            listener: Shared::new("nats", routes, services),
            limits: NatsLimits::default(),
            policies: Policies::default(),
            refusing: Refusing::default(),
            tls_said: None,
        }
    }

    /// For sessions whose connections the gateway takes TLS off: nothing that follows in them is
    /// hidden, and each `INFO` has to say what is true for the client's connection.
    #[must_use]
    pub fn with_tls(self, tls_said: Option<TlsSaid>) -> Self {
        Self { tls_said, ..self }
    }
}

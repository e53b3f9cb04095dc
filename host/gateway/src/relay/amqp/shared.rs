//! What the AMQP sessions of one listener share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spanbridge::{Route, Runtime};
use spanbridge_wire::limits::AmqpLimits;

use super::attempts::Attempts;
use super::limits::TEMPORARY_QUEUES_MAX;
use crate::config::HeaderCase;
use crate::relay::remembered::Remembered;
use crate::relay::shared::{Shared, one_route};
use crate::routing::RouteTable;
use crate::service::Services;

/// What the AMQP sessions of one listener share.
#[derive(Debug)]
pub struct AmqpShared {
    /// What has nothing to do with AMQP.
    pub listener: Shared,
    pub(super) limits: AmqpLimits,
    pub(super) attempts: Attempts,
    /// Queues that go away with their owner, by virtual host and name.
    pub(super) temporary: Remembered,
    /// Those of them that a message named as the place for its answer.
    pub(super) replies: Remembered,
    external_seen: AtomicBool,
}

impl AsRef<Shared> for AmqpShared {
    fn as_ref(&self) -> &Shared {
        &self.listener
    }
}

impl AmqpShared {
    /// Prepares an open route of the runtime for sessions, all of whose messages are of it.
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
            listener: Shared::new("amqp", routes, services),
            limits: AmqpLimits::default(),
            attempts: Attempts::default(),
            temporary: Remembered::new(TEMPORARY_QUEUES_MAX),
            replies: Remembered::new(TEMPORARY_QUEUES_MAX),
            external_seen: AtomicBool::new(false),
        }
    }

    /// A client logs in by its certificate. Answers whether it is the first one.
    pub(super) fn is_first_external(&self) -> bool {
        !self.external_seen.swap(true, Ordering::Relaxed)
    }
}

//! What the Redis sessions of one listener share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spanbridge::{Route, Runtime};
use spanbridge_wire::limits::RespLimits;

use super::groups::Groups;
use crate::config::{Cluster, HeaderCase};
use crate::relay::shared::{Shared, one_route};
use crate::routing::RouteTable;
use crate::service::Services;

/// The next listener's number. Entries of all listeners of the process are in one table.
static LISTENER: AtomicU64 = AtomicU64::new(0);

/// What the Redis sessions of one listener share.
#[derive(Debug)]
pub struct RedisShared {
    /// What has nothing to do with Redis.
    pub listener: Shared,
    pub(super) limits: RespLimits,
    /// In the process. Two brokers may have streams of the same name.
    pub(super) number: u64,
    pub(super) groups: Groups,
    /// What becomes of sessions whose broker sends clients elsewhere.
    pub(super) cluster: Cluster,
}

impl RedisShared {
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
            listener: Shared::new("redis", routes, services),
            limits: RespLimits::default(),
            number: LISTENER.fetch_add(1, Ordering::Relaxed),
            groups: Groups::default(),
            cluster: Cluster::default(),
        }
    }

    /// The same, where brokers that send clients to other servers are treated like this.
    pub fn with_cluster(self, cluster: Cluster) -> Self {
        Self { cluster, ..self }
    }
}

//! What a listener's sessions speak.

use std::sync::Arc;

use spanbridge_wire::nats::TlsSaid;

use super::amqp::{AmqpRelay, AmqpShared};
use super::nats::{NatsRelay, NatsShared};
use super::redis::{RedisRelay, RedisShared};
use super::{Relay, Shared};
use crate::address::Protocol;
use crate::config::Cluster;
use crate::routing::RouteTable;
use crate::service::Services;

/// What the sessions of one listener share, in the protocol that they speak.
#[derive(Clone, Debug)]
pub(crate) enum Sessions {
    Nats(Arc<NatsShared>),
    Amqp(Arc<AmqpShared>),
    Redis(Arc<RedisShared>),
}

impl Sessions {
    /// Prepares the routes of a listener. `tls_said` is what an `INFO` of NATS has to say,
    /// `cluster` what becomes of sessions with a cluster of Redis.
    pub(crate) fn new(
        protocol: Protocol,
        routes: Arc<RouteTable>,
        services: Arc<Services>,
        tls_said: Option<TlsSaid>,
        cluster: Cluster,
    ) -> Self {
        match protocol {
            Protocol::Nats => {
                let shared = NatsShared::with_routes(routes, services).with_tls(tls_said);
                Self::Nats(Arc::new(shared))
            }
            Protocol::Amqp => Self::Amqp(Arc::new(AmqpShared::with_routes(routes, services))),
            Protocol::Redis => {
                let shared = RedisShared::with_routes(routes, services).with_cluster(cluster);
                Self::Redis(Arc::new(shared))
            }
        }
    }

    /// The relay of a session that has just been connected.
    pub(crate) fn relay(&self) -> Box<dyn Relay> {
        match self {
            Self::Nats(shared) => Box::new(NatsRelay::new(Arc::clone(shared))),
            Self::Amqp(shared) => Box::new(AmqpRelay::new(Arc::clone(shared))),
            Self::Redis(shared) => Box::new(RedisRelay::new(Arc::clone(shared))),
        }
    }

    /// Replaces the routes. Each session takes the new ones with its next read.
    pub(crate) fn set_routes(&self, routes: Arc<RouteTable>) {
        self.shared().set_routes(routes);
    }

    fn shared(&self) -> &Shared {
        match self {
            Self::Nats(shared) => &shared.listener,
            Self::Amqp(shared) => &shared.listener,
            Self::Redis(shared) => &shared.listener,
        }
    }
}

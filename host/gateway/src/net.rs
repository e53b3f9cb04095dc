//! What stands between a socket and a session: who may connect, TLS, the PROXY protocol, limits.
//!
//! ```text
//! client ─▶ sources ─▶ PROXY header ─▶ TLS ─▶ session ─▶ TLS ◀─ PROXY header ◀─ guard ◀─ broker
//! ```
//!
//! Nothing here reads a message. A listener without TLS and without the PROXY protocol does none
//! of it but the limits: its session begins with the first byte.

mod gate;
mod greeting;
pub(crate) mod guard;
pub mod network;
mod opening;
pub mod options;
mod socket;
mod sources;
mod stream;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use spanbridge_wire::nats::TlsSaid;
use tokio::net::TcpStream;

use crate::address::Protocol;
use crate::config::ListenerConfig;
use options::NetOptions;
use sources::Sources;
use tls::{TlsError, ToBrokers, ToClients};

pub(crate) use gate::Gate;
pub(crate) use greeting::greet;
pub(crate) use opening::{Arrived, Reason, Refusal};
pub(crate) use sources::SourcePlace;
pub(crate) use stream::Stream;

/// What a listener does to connections before they are a session.
#[derive(Debug)]
pub(crate) struct Net {
    protocol: Protocol,
    options: NetOptions,
    to_clients: Option<ToClients>,
    to_brokers: Option<ToBrokers>,
    sources: Sources,
}

/// What a listener's certificate files held when they were read again.
#[derive(Debug)]
pub(crate) struct Certificates {
    to_clients: Option<Arc<ServerConfig>>,
    to_brokers: Option<Arc<ClientConfig>>,
}

impl Net {
    /// Reads the certificates that a listener names.
    pub(crate) fn new(listener: &ListenerConfig) -> Result<Self, TlsError> {
        let options = listener.net_in_force();
        Ok(Self {
            protocol: listener.listen.protocol,
            to_clients: options.tls.as_ref().map(ToClients::new).transpose()?,
            to_brokers: options.broker_tls.as_ref().map(ToBrokers::new).transpose()?,
            sources: Sources::new(options.limits.sessions_per_source_max),
            options,
        })
    }

    /// Reads the certificates again.
    pub(crate) fn read_again(&self) -> Result<Certificates, TlsError> {
        Ok(Certificates {
            to_clients: self.to_clients.as_ref().map(ToClients::prepare).transpose()?,
            to_brokers: self.to_brokers.as_ref().map(ToBrokers::prepare).transpose()?,
        })
    }

    /// Takes certificates into use; connections from now on have them.
    pub(crate) fn swap(&self, certificates: Certificates) {
        let Certificates { to_clients, to_brokers } = certificates;
        if let (Some(side), Some(config)) = (&self.to_clients, to_clients) {
            side.swap(config);
        }
        if let (Some(side), Some(config)) = (&self.to_brokers, to_brokers) {
            side.swap(config);
        }
    }

    /// What an `INFO` has to say about the client's connection; `None` where the gateway has no
    /// part in TLS, and what the broker says is true, and where a broker says nothing of the kind.
    pub(crate) fn tls_said(&self) -> Option<TlsSaid> {
        let NetOptions { tls, broker_tls, .. } = &self.options;
        let verify = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        (self.protocol == Protocol::Nats && (tls.is_some() || broker_tls.is_some()))
            .then_some(TlsSaid { required: tls.is_some(), verify })
    }

    /// The most sessions of this listener.
    pub(crate) fn sessions_max(&self) -> Option<usize> {
        self.options.limits.sessions_max
    }

    /// Prepares a connection that was accepted or made.
    pub(crate) fn prepare(&self, stream: &TcpStream) -> std::io::Result<()> {
        socket::prepare(stream, &self.options.limits)
    }

    fn handshake_timeout(&self) -> Duration {
        self.options.limits.handshake_timeout
    }
}

/// The address as version 4 where it is one written as version 6, which is what a socket for both
/// answers.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

//! Accepts clients, finds a broker for each, and runs the session.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use spanbridge::metrics::Counters;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::address::{Address, Protocol};
use crate::brokers::Brokers;
use crate::close::{By, Cause, Close};
use crate::live::LiveLimits;
use crate::relay::Relay;
use crate::relay::nats::{NatsRelay, NatsShared};
use crate::session::Session;
use crate::worker::Bench;

/// What the sessions of one listener have in common.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What the configuration calls it.
    pub name: String,
    /// Where it listens, with the port that it got.
    pub address: Address,
    pub brokers: Arc<Brokers>,
    /// Of the protocol.
    pub nats: Arc<NatsShared>,
    pub counters: Arc<Counters>,
    /// Sessions of the process.
    pub sessions: Arc<AtomicUsize>,
    pub limits: Arc<LiveLimits>,
}

/// Counts a session for as long as it lives.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    /// `None` when `sessions_max` sessions are open.
    pub(crate) fn take(sessions: &Arc<AtomicUsize>, sessions_max: usize) -> Option<Self> {
        let before = sessions.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(sessions));
        (before < sessions_max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Listener {
    /// Serves one client to the end.
    pub(crate) async fn serve(
        self: Arc<Self>,
        client: TcpStream,
        peer: SocketAddr,
        bench: Rc<RefCell<Bench>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let close = match self.brokers.connect().await {
            Err(error) => {
                self.counters.connections_refused.broker.add(1);
                Close { by: By::Here, cause: Cause::NoBroker(error) }
            }
            Ok(broker) => {
                self.counters.sessions_opened.add(1);
                let close = self.relay(client, broker, bench, &mut stop).await;
                let ended = &self.counters.sessions_ended;
                match close.by {
                    By::Client => ended.client.add(1),
                    By::Broker => ended.broker.add(1),
                    By::Here => ended.here.add(1),
                }
                close
            }
        };
        let listener = &self.address;
        if close.is_trouble() {
            warn!(%peer, %listener, %close, "session ended");
        } else {
            debug!(%peer, %listener, %close, "session ended");
        }
    }

    async fn relay(
        &self,
        client: TcpStream,
        broker: TcpStream,
        bench: Rc<RefCell<Bench>>,
        stop: &mut watch::Receiver<bool>,
    ) -> Close {
        let relay: Box<dyn Relay> = match self.address.protocol {
            Protocol::Nats => Box::new(NatsRelay::new(Arc::clone(&self.nats))),
        };
        let mut session = Session::new(client, broker, relay, bench);
        let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
        let over = tokio::select! {
            close = session.run() => Some(close),
            _ = stopped => None,
        };
        let close = match over {
            Some(close) => close,
            None => timeout(self.limits.drain_timeout(), session.drain())
                .await
                .unwrap_or(Close { by: By::Here, cause: Cause::DrainTimeout }),
        };
        session.close();
        close
    }
}

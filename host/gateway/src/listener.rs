//! Accepts clients, finds a broker for each, and runs the session.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use spanbridge::metrics::Counters;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::address::{Address, Protocol};
use crate::brokers::{self, Brokers};
use crate::close::{By, Cause, Close};
use crate::live::LiveLimits;
use crate::net::guard::Guard;
use crate::net::{Arrived, Gate, Net, Reason, Refusal, SourcePlace, Stream, canonical, greet};
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
    /// Sessions of this listener.
    pub own_sessions: Arc<AtomicUsize>,
    /// What comes before a session.
    pub net: Net,
    /// What its socket is bound to.
    pub local: IpAddr,
    /// For log lines about clients that are refused.
    pub gate: Gate,
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
    /// A session's place in the process and in this listener; `None` when one of them is full.
    pub(crate) fn place(&self, sessions_max: usize) -> Option<[Place; 2]> {
        let own_max = self.net.sessions_max().unwrap_or(usize::MAX);
        let place = Place::take(&self.sessions, sessions_max)?;
        Some([place, Place::take(&self.own_sessions, own_max)?])
    }

    /// Serves one client to the end.
    pub(crate) async fn serve(
        self: Arc<Self>,
        client: TcpStream,
        peer: SocketAddr,
        bench: Rc<RefCell<Bench>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut peer = canonical(peer);
        // On the heap, where it ends: what handshakes need would else be part of every session.
        let opened = tokio::select! {
            opened = Box::pin(self.open(client, &mut peer, &bench)) => opened,
            _ = stop.wait_for(|stop| *stop) => Err(Close { by: By::Here, cause: Cause::Drained }),
        };
        let close = match opened {
            Err(close) => close,
            Ok((session, place)) => {
                self.counters.sessions_opened.add(1);
                let close = self.run(session, &mut stop).await;
                drop(place);
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

    /// Does what comes before a session. `peer` becomes who the client is.
    async fn open(
        &self,
        client: TcpStream,
        peer: &mut SocketAddr,
        bench: &Rc<RefCell<Bench>>,
    ) -> Result<(Session, SourcePlace), Close> {
        let refused = |refusal| self.refused(refusal);
        let arrived = self.net.arrive(client, *peer).await.map_err(refused)?;
        let Arrived { stream, source, destination, place } = arrived;
        *peer = source;
        let client = self.net.accept_first(stream).await.map_err(refused)?;
        let (broker, info) = match self.connect(source, destination).await {
            Ok(connected) => connected,
            Err(error) => {
                self.counters.connections_refused.broker.add(1);
                return Err(Close { by: By::Here, cause: Cause::NoBroker(error) });
            }
        };
        let mut relay: Box<dyn Relay> = match self.address.protocol {
            Protocol::Nats => Box::new(NatsRelay::new(Arc::clone(&self.nats))),
        };
        let greeted = greet(&self.net, client, &info, &mut *relay, bench).await;
        let client = greeted.map_err(refused)?;
        Ok((Session::new(client, broker, relay, Rc::clone(bench)), place))
    }

    fn refused(&self, refusal: Refusal) -> Close {
        let Refusal { by, reason, error } = refusal;
        let refused = &self.counters.connections_refused;
        match reason {
            Reason::ProxyProtocol => refused.proxy_protocol.add(1),
            Reason::Source => refused.source.add(1),
            Reason::Tls | Reason::Greeting => refused.tls.add(1),
        }
        if self.gate.opens(Instant::now()) {
            let step = reason.step();
            info!(listener = %self.address, step, %error, "client refused before its session");
        }
        // A source at its limit is no trouble of ours, and may come as often as it likes.
        let by = if reason == Reason::Source { By::Client } else { by };
        Close { by, cause: Cause::Opening { step: reason.step(), error } }
    }

    async fn run(&self, mut session: Session, stop: &mut watch::Receiver<bool>) -> Close {
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

    /// Connects to a broker of the list, and does what comes before its INFO.
    async fn connect(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> io::Result<(Stream, Vec<u8>)> {
        let guard = Guard::new(self.local, self.limits.allow_remote());
        let meet = async |broker: &Address| {
            let stream = brokers::dial(broker, &guard).await?;
            self.net.prepare(&stream)?;
            self.net.meet_broker(stream, &broker.host, source, destination).await
        };
        self.brokers.connect(meet).await
    }
}

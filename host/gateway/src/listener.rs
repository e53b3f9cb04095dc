//! Accepts clients, finds a broker for each, and runs the session.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use spanbridge::metrics::Counters;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::address::{Address, Protocol};
use crate::close::{By, Cause, Close};
use crate::live::LiveLimits;
use crate::relay::Relay;
use crate::relay::nats::{NatsRelay, NatsShared};
use crate::session::Session;
use crate::worker::Bench;

/// For one address of one broker. Beyond the retransmission of a first lost segment (1 s, then 2 s
/// more), a broker is rather down than slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// What the sessions of one listener have in common.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where it listens, with the port that it got.
    pub address: Address,
    /// Tried in turn.
    pub brokers: Vec<Address>,
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
        let close = match self.connect().await {
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

    /// Connects to the first broker of the list that answers. Names are resolved anew each time.
    async fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for broker in &self.brokers {
            match connect_to(broker).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    info!(%broker, %error, "broker cannot be reached");
                    last = io::Error::new(error.kind(), format!("{broker}: {error}"));
                }
            }
        }
        Err(last)
    }
}

async fn connect_to(broker: &Address) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((broker.host.as_str(), broker.port)).await?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

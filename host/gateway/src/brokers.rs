//! The brokers of a listener: which one a client gets, and which ones are left out for a while.
//!
//! ```text
//! reachable ── connection fails ──▶ put off 1 s, 2 s … 30 s ── over ──▶ one client tries
//!     ▲                                                                      │
//!     └────────────────────────── connection made ───────────────────────────┘
//! ```
//!
//! They are tried in the order of the configuration, so the first one that can be reached serves
//! everybody. One that is put off is tried last rather than not at all: a client is sent away only
//! when nobody could be reached. Names are resolved anew each time.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spanbridge::metrics::Counters;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::info;

use crate::address::Address;
use crate::net::guard::Guard;

/// For one address of one broker. Beyond the retransmission of a first lost segment (1 s, then 2 s
/// more), a broker is rather down than slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// For a name. The system's resolver asks a second server after five seconds.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(6);

/// How long a broker is put off after its first failure. A restart takes about a second.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// And after many: a broker that comes back is used again within half a minute.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// A listener's brokers.
#[derive(Debug)]
pub(crate) struct Brokers {
    /// At least one.
    list: Box<[Broker]>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Broker {
    address: Address,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: reachable, as far as is known.
    put_off_until: Option<Instant>,
    /// Of the next failure.
    back_off: Duration,
}

impl State {
    fn is_put_off(&self, now: Instant) -> bool {
        self.put_off_until.is_some_and(|until| now < until)
    }

    /// Answers whether a client may try. The first one to do so after a failure tries for all, and
    /// the others go elsewhere meanwhile.
    fn take_turn(&mut self, now: Instant) -> bool {
        if self.is_put_off(now) {
            return false;
        }
        if self.put_off_until.is_some() {
            self.put_off_until = Some(now + CONNECT_TIMEOUT);
        }
        true
    }

    fn failed(&mut self, now: Instant) {
        // Clients that failed together are one failure.
        if !self.is_put_off(now) || self.back_off.is_zero() {
            self.back_off = (self.back_off * 2).clamp(BACK_OFF_MIN, BACK_OFF_MAX);
        }
        self.put_off_until = Some(now + self.back_off);
    }
}

impl Broker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Brokers {
    pub(crate) fn new(addresses: &[Address], counters: Arc<Counters>) -> Self {
        let broker =
            |address: &Address| Broker { address: address.clone(), state: Mutex::default() };
        Self { list: addresses.iter().map(broker).collect(), counters }
    }

    /// In the order of the configuration.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.list.iter().map(|broker| &broker.address)
    }

    /// Answers whether the last attempt at some broker succeeded, or was too long ago to tell.
    pub(crate) fn may_be_reachable(&self, now: Instant) -> bool {
        self.list.iter().any(|broker| !broker.state().is_put_off(now))
    }

    /// Meets the first broker that can be met. `meet` connects to one and does what comes before
    /// its first word.
    pub(crate) async fn connect<T>(
        &self,
        meet: impl AsyncFn(&Address) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut put_off = Vec::new();
        for broker in &self.list {
            if !broker.state().take_turn(Instant::now()) {
                self.counters.broker_connections.skipped.add(1);
                put_off.push(broker);
                continue;
            }
            match self.try_one(broker, &meet).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        for broker in put_off {
            match self.try_one(broker, &meet).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn try_one<T>(
        &self,
        broker: &Broker,
        meet: &impl AsyncFn(&Address) -> io::Result<T>,
    ) -> io::Result<T> {
        let address = &broker.address;
        let connections = &self.counters.broker_connections;
        match meet(address).await {
            Ok(met) => {
                connections.made.add(1);
                let former = std::mem::take(&mut *broker.state());
                if former.put_off_until.is_some() {
                    info!(broker = %address, "broker can be reached again");
                }
                Ok(met)
            }
            Err(error) => {
                connections.failed.add(1);
                broker.state().failed(Instant::now());
                info!(broker = %address, %error, "broker cannot be reached");
                Err(io::Error::new(error.kind(), format!("{address}: {error}")))
            }
        }
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, broker) in self.list.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{}", broker.address)?;
        }
        Ok(())
    }
}

/// Connects to a broker, where the secure listen rule allows it.
pub(crate) async fn dial(broker: &Address, guard: &Guard) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((broker.host.as_str(), broker.port));
    let addresses = timeout(RESOLVE_TIMEOUT, addresses).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, "the name is not resolved in time")
    })??;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        if let Err(error) = guard.check(address) {
            last = error;
            continue;
        }
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_client_tries_for_all_and_each_failure_doubles_the_wait() {
        let (mut state, mut now) = (State::default(), Instant::now());
        assert!(state.take_turn(now) && state.take_turn(now), "nothing is known against it");
        let mut back_off = BACK_OFF_MIN;
        for _ in 0..8 {
            state.failed(now);
            assert!(!state.take_turn(now + back_off - MS), "{back_off:?}");
            now += back_off;
            assert!(state.take_turn(now), "{back_off:?}");
            assert!(!state.take_turn(now), "somebody tries already");
            now += CONNECT_TIMEOUT;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
        assert_eq!(back_off, BACK_OFF_MAX);
    }

    #[test]
    fn clients_that_fail_together_are_one_failure() {
        let (mut state, now) = (State::default(), Instant::now());
        for _ in 0..10 {
            state.failed(now);
        }
        assert!(!state.take_turn(now + BACK_OFF_MIN - MS));
        assert!(state.take_turn(now + BACK_OFF_MIN));
    }

    #[tokio::test]
    async fn the_first_that_can_be_reached_serves_and_a_dead_one_is_put_off() {
        let alive = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = |socket: &std::net::TcpListener| {
            format!("nats://{}", socket.local_addr().unwrap()).parse().unwrap()
        };
        let (addresses, counters) = ([url(&dead), url(&alive)], Arc::new(Counters::default()));
        drop(dead);
        let here = std::net::Ipv4Addr::LOCALHOST.into();
        let guard = Guard::new(here, false);
        let dial = async |broker: &Address| dial(broker, &guard).await;
        let brokers = Brokers::new(&addresses, Arc::clone(&counters));
        assert!(brokers.may_be_reachable(Instant::now()));
        for _ in 0..3 {
            brokers.connect(dial).await.unwrap();
        }
        let connections = &counters.broker_connections;
        assert_eq!((connections.made.get(), connections.failed.get()), (3, 1));
        assert_eq!(connections.skipped.get(), 2);
        assert!(brokers.may_be_reachable(Instant::now()));
        drop(alive);
        // Neither answers now, and one that is put off is tried all the same.
        brokers.connect(dial).await.unwrap_err();
        assert_eq!(connections.failed.get(), 3);
        assert!(!brokers.may_be_reachable(Instant::now()));
        assert!(brokers.may_be_reachable(Instant::now() + 2 * BACK_OFF_MAX));
    }
}

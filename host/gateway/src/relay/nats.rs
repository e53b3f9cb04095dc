//! The NATS client protocol between a client and a broker.
//!
//! ```text
//!                 held          read             mark          ask              splice
//! bytes ──▶ a head's beginning ──▶ frames ──▶ messages ──▶ component ──▶ new heads, old payloads
//!                                    │                        │
//!                                    ├─ settlements, answers ─┴─▶ ended spans
//!                                    └─ CONNECT, INFO, SUB … ──▶ what is known of the session
//! ```
//!
//! A control line and its header block are held until they are whole; payloads stream through.
//! Three kinds of payload are read, and so held up to a limit: what settles a delivery, what
//! answers a publish or a question about a consumer, and a body whose route has an envelope, where
//! no header makes that unnecessary ([`bodies`](super::bodies)).
//!
//! Nothing is read of a session behind a TLS handshake, or behind bytes that are not the protocol:
//! then both directions go on as they come.

mod asked;
mod awaited;
mod broker;
mod client;
mod consumers;
mod limits;
mod payload;
mod policies;
mod refusing;
mod shared;
mod splice;
mod state;
mod subscriptions;
mod walk;

use std::sync::Arc;

use spanbridge_wire::nats::{BrokerDecoder, ClientDecoder};

use super::protocol::{Protocol, ProtocolRelay};
use super::session_routes::SessionRoutes;
use super::splicer::Splicer;
use super::walk::Walk;
use super::{Relay, Side, Tools};
use state::{Call, State};
use walk::Stop;

pub use shared::NatsShared;

/// A session that has just been connected.
pub fn session(shared: Arc<NatsShared>) -> impl Relay + use<> {
    ProtocolRelay::<Nats>::new(shared)
}

/// What is known of one session.
#[derive(Debug)]
struct Nats {
    client: ClientDecoder,
    broker: BrokerDecoder,
    state: State,
}

impl Protocol for Nats {
    type Shared = NatsShared;
    type Stop = Stop;

    fn new(shared: &NatsShared) -> Self {
        Self {
            client: ClientDecoder::new(shared.limits),
            broker: BrokerDecoder::new(shared.limits),
            state: State::new(shared),
        }
    }

    fn routes(&mut self) -> &mut SessionRoutes {
        &mut self.state.routes
    }

    fn read(&mut self, from: Side, input: &[u8], call: &mut Call<'_>) -> Walk<Stop> {
        match from {
            Side::Client => self.state.read_client(&mut self.client, input, call),
            Side::Broker => self.state.read_broker(&mut self.broker, input, call),
        }
    }

    fn hand_on_publishes(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        self.state.hand_on_publishes(splicer, call);
    }

    fn hand_on_deliveries(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        self.state.hand_on_deliveries(splicer, call);
    }

    fn forget_read(&mut self) {
        self.state.forget_read();
    }

    #[cold]
    fn stopped(&mut self, from: Side, stop: Stop, call: &mut Call<'_>) {
        let sessions = &call.tools.counters.sessions_raw;
        let (listener, now) = (&call.shared.listener, call.now);
        match stop {
            Stop::Tls => listener.raw_for_tls(sessions, now),
            Stop::Protocol(error) => listener.raw_for_protocol(sessions, from, &error, now),
        }
    }

    fn close(&mut self, call: &mut Call<'_>) {
        while let Some(waiting) = self.state.awaited.pop() {
            call.tools.make_room();
            let Tools { counters, settle, .. } = &mut *call.tools;
            counters.publishes_unanswered.closed.add(1);
            waiting.publish.give_up(settle);
        }
    }

    fn is_between(&self, from: Side) -> bool {
        let payload_left = match from {
            Side::Client => self.client.payload_left(),
            Side::Broker => self.broker.payload_left(),
        };
        payload_left.is_none()
    }

    fn has_parted(&self) -> bool {
        // The protocol has no goodbye.
        false
    }

    fn farewell(&self, _: &mut Vec<u8>) {
        // A server that goes down says nothing of it that every client understands.
    }
}

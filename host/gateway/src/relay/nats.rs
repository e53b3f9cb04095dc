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

use super::held::{Held, Relayed};
use super::splicer::Splicer;
use super::{Fed, Relay, Side, Tools};
use state::{Call, State};
use walk::Stop;

pub use shared::NatsShared;

/// One session.
#[derive(Debug)]
pub struct NatsRelay {
    shared: Arc<NatsShared>,
    client: ClientDecoder,
    broker: BrokerDecoder,
    state: State,
    held_of_client: Held,
    held_of_broker: Held,
    /// Nothing is read any more.
    raw: bool,
}

impl NatsRelay {
    /// A session that has just been connected.
    pub fn new(shared: Arc<NatsShared>) -> Self {
        Self {
            client: ClientDecoder::new(shared.limits),
            broker: BrokerDecoder::new(shared.limits),
            state: State::new(&shared),
            held_of_client: Held::default(),
            held_of_broker: Held::default(),
            raw: false,
            shared,
        }
    }

    fn held(&mut self, of: Side) -> &mut Held {
        match of {
            Side::Client => &mut self.held_of_client,
            Side::Broker => &mut self.held_of_broker,
        }
    }

    /// Reads `input` and writes what it becomes.
    fn relay(
        &mut self,
        from: Side,
        input: &[u8],
        always_write: bool,
        call: &mut Call<'_>,
        out: &mut Vec<u8>,
    ) -> Relayed {
        let mut splicer = Splicer::new(input, out);
        let walk = match from {
            Side::Client => {
                let walk = self.state.read_client(&mut self.client, input, call);
                self.state.hand_on_publishes(&mut splicer, call);
                walk
            }
            Side::Broker => {
                let walk = self.state.read_broker(&mut self.broker, input, call);
                self.state.hand_on_deliveries(&mut splicer, call);
                walk
            }
        };
        self.state.forget_read();
        if let Some(stop) = walk.stop {
            self.go_raw(from, stop, call);
        }
        splicer.relayed(walk, always_write)
    }

    #[cold]
    fn go_raw(&mut self, from: Side, stop: Stop, call: &Call<'_>) {
        self.raw = true;
        let sessions = &call.tools.counters.sessions_raw;
        let (listener, now) = (&self.shared.listener, call.now);
        match stop {
            Stop::Tls => listener.raw_for_tls(sessions, now),
            Stop::Protocol(error) => listener.raw_for_protocol(sessions, from, &error, now),
        }
    }
}

impl Relay for NatsRelay {
    fn feed(
        &mut self,
        from: Side,
        bytes: &[u8],
        now: u64,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> Fed {
        let mut held = std::mem::take(self.held(from));
        let fed = if self.raw {
            held.pass(bytes, out)
        } else {
            let shared = Arc::clone(&self.shared);
            self.state.routes.refresh(&shared.listener);
            let mut call = Call { shared: &shared, tools, now };
            held.feed(bytes, |input, always_write| {
                self.relay(from, input, always_write, &mut call, out)
            })
        };
        *self.held(from) = held;
        fed
    }

    fn end(&mut self, from: Side, _: u64, _: &mut Tools, out: &mut Vec<u8>) {
        // What was held is the beginning of something that never comes.
        self.held(from).release(out);
    }

    fn close(&mut self, _: u64, tools: &mut Tools) {
        while let Some(waiting) = self.state.awaited.pop() {
            tools.make_room();
            let Tools { counters, settle, .. } = &mut *tools;
            counters.publishes_unanswered.closed.add(1);
            waiting.publish.give_up(settle);
        }
        tools.settle_ended();
    }

    fn is_at_boundary(&self, from: Side) -> bool {
        let (held, payload_left) = match from {
            Side::Client => (&self.held_of_client, self.client.payload_left()),
            Side::Broker => (&self.held_of_broker, self.broker.payload_left()),
        };
        // Where frames end in a session that is not read, nobody knows.
        self.raw || (held.is_empty() && payload_left.is_none())
    }

    fn has_parted(&self) -> bool {
        // The protocol has no goodbye.
        false
    }

    fn farewell(&self, _: Side, _: &mut Vec<u8>) {
        // A server that goes down says nothing of it that every client understands.
    }
}

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
mod session_routes;
mod shared;
mod splice;
mod state;
mod subscriptions;
mod walk;

use std::sync::Arc;

use spanbridge_wire::nats::{BrokerDecoder, ClientDecoder};
use tracing::warn;

use super::{Fed, Relay, Side, Tools};
use splice::Splicer;
use state::{Call, State};
use walk::Stop;

pub use shared::NatsShared;

/// Buffer space that a direction keeps when it holds nothing. Heads are shorter; what is larger is
/// what a read left behind.
const HELD_BYTES_KEPT_MAX: usize = 1024;

/// What has been read of one side and has not gone on.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// With fewer bytes than these there is nothing to be done.
    needed: usize,
}

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

    /// Reads `input` and writes what it becomes. Answers how much of it went on, and whether that
    /// part was written or is to go on as it came.
    fn relay(
        &mut self,
        from: Side,
        input: &[u8],
        always_write: bool,
        call: &mut Call<'_>,
        out: &mut Vec<u8>,
    ) -> (usize, Fed) {
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
        self.held(from).needed = walk.needed;
        if let Some(stop) = walk.stop {
            self.go_raw(from, stop, call);
        }
        if !always_write && !splicer.changed() && walk.done == input.len() {
            return (walk.done, Fed::Unchanged);
        }
        splicer.finish(walk.done);
        (walk.done, if walk.full { Fed::Partly } else { Fed::Rewritten })
    }

    #[cold]
    fn go_raw(&mut self, from: Side, stop: Stop, call: &Call<'_>) {
        self.raw = true;
        let sessions = &call.tools.counters.sessions_raw;
        let may_log = self.shared.may_log(call.now);
        match stop {
            Stop::Tls => {
                sessions.tls.add(1);
                if may_log {
                    warn!("session is relayed unread: client and broker speak TLS with each other");
                }
            }
            Stop::Protocol(error) => {
                sessions.protocol.add(1);
                if may_log {
                    warn!(?from, %error, "session is relayed unread from here on");
                }
            }
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
        let raw = self.raw;
        let Held { bytes: held, needed } = self.held(from);
        if raw {
            if held.is_empty() {
                return Fed::Unchanged;
            }
            out.append(held);
            out.extend_from_slice(bytes);
            return Fed::Rewritten;
        }
        if held.len() + bytes.len() < *needed {
            held.extend_from_slice(bytes);
            return Fed::Rewritten;
        }
        let mut held = std::mem::take(held);
        let shared = Arc::clone(&self.shared);
        self.state.routes.refresh(&shared);
        let mut call = Call { shared: &shared, tools, now };
        if held.is_empty() {
            let (done, fed) = self.relay(from, bytes, false, &mut call, out);
            held.extend_from_slice(&bytes[done..]);
            self.held(from).bytes = held;
            return fed;
        }
        held.extend_from_slice(bytes);
        let (done, fed) = self.relay(from, &held, true, &mut call, out);
        held.drain(..done);
        held.shrink_to(HELD_BYTES_KEPT_MAX);
        self.held(from).bytes = held;
        fed
    }

    fn end(&mut self, from: Side, _: u64, _: &mut Tools, out: &mut Vec<u8>) {
        // What was held is the beginning of something that never comes.
        out.append(&mut self.held(from).bytes);
    }

    fn close(&mut self, _: u64, tools: &mut Tools) {
        while let Some(waiting) = self.state.awaited.pop() {
            tools.make_room();
            let Tools { counters, settle, .. } = &mut *tools;
            counters.publishes_unanswered.closed.add(1);
            awaited::give_up(&waiting, settle);
        }
        tools.settle_ended();
    }

    fn is_at_boundary(&self, from: Side) -> bool {
        let (held, payload_left) = match from {
            Side::Client => (&self.held_of_client, self.client.payload_left()),
            Side::Broker => (&self.held_of_broker, self.broker.payload_left()),
        };
        // Where frames end in a session that is not read, nobody knows.
        self.raw || (held.bytes.is_empty() && payload_left.is_none())
    }
}

//! AMQP 0-9-1 between a client and a broker.
//!
//! ```text
//!                 held          read            mark          ask            splice
//! bytes ──▶ a frame's beginning ──▶ frames ──▶ content  ──▶ component ──▶ longer content headers
//!                                    │        headers           │
//!                                    ├─ acks, confirms, returns ┴─▶ ended spans
//!                                    └─ who is who, channels, consumers ──▶ what is known
//! ```
//!
//! Methods and content headers are held until they are whole, which is at most a frame; bodies
//! stream through. All that changes in a message is its content header.
//!
//! | file | what is in it |
//! |---|---|
//! | `state` | how frames are read, and where they go |
//! | `connection`, `client`, `broker` | what the methods mean |
//! | `deliveries` | messages on their way to a consumer |
//! | `channel`, `publishes`, `consumers` | what a channel has open |
//! | `ending` | the end of many spans at once |
//!
//! Nothing is read of a session that turns out to be TLS, AMQP 1.0 or no AMQP: then both
//! directions go on as they come.

mod asked;
mod attempts;
mod broker;
mod channel;
mod client;
mod connection;
mod consumers;
mod deliveries;
mod ending;
mod limits;
mod message;
mod publishes;
mod room;
mod shared;
mod splice;
mod state;
mod tagged;
mod texts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spanbridge_wire::amqp::{Decoder, ReplyText, connection_forced};
use tracing::warn;

use super::protocol::{Protocol, ProtocolRelay};
use super::session_routes::SessionRoutes;
use super::splicer::Splicer;
use super::walk::Walk;
use super::{Relay, Side};
use state::{Call, Phase, State, Stop};

pub use shared::AmqpShared;

/// What both peers are told when the gateway goes down, in the manner of the broker's own texts.
const GOING_DOWN: &str = "CONNECTION_FORCED - the gateway is going down";

/// The next session's number. Deliveries of all sessions of the process are in one table.
static SESSION: AtomicU64 = AtomicU64::new(0);

/// A session that has just been connected.
pub fn session(shared: Arc<AmqpShared>) -> impl Relay + use<> {
    ProtocolRelay::<Amqp>::new(shared)
}

/// What is known of one session.
#[derive(Debug)]
struct Amqp {
    client: Decoder,
    broker: Decoder,
    state: State,
}

impl Protocol for Amqp {
    type Shared = AmqpShared;
    type Stop = Stop;

    fn new(shared: &AmqpShared) -> Self {
        Self {
            client: Decoder::client(shared.limits),
            broker: Decoder::broker(shared.limits),
            state: State::new(shared, SESSION.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn routes(&mut self) -> &mut SessionRoutes {
        &mut self.state.routes
    }

    fn read(&mut self, from: Side, input: &[u8], call: &mut Call<'_>) -> Walk<Stop> {
        let decoder = match from {
            Side::Client => &mut self.client,
            Side::Broker => &mut self.broker,
        };
        self.state.read(from, decoder, input, call)
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
            Stop::Version => {
                sessions.version.add(1);
                if listener.may_log(now) {
                    warn!(?from, "session is relayed unread: it is another version of AMQP");
                }
            }
            Stop::Protocol(error) => listener.raw_for_protocol(sessions, from, &error, now),
        }
    }

    fn close(&mut self, call: &mut Call<'_>) {
        self.state.end_all(call);
    }

    fn is_between(&self, from: Side) -> bool {
        let payload_left = match from {
            Side::Client => self.client.payload_left(),
            Side::Broker => self.broker.payload_left(),
        };
        payload_left.is_none() && self.state.is_between_messages(from)
    }

    fn has_parted(&self) -> bool {
        // RabbitMQ resets the connection behind its last word.
        self.state.phase == Phase::Closing
    }

    fn farewell(&self, out: &mut Vec<u8>) {
        // Before the client is in, and when the peers say goodbye themselves, it would surprise.
        if self.state.phase == Phase::Open
            && let Some(text) = ReplyText::new(GOING_DOWN)
        {
            connection_forced(text, out);
        }
    }
}

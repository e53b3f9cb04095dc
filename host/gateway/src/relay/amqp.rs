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

use super::held::{Held, Relayed};
use super::splicer::Splicer;
use super::{Fed, Relay, Side, Tools};
use state::{Call, Phase, State, Stop};

pub use shared::AmqpShared;

/// What both peers are told when the gateway goes down, in the manner of the broker's own texts.
const GOING_DOWN: &str = "CONNECTION_FORCED - the gateway is going down";

/// The next session's number. Deliveries of all sessions of the process are in one table.
static SESSION: AtomicU64 = AtomicU64::new(0);

/// One session.
#[derive(Debug)]
pub struct AmqpRelay {
    shared: Arc<AmqpShared>,
    client: Decoder,
    broker: Decoder,
    state: State,
    held_of_client: Held,
    held_of_broker: Held,
    /// Nothing is read any more.
    raw: bool,
}

impl AmqpRelay {
    /// A session that has just been connected.
    pub fn new(shared: Arc<AmqpShared>) -> Self {
        Self {
            client: Decoder::client(shared.limits),
            broker: Decoder::broker(shared.limits),
            state: State::new(&shared, SESSION.fetch_add(1, Ordering::Relaxed)),
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
        let decoder = match from {
            Side::Client => &mut self.client,
            Side::Broker => &mut self.broker,
        };
        let walk = self.state.read(from, decoder, input, call);
        match from {
            Side::Client => self.state.hand_on_publishes(&mut splicer, call),
            Side::Broker => self.state.hand_on_deliveries(&mut splicer, call),
        }
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
            Stop::Version => {
                sessions.version.add(1);
                if listener.may_log(now) {
                    warn!(?from, "session is relayed unread: it is another version of AMQP");
                }
            }
            Stop::Protocol(error) => listener.raw_for_protocol(sessions, from, &error, now),
        }
    }
}

impl Relay for AmqpRelay {
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

    fn close(&mut self, now: u64, tools: &mut Tools) {
        let shared = Arc::clone(&self.shared);
        self.state.end_all(&mut Call { shared: &shared, tools, now });
        tools.settle_ended();
    }

    fn is_at_boundary(&self, from: Side) -> bool {
        let (held, payload_left) = match from {
            Side::Client => (&self.held_of_client, self.client.payload_left()),
            Side::Broker => (&self.held_of_broker, self.broker.payload_left()),
        };
        // Where frames end in a session that is not read, nobody knows.
        self.raw
            || (held.is_empty() && payload_left.is_none() && self.state.is_between_messages(from))
    }

    fn has_parted(&self) -> bool {
        // RabbitMQ resets the connection behind its last word.
        self.state.phase == Phase::Closing
    }

    fn farewell(&self, _: Side, out: &mut Vec<u8>) {
        // Before the client is in, and when the peers say goodbye themselves, it would surprise.
        if !self.raw
            && self.state.phase == Phase::Open
            && let Some(text) = ReplyText::new(GOING_DOWN)
        {
            connection_forced(text, out);
        }
    }
}

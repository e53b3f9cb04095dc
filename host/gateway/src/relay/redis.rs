//! RESP, the protocol of Redis, between a client and a broker.
//!
//! ```text
//!                 held            read                mark        ask            splice
//! bytes ──▶ commands about ──▶ commands, replies ──▶ entries ──▶ component ──▶ entries with other
//!           messages, their       │                                 │           fields
//!           replies               ├─ replies to XADD, XACK ─────────┴─▶ ended spans
//!                                 └─ what each reply will be about
//! ```
//!
//! Replies have no number: the first belongs to the first command that has none. So each command
//! leaves a word on its reply, and most leave the same: nobody looks into it. Such commands and
//! replies stream through. The others are held until they are whole, up to a mebibyte.
//!
//! | file | what is in it |
//! |---|---|
//! | `state` | how both directions are read |
//! | `client`, `replies`, `broker` | which reply belongs to which command |
//! | `subscriber` | what is answered more than once |
//! | `publishes` | entries on their way into a stream |
//! | `reading`, `deliveries`, `entry` | entries on their way to a consumer |
//! | `settling`, `groups` | entries that are done with |
//! | `lists`, `popped`, `unacked` | messages in lists |
//! | `channels` | messages of Pub/Sub |
//! | `topology` | Cluster and Sentinel, which are refused |
//! | `splice` | changing fields and messages |
//!
//! Streams are traced, and lists and channels whose route has an envelope. Nothing is read of a
//! session behind a command that is not answered as commands are (`MONITOR`, `PSYNC`), behind a TLS
//! handshake, or behind bytes that are not the protocol: then both directions go on as they come.

mod broker;
mod channels;
mod client;
mod deliveries;
mod entry;
mod groups;
mod limits;
mod lists;
mod popped;
mod publishes;
mod reading;
mod replies;
mod settling;
mod shared;
mod splice;
mod state;
mod subscriber;
mod topology;
mod unacked;

use std::sync::Arc;

use spanbridge_wire::resp::{CommandDecoder, ReplyDecoder};
use tracing::warn;

use super::held::{Held, Relayed};
use super::splicer::Splicer;
use super::{Fed, Relay, Side, Tools};
use state::{Call, State, Stop};
use topology::Topology;

pub use shared::RedisShared;

/// One session.
#[derive(Debug)]
pub struct RedisRelay {
    shared: Arc<RedisShared>,
    client: CommandDecoder,
    broker: ReplyDecoder,
    state: State,
    held_of_client: Held,
    held_of_broker: Held,
    /// Nothing is read any more.
    raw: bool,
}

impl RedisRelay {
    /// A session that has just been connected.
    pub fn new(shared: Arc<RedisShared>) -> Self {
        Self {
            client: CommandDecoder::new(shared.limits),
            broker: ReplyDecoder::new(shared.limits),
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
        let relayed = splicer.relayed(walk, always_write);
        if let Some(topology) = self.state.refused {
            self.refuse(topology, call, out);
            return Relayed { fed: Fed::Rewritten, ..relayed };
        }
        relayed
    }

    /// The client gets the reason in place of what it was to get.
    #[cold]
    fn refuse(&mut self, topology: Topology, call: &mut Call<'_>, out: &mut Vec<u8>) {
        let sessions = &call.tools.counters.sessions_refused;
        match topology {
            Topology::Cluster => sessions.cluster.add(1),
            Topology::Sentinel => sessions.sentinel.add(1),
        }
        if self.shared.listener.may_log(call.now) {
            let found = topology.name();
            warn!(found, "session is refused: its broker sends clients past the gateway");
        }
        out.extend_from_slice(topology.reply().as_bytes());
        self.state.end_all(call);
    }

    #[cold]
    fn go_raw(&mut self, from: Side, stop: Stop, call: &mut Call<'_>) {
        self.raw = true;
        let sessions = &call.tools.counters.sessions_raw;
        let (listener, now) = (&self.shared.listener, call.now);
        match stop {
            Stop::Tls => listener.raw_for_tls(sessions, now),
            Stop::Mode(name) => {
                sessions.mode.add(1);
                if listener.may_log(now) {
                    let command = name.as_str();
                    warn!(command, "session is relayed unread behind a command of its client");
                }
            }
            Stop::Awaited => {
                sessions.awaited.add(1);
                if listener.may_log(now) {
                    warn!("session is relayed unread: its client awaits too many replies");
                }
            }
            Stop::Protocol(error) => listener.raw_for_protocol(sessions, from, &error, now),
        }
        self.state.end_all(call);
    }
}

impl Relay for RedisRelay {
    fn feed(
        &mut self,
        from: Side,
        bytes: &[u8],
        now: u64,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> Fed {
        if self.state.refused.is_some() {
            return Fed::Rewritten;
        }
        let mut held = std::mem::take(self.held(from));
        let fed = if self.raw {
            held.pass(bytes, out)
        } else {
            let shared = Arc::clone(&self.shared);
            self.state.routes.refresh(&shared.listener);
            self.state.routes.expect_database(self.state.database);
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
        if self.state.refused.is_none() {
            self.held(from).release(out);
        }
    }

    fn close(&mut self, now: u64, tools: &mut Tools) {
        let shared = Arc::clone(&self.shared);
        self.state.end_all(&mut Call { shared: &shared, tools, now });
        tools.settle_ended();
    }

    fn is_at_boundary(&self, from: Side) -> bool {
        // Where commands end in a session that is not read, nobody knows.
        self.raw
            || match from {
                Side::Client => {
                    self.held_of_client.is_empty()
                        && !self.client.is_passing()
                        && self.state.ending.is_none()
                }
                Side::Broker => {
                    self.held_of_broker.is_empty()
                        && !self.broker.is_passing()
                        && self.state.is_answered()
                }
            }
    }

    fn refusal(&self) -> Option<&'static str> {
        self.state.refused.map(Topology::name)
    }

    fn has_parted(&self) -> bool {
        self.state.is_over
    }

    fn farewell(&self, _: Side, _: &mut Vec<u8>) {
        // A server that goes down says nothing of it.
    }
}

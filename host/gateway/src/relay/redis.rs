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
//! | `scripts`, `created`, `jobs`, `job` | jobs of BullMQ |
//! | `topology` | Cluster and Sentinel, which are refused |
//! | `splice` | changing fields and messages |
//!
//! Streams are traced, jobs, and lists and channels whose route has an envelope. Nothing is read of
//! a session behind a command that is not answered as commands are (`MONITOR`, `PSYNC`), behind a
//! TLS handshake, or behind bytes that are not the protocol: then both directions go on as they
//! come.

mod broker;
mod channels;
mod client;
mod created;
mod deliveries;
mod entry;
mod groups;
mod job;
mod jobs;
mod limits;
mod lists;
mod popped;
mod publishes;
mod reading;
mod replies;
mod scripts;
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

use super::protocol::{Protocol, ProtocolRelay};
use super::session_routes::SessionRoutes;
use super::splicer::Splicer;
use super::walk::Walk;
use super::{Relay, Side};
use state::{Call, State, Stop};
use topology::Topology;

pub use shared::RedisShared;

/// A session that has just been connected.
pub fn session(shared: Arc<RedisShared>) -> impl Relay + use<> {
    ProtocolRelay::<Redis>::new(shared)
}

/// What is known of one session.
#[derive(Debug)]
struct Redis {
    client: CommandDecoder,
    broker: ReplyDecoder,
    state: State,
}

impl Protocol for Redis {
    type Shared = RedisShared;
    type Stop = Stop;

    fn new(shared: &RedisShared) -> Self {
        Self {
            client: CommandDecoder::new(shared.limits),
            broker: ReplyDecoder::new(shared.limits),
            state: State::new(shared),
        }
    }

    fn routes(&mut self) -> &mut SessionRoutes {
        &mut self.state.routes
    }

    fn read(&mut self, from: Side, input: &[u8], call: &mut Call<'_>) -> Walk<Stop> {
        self.state.routes.expect_database(self.state.database);
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

    fn close(&mut self, call: &mut Call<'_>) {
        self.state.end_all(call);
    }

    fn is_between(&self, from: Side) -> bool {
        match from {
            Side::Client => !self.client.is_passing() && self.state.ending.is_none(),
            Side::Broker => !self.broker.is_passing() && self.state.is_answered(),
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        self.state.refused.map(Topology::name)
    }

    #[cold]
    fn refuse(&mut self, call: &mut Call<'_>, out: &mut Vec<u8>) {
        let Some(topology) = self.state.refused else { return };
        let sessions = &call.tools.counters.sessions_refused;
        match topology {
            Topology::Cluster => sessions.cluster.add(1),
            Topology::Sentinel => sessions.sentinel.add(1),
        }
        if call.shared.listener.may_log(call.now) {
            let found = topology.name();
            warn!(found, "session is refused: its broker sends clients past the gateway");
        }
        out.extend_from_slice(topology.reply().as_bytes());
        self.state.end_all(call);
    }

    fn has_parted(&self) -> bool {
        self.state.is_over
    }

    fn farewell(&self, _: &mut Vec<u8>) {
        // A server that goes down says nothing of it.
    }
}

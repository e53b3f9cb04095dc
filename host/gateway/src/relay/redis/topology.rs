//! Servers that send their clients to other servers: Redis Cluster and Sentinel.
//!
//! | what says so | |
//! |---|---|
//! | `mode` in the reply to `HELLO` | `cluster` or `sentinel` |
//! | a reply to `CLUSTER SLOTS`, `SHARDS` or `NODES` that is no error | addresses of the nodes |
//! | `-MOVED`, `-ASK` | the address of another node |
//! | a reply to `SENTINEL` that is no error | mostly the address of a primary |
//!
//! A client that follows such an address is past the gateway, and nobody would see why its traces
//! end. So the session ends there, and the client gets the reason in place of the reply. Nothing is
//! asked of a broker for it: who is never told of other servers is not refused.

use spanbridge_wire::resp::{Command, Kind, Name, Tokens};

use super::replies::Awaited;
use super::state::{Call, State};
use crate::config::Cluster;

/// What a broker turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    Cluster,
    Sentinel,
}

impl Topology {
    /// What the client is told.
    pub(super) const fn reply(self) -> &'static str {
        match self {
            Self::Cluster => {
                "-ERR spanbridge: the broker is a node of a Redis Cluster, which sends clients to \
                 other nodes, past this gateway; give each node a listener that it announces and \
                 set cluster = \"announced\", or use a broker outside of a cluster\r\n"
            }
            Self::Sentinel => {
                "-ERR spanbridge: the broker is a Sentinel, which sends clients to other servers, \
                 past this gateway; give each server a listener that it announces and set cluster \
                 = \"announced\", or connect to the primary through this gateway\r\n"
            }
        }
    }

    /// The same in a word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        }
    }

    /// What a server says that it is, in its reply to `HELLO`.
    fn of_hello(mut reply: Tokens<'_>) -> Option<Self> {
        let bytes = reply.bytes();
        for _ in 0..reply.list()? / 2 {
            let name = reply.next()?;
            if name.bulk().is_some_and(|name| name.of(bytes) == b"mode") {
                return match reply.bulk()?.of(bytes) {
                    b"cluster" => Some(Self::Cluster),
                    b"sentinel" => Some(Self::Sentinel),
                    _ => None,
                };
            }
            reply.step_over(1)?;
        }
        None
    }
}

/// What a command asks for, where that is the addresses of other servers.
pub(super) fn asked_for(command: &Command, bytes: &[u8]) -> Option<Topology> {
    match command.name {
        Name::Sentinel => Some(Topology::Sentinel),
        Name::Cluster => {
            let subcommand = command.arguments(bytes).text()?;
            let mut maps = [&b"SLOTS"[..], b"SHARDS", b"NODES"].into_iter();
            maps.any(|it| subcommand.eq_ignore_ascii_case(it)).then_some(Topology::Cluster)
        }
        _ => None,
    }
}

/// Answers whether a reply sends the client to another node.
pub(super) fn is_redirection(reply: &[u8]) -> bool {
    reply.starts_with(b"-MOVED ") || reply.starts_with(b"-ASK ")
}

impl State {
    /// A client asks about the servers there are, or something else of a cluster.
    pub(super) fn ask_topology(&mut self, command: &Command, bytes: &[u8]) {
        self.expect(match asked_for(command, bytes) {
            Some(topology) => Awaited::Topology(topology),
            None => Awaited::Plain(1),
        });
    }

    /// The reply to `HELLO`, or `AUTH`, is there.
    pub(super) fn note_hello(&mut self, reply: Tokens<'_>, call: &Call<'_>) {
        if let Some(topology) = Topology::of_hello(reply) {
            self.refuse(topology, call);
        }
    }

    /// A client has asked for other servers.
    pub(super) fn note_topology(
        &mut self,
        topology: Topology,
        mut reply: Tokens<'_>,
        call: &Call<'_>,
    ) {
        let kind = reply.next().map_or(Kind::Null, |token| token.kind);
        if !kind.is_error() {
            self.refuse(topology, call);
        }
    }

    /// From this reply on, nothing goes on.
    pub(super) fn refuse(&mut self, topology: Topology, call: &Call<'_>) {
        if call.shared.cluster == Cluster::Refuse {
            self.refused.get_or_insert(topology);
        }
    }
}

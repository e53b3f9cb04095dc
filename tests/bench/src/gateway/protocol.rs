//! What a load speaks, and with whom: all that differs between protocols.

use std::net::TcpStream;

use spanbridge_tests::RabbitMq;

use crate::programs::{self, Program};
use crate::target::Target;
use crate::{amqp, nats, redis, redis_lists};

/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 256;
/// Its first bytes are the time at which it was sent, in hexadecimal: text, for formats of text.
pub(crate) const STAMP_BYTES: usize = 16;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Nats,
    Amqp,
    /// Streams of Redis.
    Redis,
    /// Lists of Redis, in kombu's envelope.
    RedisLists,
}

/// Whether a load brings its own context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Injected,
}

/// One session's message.
pub(crate) struct Template {
    bytes: Vec<u8>,
    stamp_at: usize,
    /// The command that acknowledges an entry, up to its id.
    acknowledge: Vec<u8>,
    /// The command that asks for more.
    next: Vec<u8>,
}

/// What a broker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// `header` is the length of the headers, 0 without any; `tag` is what it is acknowledged by.
    Message {
        stamp: u64,
        header: usize,
        tag: u64,
    },
    Ping,
    /// The end of an answer to a read: the next one may be asked for.
    End,
    Other,
}

/// A broker of a load, which does not outlive it.
pub(crate) enum Broker {
    Nats(Program),
    RabbitMq(Box<RabbitMq>),
    Redis(Program),
}

/// The time that a payload begins with.
pub(crate) fn stamp(payload: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(payload.get(..STAMP_BYTES)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

impl Template {
    /// A message whose payload begins at the end of `head`, and is followed by `tail`.
    pub(crate) fn new(head: Vec<u8>, tail: &[u8]) -> Self {
        let (stamp_at, mut bytes) = (head.len(), head);
        bytes.resize(stamp_at + PAYLOAD_BYTES, b'x');
        bytes.extend_from_slice(tail);
        Self { bytes, stamp_at, acknowledge: Vec::new(), next: Vec::new() }
    }

    /// The same, of a session that says these things to what it gets.
    pub(crate) fn answered_by(self, acknowledge: Vec<u8>, next: Vec<u8>) -> Self {
        Self { acknowledge, next, ..self }
    }

    /// Appends the message, as sent at `stamp`.
    pub(crate) fn write(&self, stamp: u64, out: &mut Vec<u8>) {
        let start = out.len() + self.stamp_at;
        out.extend_from_slice(&self.bytes);
        for (place, byte) in (0_u32..).zip(&mut out[start..start + STAMP_BYTES]) {
            *byte = DIGITS[(stamp.rotate_left(4 * (place + 1)) & 15) as usize];
        }
    }
}

impl Protocol {
    pub(crate) const ALL: [Self; 4] = [Self::Nats, Self::Amqp, Self::Redis, Self::RedisLists];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Amqp => "amqp",
            Self::Redis => "redis",
            Self::RedisLists => "redis-lists",
        }
    }

    /// The scheme of its addresses.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Nats | Self::Amqp | Self::Redis => self.name(),
            Self::RedisLists => "redis",
        }
    }

    /// What the gateway's configuration has to say of its messages.
    pub(crate) fn routes(self) -> &'static str {
        if self == Self::RedisLists { redis_lists::ROUTE } else { "" }
    }

    /// What it is sent through.
    pub(crate) fn targets(self) -> &'static [Target] {
        // nutcracker speaks the protocol of Redis, but knows nothing of streams.
        if self == Self::RedisLists { &Target::ALL } else { &Target::TRANSPARENT }
    }

    /// Where the raw numbers go, among the results.
    pub(crate) fn results(self) -> &'static str {
        match self {
            Self::Nats => "gateway.jsonl",
            Self::Amqp => "gateway-amqp.jsonl",
            Self::Redis => "gateway-redis.jsonl",
            Self::RedisLists => "gateway-redis-lists.jsonl",
        }
    }

    /// Messages a second: about half of what two cores carry one message a wake.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Nats => 10_000,
            Self::Amqp => 4_000,
            Self::Redis | Self::RedisLists => 5_000,
        }
    }

    /// Numbers of sessions that the cost of a message is measured over. RabbitMQ keeps three
    /// processes of its own for each, which is what more of them would measure.
    pub(crate) fn sessions(self) -> &'static [usize] {
        match self {
            Self::Nats => &[1, 10, 100, 1000, 5000],
            Self::Amqp => &[1, 10, 100, 1000],
            Self::Redis => &[2, 10, 100, 1000, 5000],
            // Of one protocol that is enough.
            Self::RedisLists => &[],
        }
    }

    /// How many sessions, and how many messages of each publisher on their way, when as many as
    /// possible are asked for. Over Redis that is the depth of its clients' pipelines.
    pub(crate) fn saturated(self) -> &'static [(usize, usize)] {
        match self {
            Self::Nats | Self::Amqp => &[(4, 64)],
            Self::Redis => &[(40, 1), (40, 16), (40, 64)],
            Self::RedisLists => &[(20, 1), (20, 16), (20, 64)],
        }
    }

    /// Whether what a session publishes is read by another one.
    pub(crate) fn reads_apart(self) -> bool {
        self == Self::Redis
    }

    pub(crate) fn broker(self) -> anyhow::Result<Broker> {
        Ok(match self {
            Self::Nats => Broker::Nats(programs::nats_server()?),
            Self::Amqp => Broker::RabbitMq(Box::new(programs::rabbitmq()?)),
            Self::Redis | Self::RedisLists => Broker::Redis(programs::redis_server()?),
        })
    }

    pub(crate) fn template(self, session: usize, form: Form) -> Template {
        match self {
            Self::Nats => nats::template(session, form),
            Self::Amqp => amqp::template(session, form),
            Self::Redis => redis::template(session, form),
            Self::RedisLists => redis_lists::template(session, form),
        }
    }

    /// Introduces a session, and subscribes unless another one reads; the broker has done so when
    /// this answers.
    pub(crate) fn greet(self, stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
        match self {
            Self::Nats => nats::greet(stream, session),
            Self::Amqp => amqp::greet(stream, session),
            Self::Redis => redis::greet(stream, session),
            Self::RedisLists => redis_lists::greet(stream, session),
        }
    }

    /// Reads whole messages, and answers how many bytes they had.
    pub(crate) fn read(self, bytes: &[u8], visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
        match self {
            Self::Nats => nats::read(bytes, visit),
            Self::Amqp => amqp::read(bytes, visit),
            Self::Redis => redis::read(bytes, visit),
            Self::RedisLists => redis_lists::read(bytes, visit),
        }
    }

    /// Whether a client says something to that.
    pub(crate) fn is_answered(self, incoming: Incoming) -> bool {
        match incoming {
            Incoming::Ping | Incoming::End => true,
            Incoming::Message { .. } => matches!(self, Self::Amqp | Self::Redis),
            Incoming::Other => false,
        }
    }

    /// Appends what a client says to that, if anything.
    pub(crate) fn answer(self, to: &Template, incoming: Incoming, out: &mut Vec<u8>) {
        match (self, incoming) {
            (Self::Nats, Incoming::Ping) => out.extend_from_slice(b"PONG\r\n"),
            (Self::Amqp, Incoming::Message { tag, .. }) => amqp::ack(tag, out),
            (Self::Redis, Incoming::Message { tag, .. }) => {
                out.extend_from_slice(&to.acknowledge);
                redis::write_id(tag, out);
            }
            (Self::Redis, Incoming::End) => out.extend_from_slice(&to.next),
            _ => {}
        }
    }
}

impl Broker {
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Nats(program) | Self::Redis(program) => program.address,
            Self::RabbitMq(server) => server.address(),
        }
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Nats(program) | Self::Redis(program) => Ok(program.pid()),
            Self::RabbitMq(server) => server.pid(),
        }
    }
}

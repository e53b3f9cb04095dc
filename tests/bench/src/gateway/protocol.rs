//! What a load speaks, and with whom: the three things that differ between protocols.

use std::net::TcpStream;

use spanbridge_tests::RabbitMq;

use crate::programs::{self, Program};
use crate::{amqp, nats};

/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 256;
/// Its first bytes are the time at which it was sent.
pub(crate) const STAMP_BYTES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Nats,
    Amqp,
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
    Other,
}

/// A broker of a load, which does not outlive it.
pub(crate) enum Broker {
    Nats(Program),
    RabbitMq(Box<RabbitMq>),
}

impl Template {
    /// A message whose payload begins at the end of `head`, and is followed by `tail`.
    pub(crate) fn new(head: Vec<u8>, tail: &[u8]) -> Self {
        let (stamp_at, mut bytes) = (head.len(), head);
        bytes.resize(stamp_at + PAYLOAD_BYTES, b'x');
        bytes.extend_from_slice(tail);
        Self { bytes, stamp_at }
    }

    /// Appends the message, as sent at `stamp`.
    pub(crate) fn write(&self, stamp: u64, out: &mut Vec<u8>) {
        let start = out.len() + self.stamp_at;
        out.extend_from_slice(&self.bytes);
        out[start..start + STAMP_BYTES].copy_from_slice(&stamp.to_le_bytes());
    }
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Nats, Self::Amqp];

    /// Its name, which is the scheme of its addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Amqp => "amqp",
        }
    }

    /// Where the raw numbers go, among the results.
    pub(crate) fn results(self) -> &'static str {
        match self {
            Self::Nats => "gateway.jsonl",
            Self::Amqp => "gateway-amqp.jsonl",
        }
    }

    /// Messages a second: about half of what two cores carry one message a wake.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Nats => 10_000,
            Self::Amqp => 4_000,
        }
    }

    /// Numbers of sessions that the cost of a message is measured over. RabbitMQ keeps three
    /// processes of its own for each, which is what more of them would measure.
    pub(crate) fn sessions(self) -> &'static [usize] {
        match self {
            Self::Nats => &[1, 10, 100, 1000, 5000],
            Self::Amqp => &[1, 10, 100, 1000],
        }
    }

    pub(crate) fn broker(self) -> anyhow::Result<Broker> {
        Ok(match self {
            Self::Nats => Broker::Nats(programs::nats_server()?),
            Self::Amqp => Broker::RabbitMq(Box::new(programs::rabbitmq()?)),
        })
    }

    pub(crate) fn template(self, session: usize, form: Form) -> Template {
        match self {
            Self::Nats => nats::template(session, form),
            Self::Amqp => amqp::template(session, form),
        }
    }

    /// Introduces a session, and subscribes; the broker has done so when this answers.
    pub(crate) fn greet(self, stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
        match self {
            Self::Nats => nats::greet(stream, session),
            Self::Amqp => amqp::greet(stream, session),
        }
    }

    /// Reads whole messages, and answers how many bytes they had.
    pub(crate) fn read(self, bytes: &[u8], visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
        match self {
            Self::Nats => nats::read(bytes, visit),
            Self::Amqp => amqp::read(bytes, visit),
        }
    }

    /// Whether a client says something to that.
    pub(crate) fn is_answered(self, incoming: Incoming) -> bool {
        match incoming {
            Incoming::Ping => true,
            Incoming::Message { .. } => self == Self::Amqp,
            Incoming::Other => false,
        }
    }

    /// Appends what a client says to that, if anything.
    pub(crate) fn answer(self, incoming: Incoming, out: &mut Vec<u8>) {
        match (self, incoming) {
            (Self::Nats, Incoming::Ping) => out.extend_from_slice(b"PONG\r\n"),
            (Self::Amqp, Incoming::Message { tag, .. }) => amqp::ack(tag, out),
            _ => {}
        }
    }
}

impl Broker {
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Nats(program) => program.address,
            Self::RabbitMq(server) => server.address(),
        }
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Nats(program) => Ok(program.pid()),
            Self::RabbitMq(server) => server.pid(),
        }
    }
}

//! AMQP 0-9-1, as RabbitMQ speaks it.
//!
//! ```text
//! client                                                            broker
//!   │   "AMQP" 0 0 9 1 ──────────────────────────────────────────────▶ │
//!   │ ◀──────────────────────────────────────── connection.start       │
//!   │   connection.start-ok, tune-ok, open, channel.open, … ─────────▶ │
//!   │   basic.publish │ content header │ body │ body ────────────────▶ │
//!   │ ◀─────────────── basic.deliver │ content header │ body           │
//!   │   basic.ack ───────────────────────────────────────────────────▶ │
//!
//! a frame   ┌──────┬─────────┬──────┬─────────┬──────┐
//!           │ type │ channel │ size │ payload │ 0xce │     type 1 method, 2 content header,
//!           └──────┴─────────┴──────┴─────────┴──────┘          3 body, 8 heartbeat
//!              1        2        4      size      1
//! ```
//!
//! [`Decoder`] finds the frames of either direction: what one side may send differs from what
//! the other may, but not in how it is read. [`Method`] says where the arguments are that an
//! intermediary needs, [`Properties`] and [`Table`] read what describes a message, [`Rewrite`]
//! changes the headers of one. [`ServerProperties`], [`ClientProperties`] and [`BrokerMarks`]
//! know which names RabbitMQ and its clients use in tables.
//!
//! Which frames of a channel belong together is the caller's to remember: behind a method that
//! [carries content](Method::carries_content) come a content header and, unless its body is
//! empty, body frames of the same channel, with frames of other channels between them.
//!
//! Not read here: AMQP 1.0, what follows a TLS handshake, and AMQP 0-8 and 0-9. They fail at
//! their first bytes. Passwords are stepped over.
//!
//! See <https://www.rabbitmq.com/resources/specs/amqp0-9-1.extended.xml> and, for the types in
//! tables, <https://www.rabbitmq.com/amqp-0-9-1-errata>. Where they are silent or disagree with
//! RabbitMQ, its `rabbit_reader` and `rabbit_binary_parser` decide.

mod close;
mod content;
mod deaths;
mod decode;
pub mod destination;
mod error;
mod handshake;
mod marks;
mod method;
mod properties;
mod reader;
mod rewrite;
mod table;
mod value;

pub use close::{CONNECTION_CLOSE_OK, ReplyText, connection_forced};
pub use content::ContentHeader;
pub use deaths::{Death, Deaths};
pub use decode::{Decoder, Frame, FrameKind, Payload};
pub use error::Error;
pub use handshake::{ClientProperties, ServerProperties};
pub use marks::BrokerMarks;
pub use method::{
    Acknowledge, Close, Consume, Deliver, ExchangeDeclare, Get, GetOk, Method, Publish, Qos,
    QueueDeclare, QueueDeclareOk, Return, Start, StartOk, Tune,
};
pub use properties::Properties;
pub use rewrite::{HeaderEdit, Refusal, Rewrite};
pub use table::{Entry, Table, TableIter};
pub use value::{Array, ArrayIter, Value};

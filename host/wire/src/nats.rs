//! The NATS client protocol.
//!
//! ```text
//! client                                              broker
//!   │ ◀─────────────────────────────────── INFO {…} ↵   │
//!   │   CONNECT {…} ↵ ────────────────────────────────▶ │
//!   │   SUB subject [queue-group] sid ↵ ──────────────▶ │
//!   │   PUB subject [reply] n ↵ payload ↵ ────────────▶ │
//!   │   HPUB subject [reply] h n ↵ header payload ↵ ──▶ │
//!   │ ◀──────── MSG subject sid [reply] n ↵ payload ↵   │
//!   │ ◀── HMSG subject sid [reply] h n ↵ header payload ↵
//!   │ ◀──────────── PING ↵, PONG ↵ ──────────────────▶  │
//! ```
//!
//! [`ClientDecoder`] and [`BrokerDecoder`] find the frames of the two directions, [`Headers`]
//! reads a header block, [`Rewrite`] changes one. [`jetstream`] knows how JetStream spells things
//! in subjects and payloads; it knows no streams.
//!
//! Not read here: the protocol between servers (routes, gateways, leaf nodes), WebSocket and MQTT
//! connections, and what follows a TLS handshake. They fail as unknown operations at their first
//! bytes.
//!
//! See <https://docs.nats.io/reference/reference-protocols/nats-protocol> and, for header
//! blocks, <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-4.md>.
//! Where they are silent, nats-server's parser decides.

mod arguments;
mod broker;
mod client;
mod control;
mod decode;
mod error;
mod handshake;
mod headers;
mod info_edit;
pub mod jetstream;
mod message;
mod operation;
mod rewrite;
mod subject;

pub use broker::{BrokerDecoder, BrokerFrame};
pub use client::{ClientDecoder, ClientFrame};
pub use control::{Delivery, Subscribe, Unsubscribe};
pub use decode::Payload;
pub use error::Error;
pub use handshake::{Connect, Info};
pub use headers::{Header, HeaderIter, Headers, Status};
pub use info_edit::{TlsPatches, TlsSaid};
pub use message::Message;
pub use rewrite::{HeaderEdit, Refusal, Rewrite};
pub use subject::ControlSubject;

//! The integration harness: real programs, started and stopped by a test.
//!
//! ```text
//!  client programs ──▶ [Recorder] ──▶ Gateway ──▶ [Recorder] ──▶ NatsServer
//!  (nats-py, pika, redis-py,              │                          RabbitMq
//!   RawNats, RawAmqp, …)                 │                          or RedisServer
//!                                        └─ OTLP ──▶ Receiver ──▶ Tap ──▶ Span
//! ```
//!
//! Everything runs as a child process on a loopback port of its own and is killed by its own
//! process id when its owner is dropped. Readiness is a connection that is answered, never a
//! sleep. What a child said is printed when it is dropped; the test runner shows it only when the
//! test fails.
//!
//! The harness knows no tracing: it links no crate of this workspace, so that what it believes
//! about bytes and spans comes from other people's code.
//!
//! A missing tool makes a test print `SKIPPED: …` and pass, except where `CI=true`: there it
//! fails.

pub mod amqp_bed;
pub mod authority;
pub mod bed;
pub mod broker;
pub mod client;
pub mod counter;
pub mod gateway;
pub mod http;
pub mod nats_events;
pub mod nats_server;
pub mod peer;
pub mod plugin_bed;
pub mod port;
pub mod process;
pub mod program;
pub mod properties;
pub mod rabbitmq;
pub mod raw;
pub mod raw_amqp;
pub mod receiver;
pub mod recorder;
pub mod redis_bed;
pub mod redis_client;
pub mod redis_module;
pub mod redis_server;
pub mod span;
pub mod tool;
pub mod wait;

pub use amqp_bed::AmqpBed;
pub use authority::Authority;
pub use bed::Bed;
pub use broker::{Broker, Release};
pub use client::Client;
pub use counter::{Counted, Counter};
pub use gateway::{Exit, Gateway};
pub use nats_events::NatsEvents;
pub use nats_server::{Flavour, NatsServer};
pub use peer::Peer;
pub use plugin_bed::PluginBed;
pub use program::Program;
pub use properties::Properties;
pub use rabbitmq::RabbitMq;
pub use raw::RawNats;
pub use raw_amqp::{Frame, RawAmqp};
pub use receiver::{Fault, Receiver, Tap};
pub use recorder::Recorder;
pub use redis_bed::RedisBed;
pub use redis_client::{RedisClient, Reply};
pub use redis_module::{RedisModule, Setup};
pub use redis_server::{Make, RedisServer};
pub use span::{Kind, Span};
pub use wait::{BOUND, eventually};

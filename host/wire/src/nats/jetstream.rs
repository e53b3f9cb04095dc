//! How JetStream spells things: acknowledgements, pulls, consumers and publish answers.
//!
//! All of it is syntax in ordinary subjects and payloads. No state of a stream is kept here, and
//! nothing is guessed: what is not spelled exactly so is `None`.
//!
//! See <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md>.

mod ack;
mod consumer;
mod publish;

pub use ack::{Ack, AckSubject};
pub use consumer::{AckPolicy, ConsumerAnswer, ConsumerRequest};
pub use publish::{PublishAnswer, PullSubject};

//! Every name of the semantic conventions that we emit, one pinned version: v1.44.0.
//!
//! <https://opentelemetry.io/docs/specs/semconv/messaging/>. Messaging is at status Development;
//! the conventions have no page for NATS or for Redis as a message broker, so `messaging.nats.*`
//! and everything `spanbridge.*` are ours.
#![allow(missing_docs, reason = "each static is the name that it holds")]

use crate::attributes::Key;

/// An operation on messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// The first word of a span's name, and the space behind it where a destination follows.
    pub spaced: &'static str,
    /// `messaging.operation.type`.
    pub kind: &'static str,
    /// `messaging.operation` of before v1.25.
    pub old: &'static str,
}

impl Operation {
    /// `messaging.operation.name`.
    pub(crate) fn name(&self) -> &'static str {
        self.spaced.trim_end()
    }
}

pub(crate) const PUBLISH: Operation =
    Operation { spaced: "publish ", kind: "send", old: "publish" };
pub(crate) const RECEIVE: Operation =
    Operation { spaced: "receive ", kind: "receive", old: "receive" };
pub(crate) const PROCESS: Operation =
    Operation { spaced: "process ", kind: "process", old: "process" };

pub(crate) static SYSTEM: Key = Key::new("messaging.system");
pub(crate) static OPERATION_NAME: Key = Key::new("messaging.operation.name");
pub(crate) static OPERATION_TYPE: Key = Key::new("messaging.operation.type");
pub(crate) static DESTINATION_NAME: Key = Key::new("messaging.destination.name");
pub(crate) static DESTINATION_TEMPLATE: Key = Key::new("messaging.destination.template");
pub(crate) static DESTINATION_TEMPORARY: Key = Key::new("messaging.destination.temporary");
pub(crate) static DESTINATION_ANONYMOUS: Key = Key::new("messaging.destination.anonymous");
pub(crate) static PARTITION_ID: Key = Key::new("messaging.destination.partition.id");
pub(crate) static SUBSCRIPTION_NAME: Key = Key::new("messaging.destination.subscription.name");
pub(crate) static CONSUMER_GROUP: Key = Key::new("messaging.consumer.group.name");
pub(crate) static CLIENT_ID: Key = Key::new("messaging.client.id");
pub(crate) static MESSAGE_ID: Key = Key::new("messaging.message.id");
pub(crate) static CONVERSATION_ID: Key = Key::new("messaging.message.conversation_id");
pub(crate) static BODY_SIZE: Key = Key::new("messaging.message.body.size");
pub(crate) static ROUTING_KEY: Key = Key::new("messaging.rabbitmq.destination.routing_key");
pub(crate) static DELIVERY_TAG: Key = Key::new("messaging.rabbitmq.message.delivery_tag");
pub(crate) static SERVER_ADDRESS: Key = Key::new("server.address");
pub(crate) static SERVER_PORT: Key = Key::new("server.port");
pub(crate) static NETWORK_PEER_ADDRESS: Key = Key::new("network.peer.address");
pub(crate) static NETWORK_PEER_PORT: Key = Key::new("network.peer.port");
pub(crate) static ERROR_TYPE: Key = Key::new("error.type");

// Not in the conventions.
pub(crate) static NATS_STREAM: Key = Key::new("messaging.nats.stream");
pub(crate) static NATS_SEQUENCE: Key = Key::new("messaging.nats.sequence");
pub(crate) static JOB_NAME: Key = Key::new("spanbridge.job.name");
/// Seconds between publish and delivery, a double.
pub(crate) static QUEUE_WAIT: Key = Key::new("spanbridge.queue_wait");
/// Where the publish time comes from: `broker` or `producer`.
pub(crate) static QUEUE_WAIT_SOURCE: Key = Key::new("spanbridge.queue_wait.source");
/// The publish time lies after the delivery; the wait is shown as zero.
pub(crate) static CLOCK_SKEW: Key = Key::new("spanbridge.clock_skew");
/// `unseen`: nothing on the wire tells when the work began or ended.
pub(crate) static EXECUTION: Key = Key::new("spanbridge.execution");
/// How many messages of this consumer were unsettled when this one was delivered.
pub(crate) static PREFETCHED: Key = Key::new("spanbridge.prefetched");
/// Which attempt at the message this is, as the broker counts.
pub(crate) static ATTEMPT: Key = Key::new("spanbridge.attempt");
/// The broker says that it may have delivered the message before.
pub(crate) static REDELIVERED: Key = Key::new("spanbridge.redelivered");
/// How the span ended: a case of the contract's `outcome`.
pub(crate) static OUTCOME: Key = Key::new("spanbridge.outcome");
/// Seconds until the message comes again, a double.
pub(crate) static REDELIVERY_DELAY: Key = Key::new("spanbridge.redelivery_delay");
/// The span's start is an estimate.
pub(crate) static START_ESTIMATED: Key = Key::new("spanbridge.start_estimated");

/// Names of before v1.25, emitted as well under `messaging/dup`.
pub(crate) mod old {
    use crate::attributes::Key;

    pub(crate) static OPERATION: Key = Key::new("messaging.operation");
    pub(crate) static DESTINATION: Key = Key::new("messaging.destination");
    pub(crate) static CLIENT_ID: Key = Key::new("messaging.client_id");
    pub(crate) static MESSAGE_ID: Key = Key::new("messaging.message_id");
    pub(crate) static CONVERSATION_ID: Key = Key::new("messaging.conversation_id");
    pub(crate) static ROUTING_KEY: Key = Key::new("messaging.rabbitmq.routing_key");
    pub(crate) static BODY_SIZE: Key = Key::new("messaging.message_payload_size_bytes");
}

//! Every name of the semantic conventions that we emit, one pinned version: v1.44.0.
//!
//! <https://opentelemetry.io/docs/specs/semconv/messaging/>. Messaging is at status Development;
//! the conventions have no page for NATS or for Redis as a message broker, so `messaging.nats.*`
//! and everything `spanbridge.*` are ours.
#![allow(missing_docs, reason = "each constant is the name that it holds")]

/// The first span name word and `messaging.operation.name`, then `messaging.operation.type`.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub name: &'static str,
    pub kind: &'static str,
    /// `messaging.operation` of before v1.25.
    pub old: &'static str,
}

pub const PUBLISH: Operation = Operation { name: "publish", kind: "send", old: "publish" };
pub const RECEIVE: Operation = Operation { name: "receive", kind: "receive", old: "receive" };
pub const PROCESS: Operation = Operation { name: "process", kind: "process", old: "process" };

pub const SYSTEM: &str = "messaging.system";
pub const OPERATION_NAME: &str = "messaging.operation.name";
pub const OPERATION_TYPE: &str = "messaging.operation.type";
pub const DESTINATION_NAME: &str = "messaging.destination.name";
pub const DESTINATION_TEMPLATE: &str = "messaging.destination.template";
pub const DESTINATION_TEMPORARY: &str = "messaging.destination.temporary";
pub const DESTINATION_ANONYMOUS: &str = "messaging.destination.anonymous";
pub const PARTITION_ID: &str = "messaging.destination.partition.id";
pub const SUBSCRIPTION_NAME: &str = "messaging.destination.subscription.name";
pub const CONSUMER_GROUP: &str = "messaging.consumer.group.name";
pub const CLIENT_ID: &str = "messaging.client.id";
pub const MESSAGE_ID: &str = "messaging.message.id";
pub const CONVERSATION_ID: &str = "messaging.message.conversation_id";
pub const BODY_SIZE: &str = "messaging.message.body.size";
pub const ROUTING_KEY: &str = "messaging.rabbitmq.destination.routing_key";
pub const DELIVERY_TAG: &str = "messaging.rabbitmq.message.delivery_tag";
pub const SERVER_ADDRESS: &str = "server.address";
pub const SERVER_PORT: &str = "server.port";
pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub const NETWORK_PEER_PORT: &str = "network.peer.port";
pub const ERROR_TYPE: &str = "error.type";

// Not in the conventions.
pub const NATS_STREAM: &str = "messaging.nats.stream";
pub const NATS_SEQUENCE: &str = "messaging.nats.sequence";
pub const JOB_NAME: &str = "spanbridge.job.name";
/// Seconds between publish and delivery, a double.
pub const QUEUE_WAIT: &str = "spanbridge.queue_wait";
/// Where the publish time comes from: `broker` or `producer`.
pub const QUEUE_WAIT_SOURCE: &str = "spanbridge.queue_wait.source";
/// The publish time lies after the delivery; the wait is shown as zero.
pub const CLOCK_SKEW: &str = "spanbridge.clock_skew";
/// `unseen`: nothing on the wire tells when the work began or ended.
pub const EXECUTION: &str = "spanbridge.execution";
/// How many messages of this consumer were unsettled when this one was delivered.
pub const PREFETCHED: &str = "spanbridge.prefetched";
/// Which attempt at the message this is, as the broker counts.
pub const ATTEMPT: &str = "spanbridge.attempt";
/// How the span ended: a case of the contract's `outcome`.
pub const OUTCOME: &str = "spanbridge.outcome";
/// Seconds until the message comes again, a double.
pub const REDELIVERY_DELAY: &str = "spanbridge.redelivery_delay";
/// The span's start is an estimate.
pub const START_ESTIMATED: &str = "spanbridge.start_estimated";

/// Names of before v1.25, emitted as well under `messaging/dup`.
pub mod old {
    pub const OPERATION: &str = "messaging.operation";
    pub const DESTINATION: &str = "messaging.destination";
    pub const CLIENT_ID: &str = "messaging.client_id";
    pub const MESSAGE_ID: &str = "messaging.message_id";
    pub const CONVERSATION_ID: &str = "messaging.conversation_id";
    pub const ROUTING_KEY: &str = "messaging.rabbitmq.routing_key";
    pub const BODY_SIZE: &str = "messaging.message_payload_size_bytes";
}

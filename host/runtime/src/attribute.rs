//! The attributes a host can hand in with a message, as `wit/messaging.wit` numbers them.

/// What an attribute is. Names are those of v1.44.0 of the semantic conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Attribute {
    /// `messaging.client.id`
    ClientId,
    /// `messaging.message.conversation_id`
    ConversationId,
    /// `messaging.destination.partition.id`
    PartitionId,
    /// `messaging.consumer.group.name`, of this message rather than the route
    ConsumerGroup,
    /// `messaging.destination.subscription.name`
    SubscriptionName,
    /// `messaging.rabbitmq.destination.routing_key`
    RoutingKey,
    /// `messaging.rabbitmq.message.delivery_tag`
    DeliveryTag,
    /// `messaging.nats.stream` (not in the conventions)
    NatsStream,
    /// `messaging.nats.sequence` (not in the conventions)
    NatsSequence,
    /// `spanbridge.job.name`: what a job queue calls the work
    JobName,
    /// `network.peer.address`
    NetworkPeerAddress,
    /// `network.peer.port`
    NetworkPeerPort,
    /// `messaging.destination.template`, of this message; not looked at where the route has one
    DestinationTemplate,
}

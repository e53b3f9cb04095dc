//! Arguments of class `basic`: publishing, delivering, settling.

use super::{Arguments, Missing};
use crate::Extent;

/// `basic.qos`: how many deliveries may be unsettled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos {
    /// That number; 0 is no limit.
    pub prefetch_count: u16,
    /// RabbitMQ's meaning: false, each new consumer of the channel for itself; true, all consumers
    /// of the channel together.
    pub global: bool,
}

/// `basic.consume`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consume {
    /// The queue. Empty: the last one that the channel declared.
    pub queue: Extent,
    /// The consumer. Empty: the broker makes up a name.
    pub consumer_tag: Extent,
    /// Deliveries count as settled when they are sent.
    pub no_ack: bool,
    /// Nobody else may consume from the queue.
    pub exclusive: bool,
    /// No answer is wanted.
    pub no_wait: bool,
    /// Its arguments, for [`Table::new`](crate::amqp::Table::new).
    pub arguments: Extent,
}

/// `basic.publish`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The exchange. Empty: the default one, where the routing key is a queue's name.
    pub exchange: Extent,
    /// The routing key.
    pub routing_key: Extent,
    /// The message comes back if no queue takes it.
    pub mandatory: bool,
    /// The message comes back if no consumer takes it now. RabbitMQ closes such a connection.
    pub immediate: bool,
}

/// `basic.return`: a message that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// Why: 312 is "no route".
    pub reply_code: u16,
    /// Why, in words.
    pub reply_text: Extent,
    /// The exchange that it was published to.
    pub exchange: Extent,
    /// The routing key that it was published with.
    pub routing_key: Extent,
}

/// `basic.deliver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// The consumer.
    pub consumer_tag: Extent,
    /// The number by which the channel settles it.
    pub delivery_tag: u64,
    /// It has been delivered before, to somebody.
    pub redelivered: bool,
    /// The exchange that it was published to.
    pub exchange: Extent,
    /// The routing key that it was published with.
    pub routing_key: Extent,
}

/// `basic.get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get {
    /// The queue. Empty: the last one that the channel declared.
    pub queue: Extent,
    /// The message counts as settled when it is sent.
    pub no_ack: bool,
}

/// `basic.get-ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetOk {
    /// The number by which the channel settles it.
    pub delivery_tag: u64,
    /// It has been delivered before, to somebody.
    pub redelivered: bool,
    /// The exchange that it was published to.
    pub exchange: Extent,
    /// The routing key that it was published with.
    pub routing_key: Extent,
    /// How many messages are left in the queue.
    pub message_count: u32,
}

/// `basic.ack`, `basic.nack` or `basic.reject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledge {
    /// The delivery, or, from a broker, the place of the publish in the channel, counted from 1.
    pub delivery_tag: u64,
    /// All up to this one; with the tag 0, all there are. Never for a reject.
    pub multiple: bool,
    /// It goes back into its queue. Never for an ack, and without meaning from a broker.
    pub requeue: bool,
}

impl Qos {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u32("prefetch-size")?;
        let prefetch_count = arguments.u16("prefetch-count")?;
        Ok(Self { prefetch_count, global: arguments.bit("global")? })
    }
}

impl Consume {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u16("reserved-1")?;
        let queue = arguments.short("queue")?;
        let consumer_tag = arguments.short("consumer-tag")?;
        let bits = arguments.u8("no-local")?;
        Ok(Self {
            queue,
            consumer_tag,
            no_ack: bits & 0b10 != 0,
            exclusive: bits & 0b100 != 0,
            no_wait: bits & 0b1000 != 0,
            arguments: arguments.long("arguments")?,
        })
    }
}

impl Publish {
    #[inline(always)]
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u16("reserved-1")?;
        let exchange = arguments.short("exchange")?;
        let routing_key = arguments.short("routing-key")?;
        let bits = arguments.u8("mandatory")?;
        Ok(Self { exchange, routing_key, mandatory: bits & 1 != 0, immediate: bits & 0b10 != 0 })
    }
}

impl Return {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            reply_code: arguments.u16("reply-code")?,
            reply_text: arguments.short("reply-text")?,
            exchange: arguments.short("exchange")?,
            routing_key: arguments.short("routing-key")?,
        })
    }
}

impl Deliver {
    #[inline(always)]
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            consumer_tag: arguments.short("consumer-tag")?,
            delivery_tag: arguments.u64("delivery-tag")?,
            redelivered: arguments.bit("redelivered")?,
            exchange: arguments.short("exchange")?,
            routing_key: arguments.short("routing-key")?,
        })
    }
}

impl Get {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u16("reserved-1")?;
        Ok(Self { queue: arguments.short("queue")?, no_ack: arguments.bit("no-ack")? })
    }
}

impl GetOk {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            delivery_tag: arguments.u64("delivery-tag")?,
            redelivered: arguments.bit("redelivered")?,
            exchange: arguments.short("exchange")?,
            routing_key: arguments.short("routing-key")?,
            message_count: arguments.u32("message-count")?,
        })
    }
}

impl Acknowledge {
    /// The three methods agree in the tag, and differ in what the bits behind it mean.
    #[inline(always)]
    pub(super) fn read(arguments: &mut Arguments<'_>, method: u16) -> Result<Self, Missing> {
        let delivery_tag = arguments.u64("delivery-tag")?;
        let is_reject = method == 90;
        let bits = arguments.u8(if is_reject { "requeue" } else { "multiple" })?;
        let (multiple, requeue) = match method {
            90 => (false, bits & 1 != 0),
            120 => (bits & 1 != 0, bits & 0b10 != 0),
            _ => (bits & 1 != 0, false),
        };
        Ok(Self { delivery_tag, multiple, requeue })
    }
}

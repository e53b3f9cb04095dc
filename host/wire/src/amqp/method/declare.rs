//! Arguments of the methods that declare an exchange or a queue.

use super::{Arguments, Missing};
use crate::Extent;

/// `exchange.declare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeDeclare {
    /// The exchange.
    pub exchange: Extent,
    /// Its type: `direct`, `topic`, `fanout`, `headers`, or one that a plugin adds.
    pub kind: Extent,
    /// Nothing is declared; the client asks whether it is there.
    pub passive: bool,
    /// It survives a restart of the broker.
    pub durable: bool,
    /// It goes away with its last binding.
    pub auto_delete: bool,
    /// Nobody can publish to it.
    pub internal: bool,
    /// No answer is wanted.
    pub no_wait: bool,
    /// Its arguments, for [`Table::new`](crate::amqp::Table::new).
    pub arguments: Extent,
}

/// `queue.declare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDeclare {
    /// The queue. Empty: the broker makes up a name and says it in [`QueueDeclareOk`].
    pub queue: Extent,
    /// Nothing is declared; the client asks whether it is there.
    pub passive: bool,
    /// It survives a restart of the broker.
    pub durable: bool,
    /// Only this connection uses it, and it goes away with it.
    pub exclusive: bool,
    /// It goes away with its last consumer.
    pub auto_delete: bool,
    /// No answer is wanted.
    pub no_wait: bool,
    /// Its arguments, for [`Table::new`](crate::amqp::Table::new). `x-queue-type` is in them.
    pub arguments: Extent,
}

/// `queue.declare-ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDeclareOk {
    /// The queue, also one that the broker has named.
    pub queue: Extent,
    /// How many messages are ready.
    pub message_count: u32,
    /// How many consumers it has.
    pub consumer_count: u32,
}

impl ExchangeDeclare {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u16("reserved-1")?;
        let exchange = arguments.short("exchange")?;
        let kind = arguments.short("type")?;
        let bits = arguments.u8("passive")?;
        Ok(Self {
            exchange,
            kind,
            passive: bits & 1 != 0,
            durable: bits & 0b10 != 0,
            auto_delete: bits & 0b100 != 0,
            internal: bits & 0b1000 != 0,
            no_wait: bits & 0b1_0000 != 0,
            arguments: arguments.long("arguments")?,
        })
    }
}

impl QueueDeclare {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u16("reserved-1")?;
        let queue = arguments.short("queue")?;
        let bits = arguments.u8("passive")?;
        Ok(Self {
            queue,
            passive: bits & 1 != 0,
            durable: bits & 0b10 != 0,
            exclusive: bits & 0b100 != 0,
            auto_delete: bits & 0b1000 != 0,
            no_wait: bits & 0b1_0000 != 0,
            arguments: arguments.long("arguments")?,
        })
    }
}

impl QueueDeclareOk {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            queue: arguments.short("queue")?,
            message_count: arguments.u32("message-count")?,
            consumer_count: arguments.u32("consumer-count")?,
        })
    }
}

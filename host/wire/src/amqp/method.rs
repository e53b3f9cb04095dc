//! Methods, and where the arguments are that an intermediary needs.
//!
//! ```text
//! │ class │ method │ arguments …        short string: its length in 1 byte, then its bytes
//!     2       2                         long string, table: its length in 4 bytes
//!                                       bits: the lowest of a byte first
//! ```
//!
//! Bytes behind the last known argument are passed over: a later version of a broker may add
//! some, and says so to the client, not to us.

mod basic;
mod connection;
mod declare;

use super::decode::HEAD_LEN;
use super::error::Error;
use super::reader::Reader;
use crate::Extent;

pub use basic::{Acknowledge, Consume, Deliver, Get, GetOk, Publish, Qos, Return};
pub use connection::{Close, Start, StartOk, Tune};
pub use declare::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};

/// A method with its arguments.
///
/// Extents refer to the slice in which the decoder found the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `connection.start`, from the broker.
    ConnectionStart(Start),
    /// `connection.start-ok`, from the client.
    ConnectionStartOk(StartOk),
    /// `connection.tune`: what the broker proposes.
    ConnectionTune(Tune),
    /// `connection.tune-ok`: what the client makes of it, and what holds.
    ConnectionTuneOk(Tune),
    /// `connection.open`.
    ConnectionOpen {
        /// The virtual host.
        vhost: Extent,
    },
    /// `connection.open-ok`: the client is in.
    ConnectionOpenOk,
    /// `connection.close`, from either side.
    ConnectionClose(Close),
    /// `connection.close-ok`: nothing follows.
    ConnectionCloseOk,
    /// `connection.blocked`: the broker reads no more publishes for now.
    ConnectionBlocked {
        /// Why, in words.
        reason: Extent,
    },
    /// `connection.unblocked`.
    ConnectionUnblocked,
    /// `connection.update-secret`: new credentials, which are not looked at.
    ConnectionUpdateSecret,
    /// `connection.update-secret-ok`.
    ConnectionUpdateSecretOk,
    /// `channel.open`.
    ChannelOpen,
    /// `channel.open-ok`.
    ChannelOpenOk,
    /// `channel.flow`.
    ChannelFlow {
        /// Whether to go on sending.
        active: bool,
    },
    /// `channel.flow-ok`.
    ChannelFlowOk {
        /// Whether the peer goes on sending.
        active: bool,
    },
    /// `channel.close`, from either side. What was not settled is requeued.
    ChannelClose(Close),
    /// `channel.close-ok`: the channel's number may be used again.
    ChannelCloseOk,
    /// `exchange.declare`.
    ExchangeDeclare(ExchangeDeclare),
    /// `exchange.declare-ok`.
    ExchangeDeclareOk,
    /// `queue.declare`.
    QueueDeclare(QueueDeclare),
    /// `queue.declare-ok`.
    QueueDeclareOk(QueueDeclareOk),
    /// `basic.qos`.
    BasicQos(Qos),
    /// `basic.qos-ok`.
    BasicQosOk,
    /// `basic.consume`.
    BasicConsume(Consume),
    /// `basic.consume-ok`.
    BasicConsumeOk {
        /// The consumer, also one that the broker has named.
        consumer_tag: Extent,
    },
    /// `basic.cancel`, from either side: a broker cancels when the queue goes away.
    BasicCancel {
        /// The consumer.
        consumer_tag: Extent,
        /// No answer is wanted.
        no_wait: bool,
    },
    /// `basic.cancel-ok`.
    BasicCancelOk {
        /// The consumer.
        consumer_tag: Extent,
    },
    /// `basic.publish`. Content follows.
    BasicPublish(Publish),
    /// `basic.return`: nobody takes a message that was published as mandatory. Content follows.
    BasicReturn(Return),
    /// `basic.deliver`. Content follows.
    BasicDeliver(Deliver),
    /// `basic.get`.
    BasicGet(Get),
    /// `basic.get-ok`. Content follows.
    BasicGetOk(GetOk),
    /// `basic.get-empty`.
    BasicGetEmpty,
    /// `basic.ack`: from a client a settlement, from a broker a confirmation.
    BasicAck(Acknowledge),
    /// `basic.nack`: from a client a settlement, from a broker a refusal.
    BasicNack(Acknowledge),
    /// `basic.reject`.
    BasicReject(Acknowledge),
    /// `basic.recover`: whatever was not settled on the channel is delivered again.
    BasicRecover {
        /// Whether others may get it.
        requeue: bool,
    },
    /// `basic.recover-async`: the same without an answer.
    BasicRecoverAsync {
        /// Whether others may get it.
        requeue: bool,
    },
    /// `basic.recover-ok`.
    BasicRecoverOk,
    /// `confirm.select`: from its answer on, publishes of the channel are confirmed.
    ConfirmSelect {
        /// No answer is wanted.
        no_wait: bool,
    },
    /// `confirm.select-ok`.
    ConfirmSelectOk,
    /// `tx.select`.
    TxSelect,
    /// `tx.select-ok`.
    TxSelectOk,
    /// `tx.commit`.
    TxCommit,
    /// `tx.commit-ok`.
    TxCommitOk,
    /// `tx.rollback`.
    TxRollback,
    /// `tx.rollback-ok`.
    TxRollbackOk,
    /// Any other.
    Other {
        /// Its class.
        class: u16,
        /// Its number.
        method: u16,
    },
}

impl Method {
    /// Whether a content header follows on the same channel.
    pub const fn carries_content(&self) -> bool {
        matches!(
            self,
            Self::BasicPublish(_)
                | Self::BasicReturn(_)
                | Self::BasicDeliver(_)
                | Self::BasicGetOk(_)
        )
    }

    /// Reads a frame of which `inside` is everything but the byte that ends it.
    #[inline(always)]
    pub(super) fn read(inside: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(inside, HEAD_LEN);
        let class = reader.u16().unwrap_or_default();
        let Some(method) = reader.u16() else {
            return Err(Error::Argument { class: 0, method: 0, name: "method-id" });
        };
        let arguments = &mut Arguments { reader };
        let found = match (class, method) {
            (60, 40) => Publish::read(arguments).map(Self::BasicPublish),
            (60, 60) => Deliver::read(arguments).map(Self::BasicDeliver),
            (60, 80) => Acknowledge::read(arguments, 80).map(Self::BasicAck),
            (60, _) => Self::basic(method, arguments),
            _ => Self::rare(class, method, arguments),
        };
        found.map_err(|Missing(name)| Error::Argument { class, method, name })
    }

    fn basic(method: u16, arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(match method {
            10 => Self::BasicQos(Qos::read(arguments)?),
            11 => Self::BasicQosOk,
            20 => Self::BasicConsume(Consume::read(arguments)?),
            21 => Self::BasicConsumeOk { consumer_tag: arguments.short("consumer-tag")? },
            30 => {
                let consumer_tag = arguments.short("consumer-tag")?;
                Self::BasicCancel { consumer_tag, no_wait: arguments.bit("no-wait")? }
            }
            31 => Self::BasicCancelOk { consumer_tag: arguments.short("consumer-tag")? },
            50 => Self::BasicReturn(Return::read(arguments)?),
            70 => Self::BasicGet(Get::read(arguments)?),
            71 => Self::BasicGetOk(GetOk::read(arguments)?),
            72 => Self::BasicGetEmpty,
            90 => Self::BasicReject(Acknowledge::read(arguments, method)?),
            100 => Self::BasicRecoverAsync { requeue: arguments.bit("requeue")? },
            110 => Self::BasicRecover { requeue: arguments.bit("requeue")? },
            111 => Self::BasicRecoverOk,
            120 => Self::BasicNack(Acknowledge::read(arguments, method)?),
            _ => Self::Other { class: 60, method },
        })
    }

    #[cold]
    fn rare(class: u16, method: u16, arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(match (class, method) {
            (10, _) => return Self::connection(method, arguments),
            (20, 10) => Self::ChannelOpen,
            (20, 11) => Self::ChannelOpenOk,
            (20, 20) => Self::ChannelFlow { active: arguments.bit("active")? },
            (20, 21) => Self::ChannelFlowOk { active: arguments.bit("active")? },
            (20, 40) => Self::ChannelClose(Close::read(arguments)?),
            (20, 41) => Self::ChannelCloseOk,
            (40, 10) => Self::ExchangeDeclare(ExchangeDeclare::read(arguments)?),
            (40, 11) => Self::ExchangeDeclareOk,
            (50, 10) => Self::QueueDeclare(QueueDeclare::read(arguments)?),
            (50, 11) => Self::QueueDeclareOk(QueueDeclareOk::read(arguments)?),
            (85, 10) => Self::ConfirmSelect { no_wait: arguments.bit("nowait")? },
            (85, 11) => Self::ConfirmSelectOk,
            (90, 10) => Self::TxSelect,
            (90, 11) => Self::TxSelectOk,
            (90, 20) => Self::TxCommit,
            (90, 21) => Self::TxCommitOk,
            (90, 30) => Self::TxRollback,
            (90, 31) => Self::TxRollbackOk,
            _ => Self::Other { class, method },
        })
    }

    fn connection(method: u16, arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(match method {
            10 => Self::ConnectionStart(Start::read(arguments)?),
            11 => Self::ConnectionStartOk(StartOk::read(arguments)?),
            30 => Self::ConnectionTune(Tune::read(arguments)?),
            31 => Self::ConnectionTuneOk(Tune::read(arguments)?),
            40 => Self::ConnectionOpen { vhost: arguments.short("virtual-host")? },
            41 => Self::ConnectionOpenOk,
            50 => Self::ConnectionClose(Close::read(arguments)?),
            51 => Self::ConnectionCloseOk,
            60 => Self::ConnectionBlocked { reason: arguments.short("reason")? },
            61 => Self::ConnectionUnblocked,
            70 => Self::ConnectionUpdateSecret,
            71 => Self::ConnectionUpdateSecretOk,
            _ => Self::Other { class: 10, method },
        })
    }
}

/// The argument that a frame ends before.
#[derive(Clone, Copy, Debug)]
struct Missing(&'static str);

/// The arguments of one method, read in order.
#[derive(Clone, Copy, Debug)]
struct Arguments<'a> {
    reader: Reader<'a>,
}

impl<'a> Arguments<'a> {
    #[inline(always)]
    fn u8(&mut self, name: &'static str) -> Result<u8, Missing> {
        self.reader.u8().ok_or(Missing(name))
    }

    #[inline(always)]
    fn u16(&mut self, name: &'static str) -> Result<u16, Missing> {
        self.reader.u16().ok_or(Missing(name))
    }

    #[inline(always)]
    fn u32(&mut self, name: &'static str) -> Result<u32, Missing> {
        self.reader.u32().ok_or(Missing(name))
    }

    #[inline(always)]
    fn u64(&mut self, name: &'static str) -> Result<u64, Missing> {
        self.reader.u64().ok_or(Missing(name))
    }

    /// A bit that stands alone or comes first.
    #[inline(always)]
    fn bit(&mut self, name: &'static str) -> Result<bool, Missing> {
        Ok(self.u8(name)? & 1 != 0)
    }

    #[inline(always)]
    fn short(&mut self, name: &'static str) -> Result<Extent, Missing> {
        self.reader.short_at().ok_or(Missing(name))
    }

    #[inline(always)]
    fn long(&mut self, name: &'static str) -> Result<Extent, Missing> {
        self.reader.long_at().ok_or(Missing(name))
    }

    /// A long string as bytes, for whoever looks into it at once, and where they begin.
    fn long_bytes(&mut self, name: &'static str) -> Result<(&'a [u8], usize), Missing> {
        let bytes = self.reader.long().ok_or(Missing(name))?;
        Ok((bytes, self.reader.at().saturating_sub(bytes.len())))
    }

    fn short_bytes(&mut self, name: &'static str) -> Result<(&'a [u8], Extent), Missing> {
        let bytes = self.reader.short().ok_or(Missing(name))?;
        let end = self.reader.at();
        Ok((bytes, Extent::between(end.saturating_sub(bytes.len()), end)))
    }
}

#[cfg(test)]
mod tests;

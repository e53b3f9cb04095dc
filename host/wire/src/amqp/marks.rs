//! What RabbitMQ itself writes into the headers of a message.
//!
//! Names are compared with case: the broker writes them in one spelling. What a producer writes
//! under the same names cannot be told from it.

use super::deaths::Deaths;
use super::table::{Entry, Table};
use super::value::Array;

/// The broker's marks on one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerMarks<'a> {
    /// `timestamp_in_ms`: when the broker took the message, in milliseconds since the Unix epoch.
    /// Written where its timestamp interceptor is switched on.
    pub timestamp_in_ms: Option<u64>,
    /// `x-opt-rabbitmq-received-time`: the same, as RabbitMQ 4 calls it.
    pub received_time_ms: Option<u64>,
    /// `x-delivery-count`: how often a quorum queue has had it back. 0 or absent: never.
    pub delivery_count: Option<u64>,
    /// `x-acquired-count`: how often a quorum queue of RabbitMQ 4 has handed it out before.
    pub acquired_count: Option<u64>,
    /// `x-stream-offset`: its place in a stream. Reading it again is no redelivery.
    pub stream_offset: Option<u64>,
    deaths: Option<Array<'a>>,
}

impl<'a> BrokerMarks<'a> {
    /// The marks in these headers.
    pub fn of(headers: Table<'a>) -> Self {
        let mut marks = Self::default();
        for entry in headers {
            marks.note(&entry);
        }
        marks
    }

    /// Takes note of one header, and says whether it is a mark. For whoever walks through the
    /// headers for other reasons too.
    #[inline]
    pub fn note(&mut self, entry: &Entry<'a>) -> bool {
        // Nearly all headers leave here.
        if !matches!(entry.name, [b'x', b'-', ..] | [b't', b'i', ..]) {
            return false;
        }
        let value = entry.value;
        match entry.name {
            b"timestamp_in_ms" => self.timestamp_in_ms = value.as_u64(),
            b"x-opt-rabbitmq-received-time" => self.received_time_ms = value.as_u64(),
            b"x-delivery-count" => self.delivery_count = value.as_u64(),
            b"x-acquired-count" => self.acquired_count = value.as_u64(),
            b"x-stream-offset" => self.stream_offset = value.as_u64(),
            b"x-death" => self.deaths = value.as_array(),
            _ => return false,
        }
        true
    }

    /// When the broker took the message, in milliseconds since the Unix epoch, if it says so.
    pub fn received_ms(&self) -> Option<u64> {
        self.received_time_ms.or(self.timestamp_in_ms)
    }

    /// How often the message was dead-lettered, and why: the latest first.
    pub fn deaths(&self) -> impl Iterator<Item = super::Death<'a>> {
        self.deaths.into_iter().flat_map(Deaths::new)
    }
}

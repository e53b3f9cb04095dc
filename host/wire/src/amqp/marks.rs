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

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD_TWICE: &[u8] = b"\x07x-deathA\x00\x00\x00\x76\
        F\x00\x00\x00\x4d\x05countl\x00\x00\x00\x00\x00\x00\x00\x03\
        \x06reasonS\x00\x00\x00\x07expired\x05queueS\x00\x00\x00\x04work\
        \x04timeT\x00\x00\x00\x00\x65\x00\x00\x00\
        \x08exchangeS\x00\x00\x00\x00\
        F\x00\x00\x00\x1f\x05queueS\x00\x00\x00\x05first\x05countl\x00\x00\x00\x00\x00\x00\x00\x01";

    #[test]
    fn deaths_are_read_the_latest_first() {
        let marks = BrokerMarks::of(Table::new(DEAD_TWICE));
        let deaths: Vec<_> = marks.deaths().collect();
        let [latest, first] = deaths[..] else { panic!("{deaths:?}") };
        assert_eq!(latest.queue, Some(b"work".as_slice()));
        assert_eq!(latest.reason, Some(b"expired".as_slice()));
        assert_eq!((latest.count, latest.time), (Some(3), Some(0x6500_0000)));
        assert_eq!(latest.exchange, Some(b"".as_slice()));
        assert_eq!((first.queue, first.reason), (Some(b"first".as_slice()), None));
        assert_eq!(first.count, Some(1));
    }

    #[test]
    fn deaths_in_another_shape_are_none() {
        let table: [&[u8]; 4] = [
            b"",
            b"\x07x-deathS\x00\x00\x00\x03yes",
            b"\x07x-deathA\x00\x00\x00\x02b\x01",
            b"\x07X-DeathA\x00\x00\x00\x05F\x00\x00\x00\x00",
        ];
        for headers in table {
            let marks = BrokerMarks::of(Table::new(headers));
            assert_eq!(marks.deaths().count(), 0, "{}", headers.escape_ascii());
        }
    }

    #[test]
    fn numbers_of_the_broker_are_read_whatever_their_width() {
        let headers = b"\x10x-delivery-countl\x00\x00\x00\x00\x00\x00\x00\x02\
            \x10x-acquired-countB\x04\x0fx-stream-offsetL\x00\x00\x00\x00\x00\x00\x00\x00\
            \x0ftimestamp_in_msl\x00\x00\x01\x8b\x00\x00\x00\x00\x01xV";
        let marks = BrokerMarks::of(Table::new(headers));
        assert_eq!((marks.delivery_count, marks.acquired_count), (Some(2), Some(4)));
        assert_eq!(marks.stream_offset, Some(0));
        assert_eq!(marks.received_ms(), Some(0x18b_0000_0000));
        assert_eq!(marks.received_time_ms, None);
    }

    #[test]
    fn marks_of_another_type_or_below_zero_are_unknown() {
        let headers = b"\x10x-delivery-countb\xff\x0fx-stream-offsetS\x00\x00\x00\x015";
        let marks = BrokerMarks::of(Table::new(headers));
        assert_eq!((marks.delivery_count, marks.stream_offset), (None, None));
        let mut entries = Table::new(b"\x05otherV\x06x-notaV\x10x-delivery-countV").iter();
        let mut marks = BrokerMarks::default();
        let noted = [(); 3].map(|()| marks.note(&entries.next().unwrap()));
        assert_eq!(noted, [false, false, true]);
    }

    #[test]
    fn the_newer_name_of_the_time_is_preferred() {
        let headers = b"\x0ftimestamp_in_msB\x01\x1cx-opt-rabbitmq-received-timeB\x02";
        assert_eq!(BrokerMarks::of(Table::new(headers)).received_ms(), Some(2));
    }
}

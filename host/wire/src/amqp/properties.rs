//! The properties of a message.
//!
//! ```text
//! flags  1 1 1 1 1 1 1 1 1 1 1 1 1 1 0 0
//!        │ │ │ │ │ │ │ │ │ │ │ │ │ └ cluster-id         the properties that are there follow
//!        │ │ │ │ │ │ │ │ │ │ │ │ └ app-id               in this order, without gaps
//!        │ │ │ │ │ │ │ │ │ │ │ └ user-id
//!        │ │ │ │ │ │ │ │ │ │ └ type
//!        │ │ │ │ │ │ │ │ │ └ timestamp
//!        │ │ │ │ │ │ │ │ └ message-id
//!        │ │ │ │ │ │ │ └ expiration
//!        │ │ │ │ │ │ └ reply-to
//!        │ │ │ │ │ └ correlation-id
//!        │ │ │ │ └ priority
//!        │ │ │ └ delivery-mode
//!        │ │ └ headers, a table
//!        │ └ content-encoding
//!        └ content-type
//! ```
//!
//! The last bit says that another word of flags follows. The specification and RabbitMQ disagree
//! on what then comes next (RabbitMQ reads no other word), and so do clients. Nobody is known to
//! set it, or the bit before it, which has no property: such properties are left alone.

use super::decode::HEAD_LEN;
use super::reader::Reader;
use super::table::Table;
use crate::Extent;

/// Where the flags are in a frame: behind head, class, weight and body size.
pub(super) const FLAGS_AT: usize = HEAD_LEN + 2 + 2 + 8;

/// Where the first property begins in a frame.
pub(super) const FIRST_AT: usize = FLAGS_AT + 2;

/// The flag of the table of headers.
pub(super) const HEADERS: u16 = flag(2);

/// The flags that no property has.
const UNKNOWN: u16 = 0b11;

/// The properties of one message, by their names in the specification.
///
/// A text is whatever bytes the peer sent; nobody has checked that they are UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Properties<'a> {
    /// MIME type of the body.
    pub content_type: Option<&'a [u8]>,
    /// Encoding of the body.
    pub content_encoding: Option<&'a [u8]>,
    /// The headers. `None`: there is no table, which is not the same as an empty one.
    pub headers: Option<Table<'a>>,
    /// 1 transient, 2 persistent.
    pub delivery_mode: Option<u8>,
    /// 0 to 9, or more where a queue says so.
    pub priority: Option<u8>,
    /// What an answer belongs to.
    pub correlation_id: Option<&'a [u8]>,
    /// Where an answer goes to.
    pub reply_to: Option<&'a [u8]>,
    /// How long the message lives in a queue: decimal milliseconds.
    pub expiration: Option<&'a [u8]>,
    /// The application's name for the message.
    pub message_id: Option<&'a [u8]>,
    /// When it was sent, by a clock of the application or the broker: seconds since the Unix
    /// epoch.
    pub timestamp: Option<u64>,
    /// The application's name for its type.
    pub kind: Option<&'a [u8]>,
    /// The user who sent it; the broker has checked it.
    pub user_id: Option<&'a [u8]>,
    /// The program that sent it.
    pub app_id: Option<&'a [u8]>,
    /// Reserved.
    pub cluster_id: Option<&'a [u8]>,
    /// Their flags.
    pub(super) flags: u16,
    /// The frame without the byte that ends it.
    pub(super) frame: &'a [u8],
    /// The table in the frame with its length; empty, where it would stand, without one.
    pub(super) headers_at: Extent,
}

impl<'a> Properties<'a> {
    /// Reads the properties of `frame`. `None`: one of them does not end within it, something
    /// follows behind the last, or there are flags that no property has.
    #[inline]
    pub(super) fn read(frame: &'a [u8], flags: u16) -> Option<Self> {
        if flags & UNKNOWN != 0 {
            return None;
        }
        let mut reader = Reader::new(frame, FIRST_AT);
        let reader = &mut reader;
        let has = |place| flags & flag(place) != 0;
        // `Some(None)` is a property that is absent, `None` one that cannot be read.
        let short = |place, reader: &mut Reader<'a>| match has(place) {
            true => reader.short().map(Some),
            false => Some(None),
        };
        let byte = |place, reader: &mut Reader<'a>| match has(place) {
            true => reader.u8().map(Some),
            false => Some(None),
        };
        let content_type = short(0, reader)?;
        let content_encoding = short(1, reader)?;
        let start = reader.at();
        let headers = if has(2) { Some(Table::new(reader.long()?)) } else { None };
        let headers_at = Extent::between(start, reader.at());
        let properties = Self {
            content_type,
            content_encoding,
            headers,
            delivery_mode: byte(3, reader)?,
            priority: byte(4, reader)?,
            correlation_id: short(5, reader)?,
            reply_to: short(6, reader)?,
            expiration: short(7, reader)?,
            message_id: short(8, reader)?,
            timestamp: if has(9) { Some(reader.u64()?) } else { None },
            kind: short(10, reader)?,
            user_id: short(11, reader)?,
            app_id: short(12, reader)?,
            cluster_id: short(13, reader)?,
            flags,
            frame,
            headers_at,
        };
        reader.is_at_end().then_some(properties)
    }
}

/// The flag of the property at this place in the list.
const fn flag(place: u32) -> u16 {
    0x8000_u16.rotate_right(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with these flags and properties, without its end.
    fn frame(flags: u16, list: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; FIRST_AT - 2];
        frame.extend_from_slice(&flags.to_be_bytes());
        frame.extend_from_slice(list);
        frame
    }

    #[test]
    fn each_property_has_its_place() {
        let list = b"\x01a\x01b\x00\x00\x00\x03\x01hV\x02\x09\x01c\x01d\x01e\x01f\
            \x00\x00\x00\x00\x00\x00\x00\x07\x01g\x01h\x01i\x01j";
        let frame = frame(0xfffc, list);
        let found = Properties::read(&frame, 0xfffc).unwrap();
        let texts = [
            found.content_type,
            found.content_encoding,
            found.correlation_id,
            found.reply_to,
            found.expiration,
            found.message_id,
            found.kind,
            found.user_id,
            found.app_id,
            found.cluster_id,
        ];
        assert_eq!(texts.map(Option::unwrap).concat(), b"abcdefghij");
        assert_eq!(found.headers.unwrap().bytes(), b"\x01hV");
        assert_eq!(
            (found.delivery_mode, found.priority, found.timestamp),
            (Some(2), Some(9), Some(7))
        );
        assert_eq!(found.headers_at.of(&frame), b"\x00\x00\x00\x03\x01hV");
    }

    #[test]
    fn no_properties_are_none_and_headers_would_come_behind_the_first_two() {
        let bytes = frame(0, b"");
        let none = Properties::read(&bytes, 0).unwrap();
        assert_eq!((none.headers, none.delivery_mode, none.timestamp), (None, None, None));
        assert_eq!(none.headers_at.range(), FIRST_AT..FIRST_AT);

        let flags = flag(0) | flag(1) | flag(3);
        let bytes = frame(flags, b"\x03a/b\x01z\x02");
        let found = Properties::read(&bytes, flags).unwrap();
        assert_eq!(found.headers_at.range(), FIRST_AT + 6..FIRST_AT + 6);
        assert_eq!(found.delivery_mode, Some(2));
    }

    #[test]
    fn properties_that_do_not_fill_the_frame_are_not_read() {
        let table: [(u16, &[u8]); 7] = [
            // Cut: a text, a table, a number.
            (flag(0), b"\x03ab"),
            (flag(2), b"\x00\x00\x00\x04abc"),
            (flag(2), b"\xff\xff\xff\xffabc"),
            (flag(9), b"\x00\x00\x00\x00\x00\x00\x00"),
            (flag(4), b""),
            // Something follows.
            (flag(0), b"\x01ab"),
            (0, b"x"),
        ];
        for (flags, list) in table {
            assert_eq!(
                Properties::read(&frame(flags, list), flags),
                None,
                "{}",
                list.escape_ascii()
            );
        }
    }

    #[test]
    fn flags_that_no_property_has_are_not_guessed_at() {
        for unknown in [0b01, 0b10, 0b11] {
            let flags = flag(0) | unknown;
            // Both readings of another word of flags.
            for list in [b"\x01a".as_slice(), b"\x00\x00\x01a"] {
                assert_eq!(Properties::read(&frame(flags, list), flags), None);
            }
        }
    }
}

//! The parts of a record and the two kinds of blocks among them, as `wit/messaging.wit` lays
//! them out.
//!
//! The host writes what is read here. A part outside the arena, or an entry outside its block, is
//! the host's mistake and ends in a trap; the host then forwards its messages as they came.

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::{Delivery, Message};
use crate::carrier::Entry;
use crate::field::Field;

/// The parts of a message or a delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub destination: &'a [u8],
    pub id: &'a [u8],
    pub headers: &'a [u8],
    pub attributes: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn cut(arena: &'a [u8], at: u32, lengths: [u32; 5]) -> Self {
        let mut rest = &arena[at as usize..];
        let mut next = |length: u32| {
            let (part, behind) = rest.split_at(length as usize);
            rest = behind;
            part
        };
        Self {
            destination: next(lengths[0]),
            id: next(lengths[1]),
            headers: next(lengths[2]),
            attributes: next(lengths[3]),
            body: next(lengths[4]),
        }
    }

    pub(crate) fn of_message(m: &Message, arena: &'a [u8]) -> Self {
        Self::cut(arena, m.at, [m.destination, m.id, m.headers, m.attributes, m.body])
    }

    pub(crate) fn of_delivery(d: &Delivery, arena: &'a [u8]) -> Self {
        Self::cut(arena, d.at, [d.destination, d.id, d.headers, d.attributes, d.body])
    }
}

/// Reads a headers block into `entries`, which is emptied first. Unknown fields are skipped.
pub(crate) fn headers<'a>(block: &'a [u8], entries: &mut Vec<Entry<'a>>) {
    entries.clear();
    let mut rest = block;
    while let Some((&[field, key, low, high], behind)) = rest.split_first_chunk() {
        let (key, behind) = behind.split_at(usize::from(key));
        let (value, behind) = behind.split_at(usize::from(u16::from_le_bytes([low, high])));
        rest = behind;
        if let Some(field) = Field::from_number(field) {
            entries.push(Entry { field, key, value });
        }
    }
}

/// The value of an attribute entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(&'a [u8]),
    Int(i64),
}

/// Reads an attributes block: numbers of the contract's `attribute`, and values.
pub(crate) fn attributes<'a>(block: &'a [u8]) -> impl Iterator<Item = (u8, Value<'a>)> {
    let mut rest = block;
    core::iter::from_fn(move || {
        loop {
            let (&[attribute, kind, low, high], behind) = rest.split_first_chunk()?;
            let (value, behind) = behind.split_at(usize::from(u16::from_le_bytes([low, high])));
            rest = behind;
            match (kind, <[u8; 8]>::try_from(value)) {
                (0, _) => return Some((attribute, Value::Text(value))),
                (1, Ok(bytes)) => return Some((attribute, Value::Int(i64::from_le_bytes(bytes)))),
                // A kind of a newer host's.
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_from_where_the_record_says() {
        let parts = Parts::cut(b"..dest-id-h-a-body", 2, [5, 3, 2, 2, 4]);
        assert_eq!(parts.destination, b"dest-");
        assert_eq!(parts.id, b"id-");
        assert_eq!(parts.body, b"body");
    }

    #[test]
    #[should_panic(expected = "mid")]
    fn a_part_outside_the_arena_traps() {
        Parts::cut(b"short", 0, [9, 0, 0, 0, 0]);
    }

    #[test]
    fn headers_keep_their_order_and_unknown_fields_are_skipped() {
        let block = b"\x00\x00\x01\x00a\xff\x00\x01\x00b\x0a\x03\x02\x00keyvv";
        let mut entries = Vec::new();
        headers(block, &mut entries);
        let expected = [
            Entry { field: Field::Traceparent, key: b"", value: b"a" },
            Entry { field: Field::Uberctx, key: b"key", value: b"vv" },
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn attributes_of_an_unknown_kind_are_skipped() {
        let block = b"\x01\x00\x01\x00t\x02\x07\x00\x00\x03\x01\x08\x00\x05\0\0\0\0\0\0\0";
        let read: Vec<_> = attributes(block).collect();
        assert_eq!(read, [(1, Value::Text(b"t")), (3, Value::Int(5))]);
    }
}

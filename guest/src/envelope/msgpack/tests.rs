use alloc::vec;

use super::*;

fn one(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader::new(bytes);
    let value = reader.next()?;
    reader.skip(value)?;
    reader.is_at_end().then_some(value)
}

fn padded(head: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(head.len() + len, 0);
    bytes
}

#[test]
fn every_form_is_read_whole_and_refused_a_byte_short() {
    let text = |start, len| Value::Text(Extent { start, end: start + len });
    let table: [(&[u8], usize, Value); 37] = [
        (&[0x00], 0, Value::Number),
        (&[0x7f], 0, Value::Number),
        (&[0xe0], 0, Value::Number),
        (&[0xff], 0, Value::Number),
        (&[0x80], 0, Value::Map(0)),
        (&[0x8f], 30, Value::Map(15)),
        (&[0x90], 0, Value::Array(0)),
        (&[0x9f], 15, Value::Array(15)),
        (&[0xa0], 0, text(1, 0)),
        (&[0xbf], 31, text(1, 31)),
        (&[0xc0], 0, Value::Nil),
        (&[0xc2], 0, Value::Bool(false)),
        (&[0xc3], 0, Value::Bool(true)),
        (&[0xc4, 2], 2, Value::Other),
        (&[0xc5, 1, 0], 256, Value::Other),
        (&[0xc6, 0, 0, 1, 0], 256, Value::Other),
        (&[0xc7, 3], 4, Value::Other),
        (&[0xc8, 1, 0], 257, Value::Other),
        (&[0xc9, 0, 0, 0, 1], 2, Value::Other),
        (&[0xca], 4, Value::Number),
        (&[0xcb], 8, Value::Number),
        (&[0xcc], 1, Value::Number),
        (&[0xcd], 2, Value::Number),
        (&[0xce], 4, Value::Number),
        (&[0xcf], 8, Value::Number),
        (&[0xd0], 1, Value::Number),
        (&[0xd3], 8, Value::Number),
        (&[0xd4], 2, Value::Other),
        (&[0xd8], 17, Value::Other),
        (&[0xd9, 40], 40, text(2, 40)),
        (&[0xda, 1, 1], 257, text(3, 257)),
        (&[0xdb, 0, 0, 0, 3], 3, text(5, 3)),
        (&[0xdc, 0, 16], 16, Value::Array(16)),
        (&[0xdd, 0, 0, 0, 2], 2, Value::Array(2)),
        (&[0xde, 0, 2], 4, Value::Map(2)),
        (&[0xdf, 0, 0, 0, 1], 2, Value::Map(1)),
        (&[0x92, 0x81, 0xa1, b'k', 0x90], 1, Value::Array(2)),
    ];
    for (head, len, expected) in table {
        let bytes = padded(head, len);
        assert_eq!(one(&bytes), Some(expected), "{head:02x?}");
        for short in 0..bytes.len() {
            assert_eq!(one(&bytes[..short]), None, "{head:02x?} cut at {short}");
        }
        assert_eq!(one(&padded(head, len + 1)), None, "{head:02x?} with a byte behind it");
    }
}

#[test]
fn the_byte_that_is_never_used_is_refused() {
    assert_eq!(one(&[0xc1]), None);
    assert_eq!(one(&[0x91, 0xc1]), None);
}

#[test]
fn a_head_that_announces_more_than_there_is_ends_at_once() {
    for head in [[0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(one(&padded(&head, 1_000)), None);
        assert_eq!(one(&head.repeat(50_000)), None);
    }
    for head in [[0xc6, 0xff, 0xff, 0xff, 0xff], [0xdb, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(one(&padded(&head, 1_000)), None);
    }
}

#[test]
fn heads_that_stay_within_what_is_there_end_too() {
    // Each announces as much as could follow it.
    let head = |len: u32| [&[0xdd][..], &len.to_be_bytes()].concat();
    let bytes: Vec<_> = (0..10_000).rev().flat_map(|left| head(left * 5)).collect();
    assert_eq!(one(&bytes), None);
}

#[test]
fn depth_costs_no_stack() {
    let mut bytes = vec![0x91; 1_000_000];
    assert_eq!(one(&bytes), None);
    bytes.push(0xc0);
    assert_eq!(one(&bytes), Some(Value::Array(1)));
}

#[test]
fn what_is_written_is_read() {
    for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        let mut bytes = Vec::new();
        write_text(&mut bytes, &vec![b'x'; len]);
        let Some(Value::Text(text)) = one(&bytes) else { panic!("{len}") };
        assert_eq!((text.start, text.end - text.start), (bytes.len() - len, len));
        assert_eq!(text.start, [1, 2, 3, 5][[31, 255, 65_535].partition_point(|&max| max < len)]);
    }
}

#[test]
fn the_head_of_a_map_gets_no_shorter() {
    let table: [(u32, usize, &[u8]); 8] = [
        (15, 1, &[0x8f]),
        (16, 1, &[0xde, 0, 16]),
        (2, 3, &[0xde, 0, 2]),
        (65_535, 3, &[0xde, 0xff, 0xff]),
        (65_536, 3, &[0xdf, 0, 1, 0, 0]),
        (2, 5, &[0xdf, 0, 0, 0, 2]),
        (1, 1, &[0x81]),
        (u32::MAX, 5, &[0xdf, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (len, head_bytes, expected) in table {
        let mut bytes = Vec::new();
        write_map(&mut bytes, len, head_bytes);
        assert_eq!(bytes, expected, "{len} in {head_bytes}");
    }
}

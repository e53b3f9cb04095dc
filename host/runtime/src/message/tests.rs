use super::*;
use crate::attribute::Attribute;
use crate::limits::BATCH_KEPT_BYTES_MAX;
use crate::record::NO_ROUTE;

const ROUTE: Route = Route(7);

fn publish<'a>(destination: &'a [u8], id: &'a [u8], body: &'a [u8]) -> Publish<'a> {
    Publish {
        route: ROUTE,
        bits: MessageBits::FAN_OUT,
        resource: ResourceId::DEFAULT,
        destination,
        id,
        body,
        body_size: 5,
        start: 10,
        end: 0,
        parent: SpanContext { trace_hi: 1, trace_lo: 2, span_id: 3 },
    }
}

fn small() -> Limits {
    Limits {
        messages_per_call_max: 3,
        arena_bytes_max: 20,
        batch_messages_max: 5,
        batch_bytes_max: 60,
        ..Limits::default()
    }
}

#[test]
fn parts_lie_in_the_order_of_the_contract_whatever_order_they_are_added_in() {
    let mut batch = PublishBatch::default();
    let mut parts = batch.add(&publish(b"dest", b"id", b"body!"));
    parts.text_attribute(Attribute::ClientId, b"me");
    parts.header(3, b"", b"v1");
    parts.int_attribute(Attribute::NetworkPeerPort, 7);
    parts.header(10, b"key", b"v2");
    assert_eq!(parts.index(), 0);
    drop(parts);
    let headers = b"\x03\x00\x02\x00v1\x0a\x03\x02\x00keyv2";
    let attributes = b"\x00\x00\x02\x00me\x0b\x01\x08\x00\x07\0\0\0\0\0\0\0";
    let arena = [&b"destid"[..], headers, attributes, b"body!"].concat();
    assert_eq!(batch.0.space.arena, arena);
    let expected = Head {
        route: 7,
        bits: 4,
        at: 0,
        destination: 4,
        id: 2,
        headers: headers.len() as u32,
        attributes: attributes.len() as u32,
        body: 5,
    };
    assert_eq!(batch.0.records[0].head, expected);
    assert_eq!(batch.0.records[0].parent, SpanRef { hi: 1, lo: 2, span: 3 });
}

#[test]
fn a_header_that_an_entry_cannot_hold_is_skipped_and_counted() {
    let long = vec![b'x'; 65_536];
    let mut batch = PublishBatch::default();
    let mut parts = batch.add(&publish(b"", b"", b""));
    for (key, value) in [(255, 1), (256, 1), (1, 65_535), (1, 65_536)] {
        parts.header(0, &long[..key], &long[..value]);
    }
    drop(parts);
    assert_eq!(batch.0.space.skipped, 2);
    assert_eq!(batch.0.records[0].head.headers, 4 + 255 + 1 + 4 + 1 + 65_535);
}

#[test]
fn a_batch_is_cut_where_a_call_is_full() {
    let mut batch = PublishBatch::new(&small());
    for _ in 0..2 {
        batch.add(&publish(b"0123456789", b"", b""));
    }
    batch.add(&publish(b"a", b"", b""));
    assert_eq!(batch.0.space.cuts, [Cut { records: 2, arena: 20 }]);
    let at: Vec<_> = batch.0.records.iter().map(|record| record.head.at).collect();
    assert_eq!(at, [0, 10, 0]);

    batch.clear();
    for _ in 0..4 {
        batch.add(&publish(b"a", b"", b""));
    }
    assert_eq!(batch.0.space.cuts, [Cut { records: 3, arena: 3 }]);
}

#[test]
fn a_message_with_too_much_to_hand_in_keeps_its_place_and_is_of_no_route() {
    for (id, body) in [(&b"0123456789"[..], &b"0"[..]), (b"01234567890", b"")] {
        let mut batch = PublishBatch::new(&small());
        batch.add(&publish(b"a", b"", b""));
        batch.add(&publish(b"0123456789", id, body)).header(0, b"", b"v");
        batch.add(&publish(b"b", b"", b""));
        assert_eq!(batch.len(), 3);
        assert_eq!(batch.0.space.arena, b"ab");
        assert_eq!(batch.0.space.overflowed, 1);
        let expected = Head { route: NO_ROUTE, at: 1, ..Head::default() };
        assert_eq!(batch.0.records[1].head, expected);
        assert_eq!(batch.0.records[2].head.at, 1);
    }
}

#[test]
fn attributes_count_against_what_a_message_may_hand_in() {
    let mut batch = PublishBatch::new(&small());
    batch.add(&publish(b"0123456789", b"", b"")).text_attribute(Attribute::JobName, b"012345");
    assert_eq!(batch.0.space.overflowed, 0);
    batch.add(&publish(b"0123456789", b"", b"")).text_attribute(Attribute::JobName, b"0123456");
    assert_eq!(batch.0.space.overflowed, 1);
}

#[test]
fn what_is_past_the_bounds_of_a_batch_is_counted_and_not_kept() {
    let mut batch = PublishBatch::new(&small());
    for index in 0..8 {
        let mut parts = batch.add(&publish(b"a", b"", b""));
        parts.header(0, b"", b"v");
        assert_eq!(parts.index(), index);
    }
    assert_eq!((batch.len(), batch.0.records.len()), (8, 5));
    assert_eq!((batch.0.space.overflowed, batch.0.space.arena.len()), (3, 5 * 6));

    batch.clear();
    for _ in 0..4 {
        batch.add(&publish(b"0123456789012345678", b"", b""));
    }
    batch.add(&publish(b"a", b"", b""));
    assert_eq!((batch.0.records.len(), batch.0.space.overflowed), (4, 1));
    assert_eq!(batch.0.space.arena.len(), 76);
}

#[test]
fn a_message_that_is_never_completed_is_one_without_headers() {
    let mut batch = PublishBatch::default();
    let mut parts = batch.add(&publish(b"dest", b"", b"body"));
    parts.text_attribute(Attribute::JobName, b"job");
    std::mem::forget(parts);
    batch.add(&publish(b"next", b"", b""));
    let heads: Vec<_> = batch.0.records.iter().map(|record| record.head).collect();
    assert_eq!((heads[0].destination, heads[0].attributes, heads[0].body), (4, 0, 0));
    assert_eq!((heads[1].at, heads[1].destination), (4, 4));
}

#[test]
fn clearing_keeps_no_more_than_a_bound() {
    let mut batch = PublishBatch::default();
    let body = vec![0; 400 << 10];
    for _ in 0..4 {
        batch.add(&publish(b"", b"", &body));
    }
    batch.clear();
    assert!(batch.is_empty());
    assert!(batch.0.space.arena.capacity() <= BATCH_KEPT_BYTES_MAX);
}

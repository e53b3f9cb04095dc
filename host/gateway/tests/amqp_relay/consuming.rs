//! What becomes of deliveries: spans, settlements, redeliveries.

use spanbridge_gateway::relay::Side;

use crate::frames::{
    Delivery, Properties, ack, channel_closed, close_channel, consume, consume_ok, declare,
    declare_ok, entry, get, headers_in, long, method, nack, number_entry, publish, reject,
    text_entry,
};
use crate::harness::{Bed, CONSUMER, SECOND, START, Session, Span, options};

fn outcomes(bed: &Bed) -> Vec<String> {
    let outcome = |span: &Span| span.outcome().unwrap_or("none").to_owned();
    bed.spans().iter().map(outcome).collect()
}

fn deliver(session: &mut Session, tags: std::ops::RangeInclusive<u64>) {
    for tag in tags {
        session.broker(Delivery::tagged(tag).frames());
    }
}

#[test]
fn work_lasts_from_delivery_to_acknowledgement() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish(1, ("shop", "paid"), &Properties::with_id("m1"), b"body"));
    let published = bed.only_span();
    let header = headers_in(&session.take_to_broker()).remove(0);
    let headers: Vec<_> = header.headers().iter().map(|(n, v)| text_entry(n, v)).collect();
    session.consume(1, "tasks", "tag", false);
    session.now += SECOND;
    let properties = Properties::with_headers(&headers);
    let delivery = Delivery { exchange: "shop", key: "paid", properties, ..Delivery::default() };
    session.broker(delivery.frames());
    assert!(session.unchanged, "the context is kept");
    session.now += 2 * SECOND;
    session.client(ack(1, 1, false));
    let span = &bed.spans()[1];
    assert_eq!((span.name.as_str(), span.kind), ("process shop:paid:tasks", CONSUMER));
    assert_eq!((span.start, span.end), (START + SECOND, START + 3 * SECOND));
    assert_eq!((&span.trace_id, &span.parent), (&published.trace_id, &published.span_id));
    assert_eq!(span.outcome(), Some("ack"));
    assert_eq!(span.get("messaging.rabbitmq.message.delivery_tag"), Some("1"));
    assert_eq!(span.get("spanbridge.queue_wait"), Some("1"));
    assert_eq!(span.get("spanbridge.queue_wait.source"), Some("producer"));
    assert!(bed.open_spans.is_empty());
}

#[test]
fn a_settlement_ends_one_delivery_or_all_before_it() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    deliver(&mut session, 1..=9);
    session.client(ack(1, 5, false));
    session.client(reject(1, 6, false));
    session.client(reject(1, 7, true));
    session.client(nack(1, 3, 1));
    session.client(nack(1, 8, 2));
    assert_eq!(
        outcomes(&bed),
        ["ack", "reject", "requeue", "reject", "reject", "reject", "requeue"]
    );
    session.client(ack(1, 0, true));
    assert_eq!(outcomes(&bed)[7..], ["ack", "ack"]);
    assert!(bed.open_spans.is_empty());
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    session.client([ack(1, 5, false), ack(1, 99, true), ack(1, 0, true)].concat());
    assert_eq!(bed.counters.settle_unmatched.get(), 3);
}

#[test]
fn tags_are_those_of_a_channel() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    session.open_channel(2);
    session.consume(2, "others", "tag", false);
    let other = Delivery { channel: 2, key: "others", ..Delivery::default() };
    session.broker([Delivery::default().frames(), other.frames()].concat());
    session.client(ack(2, 0, true));
    assert_eq!(bed.only_span().name, "process others");
    session.close();
    assert_eq!(outcomes(&bed), ["ack", "abandoned"]);
}

#[test]
fn prefetched_messages_are_counted_by_consumer() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    session.consume(1, "tasks", "other", false);
    deliver(&mut session, 1..=3);
    session.broker(Delivery { consumer: "other", ..Delivery::tagged(4) }.frames());
    session.client(ack(1, 4, true));
    let prefetched: Vec<_> = bed
        .spans()
        .iter()
        .map(|span| span.get("spanbridge.prefetched").map(str::to_owned))
        .collect();
    assert_eq!(prefetched, [None, Some("1".into()), Some("2".into()), None]);
}

#[test]
fn nobody_sees_the_work_of_who_acknowledges_nothing() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.consume(1, "tasks", "tag", true);
    session.broker(Delivery::default().frames());
    let span = bed.only_span();
    assert_eq!((span.start, span.end), (START, START));
    assert_eq!(span.get("spanbridge.execution"), Some("unseen"));
    assert!(bed.open_spans.is_empty());
}

#[test]
fn a_celery_task_is_acknowledged_before_it_runs() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("celery");
    let headers = [text_entry("task", "shop.add"), text_entry("id", "t1")];
    let properties = Properties::with_headers(&headers);
    session.broker(Delivery { key: "celery", properties, ..Delivery::default() }.frames());
    session.now += SECOND;
    session.client(ack(1, 1, false));
    let span = bed.only_span();
    assert_eq!(span.get("spanbridge.execution"), Some("unseen"));
    assert_eq!((span.start, span.end), (START, START));
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
}

#[test]
fn a_redelivery_links_to_the_attempt_before_where_the_message_is_known_again() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    let delivery = |tag, id: &str, redelivered| {
        Delivery { redelivered, properties: Properties::with_id(id), ..Delivery::tagged(tag) }
            .frames()
    };
    session.broker(delivery(1, "m1", false));
    session.broker(delivery(2, "", false));
    session.client(nack(1, 2, 1 | 2));
    let mut other = bed.consuming("tasks");
    other
        .broker([delivery(1, "m1", true), delivery(2, "m2", true), delivery(3, "", true)].concat());
    other.client(ack(1, 3, true));
    let spans = bed.spans();
    let [first, _, again, stranger, unnamed] = &spans[..] else { panic!("{spans:#?}") };
    assert!(again.links.contains(&first.span_id));
    assert_eq!((stranger.links.len(), unnamed.links.len()), (0, 0), "nothing is claimed");
    for span in [again, stranger, unnamed] {
        assert_eq!(span.get("spanbridge.redelivered"), Some("true"));
        assert_eq!(span.get("spanbridge.attempt"), None, "nobody counts");
    }
    assert_eq!(first.get("spanbridge.redelivered"), None);
}

#[test]
fn attempts_are_counted_where_the_broker_counts() {
    let death = |queue: &str, count: u64| {
        let table = [text_entry("queue", queue), number_entry("count", count)].concat();
        [&b"F"[..], &long(&table)].concat()
    };
    let deaths = |list: &[Vec<u8>]| entry("x-death", b'A', &long(&list.concat()));
    for (headers, redelivered, expected) in [
        (vec![], false, None),
        (vec![number_entry("x-delivery-count", 0)], false, None),
        (vec![number_entry("x-delivery-count", 2)], true, Some("3")),
        (vec![number_entry("x-acquired-count", 1)], true, Some("2")),
        (vec![deaths(&[death("tasks", 3), death("wait", 3)])], false, Some("4")),
        (vec![deaths(&[death("wait", 3)])], false, None),
        (vec![number_entry("x-delivery-count", u64::MAX)], true, None),
    ] {
        let bed = Bed::new(1);
        let mut session = bed.consuming("tasks");
        let properties = Properties::with_headers(&headers);
        session.broker(Delivery { redelivered, properties, ..Delivery::default() }.frames());
        session.client(ack(1, 1, false));
        let span = bed.only_span();
        assert_eq!(span.get("spanbridge.attempt"), expected, "{headers:?}");
    }
}

#[test]
fn reading_a_stream_again_is_no_redelivery() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("stream");
    let headers = [number_entry("x-stream-offset", 7)];
    for tag in 1..=2 {
        let properties =
            Properties { message_id: Some("m1".into()), ..Properties::with_headers(&headers) };
        let delivery = Delivery { redelivered: true, properties, ..Delivery::tagged(tag) };
        session.broker(delivery.frames());
        session.client(ack(1, tag, false));
    }
    for span in bed.spans() {
        assert_eq!(span.links.len(), 0);
        assert_eq!(
            (span.get("spanbridge.redelivered"), span.get("spanbridge.attempt")),
            (None, None)
        );
    }
}

#[test]
fn the_publish_time_is_the_brokers_where_it_says_one() {
    for name in ["timestamp_in_ms", "x-opt-rabbitmq-received-time"] {
        let bed = Bed::new(1);
        let mut session = bed.consuming("tasks");
        let headers = [number_entry(name, (START - 3 * SECOND) / 1_000_000)];
        let properties = Properties::with_headers(&headers);
        session.broker(Delivery { properties, ..Delivery::default() }.frames());
        session.client(ack(1, 1, false));
        let span = bed.only_span();
        assert_eq!(span.get("spanbridge.queue_wait"), Some("3"), "{name}");
        assert_eq!(span.get("spanbridge.queue_wait.source"), Some("broker"));
    }
}

#[test]
fn a_message_that_was_asked_for_is_one_like_any_other() {
    let bed = Bed::with(1, options(|settings| settings.receive_spans = true));
    let mut session = bed.connected();
    session
        .client([get(1, "tasks", false), get(1, "tasks", true), get(1, "tasks", false)].concat());
    session.now += SECOND;
    session.broker(Delivery::tagged(1).got());
    session.broker([Delivery::tagged(2).got(), method(1, 60, 72, &[0])].concat());
    session.client(ack(1, 1, false));
    let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["receive tasks", "receive tasks", "process tasks", "process tasks"]);
    let spans = bed.spans();
    assert_eq!((spans[0].start, spans[0].end), (START, START + SECOND));
    assert_eq!(spans[2].get("spanbridge.execution"), Some("unseen"), "of the second");
    assert_eq!(spans[3].outcome(), Some("ack"));
}

#[test]
fn a_channel_that_ends_leaves_its_deliveries_abandoned() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    let properties = Properties::with_id("m1");
    session.broker(Delivery { properties: properties.clone(), ..Delivery::default() }.frames());
    session.now += SECOND;
    session.client(close_channel(1));
    assert_eq!(bed.spans(), [], "what is under way may still come");
    // One more delivery, in one read with the answer.
    session.broker([Delivery::tagged(2).frames(), channel_closed(1)].concat());
    assert_eq!(outcomes(&bed), ["abandoned", "abandoned"]);
    let first = bed.spans()[0].clone();
    assert_eq!((first.start, first.end), (START, START), "waiting is not work");
    assert!(bed.open_spans.is_empty());
    assert_eq!(bed.counters.open_spans_evicted.total(), 0);
    session.open_channel(1);
    session.consume(1, "tasks", "tag", false);
    session.broker(Delivery { properties, redelivered: true, ..Delivery::default() }.frames());
    session.client(ack(1, 1, false));
    assert!(bed.spans()[2].links.contains(&first.span_id));
}

#[test]
fn recovering_puts_all_deliveries_back_and_cancelling_none() {
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    deliver(&mut session, 1..=2);
    // The client cancels; the broker does.
    session.client(method(1, 60, 30, &[&crate::frames::short("tag")[..], &[0]].concat()));
    session.broker(method(1, 60, 31, &crate::frames::short("tag")));
    session.broker(method(1, 60, 30, &[&crate::frames::short("tag")[..], &[1]].concat()));
    session.client(ack(1, 1, false));
    assert_eq!(outcomes(&bed), ["ack"]);
    session.client(method(1, 60, 110, &[1]));
    assert_eq!(outcomes(&bed), ["ack", "requeue"]);
    assert!(bed.open_spans.is_empty());
}

#[test]
fn private_queues_have_no_name_on_spans_and_answers_have_no_spans() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(declare(1, "", 4));
    session.broker(declare_ok(1, "amq.gen-1"));
    // The queue that was declared last, and a tag of the broker's.
    session.client(consume(1, "", "", false));
    session.broker(consume_ok(1, "ctag"));
    let news =
        |tag, exchange, key| Delivery { consumer: "ctag", exchange, key, ..Delivery::tagged(tag) };
    session.broker(news(1, "news", "eu").frames());
    session.broker(news(2, "", "amq.gen-1").frames());
    session.client(ack(1, 2, true));
    let span = bed.only_span();
    assert_eq!(span.name, "process news:eu");
    assert_eq!(span.get("messaging.destination.name"), Some("news:eu:amq.gen-1"));
    assert_eq!(span.get("messaging.destination.anonymous"), Some("true"));
    assert_eq!(span.get("messaging.destination.temporary"), Some("true"));
    assert_eq!(bed.counters.settle_unmatched.get(), 0, "the answer's is known too");
}

#[test]
fn one_word_that_ends_more_than_a_batch_takes_loses_nothing() {
    const COUNT: u64 = 10_000;
    let bed = Bed::new(1);
    let mut session = bed.consuming("tasks");
    for tag in 1..=COUNT {
        session.broker(Delivery::tagged(tag).frames());
    }
    session.forget();
    let acks = [
        ack(1, COUNT - 1, true),
        ack(1, COUNT, false),
        publish(1, ("", "x"), &Properties::default(), b""),
    ];
    let (mut bytes, mut writes) = (acks.concat(), 0);
    // As a session does it: what has ended goes out behind each write.
    loop {
        let mut out = Vec::new();
        let now = session.now;
        let fed = session.relay.feed(Side::Client, &bytes, now, &mut session.tools, &mut out);
        session.to_broker.append(&mut out);
        session.tools.settle_ended();
        (bytes, writes) = (Vec::new(), writes + 1);
        if fed != spanbridge_gateway::relay::Fed::Partly {
            break;
        }
        assert!(!session.is_at_boundary(Side::Client));
    }
    assert!(writes > 3, "{writes}");
    assert_eq!(session.take_to_broker()[..42], acks.concat()[..42]);
    assert_eq!(bed.spans().len() as u64, COUNT + 1);
    assert_eq!(bed.counters.settlements_lost.total(), 0);
    assert!(bed.open_spans.is_empty());
}

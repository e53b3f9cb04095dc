//! Redis streams: an entry read by one consumer, claimed by another, acknowledged elsewhere.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{Attribute, Outcome};
use spanbridge_guest::component::Component;

use crate::host::{Parts, SECOND, T0, attributes, component, deliver, publish, settings, settle};

fn entry() -> Parts {
    Parts {
        attributes: vec![(Attribute::ConsumerGroup, "workers".to_owned())],
        id: "1763900000000-0".to_owned(),
        ..Parts::to("orders")
    }
}

#[test]
fn an_entry_claimed_by_another_consumer_ends_one_attempt_and_begins_the_next() {
    let mut component = component(settings("redis"));
    let sent = publish(&mut component, &Parts::to("orders"), |message| message.end = 0);
    let message = entry().apply(&sent.edits);
    let first = deliver(&mut component, &message, |delivery| delivery.published = T0);
    let claimed = first.settlement(Outcome::Claimed, T0 + 2 * SECOND, T0 + 9 * SECOND);

    let second = deliver(&mut component, &message, |delivery| {
        (delivery.published, delivery.start, delivery.attempt) = (T0, T0 + 9 * SECOND, 2);
        delivery.previous_hi = first.verdict.trace_hi;
        delivery.previous_lo = first.verdict.trace_lo;
        delivery.previous_span = first.verdict.span_id;
    });
    // XACK comes over another connection, which another thread serves: another instance.
    let mut elsewhere = Component::new([9; 4]);
    let acked = second.settlement(Outcome::Ack, T0 + 9 * SECOND, T0 + 10 * SECOND);
    let spans = settle(&mut elsewhere, &[claimed, acked]);

    let [first, second] = spans.as_slice() else { panic!("two attempts") };
    assert_eq!(attributes(first)["spanbridge.outcome"], "claimed");
    assert!(first.status.is_none());
    assert_eq!(attributes(second)["spanbridge.queue_wait"], "9");
    assert_eq!(attributes(second)["messaging.message.id"], "1763900000000-0");
    assert_eq!(attributes(second)["messaging.consumer.group.name"], "workers");
    assert!(second.links.iter().any(|link| link.span_id == first.span_id));
    assert_eq!(second.trace_id, first.trace_id);
    assert_eq!(second.end_time_unix_nano - second.start_time_unix_nano, SECOND);
}

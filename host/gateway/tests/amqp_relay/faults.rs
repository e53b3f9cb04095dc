//! When the component fails, every byte goes on as it came.

use spanbridge::{ComponentSource, Limits};

use crate::faulty::faulty;
use crate::frames::{Delivery, Properties, ack, confirm_select, publish, text_entry};
use crate::harness::{Bed, Options, Session, options};

/// What the component does when a destination has this name.
const FAULTS: [&str; 7] = ["trap", "stack", "loop", "memory", "verdicts", "edit", "run"];

fn failing() -> Options {
    let component = ComponentSource::Bytes(faulty());
    Options { component, limits: Limits::default(), ..options(|_| {}) }
}

#[test]
fn a_component_that_fails_changes_nothing_and_settlements_stay_known() {
    const ROUNDS: u64 = 10;
    for fault in FAULTS {
        let bed = Bed::with(1, failing());
        let mut session = bed.consuming(fault);
        session.client(confirm_select(1));
        session.forget();
        for number in 1..=ROUNDS {
            round(&mut session, fault, number);
        }
        session.close();
        assert_eq!(bed.spans(), [], "{fault}");
        assert!(bed.counters.component_failures.total() > 0, "{fault}");
        assert_eq!(bed.counters.messages_untraced.total(), 3 * ROUNDS, "{fault}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0, "{fault}");
        assert!(bed.open_spans.is_empty(), "{fault}");
    }
}

/// Two publishes and their confirmation, a delivery and its settlement.
fn round(session: &mut Session, queue: &'static str, number: u64) {
    let headers = Properties::with_headers(&[text_entry("a", "b")]);
    let sent = [
        publish(1, ("", queue), &Properties::default(), b"x"),
        publish(1, ("", queue), &headers, &[b'x'; 5000]),
        ack(1, number, false),
    ];
    let (publishes, settlement) = sent.split_at(2);
    session.client(publishes.concat());
    assert_eq!(session.take_to_broker(), publishes.concat());
    let delivery = Delivery { key: queue, properties: headers, ..Delivery::tagged(number) };
    let got = [ack(1, 2 * number, true), delivery.frames()].concat();
    session.broker(&got);
    assert_eq!(session.take_to_client(), got);
    session.client(&settlement[0]);
    assert_eq!(session.take_to_broker(), settlement[0]);
}

#[test]
fn messages_past_what_a_batch_takes_wait_for_the_write_of_those_before_them() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    // A batch takes 1024.
    for (count, writes) in [(1024, 1), (1025, 2), (3000, 3)] {
        let (before, spans) = (session.writes, bed.spans().len());
        let one = |n| publish(1, ("", &format!("a.{n}")), &Properties::default(), b"x");
        let read: Vec<u8> = (0..count).flat_map(one).collect();
        // The last one's body ends later.
        let (read, rest) = read.split_at(read.len() - 1);
        session.client(read);
        assert_eq!(session.writes - before, writes, "{count}");
        session.client(rest);
        let written = crate::frames::headers_in(&session.take_to_broker());
        assert_eq!(written.len(), count);
        assert!(written.iter().all(|header| header.traceparent().is_some()), "{count}");
        assert_eq!(bed.spans().len() - spans, count);
    }
    assert_eq!(bed.counters.messages_untraced.total(), 0);
}

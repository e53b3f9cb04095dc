//! The ends of spans that stayed open: answers to publishes, acknowledgements of deliveries.

use spanbridge_gateway::relay::Side;

use crate::frames::{
    StreamMessage, acknowledge, deliver, deliver_from_stream, operations, publish, status,
};
use crate::harness::{Bed, CONSUMER, Options, SECOND, START, Session};

const REPLY: &str = "_INBOX.me.1";

fn message(sequence: u64) -> StreamMessage {
    StreamMessage { subject: "orders.new".into(), sequence, attempt: 1, stored: START }
}

#[test]
fn a_publish_ends_with_what_is_answered() {
    let long = "x".repeat(5000);
    let table = [
        (deliver(REPLY, "", None, r#"{"stream":"S", "seq":2}"#), Some("confirmed"), 1, None),
        (
            deliver(REPLY, "", None, r#"{"error":{"code":400,"description":"too \"large\""}}"#),
            Some("refused"),
            1,
            Some("too \"large\""),
        ),
        (status(REPLY, "503"), Some("returned"), 1, Some("")),
        (status(REPLY, "503 No Responders"), Some("returned"), 1, Some("No Responders")),
        (status(REPLY, "408 Request Timeout"), Some("refused"), 1, Some("Request Timeout")),
        (deliver(REPLY, "", None, "a service's answer"), Some("confirmed"), 0, None),
        (deliver(REPLY, "", None, ""), Some("confirmed"), 0, None),
        (deliver(REPLY, "", Some("A: b\r\n"), r#"{"seq":2}"#), Some("confirmed"), 0, None),
        (deliver(REPLY, "", None, &long), Some("confirmed"), 0, None),
    ];
    for (answer, outcome, seconds, error) in table {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.client(publish("orders.new", REPLY, None, "hello"));
        assert_eq!(bed.spans(), [], "the broker has not answered yet");
        session.now += SECOND;
        session.broker(&answer);
        assert_eq!(session.take_to_client(), answer);
        let span = bed.only_span();
        assert_eq!(span.name, "publish orders.new");
        assert_eq!((span.outcome(), span.error.as_deref()), (outcome, error), "{answer}");
        assert_eq!((span.start, span.end), (START, START + seconds * SECOND), "{answer}");
        session.close();
        assert_eq!(bed.spans().len(), 1, "it is ended once");
    }
}

#[test]
fn a_publish_that_nobody_answers_ends_with_the_session_and_claims_no_waiting() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish("a", REPLY, None, "hello"));
    session.client(publish("b", "_INBOX.me.2", None, "hello"));
    session.broker(deliver("_INBOX.me.3", "", None, r#"{"stream":"S","seq":2}"#));
    session.now += 10 * SECOND;
    session.close();
    let spans = bed.spans();
    assert_eq!(spans.len(), 2);
    for span in spans {
        assert_eq!((span.outcome(), span.end), (Some("unanswered"), START));
    }
    assert_eq!(bed.counters.publishes_unanswered.closed.get(), 2);
}

#[test]
fn publishes_that_wait_are_bounded_by_count_and_age() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    for number in 0..8193 {
        session.client(publish("a", &format!("_INBOX.me.{number}"), None, ""));
    }
    session.client(publish("a", "_INBOX.me.100", None, ""));
    assert_eq!(bed.counters.publishes_unanswered.count.get(), 2);
    session.now += 61 * SECOND;
    session.client(publish("a", "_INBOX.me.x", None, ""));
    session.client(publish("a", "_INBOX.me.y", None, ""));
    session.close();
    let unanswered = &bed.counters.publishes_unanswered;
    assert_eq!(unanswered.total(), 8196, "{unanswered:?}");
    assert!(unanswered.age.get() >= 256, "{unanswered:?}");
    assert_eq!(bed.spans().len(), 8196);
}

#[test]
fn an_answer_outside_of_an_inbox_ends_the_publish_and_is_a_message() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish("orders.new", "results.1", None, "hello"));
    session.broker(deliver("results.1", "", None, "{\"done\":true}"));
    let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["process results.1", "publish orders.new"]);

    // What the stream or the broker itself says is none.
    session.client(publish("orders.new", "results.2", None, "hello"));
    session.client(publish("orders.new", "results.3", None, "hello"));
    session.broker(deliver("results.2", "", None, r#"{"stream":"S","seq":2}"#));
    session.broker(status("results.3", "503"));
    assert_eq!(bed.spans().len(), 4);
}

#[test]
fn an_answer_that_comes_in_pieces_is_read_when_it_is_whole() {
    let answer = deliver(REPLY, "", None, r#"{"stream":"S", "seq":2}"#);
    for cut in 1..answer.len() {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.client(publish("a", REPLY, None, ""));
        session.broker(&answer[..cut]);
        assert!(!session.is_at_boundary(Side::Broker), "{cut}");
        session.broker(&answer[cut..]);
        assert!(session.is_at_boundary(Side::Broker), "{cut}");
        assert_eq!(session.take_to_client(), answer);
        assert_eq!(bed.only_span().outcome(), Some("confirmed"), "{cut}");
    }
}

#[test]
fn a_delivery_ends_with_what_the_consumer_says() {
    let table = [
        ("+ACK", "ack", None, None),
        ("", "ack", None, None),
        ("+NXT {\"batch\":1}", "ack", None, None),
        ("-NAK", "nack", None, Some("")),
        ("-NAK {\"delay\": 1500000000}", "nack", Some("1.5"), Some("")),
        ("+TERM", "term", None, Some("")),
        ("+TERM no such order", "term", None, Some("no such order")),
    ];
    for (said, outcome, delay, error) in table {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.broker(deliver_from_stream(&message(1), None));
        session.now += SECOND;
        let acknowledgement = acknowledge(&message(1), said);
        session.client(&acknowledgement);
        assert!(session.take_to_broker().ends_with(&acknowledgement));
        let span = bed.only_span();
        assert_eq!((span.name.as_str(), span.kind), ("process orders.new", CONSUMER));
        assert_eq!(span.outcome(), Some(outcome), "{said}");
        assert_eq!((span.start, span.end), (START, START + SECOND));
        assert_eq!(span.get("spanbridge.redelivery_delay"), delay, "{span:#?}");
        assert_eq!(span.error.as_deref(), error, "{said}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
}

#[test]
fn an_acknowledgement_on_another_connection_settles_as_well() {
    let bed = Bed::new(1);
    let (mut reader, mut other) = (bed.connected(), bed.connected());
    reader.broker(deliver_from_stream(&message(1), None));
    reader.broker(deliver_from_stream(&message(2), None));
    reader.close();
    other.client(acknowledge(&message(1), "+ACK"));
    assert_eq!(bed.only_span().outcome(), Some("ack"));
    // Nobody settles the second one.
    other.now += 3601 * SECOND;
    bed.open_spans.sweep(other.now, &mut other.tools);
    let span = bed.spans().pop().unwrap();
    assert_eq!((span.outcome(), span.end), (Some("abandoned"), START));
    assert_eq!(bed.counters.open_spans_evicted.age.get(), 1);
    assert!(bed.open_spans.is_empty());
}

#[test]
fn every_spelling_of_the_subject_is_known_and_a_double_acknowledgement_is_one() {
    let subjects = [
        "ORDERS.billing.1.7.1.1700000000000000000",
        "ORDERS.billing.1.7.1.1700000000000000000.0",
        "_.account.ORDERS.billing.1.7.1.1700000000000000000.0",
        "hub.account.ORDERS.billing.1.7.1.1700000000000000000.0.random",
    ];
    for subject in subjects.map(|subject| format!("$JS.ACK.{subject}")) {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.broker(deliver("orders.new", &subject, None, "x"));
        // Whoever asks for an answer gets an empty one.
        let sent = publish(&subject, REPLY, None, "+ACK");
        session.client(&sent);
        assert_eq!(session.take_to_broker(), sent);
        session.broker(deliver(REPLY, "", None, ""));
        let span = bed.only_span();
        assert_eq!(span.outcome(), Some("ack"), "{subject}");
        assert_eq!(span.get("messaging.nats.sequence"), Some("7"), "{subject}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
}

#[test]
fn unknown_acknowledgements_are_counted_and_go_on() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.broker(deliver_from_stream(&message(1), None));
    let mut sent = acknowledge(&message(1), "+WPI");
    sent += &acknowledge(&message(1), "hello");
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    sent += &acknowledge(&message(2), "+ACK");
    sent += &acknowledge(&message(1), "+ACK");
    sent += &acknowledge(&message(1), "+ACK");
    sent += &acknowledge(&message(1), &format!("+TERM {}", "x".repeat(5000)));
    session.client(&sent);
    assert_eq!(operations(sent.as_bytes()), operations(session.take_to_broker().as_bytes()));
    assert_eq!(bed.counters.settle_unmatched.get(), 3);
    assert_eq!(bed.spans().len(), 1);
}

#[test]
fn the_next_attempt_links_to_the_one_before_it() {
    for settled in [true, false] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.broker(deliver_from_stream(&message(1), None));
        session.now += SECOND;
        if settled {
            session.client(acknowledge(&message(1), "-NAK"));
        }
        let second = message(1).again();
        session.broker(deliver_from_stream(&second, None));
        session.now += SECOND;
        session.client(acknowledge(&second, "+ACK"));
        let [first, again] = &bed.spans()[..] else { panic!("{:?}", bed.spans()) };
        let outcome = if settled { "nack" } else { "expired" };
        assert_eq!((first.outcome(), first.end), (Some(outcome), START + SECOND));
        assert_eq!((again.outcome(), again.end), (Some("ack"), START + 2 * SECOND));
        assert_eq!(again.get("spanbridge.attempt"), Some("2"));
        assert!(again.links.contains(&first.span_id), "{again:#?}");
        assert!(bed.open_spans.is_empty());
    }
}

#[test]
fn two_attempts_in_one_read_are_two_spans() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let second = message(1).again();
    session.broker(deliver_from_stream(&message(1), None) + &deliver_from_stream(&second, None));
    session.client(acknowledge(&second, "+ACK"));
    let outcomes: Vec<_> =
        bed.spans().iter().map(|span| span.outcome().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["expired", "ack"]);
}

#[test]
fn deliveries_say_how_many_were_unsettled_before_them() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let read: String = (0..3).map(|n| deliver_from_stream(&message(n), None)).collect();
    session.broker(read);
    session.client(acknowledge(&message(0), "+ACK"));
    session.client(acknowledge(&message(1), "-NAK"));
    session.broker(deliver_from_stream(&message(3), None));
    // The same consumer on another connection has a queue of its own.
    let mut other = bed.connected();
    other.broker(deliver_from_stream(&message(4), None));
    for number in [2, 3, 4] {
        other.client(acknowledge(&message(number), "+ACK"));
    }
    let prefetched: Vec<_> =
        bed.spans().iter().map(|s| s.get("spanbridge.prefetched").map(str::to_owned)).collect();
    let expected = [None, Some("1"), Some("2"), Some("1"), None];
    assert_eq!(prefetched, expected.map(|number| number.map(str::to_owned)));
}

#[test]
fn work_in_progress_starts_the_age_again() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.broker(deliver_from_stream(&message(1), None));
    session.broker(deliver_from_stream(&message(2), None));
    session.now += 3000 * SECOND;
    session.client(acknowledge(&message(1), "+WPI"));
    session.now += 3000 * SECOND;
    bed.open_spans.sweep(session.now, &mut session.tools);
    assert_eq!(bed.only_span().end, START);
    bed.open_spans.drain(session.now, &mut session.tools);
    let last = bed.spans().pop().unwrap();
    assert_eq!((last.outcome(), last.end), (Some("abandoned"), START + 3000 * SECOND));
}

#[test]
fn past_the_bound_the_delivery_that_was_silent_for_longest_is_given_up() {
    let bed = Bed::with(1, Options { open_spans_max: 1, ..Options::default() });
    let mut session = bed.connected();
    for sequence in 0..100 {
        session.broker(deliver_from_stream(&message(sequence), None));
        assert!(bed.open_spans.len() <= 1);
    }
    let evicted = bed.counters.open_spans_evicted.count.get();
    assert_eq!(evicted, bed.spans().len() as u64);
    bed.open_spans.drain(session.now, &mut session.tools);
    assert_eq!(bed.spans().len(), 100);
    assert!(bed.spans().iter().all(|span| span.outcome() == Some("abandoned")));
}

#[test]
fn an_unsampled_delivery_is_known_to_its_settlement() {
    let mut options = Options::default();
    options.settings.sampler = spanbridge::RootSampler::AlwaysOff;
    let bed = Bed::with(1, options);
    let mut session = bed.connected();
    session.broker(deliver_from_stream(&message(1), None));
    settle(&mut session);
    assert_eq!(bed.spans(), []);
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    assert!(bed.open_spans.is_empty());
}

fn settle(session: &mut Session) {
    session.client(acknowledge(&message(1), "-NAK"));
    session.broker(deliver_from_stream(&message(1).again(), None));
    session.client(acknowledge(&message(1).again(), "+ACK"));
}

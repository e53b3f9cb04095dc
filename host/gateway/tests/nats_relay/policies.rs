//! Consumers that acknowledge nothing, or everything up to a message.

use crate::frames::{StreamMessage, acknowledge, deliver, deliver_from_stream, publish};
use crate::harness::{Bed, SECOND, START, Session};

const REPLY: &str = "_INBOX.me.7";

fn message(sequence: u64) -> StreamMessage {
    StreamMessage { subject: "orders.new".into(), sequence, attempt: 1, stored: START }
}

fn description(policy: &str) -> String {
    format!(
        r#"{{"type":"io.nats.jetstream.api.v1.consumer_info_response","stream_name":"ORDERS",
        "name":"billing","config":{{"durable_name":"billing","ack_policy":"{policy}"}}}}"#
    )
}

/// The client asks for the consumer, and is answered.
fn describe(session: &mut Session, request: &str, policy: &str) {
    session.to_broker.clear();
    session.to_client.clear();
    let asked = publish(&format!("$JS.API.CONSUMER.{request}"), REPLY, None, "{}");
    session.client(&asked);
    assert_eq!(session.take_to_broker(), asked);
    let answer = deliver(REPLY, "", None, &description(policy));
    session.broker(&answer);
    assert_eq!(session.take_to_client(), answer);
}

#[test]
fn what_nobody_acknowledges_is_no_work_that_was_seen() {
    for request in
        ["CREATE.ORDERS", "CREATE.ORDERS.billing.x", "DURABLE.CREATE.ORDERS.billing", "INFO.S.C"]
    {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        // It was there before its description: then it is taken for an ordinary one.
        session.broker(deliver_from_stream(&message(1), None));
        assert_eq!(bed.spans(), []);
        session.client(acknowledge(&message(1), "+ACK"));
        describe(&mut session, request, "none");
        session.take_to_client();
        // Consumers are read from on other sessions than they are made on.
        let mut other = bed.connected();
        for session in [&mut session, &mut other] {
            session.now += SECOND;
            let got = deliver_from_stream(&message(2), Some("Nats-Msg-Id: 2\r\n"));
            session.broker(&got);
            assert_eq!(session.take_to_client(), got);
            let span = bed.spans().pop().unwrap();
            assert_eq!((span.start, span.end, span.outcome()), (session.now, session.now, None));
            for (name, value) in [
                ("spanbridge.execution", "unseen"),
                ("messaging.consumer.group.name", "billing"),
                ("messaging.nats.sequence", "2"),
                ("spanbridge.queue_wait", "1"),
            ] {
                assert_eq!(span.get(name), Some(value), "{name}: {span:#?}");
            }
        }
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (3, 0), "{request}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
}

#[test]
fn a_consumer_that_is_made_anew_or_acknowledged_after_all_is_an_ordinary_one() {
    for how in ["explicit", "delete", "acknowledgement"] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        describe(&mut session, "INFO.ORDERS.billing", "none");
        session.broker(deliver_from_stream(&message(1), None));
        assert_eq!(bed.spans().len(), 1);
        match how {
            "explicit" => describe(&mut session, "CREATE.ORDERS.billing", "explicit"),
            "delete" => {
                session.client(publish("$JS.API.CONSUMER.DELETE.ORDERS.billing", REPLY, None, ""))
            }
            _ => session.client(acknowledge(&message(1), "+ACK")),
        }
        session.broker(deliver_from_stream(&message(2), None));
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (1, 1), "{how}");
        session.client(acknowledge(&message(2), "+ACK"));
        assert_eq!(bed.spans()[1].outcome(), Some("ack"), "{how}");
    }
}

#[test]
fn one_acknowledgement_ends_the_deliveries_before_it() {
    for (said, outcome) in [("+ACK", "ack"), ("+TERM", "term"), ("+NXT", "ack")] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        describe(&mut session, "CREATE.ORDERS.billing", "all");
        let mut other = bed.connected();
        session.broker((1..=3).map(|n| deliver_from_stream(&message(n), None)).collect::<String>());
        other.broker(deliver_from_stream(&message(4), None));
        session.broker(deliver_from_stream(&message(5), None));
        other.now += SECOND;
        other.client(acknowledge(&message(4), said));
        let outcomes: Vec<_> =
            bed.spans().iter().map(|s| (s.outcome().unwrap().to_owned(), s.end)).collect();
        let end = START + SECOND;
        let ended = [outcome, "ack", "ack", "ack"].map(|outcome| (outcome.to_owned(), end));
        assert_eq!(outcomes, ended, "{said}");
        assert_eq!(bed.open_spans.len(), 1, "the one behind it is still at work");
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
}

#[test]
fn a_refusal_stands_for_one_message_only() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    describe(&mut session, "CREATE.ORDERS.billing", "all");
    session.broker((1..=3).map(|n| deliver_from_stream(&message(n), None)).collect::<String>());
    session.client(acknowledge(&message(2), "-NAK"));
    session.client(acknowledge(&message(2), "+WPI"));
    assert_eq!((bed.only_span().outcome(), bed.open_spans.len()), (Some("nack"), 3));
    // What comes again is one of those before the last.
    session.broker(deliver_from_stream(&message(2).again(), None));
    session.client(acknowledge(&message(3), "+ACK"));
    let spans = bed.spans();
    assert_eq!(spans.len(), 4);
    assert_eq!(spans.iter().filter(|span| span.outcome() == Some("ack")).count(), 3);
    assert!(bed.open_spans.is_empty());
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
}

#[test]
fn a_description_is_read_when_it_is_whole_and_up_to_a_bound() {
    let answer = deliver(REPLY, "", None, &description("none"));
    let long =
        description("none").replace("billing\",\"ack", &format!("{}\",\"ack", "x".repeat(20_000)));
    let question = publish("$JS.API.CONSUMER.INFO.ORDERS.billing", REPLY, None, "");
    for cut in (1..answer.len()).step_by(7) {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        session.client(&question);
        session.broker(&answer[..cut]);
        session.broker(&answer[cut..]);
        assert_eq!(session.take_to_client(), answer);
        session.broker(deliver_from_stream(&message(1), None));
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (1, 0), "{cut}");
    }
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(&question);
    let answer = deliver(REPLY, "", None, &long);
    session.broker(&answer[..10_000]);
    assert_eq!(session.to_client.len(), 10_000, "a long one streams through");
    session.broker(&answer[10_000..]);
    assert_eq!(session.take_to_client(), answer);
    assert_eq!(bed.counters.consumer_answers_unread.bytes.get(), 1);
    // An answer that nobody asked for says nothing.
    session.broker(deliver(REPLY, "", None, &description("none")));
    session.broker(deliver_from_stream(&message(1), None));
    assert_eq!((bed.spans().len(), bed.open_spans.len()), (0, 1));
    for number in 0..65 {
        let reply = format!("_INBOX.{number}");
        session.client(publish("$JS.API.CONSUMER.INFO.ORDERS.billing", &reply, None, ""));
    }
    assert_eq!(bed.counters.consumer_answers_unread.count.get(), 1);
}

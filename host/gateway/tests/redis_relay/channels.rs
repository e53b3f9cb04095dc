//! Messages of Pub/Sub, where the route says that they are in an envelope.

use spanbridge_gateway::relay::Side;

use crate::harness::{
    Bed, CONSUMER, PRODUCER, START, Session, TRACEPARENT, command, cut, list, outcomes, plain_bed,
    string, strings,
};
use crate::routes::routed;

const MESSAGE: &str = r#"{"order":  1.0}"#;

fn json(more: &str) -> Bed {
    routed(&format!("[listener.route]\nenvelope = \"json\"\n{more}\n"))
}

/// Publishes a message, and answers what the broker got of it.
fn sent(session: &mut Session, name: &str, message: &str, reply: &str) -> String {
    session.take();
    session.client(strings(&[name.as_bytes(), b"orders", message.as_bytes()]));
    session.broker(reply);
    let [_, _, message] = &cut(&session.take().0)[..] else { panic!("a command of three words") };
    message.clone()
}

/// A subscriber of both kinds, in this version of the protocol.
fn subscriber(bed: &Bed, is_resp3: bool) -> Session {
    let mut session = bed.session();
    if is_resp3 {
        session.ask("HELLO 3", "%1\r\n$5\r\nproto\r\n:3\r\n");
    }
    session.client([command("SUBSCRIBE orders"), command("PSUBSCRIBE ord*")].concat());
    for (what, channel, left) in [("subscribe", "orders", 1), ("psubscribe", "ord*", 2)] {
        let left = format!(":{left}\r\n").into_bytes();
        session.broker(told(&[string(what), string(channel), left], is_resp3));
    }
    session.take();
    session
}

/// What a subscriber is told: a list, or a push.
fn told(elements: &[Vec<u8>], is_resp3: bool) -> Vec<u8> {
    let mut told = list(elements);
    if is_resp3 {
        told[0] = b'>';
    }
    told
}

fn message(words: &[&str], is_resp3: bool) -> Vec<u8> {
    told(&words.iter().map(string).collect::<Vec<_>>(), is_resp3)
}

#[test]
fn a_message_gets_its_context_inside_and_ends_with_the_count_of_its_subscribers() {
    for name in ["PUBLISH", "SPUBLISH"] {
        for (reply, outcome) in
            [(":3\r\n", "confirmed"), (":0\r\n", "confirmed"), ("-NOPERM no\r\n", "refused")]
        {
            let bed = json("");
            let mut session = bed.session();
            let message = sent(&mut session, name, MESSAGE, reply);
            let rest = message.strip_prefix(r#"{"order":  1.0"#).expect("what was there stays");
            assert!(rest.starts_with(r#","_otel":{"traceparent":"00-"#), "{message}");
            let span = bed.only_span();
            assert_eq!((span.name.as_str(), span.kind), ("publish orders", PRODUCER));
            assert_eq!(span.outcome(), Some(outcome), "{name} {reply}");
            assert!(session.is_at_boundary(Side::Broker));
        }
    }
}

#[test]
fn a_message_of_a_transaction_ends_with_it() {
    let bed = json("");
    let mut session = bed.session();
    let publish = strings(&[b"PUBLISH", b"orders", MESSAGE.as_bytes()]);
    session.client([command("MULTI"), publish.clone(), command("EXEC")].concat());
    session.broker("+OK\r\n+QUEUED\r\n");
    assert_eq!(bed.spans(), []);
    session.broker("*1\r\n:0\r\n");
    assert_eq!(outcomes(&bed), ["confirmed"]);
    session.client([command("MULTI"), publish.clone(), command("DISCARD")].concat());
    session.broker("+OK\r\n+QUEUED\r\n+OK\r\n");
    session.client(publish);
    session.close();
    assert_eq!(outcomes(&bed), ["confirmed", "unanswered", "unanswered"]);
    assert_eq!(bed.counters.publishes_unanswered.closed.get(), 1);
}

#[test]
fn a_subscriber_gets_deliveries_of_no_length_and_not_another_byte() {
    for is_resp3 in [false, true] {
        let bed = json("");
        let sent = sent(&mut bed.session(), "PUBLISH", MESSAGE, ":2\r\n");
        let mut subscriber = subscriber(&bed, is_resp3);
        for words in [
            &["message", "orders", &sent][..],
            &["pmessage", "ord*", "orders", &sent],
            &["smessage", "orders", &sent],
        ] {
            let before = bed.spans().len();
            subscriber.broker(message(words, is_resp3));
            let spans = bed.spans();
            let (publish, process) = (&spans[0], &spans[before]);
            assert_eq!((process.name.as_str(), process.kind), ("process orders", CONSUMER));
            assert_eq!((&process.trace_id, &process.parent), (&publish.trace_id, &publish.span_id));
            assert_eq!(process.get("spanbridge.execution"), Some("unseen"));
            assert_eq!((process.start, process.end), (START, START));
        }
        assert!(subscriber.unchanged && bed.spans().len() == 4 && bed.open_spans.is_empty());
    }
}

#[test]
fn a_message_of_pub_sub_goes_to_many() {
    let bed = json("relation = \"auto\"");
    let sent = sent(&mut bed.session(), "PUBLISH", MESSAGE, ":2\r\n");
    subscriber(&bed, true).broker(message(&["message", "orders", &sent], true));
    let [publish, process] = &bed.spans()[..] else { panic!("two spans") };
    assert_ne!(process.trace_id, publish.trace_id, "one of many is no part of the trace");
    assert_eq!(process.links.len(), 1);
}

#[test]
fn a_route_that_continues_changes_what_a_subscriber_gets() {
    for is_resp3 in [false, true] {
        let bed = json("delivery = \"continue\"");
        let mut subscriber = subscriber(&bed, is_resp3);
        let sent =
            MESSAGE.replace('}', &format!(",\"_otel\":{{\"traceparent\":\"{TRACEPARENT}\"}}}}"));
        for words in [&["message", "orders", &sent][..], &["pmessage", "ord*", "orders", &sent]] {
            subscriber.broker(message(words, is_resp3));
            let mut got = subscriber.take().1;
            assert_eq!(got[0], if is_resp3 { b'>' } else { b'*' });
            got[0] = b'*';
            let got = cut(&got);
            let (rest, text) = (&got[..got.len() - 1], &got[got.len() - 1]);
            assert_eq!(rest, &words[..words.len() - 1]);
            let span = bed.spans().pop().unwrap();
            let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                text.starts_with(MESSAGE.trim_end_matches('}')) && text.contains(&id),
                "{text}"
            );
        }
    }
}

#[test]
fn without_an_envelope_and_on_control_channels_nothing_changes() {
    for (bed, channel) in
        [(plain_bed(), "orders"), (json(""), "/0.celery.pidbox"), (json(""), "__keyspace@0__:a")]
    {
        let mut session = bed.session();
        session.client(strings(&[b"PUBLISH", channel.as_bytes(), MESSAGE.as_bytes()]));
        session.broker(":1\r\n");
        for is_resp3 in [false, true] {
            let mut subscriber = subscriber(&bed, is_resp3);
            subscriber.broker(message(&["message", channel, MESSAGE], is_resp3));
            assert!(subscriber.unchanged);
        }
        assert!(session.unchanged && bed.spans().is_empty(), "{channel}");
    }
}

#[test]
fn what_is_no_envelope_passes_as_it_came_and_is_counted() {
    let bed = json("");
    let mut session = bed.session();
    for text in ["no object", "[1]", ""] {
        assert_eq!(sent(&mut session, "PUBLISH", text, ":1\r\n"), text);
    }
    let mut subscriber = subscriber(&bed, true);
    subscriber.broker(message(&["message", "orders", "no object"], true));
    let long = "x".repeat(70_000);
    subscriber.broker(message(&["message", "orders", &long], true));
    assert!(session.unchanged && subscriber.unchanged);
    assert_eq!(bed.counters.bodies_left_alone.content.get(), 3);
    assert_eq!(bed.counters.bodies_left_alone.bytes.get(), 1);
    let longer = message(&["message", "orders", &"x".repeat(2 << 20)], true);
    subscriber.broker(longer);
    assert!(subscriber.unchanged && bed.counters.redis_unread.reply.get() == 1);
}

#[test]
fn pushes_of_other_kinds_pass_a_subscriber_as_they_came() {
    let bed = json("");
    let mut subscriber = subscriber(&bed, true);
    subscriber.broker(told(&[string("invalidate"), list(&[string("key")])], true));
    subscriber.broker(told(&[string("message"), string("orders"), b":1\r\n".to_vec()], true));
    subscriber.ask("PING", "+PONG\r\n");
    assert!(subscriber.unchanged && bed.spans().is_empty());
    assert!(subscriber.is_at_boundary(Side::Broker));
}

#[test]
fn many_messages_of_one_read_are_read_in_turn() {
    let bed = json("");
    let mut subscriber = subscriber(&bed, true);
    let big = format!(r#"{{"text":"{}"}}"#, "x".repeat(10_000));
    subscriber.broker(message(&["message", "orders", &big], true).repeat(100));
    assert_eq!(bed.spans().len(), 100);
    assert_eq!(bed.counters.bodies_left_alone.total(), 0);
    assert!(subscriber.take().1 == message(&["message", "orders", &big], true).repeat(100));
}

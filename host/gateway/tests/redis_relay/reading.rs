//! Entries on their way to a consumer.

use spanbridge::DeliveryMode;

use crate::harness::{
    Bed, CONSUMER, SECOND, START, TRACEPARENT, command, entry, list, options, outcomes, plain_bed,
    stream, string,
};

/// An id whose time is this many seconds before the start of the tests.
fn id_before_start(seconds: u64) -> String {
    format!("{}-0", (START - seconds * SECOND) / 1_000_000)
}

#[test]
fn an_entry_is_worked_on_from_its_delivery_to_its_settlement_on_any_connection() {
    let bed = plain_bed();
    let (mut session, mut elsewhere) = (bed.session(), bed.session());
    let id = id_before_start(2);
    let traceparent = session.add("XADD orders * a 1", &id);
    let fields = format!("a 1 traceparent {traceparent}");
    let reply = stream("orders", &[entry(&id, &fields)]);
    session.ask("XREADGROUP GROUP workers me COUNT 1 BLOCK 0 STREAMS orders >", &reply);
    assert_eq!(bed.spans().len(), 1, "it is being worked on");
    elsewhere.now += 3 * SECOND;
    elsewhere.ask(&format!("XACK orders workers {id}"), ":1\r\n");
    let [publish, process] = &bed.spans()[..] else { panic!("two spans") };
    assert_eq!((process.name.as_str(), process.kind), ("process orders", CONSUMER));
    assert_eq!((&process.trace_id, &process.parent), (&publish.trace_id, &publish.span_id));
    assert_eq!((process.start, process.end), (START, START + 3 * SECOND));
    for (name, value) in [
        ("spanbridge.outcome", "ack"),
        ("messaging.message.id", id.as_str()),
        ("messaging.consumer.group.name", "workers"),
        ("messaging.destination.name", "orders"),
        ("spanbridge.queue_wait", "2"),
    ] {
        assert_eq!(process.get(name), Some(value), "{name}");
    }
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    assert!(bed.open_spans.is_empty());
}

#[test]
fn replies_of_both_versions_are_read_whichever_streams_they_bring() {
    let entries = [list(&[entry("5-0", "a 1")]), list(&[entry("6-0", "b 1"), entry("6-1", "b 2")])];
    let [one, two] = &entries;
    let resp2 = list(&[list(&[string("a"), one.clone()]), list(&[string("b"), two.clone()])]);
    let resp3 = [&b"%2\r\n"[..], &string("a"), one, &string("b"), two].concat();
    for reply in [resp2, resp3] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client(command("XREADGROUP GROUP g c NOACK STREAMS a b > >"));
        for byte in &reply {
            session.broker([*byte]);
        }
        assert_eq!(session.take().1, reply);
        let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["process a", "process b", "process b"]);
        for span in bed.spans() {
            assert_eq!(span.get("spanbridge.execution"), Some("unseen"));
            assert_eq!((span.start, span.end), (START, START));
            assert_eq!(span.get("spanbridge.queue_wait"), None, "5-0 is no time");
        }
    }
}

#[test]
fn readers_without_a_group_are_not_seen_working_and_acknowledge_nothing() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.ask("XREAD COUNT 2 STREAMS s 0", stream("s", &[entry("5-0", "a 1")]));
    assert_eq!(bed.only_span().get("spanbridge.execution"), Some("unseen"));
    assert!(bed.open_spans.is_empty());
    for (words, reply) in [
        ("XRANGE s - +", list(&[entry("5-0", "a 1")])),
        ("XREAD STREAMS s $", b"*-1\r\n".to_vec()),
        ("XREADGROUP GROUP g c STREAMS s >", b"_\r\n".to_vec()),
        ("XREADGROUP GROUP g c STREAMS s >", b"-NOGROUP no such group\r\n".to_vec()),
        ("XCLAIM s g c 0 5-0 JUSTID", list(&[string("5-0")])),
        ("XREADGROUP GROUP g c STREAMS s 0", stream("s", &[])),
        ("XREADGROUP GROUP g c STREAMS bull:a:events >", {
            stream("bull:a:events", &[entry("5-0", "a 1")])
        }),
    ] {
        session.ask(words, reply);
    }
    assert_eq!(bed.spans().len(), 1, "these are no deliveries");
    assert!(session.unchanged);
}

#[test]
fn an_entry_that_is_taken_over_ends_one_attempt_and_begins_the_next() {
    let claimed = list(&[entry("5-0", "a 1")]);
    let autoclaimed = list(&[string("0-0"), claimed.clone(), list(&[string("4-0")])]);
    let again = stream("s", &[entry("5-0", "a 1")]);
    for (words, reply, outcome) in [
        ("XCLAIM s g two 0 5-0", claimed, "claimed"),
        ("XAUTOCLAIM s g two 0 0-0", autoclaimed, "claimed"),
        ("XREADGROUP GROUP g one STREAMS s 0", again, "requeue"),
    ] {
        let bed = plain_bed();
        let (mut one, mut two) = (bed.session(), bed.session());
        one.ask("XREADGROUP GROUP g one STREAMS s >", stream("s", &[entry("5-0", "a 1")]));
        two.now += SECOND;
        two.ask(words, reply);
        assert_eq!(outcomes(&bed), [outcome], "{words}");
        two.now += SECOND;
        two.ask("XACK s g 5-0", ":1\r\n");
        let [first, second] = &bed.spans()[..] else { panic!("two attempts") };
        assert_eq!((first.start, first.end), (START, START + SECOND));
        assert_eq!((second.start, second.end), (START + SECOND, START + 2 * SECOND));
        assert!(second.links.contains(&first.span_id), "{words}");
        assert_eq!(second.get("spanbridge.redelivered"), Some("true"));
        assert_eq!((first.error.as_ref(), second.outcome()), (None, Some("ack")));
        assert!(bed.open_spans.is_empty());
    }
}

#[test]
fn attempts_in_one_read_end_and_are_linked_as_others_are() {
    let bed = plain_bed();
    let mut session = bed.session();
    let again = "XREADGROUP GROUP g c STREAMS s 0";
    let words = ["XREADGROUP GROUP g c STREAMS s >", again, again];
    session.client(words.map(command).concat());
    session.broker(stream("s", &[entry("5-0", "a 1")]).repeat(3));
    session.ask("XACK s g 5-0", ":1\r\n");
    assert_eq!(outcomes(&bed), ["requeue", "requeue", "ack"]);
    let spans = bed.spans();
    assert!(spans.windows(2).all(|pair| pair[1].links.contains(&pair[0].span_id)), "{spans:#?}");
}

#[test]
fn an_entry_that_is_gone_is_no_delivery() {
    let bed = plain_bed();
    let gone = list(&[string("5-0"), b"*-1\r\n".to_vec()]);
    let mut session = bed.session();
    session.ask("XREADGROUP GROUP g c STREAMS s 0", stream("s", &[gone, entry("6-0", "a 1")]));
    assert_eq!((bed.open_spans.len(), bed.counters.messages_seen.delivered.get()), (1, 1));
    session.ask("XCLAIM s g c 0 7-0 8-0", list(&[b"*-1\r\n".to_vec(), entry("8-0", "a 1")]));
    assert_eq!(bed.open_spans.len(), 2);
}

#[test]
fn a_route_that_continues_gives_consumers_the_context_of_our_span() {
    let bed = Bed::with(1, options(|settings| settings.delivery = DeliveryMode::Continue));
    let mut session = bed.session();
    let fields = format!("a 1 Traceparent {TRACEPARENT} b 2");
    let reply = stream("s", &[entry("5-0", &fields), entry("6-0", &fields)]);
    session.client(command("XREADGROUP GROUP g c NOACK STREAMS s >"));
    session.broker([reply.clone(), b"+PONG\r\n".to_vec()].concat());
    let got = String::from_utf8(session.take().1).unwrap();
    let spans = bed.spans();
    let mut from = 0;
    for span in &spans {
        let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let traceparent = format!("Traceparent\r\n$55\r\n00-0af7651916cd43dd8448eb211c80319c-{id}");
        from += got[from..].find(&traceparent).expect("in the order of the entries");
    }
    assert_eq!(spans.len(), 2);
    assert!(got.ends_with("+PONG\r\n") && got.starts_with("*1\r\n*2\r\n$1\r\ns\r\n*2\r\n"));
}

#[test]
fn one_reply_is_one_pull_and_the_others_of_a_consumer_are_counted() {
    // The runtime's own settings show pulls.
    let bed = Bed::new(1);
    let mut session = bed.session();
    session.client(command("XREADGROUP GROUP g c STREAMS s >"));
    session.now += SECOND;
    session.broker(stream("s", &[entry("5-0", "a 1"), entry("6-0", "a 1")]));
    let receive = bed.only_span();
    assert_eq!((receive.name.as_str(), receive.start), ("receive s", START));
    session.ask("XACK s g 5-0 6-0", ":2\r\n");
    let prefetched: Vec<_> = bed.spans()[1..]
        .iter()
        .map(|span| span.get("spanbridge.prefetched").map(str::to_owned))
        .collect();
    assert_eq!(prefetched, [None, Some("1".to_owned())]);
}

#[test]
fn a_transaction_can_deliver_as_well() {
    let bed = plain_bed();
    let mut session = bed.session();
    let words = ["MULTI", "XREADGROUP GROUP g c STREAMS s >", "XADD t * a 1", "EXEC"];
    session.client(words.map(command).concat());
    let reply = list(&[stream("s", &[entry("5-0", "a 1")]), string("7-0")]);
    session.broker([b"+OK\r\n+QUEUED\r\n+QUEUED\r\n".to_vec(), reply].concat());
    assert_eq!((outcomes(&bed), bed.open_spans.len()), (vec!["confirmed".to_owned()], 1));
    session.ask("XACK s g 5-0", ":1\r\n");
    assert_eq!(outcomes(&bed), ["confirmed", "ack"]);
}

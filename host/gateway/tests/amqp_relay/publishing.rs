//! What becomes of publishes: contexts, spans, confirms, returns, transactions.

use crate::frames::{
    Properties, ack, channel_closed, close_channel, confirm_select, cut, headers_in, method, nack,
    publish, publish_mandatory, publish_method, returned, text_entry,
};
use crate::harness::{Bed, CLIENT, PRODUCER, SECOND, START, Session};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn plain() -> Properties {
    Properties::default()
}

fn confirming(bed: &Bed) -> Session {
    let mut session = bed.connected();
    session.client(confirm_select(1));
    session.broker(method(1, 85, 11, b""));
    session.forget();
    session
}

#[test]
fn a_publish_gets_a_context_and_nothing_else_changes() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let properties = Properties {
        headers: Some(text_entry("a", "b")),
        correlation_id: Some("c1"),
        reply_to: Some("back".into()),
        message_id: Some("m1".into()),
    };
    let sent = publish(1, ("orders", "eu.paid"), &properties, &[b'x'; 10_000]);
    session.client(&sent);
    let (written, original) = (cut(&session.take_to_broker()), cut(&sent));
    assert_eq!(written.len(), original.len());
    for (written, original) in written.iter().zip(&original).filter(|(it, _)| it.kind != 2) {
        assert_eq!(written, original);
    }
    let names: Vec<_> = written[1].headers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "traceparent", "tracestate"]);
    let behind = |frame: &crate::frames::Written| {
        frame.payload[frame.payload.len() - "\x02c1\x04back\x02m1".len()..].to_vec()
    };
    assert_eq!(behind(&written[1]), behind(&original[1]));
    let span = bed.only_span();
    assert_eq!((span.name.as_str(), span.kind), ("publish orders:eu.paid", PRODUCER));
    assert_eq!((span.start, span.end), (START, START), "it ends when it is handed on");
    for (name, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.destination.name", "orders:eu.paid"),
        ("messaging.rabbitmq.destination.routing_key", "eu.paid"),
        ("messaging.message.id", "m1"),
        ("messaging.message.conversation_id", "c1"),
    ] {
        assert_eq!(span.get(name), Some(value), "{name}");
    }
    assert_eq!(span.resource, bed.resources.register("billing", &[]));
}

#[test]
fn somebody_elses_context_stays_whatever_type_it_has() {
    for kind in [b'S', b'x'] {
        let bed = Bed::new(1);
        let mut session = bed.connected();
        let value = crate::frames::long(TRACEPARENT.as_bytes());
        let headers = crate::frames::entry("Traceparent", kind, &value);
        let properties = Properties { headers: Some(headers), ..plain() };
        session.client(publish(1, ("", "tasks"), &properties, b"x"));
        assert!(session.unchanged);
        let span = bed.only_span();
        assert_eq!((span.kind, span.name.as_str()), (CLIENT, "publish tasks"));
        assert_eq!(span.parent, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    }
}

#[test]
fn one_confirm_ends_one_publish_or_all_before_it() {
    let bed = Bed::new(1);
    let mut session = confirming(&bed);
    for _ in 0..5 {
        session.client(publish(1, ("", "tasks"), &plain(), b"x"));
    }
    assert_eq!(bed.spans(), []);
    session.now += SECOND;
    session.broker(ack(1, 4, false));
    assert_eq!(bed.spans().len(), 1);
    session.broker(nack(1, 3, 1));
    let outcomes: Vec<_> =
        bed.spans().iter().map(|span| span.outcome().map(str::to_owned)).collect();
    let expected = ["confirmed", "refused", "refused", "refused"];
    assert_eq!(outcomes, expected.map(|outcome| Some(outcome.to_owned())));
    assert!(bed.spans().iter().all(|span| (span.start, span.end) == (START, START + SECOND)));
    session.broker(ack(1, 0, true));
    assert_eq!(bed.spans()[4].outcome(), Some("confirmed"));
    // Again, and for what was never sent.
    session.broker([ack(1, 5, false), ack(1, 9, true), ack(2, 1, false)].concat());
    session.close();
    assert_eq!(bed.spans().len(), 5);
}

#[test]
fn a_message_that_comes_back_is_an_error_and_no_delivery() {
    let bed = Bed::new(1);
    let mut session = confirming(&bed);
    session.client(publish_mandatory(("", "tasks"), &plain(), b"x"));
    session.client(publish_mandatory(("", "nobody"), &Properties::with_id("m1"), b"x"));
    session.client(publish_mandatory(("", "nobody"), &Properties::with_id("m2"), b"x"));
    session.forget();
    let back = returned(("", "nobody"), &Properties::with_id("m2"), b"x");
    session.broker(&back);
    assert_eq!(session.take_to_client(), back);
    session.broker(ack(1, 3, true));
    let found: Vec<_> = bed.spans();
    assert_eq!(found.len(), 3);
    assert_eq!(
        (found[0].outcome(), found[0].get("messaging.message.id")),
        (Some("returned"), Some("m2"))
    );
    assert_eq!(found[0].error.as_deref(), Some("312 NO_ROUTE"));
    assert!(found[1..].iter().all(|span| span.outcome() == Some("confirmed")));
}

#[test]
fn a_return_without_confirms_finds_no_span_and_harms_nothing() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(publish_mandatory(("", "nobody"), &plain(), b""));
    session.broker(returned(("", "nobody"), &plain(), b""));
    assert_eq!(bed.only_span().error, None);
}

#[test]
fn a_transaction_ends_its_publishes_when_it_is_committed_or_taken_back() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.client(method(1, 90, 10, b""));
    session.client(publish(1, ("", "tasks"), &plain(), b"x"));
    session.client([method(1, 90, 20, b""), publish(1, ("", "tasks"), &plain(), b"y")].concat());
    assert_eq!(bed.spans(), []);
    session.now += SECOND;
    session.broker(method(1, 90, 21, b""));
    assert_eq!(
        (bed.only_span().outcome(), bed.only_span().end),
        (Some("confirmed"), START + SECOND)
    );
    session.client(method(1, 90, 30, b""));
    session.broker(method(1, 90, 31, b""));
    let taken_back = &bed.spans()[1];
    assert_eq!((taken_back.outcome(), taken_back.end), (Some("unanswered"), START));
    assert_eq!(taken_back.error, None);
}

#[test]
fn publishes_without_an_answer_end_with_their_channel_or_their_session() {
    let bed = Bed::new(1);
    let mut session = confirming(&bed);
    session.client(publish(1, ("", "tasks"), &plain(), b"x"));
    // In one read with the channel's end.
    session.client([publish(1, ("", "tasks"), &plain(), b"y"), close_channel(1)].concat());
    session.broker(ack(1, 1, false));
    assert_eq!(bed.only_span().outcome(), Some("confirmed"), "the broker may still say so");
    session.broker(channel_closed(1));
    assert_eq!(bed.spans()[1].outcome(), Some("unanswered"));
    session.open_channel(1);
    session.client(publish(1, ("", "tasks"), &plain(), b"z"));
    assert_eq!(bed.spans()[2].outcome(), None, "the new channel does not confirm");
    session.client([confirm_select(1), publish(1, ("", "tasks"), &plain(), b"z")].concat());
    session.close();
    assert_eq!(bed.spans()[3].outcome(), Some("unanswered"));
    assert_eq!(bed.counters.publishes_unanswered.closed.get(), 2);
}

#[test]
fn interleaved_channels_keep_their_messages_apart() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.open_channel(2);
    let content = |channel| crate::frames::content(channel, &plain(), b"0123", 4096);
    let (one, two) = (content(1), content(2));
    // Header and body of the first channel around the method of the second.
    let (header, body) = one.split_at(one.len() - 12);
    let sent = [
        &publish_method(1, "", "first", false)[..],
        &publish_method(2, "", "second", false),
        header,
        &two,
        body,
    ]
    .concat();
    session.client(&sent);
    let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["publish first", "publish second"]);
    let written = headers_in(&session.take_to_broker());
    assert!(written.iter().all(|header| header.traceparent().is_some()));
}

#[test]
fn a_celery_task_has_the_name_and_the_id_of_its_job() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let headers =
        [text_entry("lang", "py"), text_entry("task", "shop.add"), text_entry("id", "t1")];
    session.client(publish(1, ("", "celery"), &Properties::with_headers(&headers), b"[]"));
    let own_id = Properties { message_id: Some("m1".into()), ..Properties::with_headers(&headers) };
    session.client(publish(1, ("", "celery"), &own_id, b"[]"));
    session.client(publish(1, ("", "celery"), &Properties::with_headers(&headers[..2]), b"[]"));
    let found: Vec<_> = bed
        .spans()
        .iter()
        .map(|span| {
            let text = |name| span.get(name).map(str::to_owned);
            (text("spanbridge.job.name"), text("messaging.message.id"))
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [(some("shop.add"), some("t1")), (some("shop.add"), some("m1")), (None, None)]
    );
}

#[test]
fn control_traffic_and_answers_make_no_spans_and_pass_as_they_are() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    for (exchange, key) in [
        ("", "amq.gen-x"),
        ("", "amq.rabbitmq.reply-to.x"),
        ("celeryev", "worker.heartbeat"),
        ("reply.celery.pidbox", "x"),
    ] {
        session.client(publish(1, (exchange, key), &plain(), b"x"));
    }
    // A private queue is one for answers once somebody asks for them there, and not before.
    session.client(crate::frames::declare(1, "mine", 4));
    session.broker(crate::frames::declare_ok(1, "mine"));
    session.client(crate::frames::declare(1, "shared", 2));
    session.broker(crate::frames::declare_ok(1, "shared"));
    assert!(session.unchanged && bed.spans().is_empty());
    session.client(publish(1, ("", "mine"), &plain(), b"x"));
    assert_eq!(bed.spans().len(), 1);
    for queue in ["mine", "shared"] {
        let question = Properties { reply_to: Some(queue.into()), ..plain() };
        session.client(publish(1, ("", "questions"), &question, b"?"));
        session.client(publish(1, ("", queue), &plain(), b"!"));
    }
    let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
    let expected = ["publish mine", "publish questions", "publish questions", "publish shared"];
    assert_eq!(names, expected);
}

#[test]
fn a_publish_that_a_frame_has_no_room_for_goes_on_without_context() {
    for (value_bytes, injected) in [(3000, true), (4000, false)] {
        let bed = Bed::new(1);
        let mut session = bed.connected_as("billing", 4096);
        let headers = [text_entry("a", &"v".repeat(value_bytes))];
        session.client(publish(1, ("", "tasks"), &Properties::with_headers(&headers), b"x"));
        let written = headers_in(&session.take_to_broker());
        assert_eq!(written[0].traceparent().is_some(), injected);
        assert!(written[0].payload.len() + 8 <= 4096);
        assert_eq!(bed.spans().len(), 1);
        assert_eq!(bed.counters.injections_skipped.frame_max.get(), u64::from(!injected));
    }
}

#[test]
fn headers_that_cannot_be_read_pass_untraced_and_are_counted() {
    let bed = Bed::new(1);
    let mut session = confirming(&bed);
    let headers = crate::frames::entry("a", b'?', b"");
    let unreadable = Properties { headers: Some(headers), ..plain() };
    session.client(publish(1, ("", "tasks"), &unreadable, b"x"));
    session.client(publish(1, ("", "tasks"), &plain(), b"x"));
    assert_eq!(bed.counters.messages_unreadable.get(), 1);
    session.broker(ack(1, 1, false));
    assert_eq!(bed.spans(), [], "it had a number all the same");
    session.broker(ack(1, 2, false));
    assert_eq!(bed.only_span().outcome(), Some("confirmed"));
}

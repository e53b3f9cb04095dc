//! Messages of Celery in lists, where the route says that they are such.

use spanbridge_gateway::relay::Side;

use crate::harness::{
    Bed, CONSUMER, PRODUCER, SECOND, START, Session, command, cut, list, outcomes, plain_bed,
    string, strings,
};
use crate::routes::routed;

/// Of a client without instrumentation.
const TASK: &str = include_str!("../../../../guest/tests/data/celery-redis.json");
const TASK_ID: &str = "43b6b1e0-ce21-4059-aab7-e24959d07de6";
const TAG: &str = "89f09cba-fa6c-4aae-a060-706d99a95be7";

fn kombu(more: &str) -> Bed {
    let bed =
        routed(&format!("[[route]]\ndestination = \"celery\"\nenvelope = \"kombu\"\n{more}\n"));
    assert!(TASK.contains(TAG) && TASK.contains(TASK_ID));
    bed
}

fn push(values: &[&str]) -> Vec<u8> {
    let words: Vec<_> = ["LPUSH", "celery"].iter().chain(values).map(|it| it.as_bytes()).collect();
    strings(&words)
}

/// Sends a task, and answers what the broker got of it.
fn sent(session: &mut Session) -> String {
    session.take();
    session.client(push(&[TASK]));
    session.broker(":1\r\n");
    let [_, _, task] = &cut(&session.take().0)[..] else { panic!("a command of three words") };
    task.clone()
}

/// A worker takes a message.
fn taken(session: &mut Session, list: &str, message: &str) {
    session.client(command("BRPOP celery celery\x06\x163 1"));
    session.broker(strings(&[list.as_bytes(), message.as_bytes()]));
}

#[test]
fn a_task_gets_its_context_inside_and_nothing_else_changes() {
    let bed = kombu("");
    let mut session = bed.session();
    let task = sent(&mut session);
    let at = task.find(",\"traceparent\":\"00-").expect("it has a context");
    let (before, behind) = TASK.split_at(at);
    assert!(task.starts_with(before) && task.ends_with(behind), "{task}");
    let span = bed.only_span();
    assert_eq!((span.name.as_str(), span.kind), ("publish celery", PRODUCER));
    for (name, value) in [
        ("messaging.system", "redis"),
        ("messaging.message.id", TASK_ID),
        ("spanbridge.job.name", "tasks.add"),
        ("spanbridge.outcome", "confirmed"),
    ] {
        assert_eq!(span.get(name), Some(value), "{name}");
    }
}

#[test]
fn all_messages_of_one_command_end_with_its_reply() {
    for (reply, outcome) in
        [(":3\r\n", "confirmed"), (":0\r\n", "returned"), ("-OOM no\r\n", "refused")]
    {
        let bed = kombu("");
        let mut session = bed.session();
        session.client([push(&[TASK, "no task", TASK]), command("PING")].concat());
        assert_eq!(bed.spans(), []);
        session.broker([reply.as_bytes(), b"+PONG\r\n"].concat());
        assert_eq!(outcomes(&bed), [outcome; 3]);
        let sent = session.take().0;
        assert_eq!(sent.windows(11).filter(|it| *it == b"traceparent").count(), 2);
        assert_eq!(bed.counters.bodies_left_alone.content.get(), 1);
        assert!(sent.ends_with(&command("PING")) && session.is_at_boundary(Side::Broker));
    }
}

#[test]
fn a_task_that_is_acknowledged_early_is_not_seen_at_work() {
    let bed = kombu("");
    let mut session = bed.session();
    let task = sent(&mut session);
    let mut worker = bed.session();
    taken(&mut worker, "celery\x06\x163", &task);
    assert!(worker.unchanged);
    let [publish, process] = &bed.spans()[..] else { panic!("two spans") };
    assert_eq!((process.name.as_str(), process.kind), ("process celery", CONSUMER));
    assert_eq!((&process.trace_id, &process.parent), (&publish.trace_id, &publish.span_id));
    assert_eq!(process.get("spanbridge.execution"), Some("unseen"));
    assert_eq!((process.start, process.end), (START, START));
    assert_eq!(process.get("spanbridge.job.name"), Some("tasks.add"));
    worker.ask(&format!("HDEL unacked {TAG}"), ":1\r\n");
    assert_eq!((bed.spans().len(), bed.counters.settle_unmatched.get()), (2, 0));
}

#[test]
fn a_task_that_is_acknowledged_late_is_worked_on_until_then() {
    for (before, outcome) in [("PING", "ack"), ("HGET unacked other", "ack"), ("HGET", "requeue")] {
        let bed = kombu("acks = \"late\"");
        let mut worker = bed.session();
        taken(&mut worker, "celery", TASK);
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (0, 1));
        let mut elsewhere = bed.session();
        elsewhere.now += SECOND;
        let before = if before == "HGET" { format!("HGET unacked {TAG}") } else { before.into() };
        let words =
            ["MULTI", &before, "ZREM unacked_index a", &format!("HDEL unacked {TAG}"), "EXEC"];
        elsewhere.client(words.map(command).concat());
        let span = bed.only_span();
        assert_eq!((span.outcome(), span.start, span.end), (Some(outcome), START, START + SECOND));
        elsewhere.broker("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\na\r\n:1\r\n:1\r\n");
        assert!(elsewhere.is_at_boundary(Side::Broker));
    }
}

#[test]
fn a_task_that_has_to_wait_shows_no_work_before_its_time() {
    // Two seconds behind the start, and three behind it.
    let eta =
        |at: &str| TASK.replace("\"eta\": null", &format!("\"eta\": \"2023-11-14T22:13:{at}Z\""));
    for (task, settled, began) in [
        (eta("22"), 5, 2),
        (eta("23.000"), 5, 3),
        (eta("25"), 4, 4), // Revoked: it never ran.
        (eta("19"), 5, 0),
        (TASK.to_owned(), 5, 0),
    ] {
        let bed = kombu("acks = \"late\"");
        let mut worker = bed.session();
        taken(&mut worker, "celery", &task);
        worker.now += settled * SECOND;
        worker.ask(&format!("HDEL unacked {TAG}"), ":1\r\n");
        let span = bed.only_span();
        assert_eq!((span.start, span.end), (START + began * SECOND, START + settled * SECOND));
        let estimated = span.get("spanbridge.start_estimated");
        assert_eq!(estimated.is_some(), began > 0, "{task}");
    }
}

#[test]
fn a_message_without_a_tag_is_not_kept_waiting_for_its_settlement() {
    let bed = kombu("acks = \"late\"");
    let mut worker = bed.session();
    taken(&mut worker, "celery", "no task");
    taken(&mut worker, "celery", "");
    assert_eq!((bed.spans().len(), bed.open_spans.len()), (2, 0));
    assert!(worker.unchanged);
}

#[test]
fn every_way_to_take_messages_is_a_delivery_and_nothing_is_none() {
    let one = string(TASK);
    let two = list(&[string("celery"), list(&[string(TASK), string(TASK)])]);
    for (words, reply, count) in [
        ("RPOP celery", one.clone(), 1),
        ("LPOP celery 2", list(&[one.clone(), one.clone()]), 2),
        ("RPOPLPUSH celery working", one.clone(), 1),
        ("BLMOVE celery working RIGHT LEFT 0", one.clone(), 1),
        ("LMPOP 2 other celery LEFT COUNT 2", two, 2),
        ("BLPOP other celery 0", list(&[string("celery"), one.clone()]), 1),
        ("BRPOP celery 1", b"*-1\r\n".to_vec(), 0),
        ("BRPOP celery 1", b"-ERR no\r\n".to_vec(), 0),
        ("RPOP celery", b"_\r\n".to_vec(), 0),
        ("BRPOP celery other 1", list(&[string("other"), one.clone()]), 0),
        ("RPOP other", one, 0),
    ] {
        let bed = kombu("");
        let mut session = bed.session();
        session.ask(words, reply);
        assert_eq!(bed.spans().len(), count, "{words}");
        assert!(session.unchanged);
        sent(&mut session);
        assert_eq!(outcomes(&bed)[count..], ["confirmed"], "{words}");
    }
}

#[test]
fn a_route_that_continues_changes_the_message_that_a_worker_gets() {
    let bed = kombu("delivery = \"continue\"");
    let mut session = bed.session();
    let task = sent(&mut session);
    let mut worker = bed.session();
    taken(&mut worker, "celery", &task);
    let got = cut(&worker.take().1);
    let process = &bed.spans()[1];
    let id: String = process.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(got[1].contains(&id) && got[1] != task, "{got:?}");
    assert_eq!(got[0], "celery");
}

#[test]
fn lists_without_an_envelope_and_control_lists_pass_as_they_came() {
    let control = routed("[listener.route]\nenvelope = \"kombu\"\n");
    for (bed, list) in [(plain_bed(), "celery"), (control, "a.reply.celery.pidbox")] {
        let mut session = bed.session();
        let words = [&b"LPUSH"[..], list.as_bytes(), TASK.as_bytes()];
        session.client(strings(&words));
        session.broker(":1\r\n");
        session.ask(&format!("BRPOP {list} 1"), strings(&[list.as_bytes(), TASK.as_bytes()]));
        assert!(session.unchanged && bed.spans().is_empty());
        session.client(command(&format!("BRPOP {list} 0")));
        assert!(session.is_at_boundary(Side::Broker));
    }
}

#[test]
fn bodies_past_the_bound_pass_untouched_and_many_are_read_in_turn() {
    let bed = kombu("");
    let mut session = bed.session();
    let long = TASK.replace("\"utf-8\"", &format!("\"{}\"", "x".repeat(70_000)));
    session.client(push(&[&long]));
    session.broker(":1\r\n");
    assert!(session.unchanged);
    assert_eq!(bed.counters.bodies_left_alone.bytes.get(), 1);
    assert_eq!(outcomes(&bed), ["confirmed"]);
    let before = session.writes;
    session.client(push(&[TASK]).repeat(300));
    assert!(session.writes > before + 2, "not more bodies a call than a call has time for");
    let sent = session.take().0;
    assert_eq!(sent.windows(11).filter(|it| *it == b"traceparent").count(), 300);
    session.broker(":1\r\n".repeat(300));
    let message = strings(&[b"celery", TASK.as_bytes()]);
    session.client(command("BRPOP celery 1").repeat(300));
    session.broker(message.repeat(300));
    assert_eq!(bed.spans().len(), 601);
    assert_eq!(bed.counters.bodies_left_alone.total(), 1);
}

#[test]
fn messages_nobody_answers_for_end_with_their_session() {
    let bed = kombu("");
    let mut session = bed.session();
    session.client([command("MULTI"), push(&[TASK, TASK])].concat());
    session.client(push(&[TASK]));
    session.close();
    assert_eq!(outcomes(&bed), ["unanswered"; 3]);
    assert_eq!(bed.counters.publishes_unanswered.closed.get(), 3);
}

//! Jobs of BullMQ, created and worked on by scripts, where the route says that they are such.

use spanbridge::{ComponentSource, Limits};
use spanbridge_gateway::relay::Side;

use crate::faulty::faulty;
use crate::harness::{
    Bed, CONSUMER, Options, PRODUCER, SECOND, START, Session, TRACEPARENT, command, list, options,
    outcomes, plain_bed, string, strings,
};
use crate::routes::{routed, routed_on};

/// Of a client without instrumentation: the first and the third argument.
const JOB: &[u8] = include_bytes!("../../../../guest/tests/data/bullmq-job.args");

/// Where the third begins.
const HEAD: usize = 36;

const DATA: &[u8] = b"{ \"n\": 1.0 }";

const MILLISECOND: u64 = 1_000_000;

fn bullmq(more: &str) -> Bed {
    assert_eq!(JOB[HEAD..HEAD + 3], [0xde, 0, 1]);
    routed(&format!("[[route]]\ndestination = \"mail\"\nenvelope = \"bullmq\"\n{more}\n"))
}

/// A call of a script: keys of the queue `mail`, and arguments.
fn script(text: &[u8], keys: &str, arguments: &[&[u8]]) -> Vec<u8> {
    let name: &[u8] = if text.len() > 40 { b"EVAL" } else { b"EVALSHA" };
    let keys: Vec<_> = keys.split(' ').map(|key| format!("bull:mail:{key}")).collect();
    let count = keys.len().to_string();
    let keys = keys.iter().map(String::as_bytes);
    let head = [name, text, count.as_bytes()];
    strings(&head.into_iter().chain(keys).chain(arguments.iter().copied()).collect::<Vec<_>>())
}

fn create_with(text: &[u8], head: &[u8], options: &[u8]) -> Vec<u8> {
    let keys = "wait paused meta id completed delayed active events marker";
    script(text, keys, &[head, DATA, options])
}

fn create() -> Vec<u8> {
    create_with(b"0123", &JOB[..HEAD], &JOB[HEAD..])
}

fn take() -> Vec<u8> {
    let keys = "wait active prioritized events stalled limiter delayed paused meta pc marker";
    script(b"0123", keys, &[b"bull:mail:", b"1763900000000", b"\x81\xa1a\x01"])
}

fn finish(id: &str, target: &str) -> Vec<u8> {
    let keys = format!(
        "wait active prioritized events stalled limiter delayed paused meta pc {target} {id} \
         metrics:{target} marker"
    );
    let (id, target) = (id.as_bytes(), target.as_bytes());
    let arguments =
        [id, b"17", b"returnvalue", b"1", target, b"1", b"bull:mail:", b"\x81\xa1a\x01", b""];
    script(b"0123", &keys, &arguments)
}

fn delay(id: &str, skip: &str) -> Vec<u8> {
    let keys =
        format!("marker active prioritized delayed {id} events meta stalled wait limiter pc");
    let arguments = [&b"bull:mail:"[..], b"17", id.as_bytes(), b"t", b"5000", skip.as_bytes()];
    script(b"0123", &keys, &arguments)
}

fn children(id: &str) -> Vec<u8> {
    let keys = format!("active waiting-children {id} {id}:dependencies stalled events");
    script(b"0123", &keys, &[b"t", b"", b"17", id.as_bytes(), b"bull:mail:"])
}

/// What a script answers that hands out a job.
fn job(id: &str, options: &str, attempt: &str) -> Vec<u8> {
    let created = (START / MILLISECOND - 3000).to_string();
    let hash = [
        "name",
        "welcome",
        "data",
        "{}",
        "opts",
        options,
        "timestamp",
        &created,
        "delay",
        "0",
        "priority",
        "0",
        "ats",
        attempt,
    ];
    let hash: Vec<_> = hash.iter().map(|it| it.as_bytes()).collect();
    list(&[strings(&hash), string(id), b":0\r\n".to_vec(), b":0\r\n".to_vec()])
}

/// What the broker got as options of a job.
fn options_of(sent: &[u8]) -> &[u8] {
    let at = sent.windows(2).position(|it| it == [0xde, 0]).expect("it has options");
    &sent[at..sent.len() - 2]
}

/// A worker takes a job.
fn taken(worker: &mut Session, reply: impl AsRef<[u8]>) {
    worker.client(take());
    worker.broker(reply);
}

#[test]
fn a_job_gets_its_context_among_its_options_and_nothing_else_changes() {
    let text = [b' '; 26_000];
    for text in [&b"0123"[..], &text] {
        let bed = bullmq("");
        let mut session = bed.session();
        session.client(create_with(text, &JOB[..HEAD], &JOB[HEAD..]));
        let sent = session.take().0;
        let options = options_of(&sent);
        assert_eq!(options[..3], [0xde, 0, 2]);
        assert!(options[3..].starts_with(&JOB[HEAD + 3..]));
        assert_eq!(sent, create_with(text, &JOB[..HEAD], options), "a length and the options");
        assert_eq!(bed.spans(), []);
        session.now += SECOND;
        session.broker(string("17"));
        let span = bed.only_span();
        assert_eq!((span.name.as_str(), span.kind), ("publish mail", PRODUCER));
        assert_eq!((span.start, span.end), (START, START + SECOND));
        assert_eq!(span.get("spanbridge.job.name"), Some("welcome"));
        assert_eq!(span.outcome(), Some("confirmed"));
        let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(String::from_utf8_lossy(options).contains(&id));
    }
}

#[test]
fn the_reply_says_what_became_of_a_new_job() {
    for (reply, expected) in [
        ("$1\r\n7\r\n", &["confirmed"][..]),
        (":7\r\n", &["confirmed"]),
        (":-5\r\n", &["refused"]),
        ("-OOM no\r\n", &["refused"]),
        // Its client sends it again.
        ("-NOSCRIPT No matching script.\r\n", &[]),
    ] {
        let bed = bullmq("");
        let mut session = bed.session();
        session.client(create());
        session.broker(reply);
        assert_eq!(outcomes(&bed), expected, "{reply}");
        session.close();
        assert_eq!(bed.spans().len(), expected.len());
    }
}

#[test]
fn a_script_that_is_sent_again_with_its_text_is_one_publish() {
    let bed = bullmq("");
    let mut session = bed.session();
    session.client(create());
    session.broker("-NOSCRIPT No matching script. Please use EVAL.\r\n");
    session.client(create_with(&[b' '; 50], &JOB[..HEAD], &JOB[HEAD..]));
    session.broker(string("7"));
    assert_eq!(outcomes(&bed), ["confirmed"]);
    let span = bed.only_span();
    let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(String::from_utf8_lossy(&session.take().0).contains(&id));
}

#[test]
fn jobs_of_a_flow_end_with_their_transaction() {
    for (reply, expected) in [
        (list(&[string("7"), b":-5\r\n".to_vec()]), ["confirmed", "refused"]),
        (b"-EXECABORT no\r\n".to_vec(), ["refused"; 2]),
        (b"*-1\r\n".to_vec(), ["unanswered"; 2]),
    ] {
        let bed = bullmq("");
        let mut session = bed.session();
        session.client([command("MULTI"), create(), create(), command("EXEC")].concat());
        session.broker("+OK\r\n+QUEUED\r\n+QUEUED\r\n");
        assert_eq!(bed.spans(), []);
        session.broker(reply);
        assert_eq!(outcomes(&bed), expected);
        assert!(session.is_at_boundary(Side::Broker));
    }
}

#[test]
fn jobs_that_nobody_answers_for_end_when_they_are_handed_on() {
    let bed = bullmq("");
    let mut session = bed.session();
    for word in ["OFF", "SKIP"] {
        session.client([command(&format!("CLIENT REPLY {word}")), create()].concat());
        session.client(command("CLIENT REPLY ON"));
        session.broker("+OK\r\n");
    }
    assert_eq!(outcomes(&bed), ["none"; 2]);
    session.client(create());
    session.close();
    assert_eq!(outcomes(&bed)[2], "unanswered");
}

#[test]
fn a_job_is_worked_on_until_it_is_finished_and_the_reply_is_the_next() {
    for (target, outcome) in [("completed", "ack"), ("failed", "reject")] {
        let bed = bullmq("");
        let (mut worker, mut elsewhere) = (bed.session(), bed.session());
        taken(&mut worker, job("7", "{\"attempts\":0}", "1"));
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (0, 1));
        elsewhere.now += SECOND;
        elsewhere.client(finish("7", target));
        assert!(bed.spans().is_empty(), "the lock may be lost");
        elsewhere.now += SECOND;
        elsewhere.broker(job("8", "{\"attempts\":0}", "1"));
        let span = bed.only_span();
        assert_eq!((&*span.name, span.kind), ("process mail", CONSUMER));
        assert_eq!((span.outcome(), span.start, span.end), (Some(outcome), START, START + SECOND));
        for (name, value) in [
            ("messaging.message.id", "7"),
            ("spanbridge.job.name", "welcome"),
            ("spanbridge.queue_wait", "3"),
            ("spanbridge.queue_wait.source", "producer"),
        ] {
            assert_eq!(span.get(name), Some(value), "{name}");
        }
        assert!(worker.unchanged && elsewhere.unchanged);
        elsewhere.client(finish("8", target));
        elsewhere.broker(":0\r\n");
        assert_eq!(outcomes(&bed), [outcome; 2]);
        assert!(bed.open_spans.is_empty());
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
}

#[test]
fn an_attempt_ends_when_its_job_will_come_again_and_the_next_is_linked_to_it() {
    for (ends, outcome) in
        [(delay("7", "0"), "nack"), (delay("7", "1"), "requeue"), (children("7"), "requeue")]
    {
        let bed = bullmq("");
        let mut worker = bed.session();
        taken(&mut worker, job("7", "{\"attempts\":2}", "1"));
        worker.client(ends);
        worker.broker(":0\r\n");
        let first = bed.only_span();
        assert_eq!(first.outcome(), Some(outcome));
        taken(&mut worker, job("7", "{\"attempts\":2}", "2"));
        worker.client(finish("7", "completed"));
        worker.broker(":0\r\n");
        let second = &bed.spans()[1];
        assert_eq!(second.get("spanbridge.attempt"), Some("2"));
        assert!(second.links.contains(&first.span_id), "{second:?}");
    }
}

#[test]
fn a_reply_that_refuses_ends_nothing() {
    for (ends, reply) in [
        (finish("7", "completed"), ":-2\r\n"),
        (finish("7", "completed"), ":-6\r\n"),
        (finish("7", "completed"), "-ERR no\r\n"),
        (delay("7", "0"), ":-3\r\n"),
        // There are no children to wait for.
        (children("7"), ":1\r\n"),
    ] {
        let bed = bullmq("");
        let mut worker = bed.session();
        taken(&mut worker, job("7", "{}", "1"));
        worker.client(ends);
        worker.broker(reply);
        assert_eq!((bed.spans().len(), bed.open_spans.len()), (0, 1), "{reply}");
        taken(&mut worker, job("7", "{}", "2"));
        assert_eq!(outcomes(&bed), ["expired"], "{reply}");
    }
}

#[test]
fn the_wait_of_a_job_begins_when_its_delay_is_over() {
    for (delay, wait) in [(2000, "1"), (2999, "0.001"), (4000, "3"), (0, "3")] {
        let bed = bullmq("");
        let mut worker = bed.session();
        taken(&mut worker, job("7", &format!("{{\"delay\":{delay}}}"), "1"));
        worker.client(finish("7", "completed"));
        worker.broker(":0\r\n");
        assert_eq!(bed.only_span().get("spanbridge.queue_wait"), Some(wait), "{delay}");
    }
}

#[test]
fn a_route_that_continues_changes_the_options_that_a_worker_gets() {
    let bed = bullmq("delivery = \"continue\"");
    let mut worker = bed.session();
    let options = format!("{{\"tm\":\"{{\\\"traceparent\\\":\\\"{TRACEPARENT}\\\"}}\"}}");
    taken(&mut worker, job("7", &options, "1"));
    let got = worker.take().1;
    worker.client(finish("7", "completed"));
    worker.broker(":0\r\n");
    let span = bed.only_span();
    let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8(got.clone()).unwrap();
    assert!(text.contains(&id) && text.contains(&TRACEPARENT[..36]), "{text}");
    let options = &text[text.find("{\"tm\"").unwrap()..text.find("\r\n$9\r\ntimestamp").unwrap()];
    assert_eq!(got, job("7", options, "1"), "nothing else");
}

#[test]
fn what_hands_out_no_job_is_none() {
    let bed = bullmq("");
    let mut worker = bed.session();
    let nothing = list(&["0", "0", "0", "0"].map(|it| format!(":{it}\r\n").into_bytes()));
    let odd = list(&[list(&[string("opts")]), string("7")]);
    let nested = list(&[list(&[string("opts"), list(&[])]), string("7")]);
    let nameless = list(&[strings(&[b"opts", b"{}"]), string("")]);
    for reply in
        [nothing, odd, nested, nameless, b":0\r\n".to_vec(), b"*0\r\n".to_vec(), b"_\r\n".to_vec()]
    {
        taken(&mut worker, reply);
    }
    assert!(bed.spans().is_empty() && bed.open_spans.is_empty() && worker.unchanged);
    // It has no options, and is a job.
    taken(&mut worker, list(&[strings(&[b"name", b"a"]), string("7")]));
    assert_eq!(bed.open_spans.len(), 1);
    assert!(worker.unchanged && worker.is_at_boundary(Side::Broker));
}

#[test]
fn a_job_past_the_bound_is_not_seen_and_the_one_before_has_ended() {
    let bed = bullmq("");
    let mut worker = bed.session();
    taken(&mut worker, job("7", "{}", "1"));
    worker.client(finish("7", "completed"));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    worker.broker(job("8", &long, "1"));
    assert_eq!(outcomes(&bed), ["ack"]);
    assert_eq!(bed.counters.redis_unread.reply.get(), 1);
    taken(&mut worker, job("9", &format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)), "1"));
    assert_eq!(bed.counters.bodies_left_alone.bytes.get(), 1);
    assert!(worker.unchanged && bed.open_spans.len() == 1);
    worker.client(create_with(&vec![b' '; 1 << 20], &JOB[..HEAD], &JOB[HEAD..]));
    assert_eq!(bed.counters.redis_unread.command.get(), 1);
    worker.broker(string("10"));
    assert!(worker.unchanged && worker.is_at_boundary(Side::Broker));
}

#[test]
fn many_jobs_are_read_in_turn() {
    let bed = bullmq("");
    let mut session = bed.session();
    session.client(create().repeat(2000));
    let sent = session.take().0;
    assert_eq!(sent.windows(11).filter(|it| *it == b"traceparent").count(), 2000);
    session.broker(string("7").repeat(2000));
    assert_eq!(outcomes(&bed), vec!["confirmed"; 2000]);
    session.client(take().repeat(2000));
    let jobs: Vec<_> = (0..2000).map(|id| job(&id.to_string(), "{}", "1")).collect();
    session.broker(jobs.concat());
    assert_eq!(bed.open_spans.len(), 2000);
    assert_eq!(bed.counters.messages_untraced.total(), 0);
}

#[test]
fn scripts_of_other_queues_and_other_scripts_pass_as_they_came() {
    for bed in [plain_bed(), routed("[[route]]\ndestination = \"news\"\nenvelope = \"bullmq\"\n")] {
        let mut session = bed.session();
        session.client([create(), take(), finish("7", "completed")].concat());
        session.broker([string("7"), job("7", "{}", "1"), b":0\r\n".to_vec()].concat());
        assert!(session.unchanged && bed.spans().is_empty() && bed.open_spans.is_empty());
        assert_eq!(bed.counters.settle_unmatched.get(), 0);
    }
    let bed = bullmq("");
    let mut session = bed.session();
    let scheduler = create_with(b"0123", b"1763900000000", &JOB[HEAD..]);
    let options = create_with(b"0123", &JOB[..HEAD], b"\x81\xa2tm\x01");
    session.client([command("EVAL return{1} 0"), scheduler, options].concat());
    session.broker([&b"*1\r\n:1\r\n"[..], b"$1\r\n7\r\n", b"$1\r\n8\r\n"].concat());
    assert!(session.unchanged);
    assert_eq!(bed.counters.bodies_left_alone.content.get(), 2);
    assert_eq!(outcomes(&bed), ["confirmed"]);
}

#[test]
fn a_component_that_fails_changes_no_job() {
    let (component, limits) = (ComponentSource::Bytes(faulty()), Limits::default());
    let bed = Bed::with(1, Options { component, limits, ..options(|_| {}) });
    let bed = routed_on(bed, "[listener.route]\nenvelope = \"bullmq\"\n");
    let mut session = bed.session();
    let of_trap = |mut bytes: Vec<u8>| {
        while let Some(at) = bytes.windows(6).position(|it| it == b":mail:") {
            bytes[at + 1..at + 5].copy_from_slice(b"trap");
        }
        bytes
    };
    session.client([of_trap(create()), of_trap(take())].concat());
    session.broker([string("7"), job("7", "{}", "1")].concat());
    session.client(of_trap(finish("7", "completed")));
    session.broker(":0\r\n");
    assert!(session.unchanged && session.is_at_boundary(Side::Broker));
    assert!(bed.spans().is_empty() && bed.open_spans.is_empty());
    assert_eq!(bed.counters.messages_untraced.total(), 2);
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
}

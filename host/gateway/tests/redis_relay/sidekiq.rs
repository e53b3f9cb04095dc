//! Jobs of Sidekiq in lists, and where it keeps those that have to wait.

use crate::harness::{Bed, PRODUCER, Session, command, cut, string, strings};
use crate::routes::routed;

const JOB: &str = include_str!("../../../../guest/tests/data/sidekiq.json");
const SCHEDULED: &str = include_str!("../../../../guest/tests/data/sidekiq-scheduled.json");

fn sidekiq() -> Bed {
    routed("[listener.route]\nenvelope = \"sidekiq\"\n")
}

/// Sends a job as Sidekiq does, and answers what the broker got of it.
fn sent(session: &mut Session, job: &str) -> String {
    session.take();
    let push = strings(&[b"LPUSH", b"queue:default", job.as_bytes()]);
    session.client([command("MULTI"), command("SADD queues default")].concat());
    session.take();
    session.client(push);
    let [_, _, job] = &cut(&session.take().0)[..] else { panic!("a command of three words") };
    let job = job.clone();
    session.client(command("EXEC"));
    session.broker("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n:1\r\n");
    job
}

/// A worker takes a job.
fn taken(session: &mut Session, job: &str) {
    session.client(command("BRPOP queue:default queue:low 2"));
    session.broker(strings(&[b"queue:default", job.as_bytes()]));
}

fn traceparent(job: &str) -> String {
    let at = job.find("\"traceparent\":\"").expect("it has a context");
    job[at + 15..at + 70].to_owned()
}

#[test]
fn a_job_gets_its_context_and_its_delivery_follows() {
    let bed = sidekiq();
    let job = sent(&mut bed.session(), JOB.trim_end());
    let rest = job.strip_prefix(JOB.trim_end().trim_end_matches('}')).expect("nothing else");
    assert!(rest.starts_with(",\"traceparent\":\"00-"), "{job}");
    let mut worker = bed.session();
    taken(&mut worker, &job);
    assert!(worker.unchanged);
    let [publish, process] = &bed.spans()[..] else { panic!("two spans") };
    assert_eq!((publish.name.as_str(), publish.kind), ("publish queue:default", PRODUCER));
    assert_eq!(publish.outcome(), Some("confirmed"));
    assert_eq!(process.name, "process queue:default");
    assert_eq!((&process.trace_id, &process.parent), (&publish.trace_id, &publish.span_id));
    for span in [publish, process] {
        assert!(span.get("spanbridge.job.name").is_some(), "{span:?}");
        assert!(span.get("messaging.message.id").is_some(), "{span:?}");
    }
    assert_eq!(process.get("spanbridge.execution"), Some("unseen"));
}

#[test]
fn a_retry_with_our_old_context_gets_a_new_one() {
    let bed = sidekiq();
    let mut session = bed.session();
    let job = sent(&mut session, JOB.trim_end());
    let failed = job.replacen('{', "{\"error_message\":\"no\",\"retry_count\":0,", 1);
    // The worker keeps it until it is due.
    let mut worker = bed.session();
    worker.client(strings(&[b"ZADD", b"retry", b"1795767530.3", failed.as_bytes()]));
    worker.broker(":1\r\n");
    worker.ask("ZRANGEBYSCORE retry -inf 1795767531 LIMIT 0 1", strings(&[failed.as_bytes()]));
    assert!(worker.unchanged && bed.spans().len() == 1);
    let again = sent(&mut session, &failed);
    assert_ne!(traceparent(&again), traceparent(&job));
    assert_eq!(again.replace(&traceparent(&again), &traceparent(&job)).len(), again.len());
    assert_eq!(again.matches("traceparent").count(), 1);
    let [first, second] = &bed.spans()[..] else { panic!("two spans") };
    assert_eq!((&second.trace_id, &second.parent), (&first.trace_id, &first.span_id));
    assert_eq!((second.kind, second.outcome()), (PRODUCER, Some("confirmed")));
}

#[test]
fn what_waits_in_a_sorted_set_passes_as_it_came() {
    let bed = sidekiq();
    let mut session = bed.session();
    for (set, job) in [("schedule", SCHEDULED), ("retry", JOB), ("dead", JOB)] {
        session.client(strings(&[b"ZADD", set.as_bytes(), b"1795767575.3", job.as_bytes()]));
        session.broker(":1\r\n");
    }
    session.client(command("ZRANGE schedule 0 -1"));
    session.broker(strings(&[SCHEDULED.as_bytes()]));
    session.ask("ZREM schedule a", ":1\r\n");
    session.ask("EVALSHA abc 1 schedule 1795767576", string(SCHEDULED));
    assert!(session.unchanged && bed.spans().is_empty());
}

//! BullMQ through the gateway: jobs of every kind, and the matrix of instrumented programs.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::recorder::Session;
use spanbridge_tests::{Client, Receiver, Recorder, RedisBed, RedisServer, Span, tool};
use tempfile::TempDir;

use super::bytes::{Element, elements};
use super::check_exit;
use crate::nats::named;

/// What each job takes, in seconds.
const WORK: f64 = 0.3;

/// How far the clocks of two processes may seem apart.
const SLACK: f64 = 0.05;

/// How jobs are sent and worked on.
#[derive(Clone, Copy, Default)]
struct Play<'a> {
    kind: &'a str,
    count: usize,
    workers: usize,
    telemetry: [bool; 2],
    route: &'a str,
}

/// What came of them.
struct Played {
    /// What the workers said of each attempt.
    attempts: Vec<Value>,
    spans: Vec<Span>,
}

fn play(play: &Play<'_>) -> Result<Option<Played>> {
    if tool::node()?.is_none() {
        return Ok(None);
    }
    let lines = format!(
        "[listener.route]\nenvelope = \"bullmq\"\nproducer_service = \"shop\"\n\
         consumer_service = \"mailer\"\n{}\n",
        play.route
    );
    let Some(bed) = RedisBed::start(&lines)? else { return Ok(None) };
    let url = format!("{}/0", bed.gateway.url());
    let of = |instrumented: bool| if instrumented { &["--telemetry"][..] } else { &[] };
    let count = (play.count / play.workers.max(1)).to_string();
    let work = ["work", "--url", &url, "--count", &count, "--work", "0.3"];
    let mut workers = Vec::new();
    for _ in 0..play.workers.max(1) {
        let arguments = [&work[..], of(play.telemetry[1])].concat();
        let worker = Client::start_with("redis_bullmq.js", &arguments, bed.tap.http())?;
        worker.wait_for("ready")?;
        workers.push(worker);
    }
    let send = ["send", "--url", &url, "--kind", play.kind];
    let arguments = [&send[..], of(play.telemetry[0])].concat();
    let sent = Client::start_with("redis_bullmq.js", &arguments, bed.tap.http())?.finish()?;
    assert!(sent.iter().all(|said| said["intact"] == true), "{sent:?}");
    let mut attempts = Vec::new();
    for worker in workers {
        attempts.extend(worker.finish()?);
    }
    attempts.retain(|said| said["event"] == "attempt");
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    Ok(Some(Played { attempts, spans }))
}

/// Our own spans among those of an instrumented program.
fn ours(spans: &[Span]) -> Vec<Span> {
    let own = spans.iter().filter(|span| span.text("messaging.system") == Some("redis"));
    own.cloned().collect()
}

/// Publishes, and processes and attempts in the order of their beginning.
type Plain = (Vec<Span>, Vec<Span>, Vec<Value>);

/// Plays one kind of job without instrumentation; answers publishes, processes and attempts.
fn plain(kind: &str, count: usize) -> Result<Option<Plain>> {
    let play_this = Play { kind, count, ..Play::default() };
    let Some(Played { mut attempts, spans }) = play(&play_this)? else { return Ok(None) };
    let publishes: Vec<_> = named(&spans, "publish mail").into_iter().cloned().collect();
    let mut processes: Vec<_> = named(&spans, "process mail").into_iter().cloned().collect();
    // None of events, of locks, or of polling.
    assert_eq!(spans.len(), publishes.len() + processes.len(), "{spans:#?}");
    assert_eq!((publishes.len(), processes.len()), (count, attempts.len()), "{spans:#?}");
    processes.sort_by_key(|span| span.start);
    attempts
        .sort_by(|one, other| one["began"].as_f64().partial_cmp(&other["began"].as_f64()).unwrap());
    for publish in &publishes {
        assert_eq!(publish.text("spanbridge.outcome"), Some("confirmed"), "{publish:#?}");
        assert_eq!((publish.service.as_str(), publish.parent.as_str()), ("shop", ""));
    }
    for (process, attempt) in processes.iter().zip(&attempts) {
        let parents = publishes.iter().filter(|publish| process.is_child_of(publish));
        assert_eq!(parents.count(), 1, "{spans:#?}");
        assert_eq!(process.service, "mailer");
        assert_eq!(process.text("messaging.message.id"), attempt["id"].as_str(), "{process:#?}");
        assert_eq!(process.text("spanbridge.job.name"), attempt["name"].as_str(), "{process:#?}");
        let again = attempt["attempt"].as_f64().filter(|&attempt| attempt > 1.0);
        assert_eq!(process.number("spanbridge.attempt"), again, "{process:#?}");
        let (start, end) = (process.start as f64 / 1e9, process.end as f64 / 1e9);
        let [began, ended] = ["began", "ended"].map(|name| attempt[name].as_f64().unwrap());
        assert!(start < began + SLACK && end > ended - SLACK, "{process:#?} {attempt}");
        assert!(end - start > WORK - SLACK, "as long as its work: {process:#?}");
    }
    Ok(Some((publishes, processes, attempts)))
}

fn wait(process: &Span) -> Result<f64> {
    process.number("spanbridge.queue_wait").context("no wait")
}

#[test]
fn job_is_one_publish_and_one_process_that_is_as_long_as_its_work() -> Result<()> {
    for kind in ["add", "priority"] {
        let Some((publishes, processes, attempts)) = plain(kind, 1)? else { return Ok(()) };
        let (publish, process) = (&publishes[0], &processes[0]);
        assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
        assert_eq!(publish.text("spanbridge.job.name"), Some("welcome"), "{publish:#?}");
        let own = (kind == "priority").then_some("own");
        assert_eq!(publish.text("messaging.message.id"), own, "{publish:#?}");
        assert!(wait(process)? < WORK, "{process:#?}");
        let metadata = attempts[0]["metadata"].as_str().context("no context in the worker")?;
        let context = format!("00-{}-{}-", publish.trace_id, publish.span_id);
        assert!(metadata.contains(&context), "{metadata}");
    }
    Ok(())
}

#[test]
fn jobs_of_a_bulk_and_their_waits_are_told_apart() -> Result<()> {
    let Some((_, processes, _)) = plain("bulk", 3)? else { return Ok(()) };
    let [first, _, third] = &processes[..] else { panic!("three jobs") };
    // One worker with one job at a time: the others wait, and that is no work.
    assert!(wait(third)? - wait(first)? > 2.0 * WORK - SLACK, "{processes:#?}");
    Ok(())
}

#[test]
fn delay_of_a_job_is_no_wait() -> Result<()> {
    let Some((publishes, processes, _)) = plain("delay", 1)? else { return Ok(()) };
    let between = (processes[0].start - publishes[0].end) as f64 / 1e9;
    assert!(between > 0.6 && wait(&processes[0])? < between - 0.5, "{processes:#?}");
    Ok(())
}

#[test]
fn job_that_fails_for_good_is_rejected() -> Result<()> {
    let Some((_, processes, _)) = plain("fail", 1)? else { return Ok(()) };
    assert_eq!(processes[0].text("spanbridge.outcome"), Some("reject"), "{processes:#?}");
    assert_eq!(processes[0].status, 2, "an error: {processes:#?}");
    Ok(())
}

#[test]
fn retried_job_has_two_attempts_linked_to_each_other() -> Result<()> {
    for kind in ["retry", "backoff"] {
        let Some((_, processes, _)) = plain(kind, 1)? else { return Ok(()) };
        let [first, second] = &processes[..] else { panic!("two attempts: {processes:#?}") };
        assert_eq!(first.text("spanbridge.outcome"), Some("nack"), "{kind} {first:#?}");
        assert_eq!(second.text("spanbridge.outcome"), Some("ack"), "{kind} {second:#?}");
        assert!(second.is_linked_to(first), "{kind} {second:#?}");
        assert_eq!(first.trace_id, second.trace_id, "{kind}");
        assert!(kind == "retry" || second.start - first.end > 400_000_000, "{processes:#?}");
    }
    Ok(())
}

#[test]
fn jobs_of_a_flow_are_all_published_and_worked_on() -> Result<()> {
    let Some((publishes, processes, attempts)) = plain("flow", 3)? else { return Ok(()) };
    assert_eq!((publishes.len(), processes.len()), (3, 3));
    assert_eq!(attempts[2]["name"], "parent", "behind its children");
    Ok(())
}

#[test]
fn script_that_the_server_has_forgotten_is_one_publish() -> Result<()> {
    let Some((publishes, ..)) = plain("flush", 2)? else { return Ok(()) };
    assert_eq!(publishes.len(), 2);
    Ok(())
}

/// How many commands have other options at the server than the client sent.
fn changed(sent: &Session, arrived: &Session) -> Result<usize> {
    ensure!(sent.to_client == arrived.to_client, "replies are kept");
    let (sent, arrived) = (elements(&sent.to_target)?, elements(&arrived.to_target)?);
    ensure!(sent.len() == arrived.len());
    let mut changed = 0;
    for (sent, arrived) in sent.iter().zip(&arrived).filter(|(sent, arrived)| sent != arrived) {
        let (Element::List(sent), Element::List(arrived)) = (sent, arrived) else {
            anyhow::bail!("{sent:?} became {arrived:?}")
        };
        let (Some((Element::String(old), sent)), Some((Element::String(new), arrived))) =
            (sent.split_last(), arrived.split_last())
        else {
            anyhow::bail!("no options")
        };
        let added = new.get(3..).and_then(|new| new.strip_prefix(old.get(3..)?));
        let has_context = added.is_some_and(|added| added.starts_with(b"\xa2tm"));
        ensure!(sent == arrived && has_context && new[2] == old[2] + 1, "{old:?}, {new:?}");
        changed += 1;
    }
    Ok(changed)
}

#[test]
fn sessions_of_sender_and_worker_differ_in_the_options_of_the_job_only() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RedisServer::start()?.filter(|_| tool::node().is_ok_and(|it| it.is_some()))
    else {
        return Ok(());
    };
    let (folder, broker_side) = (TempDir::new()?, Recorder::start(server.address())?);
    let (url, lines) =
        (format!("redis://{}", broker_side.address()), "[listener.route]\nenvelope = \"bullmq\"\n");
    let settings = Settings::listener(folder.path(), &url, lines)?;
    let gateway = settings.variables(receiver.tap().grpc()).start()?;
    let client_side = Recorder::start(gateway.address())?;
    let url = format!("redis://{}/0", client_side.address());
    let worker = Client::start("redis_bullmq.js", &["work", "--url", &url])?;
    worker.wait_for("ready")?;
    Client::run("redis_bullmq.js", &["send", "--url", &url])?;
    worker.finish()?;
    check_exit(&gateway.stop()?)?;
    let mut arrived = broker_side.sessions();
    let mut total = 0;
    for sent in client_side.sessions() {
        let same = arrived.iter().position(|it| changed(&sent, it).is_ok());
        let same = arrived.remove(same.context("a session that differs in something else")?);
        total += changed(&sent, &same)?;
    }
    assert_eq!((total, arrived.len()), (1, 0));
    Ok(())
}

#[test]
fn workers_share_jobs_and_each_job_is_seen_once() -> Result<()> {
    let play_this = Play { kind: "bulk", count: 3, workers: 3, ..Play::default() };
    let Some(Played { attempts, spans }) = play(&play_this)? else { return Ok(()) };
    let processes = named(&spans, "process mail");
    assert_eq!((attempts.len(), processes.len(), spans.len()), (3, 3, 6), "{spans:#?}");
    for process in processes {
        assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
    }
    Ok(())
}

#[test]
fn programs_with_and_without_bullmqs_telemetry_are_in_one_trace() -> Result<()> {
    for route in ["", "delivery = \"continue\""] {
        for telemetry in [[false, false], [false, true], [true, false], [true, true]] {
            let play_this = Play { kind: "add", count: 1, telemetry, route, ..Play::default() };
            let Some(Played { spans, .. }) = play(&play_this)? else { return Ok(()) };
            let case = format!("{telemetry:?} {route}: {spans:#?}");
            let own = ours(&spans);
            let [process] = named(&own, "process mail")[..] else { panic!("{case}") };
            let [publish] = named(&own, "publish mail")[..] else { panic!("{case}") };
            assert_eq!(publish.trace_id, process.trace_id, "{case}");
            let of_worker = |span: &&Span| span.name == "process mail" && !own.contains(span);
            let theirs: Vec<_> = spans.iter().filter(of_worker).collect();
            assert_eq!(theirs.len(), usize::from(telemetry[1]), "{case}");
            for span in theirs {
                assert_eq!(span.trace_id, process.trace_id, "{case}");
                assert_eq!(span.is_child_of(process), !route.is_empty(), "{case}");
            }
            let sender = spans.iter().find(|span| span.name.starts_with("add mail"));
            assert_eq!(sender.is_some(), telemetry[0], "{case}");
            if let Some(sender) = sender {
                assert!(publish.is_child_of(sender), "{case}");
            }
        }
    }
    Ok(())
}

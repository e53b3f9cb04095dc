//! Celery through the gateway: tasks in lists, both times of acknowledgement, retries, countdowns,
//! and OpenTelemetry's own instrumentation on either side.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Client, Kind, RedisBed, Span};
use tempfile::TempDir;

use super::check_exit;
use crate::nats::named;

/// What each task takes, in seconds.
const WORK: f64 = 0.3;

/// How far the clocks of two processes may seem apart.
const SLACK: f64 = 0.05;

/// What came of one task.
struct Played {
    /// What the worker said of each attempt.
    tasks: Vec<Value>,
    /// What the sender said of the result.
    result: Value,
    spans: Vec<Span>,
}

/// How an application runs.
#[derive(Clone, Copy, Default)]
struct Way<'a> {
    /// Lines of the gateway's route.
    route: &'a str,
    /// Whether the program that sends is instrumented.
    sender: bool,
    /// Whether the worker is.
    worker: bool,
    /// Whether it acknowledges after the work.
    late: bool,
}

/// Sends a task of this kind to a prefork worker whose processes take one task each.
fn play(kind: &str, way: Way<'_>) -> Result<Option<Played>> {
    let acks = if way.late { "acks = \"late\"\n" } else { "" };
    let lines = format!("[listener.route]\nenvelope = \"kombu\"\n{acks}{}", way.route);
    let Some(bed) = RedisBed::start(&lines)? else { return Ok(None) };
    let results = TempDir::new()?;
    let (url, folder) = (format!("{}/0", bed.gateway.url()), results.path().display().to_string());
    let common = ["--url", &url, "--results", &folder];
    let instrument = |is_on: bool| if is_on { &["--instrument"][..] } else { &[] };
    let late = if way.late { &["--late"][..] } else { &[] };
    let work = ["work", "--name", "worker", "--tasks-per-child", "1"];
    let arguments = [&work, &common[..], instrument(way.worker), late].concat();
    let worker = Client::start_with("amqp_celery.py", &arguments, bed.tap.http())?;
    worker.wait_for("ready")?;
    let send = ["send", "--kind", kind];
    let arguments = [&send, &common[..], instrument(way.sender), late].concat();
    let mut said = Client::start_with("amqp_celery.py", &arguments, bed.tap.http())?.finish()?;
    let mut tasks = worker.stop()?;
    tasks.retain(|said| said["event"] == "task");
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    Ok(Some(Played { tasks, result: said.pop().context("no result")?, spans }))
}

/// The spans of one plain task, and what the worker said of it.
fn plain(late: bool) -> Result<Option<(Span, Value)>> {
    let way = Way { late, ..Way::default() };
    let Some(Played { tasks, result, spans }) = play("add", way)? else { return Ok(None) };
    assert_eq!(result["value"], 5);
    // None of events, of the remote control, or of polling.
    let [publish, process] = [named(&spans, "publish celery"), named(&spans, "process celery")]
        .map(|mut found| {
            assert_eq!((found.len(), spans.len()), (1, 2), "{spans:#?}");
            found.remove(0)
        });
    assert!(process.is_child_of(publish), "{process:#?}");
    for span in [publish, process] {
        assert_eq!(span.text("spanbridge.job.name"), Some("shop.add"), "{span:#?}");
        assert_eq!(span.text("messaging.message.id"), result["id"].as_str(), "{span:#?}");
        assert_eq!(span.text("messaging.system"), Some("redis"), "{span:#?}");
    }
    assert_eq!(publish.text("spanbridge.outcome"), Some("confirmed"), "{publish:#?}");
    assert!(process.number("spanbridge.queue_wait").is_some(), "{process:#?}");
    let context = format!("00-{}-{}-", publish.trace_id, publish.span_id);
    let found = tasks[0]["traceparent"].as_str().context("no context in the worker")?;
    assert!(found.starts_with(&context), "{found}");
    Ok(Some((process.clone(), tasks[0].clone())))
}

#[test]
fn task_acknowledged_early_shows_no_work_that_was_not_seen() -> Result<()> {
    let Some((process, task)) = plain(false)? else { return Ok(()) };
    let began = task["began"].as_f64().context("a time")?;
    assert!(process.end as f64 / 1e9 < began + SLACK, "{process:#?}, {task}");
    assert_eq!(process.text("spanbridge.execution"), Some("unseen"), "{process:#?}");
    assert_eq!(process.start, process.end, "no work is claimed");
    Ok(())
}

#[test]
fn task_acknowledged_late_is_as_long_as_its_work() -> Result<()> {
    let Some((process, task)) = plain(true)? else { return Ok(()) };
    let (start, end) = (process.start as f64 / 1e9, process.end as f64 / 1e9);
    let ended = task["ended"].as_f64().context("a time")?;
    assert!(end - start > WORK - SLACK && end > ended - SLACK, "{process:#?}, {task}");
    assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
    Ok(())
}

#[test]
fn retried_task_is_published_anew_and_stays_in_its_trace() -> Result<()> {
    for late in [false, true] {
        let way = Way { late, ..Way::default() };
        let Some(Played { tasks, result, spans }) = play("retry", way)? else { return Ok(()) };
        assert_eq!((tasks.len(), &result["value"]), (3, &Value::from("done")));
        let publishes = named(&spans, "publish celery");
        let processes = named(&spans, "process celery");
        assert_eq!((publishes.len(), processes.len()), (3, 3), "{spans:#?}");
        for process in processes {
            let parents = publishes.iter().filter(|publish| process.is_child_of(publish));
            assert_eq!(parents.count(), 1, "{spans:#?}");
        }
        let trace = &publishes[0].trace_id;
        assert!(spans.iter().all(|span| span.trace_id == *trace), "{spans:#?}");
    }
    Ok(())
}

/// The one span whose name begins so.
fn only<'a>(spans: &'a [Span], prefix: &str) -> Result<&'a Span> {
    let found: Vec<_> = spans.iter().filter(|span| span.name.starts_with(prefix)).collect();
    anyhow::ensure!(found.len() == 1, "expected one {prefix}, found {spans:#?}");
    Ok(found[0])
}

#[test]
fn countdown_is_not_shown_as_work() -> Result<()> {
    let way = Way { late: true, ..Way::default() };
    let Some(Played { spans, .. }) = play("countdown", way)? else { return Ok(()) };
    let (publish, process) = (only(&spans, "publish celery")?, only(&spans, "process celery")?);
    // The program counts down 1.5 s, which the worker waits with the task in its hands.
    assert!(process.start > publish.end + 1_000_000_000, "{process:#?}");
    assert!(process.duration().as_secs_f64() < 1.0, "{process:#?}");
    let estimated = process.attributes.get("spanbridge.start_estimated");
    assert_eq!(estimated, Some(&Value::Bool(true)), "{process:#?}");
    Ok(())
}

/// Plays one task with instrumentation here or there, which has to be one trace.
fn instrumented(sender: bool, worker: bool, route: &str) -> Result<Option<Vec<Span>>> {
    let way = Way { route, sender, worker, late: true };
    let Some(Played { spans, .. }) = play("add", way)? else { return Ok(None) };
    let trace = &spans[0].trace_id;
    assert!(spans.iter().all(|span| span.trace_id == *trace), "one trace: {spans:#?}");
    assert_eq!(spans.len(), 2 + usize::from(sender) + usize::from(worker), "{spans:#?}");
    let (publish, process) = (only(&spans, "publish celery")?, only(&spans, "process celery")?);
    if sender {
        let sent = only(&spans, "apply_async/")?;
        assert_eq!(publish.kind, Kind::Client, "somebody else made the context");
        assert!(publish.is_child_of(sent) && process.is_child_of(sent), "{spans:#?}");
    } else {
        assert!(process.is_child_of(publish), "{spans:#?}");
    }
    Ok(Some(spans))
}

#[test]
fn instrumented_programs_are_in_one_trace_with_what_we_see() -> Result<()> {
    for (sender, worker) in [(false, false), (false, true), (true, false), (true, true)] {
        let Some(spans) = instrumented(sender, worker, "")? else { return Ok(()) };
        if worker {
            let made = only(&spans, if sender { "apply_async/" } else { "publish celery" })?;
            assert!(only(&spans, "run/")?.is_child_of(made), "beside our own: {spans:#?}");
        }
    }
    Ok(())
}

#[test]
fn instrumented_worker_nests_where_delivery_continues() -> Result<()> {
    for (sender, worker) in [(false, false), (false, true), (true, false), (true, true)] {
        let route = "delivery = \"continue\"\n";
        let Some(spans) = instrumented(sender, worker, route)? else { return Ok(()) };
        if worker {
            let (run, process) = (only(&spans, "run/")?, only(&spans, "process celery")?);
            assert!(run.is_child_of(process), "{spans:#?}");
            assert!(process.start <= run.start && run.end <= process.end, "{spans:#?}");
        }
    }
    Ok(())
}

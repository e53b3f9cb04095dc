//! Celery through the gateway: tasks in lists, both times of acknowledgement, retries.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Client, RedisBed, Span};
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

/// Sends a task of this kind to a prefork worker whose processes take one task each.
fn play(kind: &str, late: bool) -> Result<Option<Played>> {
    let acks = if late { "acks = \"late\"\n" } else { "" };
    let lines = format!("[listener.route]\nenvelope = \"kombu\"\n{acks}");
    let Some(bed) = RedisBed::start(&lines)? else { return Ok(None) };
    let results = TempDir::new()?;
    let (url, folder) = (format!("{}/0", bed.gateway.url()), results.path().display().to_string());
    let common = ["--url", &url, "--results", &folder];
    let late = if late { &["--late"][..] } else { &[] };
    let work = ["work", "--name", "worker", "--tasks-per-child", "1"];
    let worker = Client::start("amqp_celery.py", &[&work, &common[..], late].concat())?;
    worker.wait_for("ready")?;
    let send = ["send", "--kind", kind];
    let mut said = Client::run("amqp_celery.py", &[&send, &common[..], late].concat())?;
    let mut tasks = worker.stop()?;
    tasks.retain(|said| said["event"] == "task");
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    Ok(Some(Played { tasks, result: said.pop().context("no result")?, spans }))
}

/// The spans of one plain task, and what the worker said of it.
fn plain(late: bool) -> Result<Option<(Span, Value)>> {
    let Some(Played { tasks, result, spans }) = play("add", late)? else { return Ok(None) };
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
        let Some(Played { tasks, result, spans }) = play("retry", late)? else { return Ok(()) };
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

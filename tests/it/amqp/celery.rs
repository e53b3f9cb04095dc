//! Celery through the gateway: every kind of task, both times of acknowledgement, and
//! OpenTelemetry's own instrumentation on either side.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{AmqpBed, Client, Kind, Span};
use tempfile::TempDir;

use super::{check_exit, parent};
use crate::nats::named;

const PUBLISH: &str = "publish celery";
const PROCESS: &str = "process celery";

/// What each task takes, in seconds.
const WORK: f64 = 0.3;

/// How far the clocks of two processes may seem apart.
const SLACK: f64 = 0.05;

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

/// What came of it.
struct Played {
    /// What the worker said of each task.
    tasks: Vec<Value>,
    /// What the sender said of each result.
    results: Vec<Value>,
    spans: Vec<Span>,
}

impl Played {
    /// The spans of OpenTelemetry's instrumentation, by how their names begin.
    fn instrumented(&self, prefix: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name.starts_with(prefix)).collect()
    }

    fn traces(&self) -> BTreeSet<&str> {
        self.spans.iter().map(|span| span.trace_id.as_str()).collect()
    }
}

/// Sends tasks of these kinds to a prefork worker whose processes take one task each.
fn play(way: Way<'_>, kinds: &[&str]) -> Result<Option<Played>> {
    // The wire does not say which it is.
    let acks = if way.late { "acks = \"late\"\n" } else { "" };
    let lines = format!("[listener.route]\n{acks}{}", way.route);
    let Some(bed) = AmqpBed::start_with(&lines, |settings| settings)? else { return Ok(None) };
    let results = TempDir::new()?;
    let (url, folder) = (bed.url(), results.path().display().to_string());
    let common = ["--url", &url, "--results", &folder];
    let instrument = |is_on: bool| if is_on { &["--instrument"][..] } else { &[] };
    let late = if way.late { &["--late"][..] } else { &[] };
    let work = ["work", "--name", "worker", "--tasks-per-child", "1", "--concurrency", "4"];
    let arguments = [&work, &common[..], instrument(way.worker), late].concat();
    let worker = Client::start_with("amqp_celery.py", &arguments, bed.tap.http())?;
    worker.wait_for("ready")?;
    let mut said = Vec::new();
    for kind in kinds {
        let send = ["send", "--name", "shop", "--kind", kind];
        let arguments = [&send, &common[..], instrument(way.sender), late].concat();
        let sender = Client::start_with("amqp_celery.py", &arguments, bed.tap.http())?;
        said.extend(sender.finish().with_context(|| format!("kind {kind}"))?);
    }
    let mut tasks = worker.stop()?;
    tasks.retain(|said| said["event"] == "task");
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    Ok(Some(Played { tasks, results: said, spans }))
}

/// The one span of a name.
fn only<'a>(spans: &'a [Span], name: &str) -> Result<&'a Span> {
    let found = named(spans, name);
    anyhow::ensure!(found.len() == 1, "expected one {name}, found {spans:#?}");
    Ok(found[0])
}

/// The spans of one plain task of an application that nobody instrumented.
fn plain(late: bool) -> Result<Option<(Span, Span, Value)>> {
    let Some(played) = play(Way { late, ..Way::default() }, &["add"])? else { return Ok(None) };
    assert_eq!(played.results[0]["value"], 5);
    // None of events, of the remote control, or of the worker's own queues.
    assert_eq!(played.spans.len(), 2, "{:#?}", played.spans);
    let (publish, process) = (only(&played.spans, PUBLISH)?, only(&played.spans, PROCESS)?);
    assert_eq!((publish.service.as_str(), publish.kind), ("shop", Kind::Producer));
    assert_eq!((process.service.as_str(), process.kind), ("worker", Kind::Consumer));
    assert!(process.is_child_of(publish) && process.is_linked_to(publish), "{process:#?}");
    for span in [publish, process] {
        assert_eq!(span.text("spanbridge.job.name"), Some("shop.add"), "{span:#?}");
        let id = played.results[0]["id"].as_str();
        assert_eq!(span.text("messaging.message.id"), id, "{span:#?}");
    }
    let context = format!("00-{}-{}-", publish.trace_id, publish.span_id);
    let found = played.tasks[0]["traceparent"].as_str().context("no context in the worker")?;
    assert!(found.starts_with(&context), "{found}");
    Ok(Some((publish.clone(), process.clone(), played.tasks[0].clone())))
}

#[test]
fn task_acknowledged_early_shows_no_work_that_was_not_seen() -> Result<()> {
    let Some((_, process, task)) = plain(false)? else { return Ok(()) };
    assert!(process.duration().as_secs_f64() < WORK, "{process:#?}");
    let began = task["began"].as_f64().context("a time")?;
    assert!(process.end as f64 / 1e9 < began + SLACK, "{process:#?}, {task}");
    assert_eq!(process.text("spanbridge.execution"), Some("unseen"), "{process:#?}");
    assert_eq!(process.start, process.end, "no work is claimed");
    Ok(())
}

#[test]
fn task_acknowledged_late_is_as_long_as_its_work() -> Result<()> {
    let Some((_, process, task)) = plain(true)? else { return Ok(()) };
    let (start, end) = (process.start as f64 / 1e9, process.end as f64 / 1e9);
    let (began, ended) = (&task["began"], &task["ended"]);
    let (began, ended) = (began.as_f64().context("a time")?, ended.as_f64().context("a time")?);
    assert!(end - start > WORK - SLACK, "{process:#?}");
    assert!(start < began + SLACK && end > ended - SLACK, "{start} to {end}, {task}");
    assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
    assert_eq!(process.text("spanbridge.execution"), None, "{process:#?}");
    Ok(())
}

#[test]
fn countdown_is_not_shown_as_work() -> Result<()> {
    let way = Way { late: true, ..Way::default() };
    let Some(played) = play(way, &["countdown"])? else { return Ok(()) };
    let (publish, process) = (only(&played.spans, PUBLISH)?, only(&played.spans, PROCESS)?);
    // The program counts down 1.5 s, which the worker waits with the task in its hands.
    assert!(process.start > publish.end + 1_000_000_000, "{process:#?}");
    assert!(process.duration().as_secs_f64() < 1.0, "{process:#?}");
    let estimated = process.attributes.get("spanbridge.start_estimated");
    assert_eq!(estimated, Some(&Value::Bool(true)), "{process:#?}");
    Ok(())
}

#[test]
fn retried_task_does_not_hang_under_a_stale_context() -> Result<()> {
    for late in [false, true] {
        let way = Way { late, ..Way::default() };
        let Some(played) = play(way, &["retry"])? else { return Ok(()) };
        assert_eq!(played.results[0]["value"], "done");
        let publishes = named(&played.spans, PUBLISH);
        let processes = named(&played.spans, PROCESS);
        assert_eq!((publishes.len(), processes.len()), (3, 3), "{:#?}", played.spans);
        let parents: BTreeSet<_> = processes.iter().map(|span| span.parent.as_str()).collect();
        assert_eq!(parents.len(), 3, "each attempt has its own publish: {:#?}", played.spans);
        assert!(processes.iter().all(|span| parent(span, &publishes).is_some()));
        for (earlier, later) in publishes.iter().zip(&publishes[1..]) {
            assert!(later.is_child_of(earlier) && later.is_linked_to(earlier), "{later:#?}");
        }
        let ids: BTreeSet<_> =
            publishes.iter().map(|span| span.text("messaging.message.id")).collect();
        assert_eq!(ids.len(), 1, "one task: {publishes:#?}");
    }
    Ok(())
}

#[test]
fn every_kind_of_task_is_delivered_within_a_trace() -> Result<()> {
    for late in [false, true] {
        let way = Way { late, ..Way::default() };
        let kinds = ["add", "chain", "chord", "countdown", "failure"];
        let Some(played) = play(way, &kinds)? else { return Ok(()) };
        let values: Vec<_> = played.results.iter().map(|result| &result["value"]).collect();
        assert_eq!(
            values,
            [&5.into(), &10.into(), &6.into(), &5.into(), &"broken on purpose".into()]
                as [&Value; 5]
        );
        let publishes = named(&played.spans, PUBLISH);
        let processes = named(&played.spans, PROCESS);
        // A chord asks for its end again and again, until it has come.
        let jobs = |name: &str| {
            let spans = processes.iter();
            spans.filter(|span| span.text("spanbridge.job.name") == Some(name)).count()
        };
        assert_eq!((jobs("shop.add"), jobs("shop.total"), jobs("shop.broken")), (7, 1, 1));
        assert_eq!(played.spans.len(), publishes.len() + processes.len(), "{:#?}", played.spans);
        assert_eq!(publishes.len(), processes.len(), "{:#?}", played.spans);
        for process in &processes {
            let publish = parent(process, &publishes).context("a delivery without its publish")?;
            let id = |span: &Span| span.text("messaging.message.id").map(str::to_owned);
            assert_eq!(id(publish), id(process));
        }
        // A failed task was acknowledged like any other: only its program knows.
        assert!(processes.iter().all(|span| span.status == 0), "{processes:#?}");
    }
    Ok(())
}

/// The spans of one task with instrumentation somewhere.
fn instrumented(sender: bool, worker: bool, route: &str) -> Result<Option<Played>> {
    let Some(played) = play(Way { route, sender, worker, late: true }, &["add"])? else {
        return Ok(None);
    };
    assert_eq!(played.traces().len(), 1, "one trace: {:#?}", played.spans);
    assert_eq!(played.instrumented("apply_async/").len(), usize::from(sender));
    assert_eq!(played.instrumented("run/").len(), usize::from(worker), "{:#?}", played.spans);
    only(&played.spans, PUBLISH)?;
    Ok(Some(played))
}

const CONSUMER_SPANS_OFF: &str = "consumer_spans = false\n";
const DELIVERY_CONTINUE: &str = "delivery = \"continue\"\n";

#[test]
fn instrumented_worker_joins_the_trace() -> Result<()> {
    let Some(played) = instrumented(false, true, "")? else { return Ok(()) };
    let (publish, process) = (only(&played.spans, PUBLISH)?, only(&played.spans, PROCESS)?);
    let run = played.instrumented("run/")[0];
    assert!(run.is_child_of(publish), "beside our own: {:#?}", played.spans);
    assert!(process.is_child_of(publish), "{:#?}", played.spans);
    assert_eq!(run.service, "worker-otel");
    Ok(())
}

#[test]
fn instrumented_worker_is_shown_once_without_consumer_spans() -> Result<()> {
    for sender in [false, true] {
        let Some(played) = instrumented(sender, true, CONSUMER_SPANS_OFF)? else { return Ok(()) };
        assert_eq!(named(&played.spans, PROCESS).len(), 0, "{:#?}", played.spans);
        assert_eq!(played.spans.len(), 2 + usize::from(sender), "{:#?}", played.spans);
    }
    Ok(())
}

#[test]
fn instrumented_worker_nests_where_delivery_continues() -> Result<()> {
    for sender in [false, true] {
        let Some(played) = instrumented(sender, true, DELIVERY_CONTINUE)? else { return Ok(()) };
        let (run, process) = (played.instrumented("run/")[0], only(&played.spans, PROCESS)?);
        assert!(run.is_child_of(process), "{:#?}", played.spans);
        assert!(process.start <= run.start && run.end <= process.end, "{:#?}", played.spans);
    }
    Ok(())
}

#[test]
fn instrumented_sender_is_the_parent_of_what_we_see() -> Result<()> {
    let Some(played) = instrumented(true, false, "")? else { return Ok(()) };
    let sent = played.instrumented("apply_async/")[0];
    let (publish, process) = (only(&played.spans, PUBLISH)?, only(&played.spans, PROCESS)?);
    assert_eq!(publish.kind, Kind::Client, "somebody else made the context");
    assert!(publish.is_child_of(sent) && publish.is_linked_to(sent), "{publish:#?}");
    assert!(process.is_child_of(sent) && process.is_linked_to(sent), "{process:#?}");
    Ok(())
}

#[test]
fn instrumented_on_both_sides_is_one_trace_with_ours_in_it() -> Result<()> {
    let Some(played) = instrumented(true, true, "")? else { return Ok(()) };
    let sent = played.instrumented("apply_async/")[0];
    assert_eq!(played.spans.len(), 4, "{:#?}", played.spans);
    for span in played.spans.iter().filter(|span| *span != sent) {
        assert!(span.is_child_of(sent), "{span:#?}");
    }
    Ok(())
}

#[test]
fn chain_is_one_trace_where_the_worker_is_instrumented() -> Result<()> {
    let way = Way { sender: true, worker: true, late: true, ..Way::default() };
    let Some(played) = play(way, &["chain"])? else { return Ok(()) };
    assert_eq!(played.traces().len(), 1, "{:#?}", played.spans);
    assert_eq!(named(&played.spans, PUBLISH).len(), 3, "{:#?}", played.spans);
    assert_eq!(played.instrumented("run/").len(), 3, "{:#?}", played.spans);
    Ok(())
}

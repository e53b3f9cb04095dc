//! An unmodified nats-py producer and JetStream worker: what their traces look like.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Bed, Client, Flavour, Kind, Span};

use super::{named, on_both_brokers};

/// What `--work` sleeps, in seconds.
const WORK: f64 = 0.3;

/// How much earlier than the worker's own clock says a span may end: clocks are read in two
/// processes.
const SLACK: f64 = 0.05;

on_both_brokers! {
    pull_worker_gives_one_trace_a_message => pull_worker;
    push_worker_gives_one_trace_a_message => push_worker;
    queue_wait_is_what_the_message_waited => queue_wait;
    refused_message_gets_a_second_span_linked_to_the_first => refused;
    known_concurrency_makes_process_spans_as_long_as_the_work => concurrency;
}

/// What the producer and the worker have in common.
fn order_stream(url: &str) -> [&str; 6] {
    ["--server", url, "--stream", "ORDERS", "--subject", "orders.created"]
}

fn produce(url: &str, count: &str) -> Result<Vec<Value>> {
    Client::run("nats_producer.py", &[&order_stream(url)[..], &["--count", count]].concat())
}

/// Runs the worker and answers what it said of each message.
fn work(url: &str, arguments: &[&str]) -> Result<Vec<Value>> {
    let mut said = Client::run("nats_worker.py", &[&order_stream(url)[..], arguments].concat())?;
    said.retain(|event| event["event"] == "message");
    Ok(said)
}

fn pull_worker(flavour: Flavour) -> Result<()> {
    one_trace_a_message(flavour, "pull")
}

fn push_worker(flavour: Flavour) -> Result<()> {
    one_trace_a_message(flavour, "push")
}

fn one_trace_a_message(flavour: Flavour, mode: &str) -> Result<()> {
    let Some(bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    produce(&url, "3")?;
    let work_arguments = ["--mode", mode, "--count", "3", "--work", "0.3"];
    let messages = work(&url, &work_arguments)?;

    // The stream's creation, the consumer's, pulls, acknowledgements and inboxes make no spans.
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(spans.len(), 6, "{spans:#?}");
    let publishes = named(&spans, "publish orders.created");
    let processes = named(&spans, "process orders.created");
    assert_eq!((publishes.len(), processes.len()), (3, 3), "{spans:#?}");
    let traces: BTreeSet<&str> = publishes.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces.len(), 3, "one trace for each message");

    for (index, process) in processes.iter().enumerate() {
        let publish = publishes.iter().find(|publish| process.is_child_of(publish));
        let publish = publish.with_context(|| format!("no publish span for {process:#?}"))?;
        assert!(process.is_linked_to(publish), "{process:#?}");
        assert!(publish.end <= process.start, "it was acknowledged before the worker began");
        check_publish(publish);
        check_process(process);
        assert_eq!(process.number("messaging.nats.sequence"), Some(index as f64 + 1.0));
        let message = &messages[index];
        assert_eq!(message["payload"], format!("order {index}"));
        let expected = format!("00-{}-{}-", publish.trace_id, publish.span_id);
        let traceparent = message["headers"]["traceparent"].as_str().unwrap_or_default();
        assert!(traceparent.starts_with(&expected), "{message}");
        check_length(process, message, if mode == "push" { index } else { 0 });
    }
    Ok(())
}

fn check_publish(span: &Span) {
    assert_eq!((span.service.as_str(), span.kind), ("checkout", Kind::Producer), "{span:#?}");
    assert_eq!(span.parent, "", "nothing came before it");
    check_messaging(span, "publish", "send");
}

fn check_process(span: &Span) {
    assert_eq!((span.service.as_str(), span.kind), ("billing", Kind::Consumer), "{span:#?}");
    assert_eq!(span.status, 0, "an acknowledged message is no error");
    assert_eq!(span.text("messaging.nats.stream"), Some("ORDERS"), "{span:#?}");
    assert_eq!(span.text("spanbridge.outcome"), Some("ack"), "{span:#?}");
    check_messaging(span, "process", "process");
}

fn check_messaging(span: &Span, name: &str, kind: &str) {
    let expected = [
        ("messaging.system", "nats"),
        ("messaging.operation.name", name),
        ("messaging.operation.type", kind),
        ("messaging.destination.name", "orders.created"),
    ];
    for (attribute, value) in expected {
        assert_eq!(span.text(attribute), Some(value), "{attribute} of {span:#?}");
    }
    assert!(span.schema_url.ends_with("/1.44.0"), "{}", span.schema_url);
}

/// A process span is as long as the work, and as the work on what was delivered before it.
fn check_length(span: &Span, message: &Value, before: usize) {
    let prefetched = span.number("spanbridge.prefetched").unwrap_or(0.0);
    assert_eq!(prefetched, before as f64, "{span:#?}");
    let seconds = span.duration().as_secs_f64();
    let whole = WORK * (prefetched + 1.0);
    assert!(seconds > whole - SLACK, "{seconds} s, work {whole} s");
    // The worker's own measure is the bound: a busy machine stretches both.
    let settled = message["settled"].as_f64().unwrap_or_default();
    let ended = span.end as f64 / 1e9;
    assert!(ended < settled + WORK, "ended {ended}, settled {settled}");
    let received = message["received"].as_f64().unwrap_or_default();
    let until_settled = settled - received + WORK * (prefetched + 1.0);
    assert!(seconds < until_settled, "{seconds} s, at most {until_settled} s");
}

fn queue_wait(flavour: Flavour) -> Result<()> {
    const WAIT: f64 = 2.0;
    const TOLERANCE: f64 = 0.1;
    let Some(bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    let published = produce(&url, "1")?;
    let (began, ended) = (&published[0]["began"], &published[0]["ended"]);
    let (began, ended) = (began.as_f64().unwrap_or(0.0), ended.as_f64().unwrap_or(0.0));
    let messages = work(&url, &["--not-before", &format!("{}", ended + WAIT)])?;
    let received = messages[0]["received"].as_f64().context("a time")?;

    let (_, spans) = bed.finish()?;
    let process = named(&spans, "process orders.created");
    let wait = process[0].number("spanbridge.queue_wait").context("no queue wait")?;
    // The broker took the message between `began` and `ended`, and the worker asked for it at
    // `ended + WAIT` and had it at `received`: on a quiet machine both bounds are 2.0 s.
    assert!(wait > WAIT - TOLERANCE, "{wait} s");
    assert!(wait < received - began + TOLERANCE, "{wait} s, at most {} s", received - began);
    Ok(())
}

fn refused(flavour: Flavour) -> Result<()> {
    let Some(bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    produce(&url, "1")?;
    let messages = work(&url, &["--count", "2", "--nak-first", "0.2"])?;
    assert_eq!(messages[1]["attempt"], 2, "{messages:?}");

    let (_, spans) = bed.finish()?;
    let publishes = named(&spans, "publish orders.created");
    let [first, second] = named(&spans, "process orders.created")[..] else {
        panic!("expected two attempts, found {spans:#?}");
    };
    assert!(first.is_child_of(publishes[0]) && second.is_child_of(publishes[0]));
    assert!(second.is_linked_to(first), "{second:#?}");
    assert!(!first.is_linked_to(second), "{first:#?}");
    assert_eq!((first.status, second.status), (2, 0), "a refusal is an error");
    assert_eq!(first.text("spanbridge.outcome"), Some("nack"), "{first:#?}");
    assert_eq!(second.number("spanbridge.attempt"), Some(2.0), "{second:#?}");
    Ok(())
}

fn concurrency(flavour: Flavour) -> Result<()> {
    const MESSAGES: usize = 6;
    let folder = tempfile::TempDir::new()?;
    let Some(bed) = Bed::start_listener(flavour, folder.path(), "route.concurrency = 1\n")? else {
        return Ok(());
    };
    let url = bed.gateway.url();
    let count = MESSAGES.to_string();
    produce(&url, &count)?;
    let messages = work(&url, &["--mode", "push", "--count", &count, "--work", "0.3"])?;
    let (_, spans) = bed.finish()?;
    let processes = named(&spans, "process orders.created");
    assert_eq!(processes.len(), MESSAGES, "{spans:#?}");
    for (before, process) in processes.iter().enumerate() {
        let prefetched = process.number("spanbridge.prefetched").unwrap_or(0.0);
        assert_eq!(prefetched, before as f64, "the client fetched all of them: {process:#?}");
        let estimated = process.attributes.get("spanbridge.start_estimated");
        assert_eq!(estimated, (before > 0).then_some(&Value::Bool(true)), "{process:#?}");
        let time = |name: &str| messages[before][name].as_f64().unwrap_or_default();
        let work = time("settled") - time("received");
        let seconds = process.duration().as_secs_f64();
        let error = (seconds - work).abs();
        assert!(error < 0.2 * work, "span of message {before}: {seconds} s, work {work} s");
    }
    Ok(())
}

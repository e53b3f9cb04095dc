//! A worker that takes many messages ahead: its spans say how many were before theirs.

use anyhow::Result;
use spanbridge_tests::{AmqpBed, Client};

use super::{check_exit, outcomes};
use crate::nats::named;

const MESSAGES: usize = 250;

/// What the worker does for each message, in seconds.
const WORK: f64 = 0.01;

#[test]
fn messages_taken_ahead_are_said_to_be() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let url = bed.url();
    let common = ["--url", &url, "--queue", "orders", "--count", "250"];
    Client::run("amqp_pika.py", &[&["produce"], &common[..]].concat())?;
    let ahead = ["work", "--name", "billing", "--prefetch", "250", "--work", "0.01"];
    Client::run("amqp_pika.py", &[&ahead[..], &common[..]].concat())?;
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    let processes = named(&spans, "process orders");
    assert_eq!(processes.len(), MESSAGES);
    assert_eq!(outcomes(&spans, "process orders"), ["ack"; MESSAGES]);
    let prefetched: Vec<f64> = processes
        .iter()
        .map(|span| span.number("spanbridge.prefetched").unwrap_or_default())
        .collect();
    let most = prefetched.iter().copied().fold(0.0, f64::max);
    // The broker sends all it has as fast as it can; the first are done meanwhile.
    assert!(most > 100.0 && most < MESSAGES as f64, "{most}");
    assert_eq!(prefetched.iter().filter(|&&number| number == 0.0).count(), 1, "{prefetched:?}");
    for (span, &before) in processes.iter().zip(&prefetched) {
        // What was before it was worked on first, and this span does not hide that.
        let least = WORK * (before + 1.0) * 0.9;
        assert!(span.duration().as_secs_f64() > least, "{before}: {span:#?}");
    }
    Ok(())
}

#[test]
fn stated_concurrency_makes_process_spans_as_long_as_the_work() -> Result<()> {
    let Some(bed) = AmqpBed::start_with("[[route]]\nconcurrency = 1\n", |settings| settings)?
    else {
        return Ok(());
    };
    let url = bed.url();
    let common = ["--url", &url, "--queue", "orders", "--count", "250"];
    Client::run("amqp_pika.py", &[&["produce"], &common[..]].concat())?;
    let ahead = ["work", "--name", "billing", "--prefetch", "250", "--work", "0.01"];
    let said = Client::run("amqp_pika.py", &[&ahead[..], &common[..]].concat())?;
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    let processes = named(&spans, "process orders");
    assert_eq!(processes.len(), MESSAGES);
    let sum: f64 = processes.iter().map(|span| span.duration().as_secs_f64()).sum();
    let works = said.iter().filter(|event| event["event"] == "message");
    let worked: f64 = works
        .map(|event| {
            let time = |name: &str| event[name].as_f64().unwrap_or_default();
            time("settled") - time("received")
        })
        .sum();
    assert!(worked > WORK * MESSAGES as f64, "{worked} s");
    assert!((sum - worked).abs() < 0.2 * worked, "spans {sum} s, work {worked} s");
    Ok(())
}

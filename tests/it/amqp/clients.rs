//! Every library end to end: one trace for each message, with spans as long as what they tell of.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{AmqpBed, Client, Kind, Span, tool};

use super::{check_exit, parent};
use crate::nats::named;
use crate::traffic;

/// What `--work` sleeps, in seconds.
const WORK: f64 = 0.3;

/// How far the clocks of two processes may seem apart.
const SLACK: f64 = 0.05;

const COUNT: usize = 3;

#[test]
fn pika_blocking() -> Result<()> {
    one_trace_a_message("amqp_pika.py")
}

#[test]
fn pika_select() -> Result<()> {
    one_trace_a_message("amqp_pika_select.py")
}

#[test]
fn aio_pika() -> Result<()> {
    one_trace_a_message("amqp_aio_pika.py")
}

#[test]
fn kombu() -> Result<()> {
    one_trace_a_message("amqp_kombu.py")
}

#[test]
fn amqplib() -> Result<()> {
    if tool::node()?.is_none() {
        return Ok(());
    }
    one_trace_a_message("amqp_amqplib.js")
}

fn one_trace_a_message(script: &str) -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let url = bed.url();
    let common = ["--url", &url, "--queue", "orders", "--count", "3"];
    let worker = ["work", "--name", "billing", "--work", "0.3"];
    let worker = Client::start(script, &[&worker, &common[..]].concat())?;
    worker.wait_for("ready")?;
    let published = Client::run(script, &[&["produce"], &common[..]].concat())?;
    let mut messages = worker.finish()?;
    messages.retain(|said| said["event"] == "message");

    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    assert_eq!(spans.len(), 2 * COUNT, "{spans:#?}");
    let publishes = named(&spans, "publish orders");
    let processes = named(&spans, "process orders");
    assert_eq!((publishes.len(), processes.len(), messages.len()), (COUNT, COUNT, COUNT));
    let traces: BTreeSet<&str> = publishes.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces.len(), COUNT, "one trace for each message");
    for (index, (process, message)) in processes.iter().zip(&messages).enumerate() {
        let publish = parent(process, &publishes);
        let publish = publish.with_context(|| format!("no publish span for {process:#?}"))?;
        check_publish(publish, index, &published);
        check_process(process, message);
        assert!(process.is_linked_to(publish), "{process:#?}");
        assert_eq!(message["payload"], format!("order {index}"), "{messages:?}");
        assert_eq!(message["headers"]["Color"], "red", "{message}");
        let context = format!("00-{}-{}-", publish.trace_id, publish.span_id);
        let traceparent = message["headers"]["traceparent"].as_str().unwrap_or_default();
        assert!(traceparent.starts_with(&context), "{message}");
    }
    Ok(())
}

/// A publish span lasts until the broker's confirm, and no longer than the client waited.
fn check_publish(span: &Span, index: usize, published: &[Value]) {
    assert_eq!((span.service.as_str(), span.kind), ("checkout", Kind::Producer), "{span:#?}");
    assert_eq!(span.text("spanbridge.outcome"), Some("confirmed"), "{span:#?}");
    assert_eq!(span.text("messaging.message.id"), Some(&*format!("m{index}")), "{span:#?}");
    let (start, end) = (span.start as f64 / 1e9, span.end as f64 / 1e9);
    let began = published[index]["began"].as_f64().unwrap_or(f64::MAX);
    let ended = published[index]["ended"].as_f64().unwrap_or(0.0);
    assert!(began - SLACK < start && end < ended + SLACK, "{start} to {end}, {published:?}");
}

/// A process span lasts from the delivery to the acknowledgement: with one message at a time that
/// is the work.
fn check_process(span: &Span, message: &Value) {
    assert_eq!((span.service.as_str(), span.kind), ("billing", Kind::Consumer), "{span:#?}");
    assert_eq!(span.text("spanbridge.outcome"), Some("ack"), "{span:#?}");
    assert_eq!(span.number("spanbridge.prefetched").unwrap_or(0.0), 0.0, "{span:#?}");
    assert_eq!(span.text("messaging.destination.name"), Some("orders"), "{span:#?}");
    let (start, end) = (span.start as f64 / 1e9, span.end as f64 / 1e9);
    let received = message["received"].as_f64().unwrap_or(0.0);
    let settled = message["settled"].as_f64().unwrap_or(f64::MAX);
    assert!(end - start > WORK - SLACK, "{start} to {end}, {message}");
    assert!(start < received + SLACK, "{start}, {message}");
    assert!(end < settled + WORK, "{end}, {message}");
}

#[test]
fn lapin() -> Result<()> {
    use futures_util::StreamExt as _;
    use lapin::options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    };
    use lapin::types::FieldTable;
    use lapin::{BasicProperties, Connection, ConnectionProperties};

    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let url = bed.url();
    let (body, headers) = traffic::run(async {
        let options = ConnectionProperties::default().with_connection_name("rust".into());
        let connection = Connection::connect(&url, options).await?;
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("orders".into(), durable, FieldTable::default()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let none = BasicProperties::default();
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), "orders".into(), options, b"body", none);
        sent.await?.await?;
        let options = BasicConsumeOptions::default();
        let table = FieldTable::default();
        let mut messages =
            channel.basic_consume("orders".into(), "reader".into(), options, table).await?;
        let message = messages.next().await.context("no message")??;
        message.ack(BasicAckOptions::default()).await?;
        let headers = message.properties.headers().clone().context("no headers")?;
        connection.close(200, "done".into()).await?;
        Ok((message.data, headers))
    })?;
    assert_eq!(body, b"body");
    let traceparent = headers.inner().get("traceparent").context("no traceparent")?;
    let traceparent = traceparent.as_long_string().context("no long string")?.to_string();

    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let (publish, process) =
        (named(&spans, "publish orders")[0], named(&spans, "process orders")[0]);
    assert_eq!(publish.service, "rust");
    assert!(traceparent.contains(&publish.trace_id), "{traceparent}");
    assert!(process.is_child_of(publish) && process.is_linked_to(publish), "{process:#?}");
    assert_eq!(publish.text("spanbridge.outcome"), Some("confirmed"), "{publish:#?}");
    assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
    Ok(())
}

//! Messages sent and taken with async-nats, for tests that care about what arrives.
//!
//! Every payload holds the message's number, so that a lost, doubled or damaged one shows.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, consumer::PullConsumer, stream};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use spanbridge_tests::BOUND;

/// The stream that these tests use; each has a broker of its own.
pub(crate) const STREAM: &str = "JOBS";
/// Its only subject.
pub(crate) const SUBJECT: &str = "jobs.new";

/// How long one publish waits for its acknowledgement. Short, so that a publish that fell into
/// the gap of a restart is tried again soon.
const ACK_WAIT: Duration = Duration::from_millis(500);

/// Runs async work to its end on this thread.
pub(crate) fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Twice the bound: some work waits for several things, each of which is bounded.
    runtime.block_on(async { tokio::time::timeout(2 * BOUND, work).await? })
}

/// Connects, and goes on trying after the connection is lost.
pub(crate) async fn connect(url: &str, name: &str) -> Result<Client> {
    let pause = |_| Duration::from_millis(20);
    let options = ConnectOptions::new().name(name).reconnect_delay_callback(pause);
    options.connect(url).await.with_context(|| format!("cannot connect to {url}"))
}

/// A JetStream context whose stream exists.
pub(crate) async fn jetstream(client: &Client) -> Result<jetstream::Context> {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(ACK_WAIT);
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec![SUBJECT.to_owned()],
        ..stream::Config::default()
    };
    context.get_or_create_stream(config).await?;
    Ok(context)
}

/// Publishes messages with these numbers, each again until the stream has acknowledged it.
pub(crate) async fn publish(
    context: &jetstream::Context,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<()> {
    for number in numbers {
        while !publish_once(context, number).await {}
    }
    Ok(())
}

/// Publishes one message and answers whether the stream has acknowledged it.
pub(crate) async fn publish_once(context: &jetstream::Context, number: u32) -> bool {
    match context.publish(SUBJECT, payload(number).into()).await {
        Ok(ack) => ack.await.is_ok(),
        Err(_) => false,
    }
}

/// Takes and acknowledges messages until all of these numbers have been seen, and answers how
/// many came. A doubled one is no fault of its own: a publish is tried again when its
/// acknowledgement was lost.
pub(crate) async fn take(
    context: &jetstream::Context,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<usize> {
    let mut missing: BTreeSet<u32> = numbers.into_iter().collect();
    let stream = context.get_stream(STREAM).await?;
    let config = jetstream::consumer::pull::Config {
        durable_name: Some("takers".to_owned()),
        ..Default::default()
    };
    let consumer: PullConsumer = stream.get_or_create_consumer("takers", config).await?;
    let mut messages = consumer.messages().await?;
    let mut count = 0;
    while !missing.is_empty() {
        let next = tokio::time::timeout(BOUND, messages.next()).await;
        let next = next.with_context(|| format!("messages that never came: {missing:?}"))?;
        let message = next.context("the subscription ended")??;
        let number = number(&message.payload)?;
        missing.remove(&number);
        count += 1;
        message.ack().await.map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    // The broker has the acknowledgements when it answers what was sent behind them.
    context.get_stream(STREAM).await?;
    Ok(count)
}

/// Sends messages through a gateway and takes them back through it; fails when one is missing,
/// doubled or damaged.
pub(crate) fn send_and_take(url: &str, numbers: std::ops::Range<u32>) -> Result<()> {
    run(async {
        let client = connect(url, "sender").await?;
        let context = jetstream(&client).await?;
        publish(&context, numbers.clone()).await?;
        let count = take(&context, numbers.clone()).await?;
        ensure!(count == numbers.len(), "expected {} messages, found {count}", numbers.len());
        Ok(())
    })
}

/// The body of a message: its number and a tail that makes damage show.
fn payload(number: u32) -> String {
    format!("{number}:{}", tail(number))
}

/// Longer for some than for others, so that messages do not share boundaries.
fn tail(number: u32) -> String {
    "payload ".repeat(usize::try_from(number % 37).unwrap_or(0))
}

/// The number of a message whose body is whole.
fn number(payload: &[u8]) -> Result<u32> {
    let body = std::str::from_utf8(payload)?;
    let (number, rest) = body.split_once(':').context("a body without a number")?;
    let number = number.parse()?;
    ensure!(rest == tail(number), "message {number} was damaged: {body:?}");
    Ok(number)
}

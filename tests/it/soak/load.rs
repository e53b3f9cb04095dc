//! The programs of a soak: they publish, take, settle, come and go, and count what they did.

use std::cell::Cell;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use async_nats::jetstream::{self, AckKind, consumer::PullConsumer, stream};
use futures_util::StreamExt;
use futures_util::future::{try_join_all, try_join5};

use crate::traffic::connect;

const STREAM: &str = "SOAK";
const PUBLISHERS: u64 = 2;
const PAYLOAD_BYTES: [usize; 5] = [0, 20, 200, 2000, 20_000];
/// Subjects of core messages: enough that no table of destinations would go unseen.
const SUBJECTS: u64 = 5000;
/// One in so many messages is refused when it comes first.
const REFUSED: u64 = 50;
/// One in so many visitors is cut within a message.
const CUT: u64 = 4;

const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_OF_VISITORS: Duration = Duration::from_millis(50);
/// Nobody waits longer for a message that was sent.
const QUIET: Duration = Duration::from_secs(20);

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Messages whose head went into the gateway.
    pub(crate) sent: Cell<u64>,
    /// Deliveries that came out of it.
    pub(crate) got: Cell<u64>,
    stored: Cell<u64>,
    settled: Cell<u64>,
    said: Cell<u64>,
    heard: Cell<u64>,
    /// Programs that publish and have not ended.
    running: Cell<u64>,
}

fn add(to: &Cell<u64>) {
    to.set(to.get() + 1);
}

/// A number, and bytes that follow from it.
fn payload(number: u64) -> Vec<u8> {
    let length = PAYLOAD_BYTES[number as usize % PAYLOAD_BYTES.len()];
    let tail = (0..length).map(|at| (number as usize + at) as u8);
    number.to_be_bytes().into_iter().chain(tail).collect()
}

fn check(found: &[u8]) -> Result<()> {
    let number = found.first_chunk::<8>().context("a payload without a number")?;
    ensure!(found == payload(u64::from_be_bytes(*number)), "a payload was damaged");
    Ok(())
}

/// Runs everything for so long, then until everything sent has been taken.
pub(crate) async fn run(url: &str, address: SocketAddr, end: Instant) -> Result<Rc<Done>> {
    let done = Rc::new(Done::default());
    done.running.set(PUBLISHERS + 2);
    let client = connect(url, "setup").await?;
    let context = jetstream::new(client);
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["soak.*".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        ..stream::Config::default()
    };
    context.create_stream(config).await?;
    let publishers = (0..PUBLISHERS).map(|number| store(url, &done, number, end));
    let listening = connect(url, "listeners").await?;
    let news = listening.queue_subscribe("news.>", "listeners".into()).await?;
    listening.flush().await?;
    try_join5(
        try_join_all(publishers),
        settle(url, &done),
        say(url, &done, end),
        hear(news, &done),
        visit(url, address, &done, end),
    )
    .await?;
    Ok(done)
}

/// Publishes to the stream, and waits for each acknowledgement.
async fn store(url: &str, done: &Done, publisher: u64, end: Instant) -> Result<()> {
    let context = jetstream::new(connect(url, "publisher").await?);
    let mut number = publisher;
    while Instant::now() < end {
        add(&done.sent);
        context.publish("soak.job", payload(number).into()).await?.await?;
        add(&done.stored);
        number += PUBLISHERS;
    }
    done.running.set(done.running.get() - 1);
    Ok(())
}

/// Takes what is in the stream, and settles it; refuses some of it once.
async fn settle(url: &str, done: &Done) -> Result<()> {
    let client = connect(url, "worker").await?;
    let context = jetstream::new(client);
    let config = jetstream::consumer::pull::Config {
        durable_name: Some("workers".to_owned()),
        ..Default::default()
    };
    let stream = context.get_stream(STREAM).await?;
    let consumer: PullConsumer = stream.get_or_create_consumer("workers", config).await?;
    let mut messages = consumer.messages().await?;
    let mut quiet_since = Instant::now();
    while done.running.get() > 0 || done.settled.get() < done.stored.get() {
        let Ok(next) = tokio::time::timeout(Duration::from_millis(100), messages.next()).await
        else {
            ensure!(quiet_since.elapsed() < QUIET, "messages that never came: {done:?}");
            continue;
        };
        quiet_since = Instant::now();
        let message = next.context("the subscription ended")??;
        check(&message.payload)?;
        add(&done.got);
        let info = message.info().map_err(|error| anyhow!("{error}"))?;
        let is_refused = info.delivered == 1 && info.stream_sequence % REFUSED == 0;
        let said = if is_refused { AckKind::Nak(None) } else { AckKind::Ack };
        message.ack_with(said).await.map_err(|error| anyhow!("{error}"))?;
        if !is_refused {
            add(&done.settled);
        }
    }
    // The broker has read the acknowledgements when it answers what was sent behind them.
    context.get_stream(STREAM).await?;
    Ok(())
}

/// Publishes core messages to many subjects.
async fn say(url: &str, done: &Done, end: Instant) -> Result<()> {
    let client = connect(url, "speaker").await?;
    let mut number = 0;
    while Instant::now() < end {
        let subject = format!("news.{}", number % SUBJECTS);
        client.publish(subject, payload(number).into()).await?;
        add(&done.sent);
        add(&done.said);
        number += 1;
        tokio::time::sleep(PAUSE).await;
    }
    client.flush().await?;
    done.running.set(done.running.get() - 1);
    Ok(())
}

/// Takes every core message.
async fn hear(mut news: async_nats::Subscriber, done: &Done) -> Result<()> {
    let mut quiet_since = Instant::now();
    while done.running.get() > 0 || done.heard.get() < done.said.get() {
        let Ok(next) = tokio::time::timeout(Duration::from_millis(100), news.next()).await else {
            ensure!(quiet_since.elapsed() < QUIET, "messages that never came: {done:?}");
            continue;
        };
        quiet_since = Instant::now();
        check(&next.context("the subscription ended")?.payload)?;
        add(&done.got);
        add(&done.heard);
    }
    Ok(())
}

/// Programs that connect, say one thing and go; some of them in the middle of it.
async fn visit(url: &str, address: SocketAddr, done: &Done, end: Instant) -> Result<()> {
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        if number % CUT == 0 {
            let mut socket = TcpStream::connect(address)?;
            socket.write_all(b"CONNECT {\"verbose\":false}\r\nPUB news.cut 10\r\nabc")?;
        } else {
            let client = connect(url, "visitor").await?;
            client.publish("news.visit", payload(number).into()).await?;
            client.flush().await?;
            add(&done.said);
        }
        add(&done.sent);
        tokio::time::sleep(PAUSE_OF_VISITORS).await;
    }
    done.running.set(done.running.get() - 1);
    Ok(())
}

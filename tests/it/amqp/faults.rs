//! Everything dies once: what a broker confirmed is delivered, at least once and byte for byte.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::raw_amqp::{BASIC, Method, Opening, publish};
use spanbridge_tests::{
    AmqpBed, BOUND, Properties, RabbitMq, RawAmqp, Receiver, eventually, http, port, tool,
};

use super::{count, outcomes};
use crate::nats::named;

/// A message of a header and a body that both hold its number.
const PERSISTENT: u8 = 2;

/// Opens a connection with a durable queue, and confirms.
fn open(address: SocketAddr, vhost: &str, queue: &str) -> Result<RawAmqp> {
    let mut client = RawAmqp::open(address, &Opening { vhost, ..Opening::default() })?;
    let declare = Method::of(50, 10).raw(&[0, 0]).short(queue).raw(&[0b0_0010]).long(b"").on(1);
    client.ask(&declare, 50, 11)?;
    client.confirm()?;
    Ok(client)
}

fn body(number: usize) -> Vec<u8> {
    // Of several frames now and then, so that something ends in the middle of one.
    format!("message {number} ").into_bytes().repeat(1 + (number % 7) * 500)
}

fn properties(number: usize) -> Vec<u8> {
    let entry = [&b"\x06numberI"[..], &(number as u32).to_be_bytes()].concat();
    [&[0x30, 0][..], &Method::table(&entry), &[PERSISTENT]].concat()
}

fn send(client: &mut RawAmqp, queue: &str, number: usize) -> Result<()> {
    let frames = publish(1, ("", queue), &properties(number), &body(number), 4096);
    let bytes: Vec<u8> = frames.iter().flat_map(spanbridge_tests::Frame::bytes).collect();
    client.send(&bytes)
}

/// Publishes a message and waits for its confirm.
fn send_confirmed(client: &mut RawAmqp, queue: &str, number: usize) -> Result<()> {
    send(client, queue, number)?;
    client.expect(BASIC, 80).map(drop)
}

/// Takes a message, checks that it is as it was sent, and answers its number and delivery tag.
fn take(client: &mut RawAmqp) -> Result<(usize, u64)> {
    let content = client.content(60)?;
    let tag_at = 5 + usize::from(content.method.payload[4]);
    let tag = content.method.payload.get(tag_at..tag_at + 8).context("a delivery tag")?;
    let found = Properties::read(&content.header)?.without(&["traceparent", "tracestate"]);
    let entry = found.headers.as_ref().and_then(|entries| entries.first()).context("a header")?;
    let number = u32::from_be_bytes(entry.value[..].try_into()?) as usize;
    ensure!(entry.name == b"number" && found.headers.iter().flatten().count() == 1);
    ensure!(found.after == [PERSISTENT], "properties were damaged: {found:?}");
    ensure!(content.body == body(number), "message {number} was damaged");
    Ok((number, u64::from_be_bytes(tag.try_into()?)))
}

/// Takes and acknowledges all that is in a queue, and answers the numbers.
fn drain(address: SocketAddr, vhost: &str, queue: &str) -> Result<Vec<usize>> {
    let mut client = RawAmqp::open(address, &Opening { vhost, ..Opening::default() })?;
    let passive = Method::of(50, 10).raw(&[0, 0]).short(queue).raw(&[0b0_0001]).long(b"").on(1);
    let declared = client.ask(&passive, 50, 11)?;
    let at = 5 + usize::from(declared.payload[4]);
    let ready = declared.payload.get(at..at + 4).context("a count of messages")?;
    let ready = u32::from_be_bytes(ready.try_into()?);
    client.consume(queue, false)?;
    let mut numbers = Vec::new();
    for _ in 0..ready {
        let (number, tag) = take(&mut client)?;
        client.ack(tag, false)?;
        numbers.push(number);
    }
    // The broker has seen the acknowledgements when it answers this.
    client.open_channel(2)?;
    Ok(numbers)
}

#[test]
fn broker_that_is_killed_over_unsettled_messages_loses_none() -> Result<()> {
    const COUNT: usize = 60;
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(mut server) = RabbitMq::start()? else { return Ok(()) };
    let tap = receiver.tap();
    let gateway = Settings::to(&server.url()).variables(tap.grpc()).start()?;
    let mut producer = open(gateway.address(), "/", "kept")?;
    for number in 0..COUNT {
        send_confirmed(&mut producer, "kept", number)?;
    }
    let mut worker = open(gateway.address(), "/", "kept")?;
    worker.consume("kept", false)?;
    let mut settled = BTreeSet::new();
    for number in 0..COUNT / 2 {
        let (found, tag) = take(&mut worker)?;
        if number % 3 == 0 {
            worker.ack(tag, false)?;
            settled.insert(found);
        }
    }
    // The broker has seen the acknowledgements when it answers this.
    worker.open_channel(2).ok();
    server.write_declarations()?;
    server.kill()?;
    ensure!(producer.rest()?.is_empty(), "the end of the broker is the end of the connection");
    server.restart()?;
    let again: BTreeSet<usize> = drain(gateway.address(), "/", "kept")?.into_iter().collect();
    let all: BTreeSet<usize> = again.union(&settled).copied().collect();
    assert_eq!(all, (0..COUNT).collect(), "a confirmed message is missing");

    let exit = gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    let spans = tap.spans()?;
    assert_eq!(count(&spans, "publish kept", "confirmed"), COUNT);
    let acked = count(&spans, "process kept", "ack");
    assert_eq!(acked, settled.len() + again.len(), "{:?}", outcomes(&spans, "process kept"));
    let left = named(&spans, "process kept").len() - acked;
    // What was delivered and not settled did not stay open. The broker may not have come to
    // deliver all of it.
    let outcomes = outcomes(&spans, "process kept");
    let range = COUNT / 2 - settled.len()..=COUNT - settled.len();
    assert!(range.contains(&left), "{left} of {range:?}: {outcomes:?}");
    Ok(())
}

#[test]
fn client_that_dies_before_its_confirms_leaves_no_span_open() -> Result<()> {
    const COUNT: usize = 200;
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(bed.gateway.address(), &bed.vhost, "kept")?;
    for number in 0..COUNT {
        send(&mut client, "kept", number)?;
    }
    drop(client);
    let spans = bed.tap.wait_for_spans("an end of each publish", |spans| {
        // Those that the dead client's last bytes still brought.
        let ended = named(spans, "publish kept").len();
        ended > 0 && spans.len() == ended
    })?;
    let address = bed.server.address();
    let kept = eventually("the broker to have taken what came", BOUND, || {
        let kept = drain(address, &bed.vhost, "kept")?;
        Ok((!kept.is_empty()).then_some(kept))
    })?;
    let (exit, after) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(after.len() >= kept.len(), "{} spans, {} messages", after.len(), kept.len());
    for span in spans.iter().chain(&after) {
        let outcome = span.text("spanbridge.outcome");
        assert!(matches!(outcome, Some("confirmed" | "unanswered")), "{span:#?}");
    }
    Ok(())
}

#[test]
fn client_that_goes_without_a_word_is_no_trouble() -> Result<()> {
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let settings = Settings::to(&server.url()).variable("OTEL_TRACES_EXPORTER", "none");
    let gateway = settings.argument("--admin").argument("127.0.0.1:0").start()?;
    let vhost = server.vhost()?;
    let mut client = open(gateway.address(), &vhost, "kept")?;
    send_confirmed(&mut client, "kept", 0)?;
    drop(client);
    // The broker resets the connection of a client that is gone.
    let admin = gateway.admin().context("an admin endpoint")?;
    eventually("the end of the session", BOUND, || {
        let page = http::get(admin, "/metrics", "")?.body;
        let ended =
            |line: &str| line.starts_with("spanbridge_sessions_ended_total{by=\"client\"} 1");
        Ok(page.lines().any(ended).then_some(()))
    })?;
    let warned = gateway.log().iter().filter(|line| line.contains("WARN")).count();
    assert_eq!(warned, 0, "{:?}", gateway.log());
    gateway.stop().map(drop)
}

#[test]
fn gateway_that_is_killed_loses_no_confirmed_message() -> Result<()> {
    replaced_mid_stream(Gateway::kill)
}

#[test]
fn gateway_that_ends_politely_loses_no_confirmed_message() -> Result<()> {
    replaced_mid_stream(|gateway| {
        let exit = gateway.stop()?;
        ensure!(exit.status.success(), "{:?}", exit.status);
        Ok(())
    })
}

/// Ends a gateway while a client publishes through it, and puts another in its place.
fn replaced_mid_stream(end: impl FnOnce(Gateway) -> Result<()>) -> Result<()> {
    /// Each is confirmed before the next is sent, so most are still to come.
    const COUNT: usize = 2000;
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let vhost = server.vhost()?;
    let listen = format!("amqp://127.0.0.1:{}", port::free()?);
    let settings = Settings::of(&["--listen", &listen, "--broker", &server.url()]);
    let settings = settings.variable("OTEL_TRACES_EXPORTER", "none");
    let first = settings.start()?;
    let address = first.address();
    let publisher = std::thread::spawn({
        let vhost = vhost.clone();
        move || -> Result<()> {
            let mut next = 0;
            let began = Instant::now();
            while next < COUNT {
                ensure!(began.elapsed() < 2 * BOUND, "only {next} messages in {BOUND:?}");
                // Whatever breaks, the message is sent again over a new connection.
                let Ok(mut client) = open(address, &vhost, "kept") else { continue };
                while next < COUNT && send_confirmed(&mut client, "kept", next).is_ok() {
                    next += 1;
                }
            }
            Ok(())
        }
    });
    let mut taken = 0;
    let mut observer = open(server.address(), &vhost, "kept")?;
    observer.consume("kept", false)?;
    while taken < 20 {
        take(&mut observer)?;
        taken += 1;
    }
    end(first)?;
    let second = settings.start()?;
    publisher.join().expect("the publisher does not panic")?;
    // What it took goes back into the queue.
    drop(observer);
    let found: BTreeSet<usize> = eventually("the queue to be whole", BOUND, || {
        let found = drain(server.address(), &vhost, "kept")?;
        Ok((found.len() >= COUNT).then(|| found.into_iter().collect()))
    })?;
    assert_eq!(found, (0..COUNT).collect(), "a confirmed message is missing");
    second.kill()
}

#[test]
fn component_that_traps_or_loops_harms_no_message_of_amqp() -> Result<()> {
    const COUNT: usize = 100;
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let (component, vhost) = (tool::faulty_component()?, server.vhost()?);
    // A queue of the fault's name makes the component do harm at each publish and delivery.
    for fault in ["trap", "loop", "memory", "edit", "run", "tail", "pointer", "verdicts"] {
        let settings = Settings::to(&server.url());
        let settings = settings.argument("--component").argument(component.to_string_lossy());
        let gateway = settings.variable("OTEL_TRACES_EXPORTER", "none").start()?;
        let mut client = open(gateway.address(), &vhost, fault)?;
        let began = Instant::now();
        for number in 0..COUNT {
            send_confirmed(&mut client, fault, number)?;
        }
        let found = drain(gateway.address(), &vhost, fault)?;
        assert_eq!(found, (0..COUNT).collect::<Vec<_>>(), "{fault}: once each, and in order");
        assert!(began.elapsed() < BOUND, "{fault}: took {:?}", began.elapsed());
        let exit = gateway.stop()?;
        assert!(exit.status.success(), "{fault}: {:?}", exit.status);
        assert!(exit.counted(&["component_failures"]) > 0.0, "{fault}: {:#?}", exit.summary);
    }
    Ok(())
}

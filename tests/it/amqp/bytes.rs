//! One session, recorded without and with the gateway: what may differ, and nothing else.
//!
//! ```text
//! client ──▶ Recorder ─────────────────────────▶ broker
//! client ──▶ Recorder ──▶ gateway ──▶ Recorder ──▶ broker
//! ```

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::raw_amqp::{BASIC, HEADER, Method, PROTOCOL_HEADER, publish};
use spanbridge_tests::recorder::Session;
use spanbridge_tests::{Client, Frame, Properties, RabbitMq, RawAmqp, Receiver, Recorder};

/// Header names that the gateway may add to a message without context.
const CONTEXT_NAMES: [&str; 2] = ["traceparent", "tracestate"];

/// Largest frame that the client sends: a peer may stay below what was agreed on.
const FRAME_MAX: usize = 100;

const TRACEPARENT: &[u8] = b"\x0btraceparentS\0\0\0\x3700-0af7651916cd43dd8448eb211c80319c-\
    b7ad6b7169203331-01";

/// Header tables with every type that RabbitMQ takes, oddly spelt names, and somebody's context.
fn tables() -> Vec<Vec<u8>> {
    let one = |entry: &[u8]| entry.to_vec();
    vec![
        Vec::new(),
        one(b"\x01tt\x01\x01bb\xff\x01BB\x01\x01ss\x00\x01\x01uu\x00\x01\x01II\0\0\0\x07"),
        one(b"\x01ii\0\0\0\x07\x01ll\0\0\0\0\0\0\0\x07\x01TT\0\0\0\0\0\0\0\x07"),
        one(b"\x01fd\0\0\0\0\0\0\0\0\x01gf\0\0\0\0"),
        one(b"\x01DD\x02\0\0\0\x07\x01VV\x01xx\0\0\0\x01\xff\x01AA\0\0\0\x03t\x00V"),
        one(b"\x01FF\0\0\0\x04\x01ttt\x02SSS\0\0\0\0"),
        one(TRACEPARENT),
        [&b"\x01aV"[..], TRACEPARENT, b"\x01zV"].concat(),
    ]
}

/// The frames of messages with these tables, and with none, in bodies of several sizes.
fn publishes(channel: u16) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut properties: Vec<Vec<u8>> = vec![vec![0, 0], vec![0x10, 0, 1]];
    for table in tables() {
        let table = Method::table(&table);
        properties.push([&[0xF0, 0][..], b"\x04text\x00", &table, &[2]].concat());
        properties.push([&[0x20, 0x80][..], &table, b"\x02id"].concat());
    }
    let bodies = [vec![], b"x".to_vec(), vec![0xCE; FRAME_MAX - 8], vec![b'y'; 5 * FRAME_MAX]];
    for (properties, body) in properties.iter().zip(bodies.iter().cycle()) {
        frames.extend(publish(channel, ("", "mine"), properties, body, FRAME_MAX));
    }
    frames
}

/// What a client sends at first, without waiting for answers.
fn opening(vhost: &str) -> Vec<u8> {
    let methods = [
        Method::of(10, 11).long(b"").short("PLAIN").long(b"\0guest\0guest").short("en_US").on(0),
        Method::of(10, 31).raw(&[0, 9, 0, 0, 0x10, 0, 0, 0]).on(0),
        Method::of(10, 40).short(vhost).short("").raw(&[0]).on(0),
        Method::of(20, 10).short("").on(1),
        Method::of(20, 10).short("").on(7),
        Method::of(50, 10).raw(&[0, 0]).short("mine").raw(&[0b0_1100]).long(b"").on(1),
        // There is nothing yet.
        Method::of(BASIC, 70).raw(&[0, 0]).short("mine").raw(&[1]).on(1),
        Method::of(BASIC, 10).raw(&[0, 0, 0, 0, 0, 50, 0]).on(1),
        Method::of(BASIC, 20).raw(&[0, 0]).short("mine").short("tag").raw(&[0]).long(b"").on(1),
    ];
    let bytes = methods.iter().map(Frame::bytes);
    [PROTOCOL_HEADER.to_vec()].into_iter().chain(bytes).flatten().collect()
}

/// Sends it and the messages in pieces of this many bytes, settles what comes, and ends the
/// connection.
fn play(recorder: &Recorder, vhost: &str, piece: usize) -> Result<Session> {
    let mut client = RawAmqp::connect(recorder.address())?;
    for bytes in opening(vhost).chunks(piece) {
        client.send(bytes)?;
    }
    // The broker works on channels side by side; so the other one waits for the queue.
    while client.frame()?.method() != Some((BASIC, 21)) {}
    let messages: Vec<u8> = publishes(7).iter().flat_map(Frame::bytes).collect();
    for bytes in messages.chunks(piece) {
        client.send(bytes)?;
    }
    let sent = publishes(7).iter().filter(|frame| frame.kind == HEADER).count();
    let mut taken = 0;
    while taken < sent {
        taken += usize::from(client.frame()?.method() == Some((BASIC, 60)));
    }
    client.ack(2, true)?;
    client.send_frame(&Method::of(BASIC, 120).raw(&[0, 0, 0, 0, 0, 0, 0, 3, 0]).on(1))?;
    client.send_frame(&Method::of(BASIC, 90).raw(&[0, 0, 0, 0, 0, 0, 0, 4, 0]).on(1))?;
    client.ack(0, true)?;
    let close = Method::of(10, 50).raw(&[0, 200]).short("done").raw(&[0, 0, 0, 0]);
    client.send_frame(&close.on(0))?;
    // RabbitMQ leaves the end to the client, for half a minute.
    while client.frame()?.method() != Some((10, 51)) {}
    recorder.sessions().pop().context("nothing was recorded")
}

#[test]
fn amqp_session_differs_in_context_only() -> Result<()> {
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let vhost = server.vhost()?;
    let direct = {
        let recorder = Recorder::start(server.address())?;
        play(&recorder, &vhost, usize::MAX)?
    };
    // A byte at a time takes a read and a component call for each.
    for piece in [usize::MAX, 1000, 7, 1] {
        let tap = receiver.tap();
        let broker_side = Recorder::start(server.address())?;
        let url = format!("amqp://{}", broker_side.address());
        let gateway = Settings::to(&url).variables(tap.grpc()).start()?;
        let client_side = Recorder::start(gateway.address())?;
        let through = play(&client_side, &vhost, piece)?;
        gateway.stop()?;
        let arrived = broker_side.sessions().pop().context("no session with the broker")?;
        let what = |way: &str| format!("pieces of {piece}, {way}");
        compare(&direct.to_target, &arrived.to_target, &what("to the broker"))?;
        ensure!(direct.to_target != arrived.to_target, "a context was added somewhere");
        ensure!(direct.to_target == through.to_target, "the client always says the same");
        for ((channel, expected), (_, found)) in
            channels(&direct.to_client)?.iter().zip(&channels(&through.to_client)?)
        {
            compare(expected, found, &what(&format!("to the client, channel {channel}")))?;
        }
    }
    Ok(())
}

#[test]
fn amqp_session_of_a_library_differs_in_context_only() -> Result<()> {
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let producer = ["topic", "unroutable", "full", "tx", "missing", "headers"];
    let consumer = ["requeue", "reject", "get", "recover", "cancelled", "quorum", "stream", "rpc"];
    let roles = producer.map(|role| ("amqp_publish.py", role)).into_iter();
    let roles = roles.chain(consumer.map(|role| ("amqp_consume.py", role)));
    let broker_side = Recorder::start(server.address())?;
    let tap = receiver.tap();
    let url = format!("amqp://{}", broker_side.address());
    let gateway = Settings::to(&url).variables(tap.grpc()).start()?;
    let client_side = Recorder::start(gateway.address())?;
    for (script, role) in roles {
        let url = format!("amqp://guest:guest@{}/{}", client_side.address(), server.vhost()?);
        Client::run(script, &[role, "--url", &url])?;
        let sent = client_side.sessions().pop().context("no session with the gateway")?;
        let arrived = broker_side.sessions().pop().context("no session with the broker")?;
        compare(&sent.to_target, &arrived.to_target, &format!("{role}, to the broker"))?;
        compare(&arrived.to_client, &sent.to_client, &format!("{role}, to the client"))?;
        ensure!(sent.to_target != arrived.to_target, "{role}: a context was added somewhere");
    }
    gateway.stop()?;
    Ok(())
}

/// The bytes of each channel: a broker answers channels in any order.
fn channels(bytes: &[u8]) -> Result<BTreeMap<u16, Vec<u8>>> {
    let mut channels = BTreeMap::<u16, Vec<u8>>::new();
    for frame in frames(bytes)? {
        channels.entry(frame.channel).or_default().extend(frame.bytes());
    }
    Ok(channels)
}

/// Cuts a recorded direction into its frames.
fn frames(bytes: &[u8]) -> Result<Vec<Frame>> {
    let mut rest = bytes.strip_prefix(PROTOCOL_HEADER).unwrap_or(bytes);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        frames.push(Frame::read(&mut rest)?.context("half a frame")?);
    }
    Ok(frames)
}

fn compare(without: &[u8], with: &[u8], way: &str) -> Result<()> {
    let (without, with) = (frames(without)?, frames(with)?);
    for (expected, found) in without.iter().zip(&with) {
        if expected == found {
            continue;
        }
        let same_place = (expected.kind, expected.channel) == (found.kind, found.channel);
        ensure!(
            same_place && expected.kind == HEADER && gained_context(expected, found)?,
            "{way}: expected {expected:#?}, found {found:#?}"
        );
    }
    ensure!(without.len() == with.len(), "{way}: {} frames, {}", without.len(), with.len());
    Ok(())
}

/// Whether a message without context differs from this one in having one, and in nothing else.
fn gained_context(expected: &Frame, found: &Frame) -> Result<bool> {
    let (mut expected, mut found) = (Properties::read(expected)?, Properties::read(found)?);
    if expected != expected.without(&CONTEXT_NAMES) {
        return Ok(false);
    }
    found = found.without(&CONTEXT_NAMES);
    // A table that there was not, or an empty one, holds the context now.
    for properties in [&mut expected, &mut found] {
        properties.headers.get_or_insert_default();
    }
    Ok(expected == found)
}

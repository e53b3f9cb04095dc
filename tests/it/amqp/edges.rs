//! Frames of every size up to what was agreed on, and what is no AMQP 0-9-1.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::raw_amqp::{FRAME_EXTRA, HEARTBEAT, Method, Opening, publish};
use spanbridge_tests::{AmqpBed, Frame, Properties, RabbitMq, RawAmqp, raw_amqp};

use super::check_exit;
use crate::nats::named;

/// What RabbitMQ takes at least, and the least that may be agreed on.
const FRAME_MAX: usize = 4096;

/// More than a context takes in a table.
const ROOM_BYTES: usize = 500;

/// Opens a connection through the gateway, with a queue `mine` that is consumed from.
fn open(bed: &AmqpBed, opening: &Opening<'_>) -> Result<RawAmqp> {
    let opening = Opening { vhost: &bed.vhost, ..opening.clone() };
    let mut client = RawAmqp::open(bed.gateway.address(), &opening)?;
    client.declare("mine", b"")?;
    client.consume("mine", true)?;
    Ok(client)
}

fn small() -> Opening<'static> {
    Opening { frame_max: 4096, ..Opening::default() }
}

/// Properties with one header that makes their frame this long.
fn properties_of(frame_bytes: usize) -> Vec<u8> {
    // Around the frame, fixed part and flags, table length, and name, type and length of a value.
    const AROUND: usize = FRAME_EXTRA + 14 + 4 + 2 + 1 + 4;
    let value = vec![b'v'; frame_bytes - AROUND];
    let entry = [&b"\x01vS"[..], &Method::table(&value)].concat();
    [&[0x20, 0][..], &Method::table(&entry)].concat()
}

fn send(client: &mut RawAmqp, properties: &[u8], body: &[u8], frame_max: usize) -> Result<()> {
    for frame in publish(1, ("", "mine"), properties, body, frame_max) {
        client.send_frame(&frame)?;
    }
    Ok(())
}

#[test]
fn headers_near_the_largest_frame_pass_without_a_context() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &small())?;
    let roomy = [100, FRAME_MAX / 2, FRAME_MAX - ROOM_BYTES];
    let tight = [FRAME_MAX - 50, FRAME_MAX - 1, FRAME_MAX];
    for (size, expected) in
        roomy.map(|size| (size, true)).into_iter().chain(tight.map(|size| (size, false)))
    {
        let properties = properties_of(size);
        send(&mut client, &properties, b"body", FRAME_MAX)?;
        let content = client.content(60)?;
        assert_eq!(content.body, b"body");
        let found = Properties::read(&content.header)?;
        let injected = found.header("traceparent").is_some();
        assert_eq!(injected, expected, "context beside a frame of {size} bytes");
        if !injected {
            assert!(content.header.payload[12..] == properties, "{size}: headers were damaged");
        }
    }
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(exit.counted(&["injections_skipped"]) >= tight.len() as f64, "{:#?}", exit.summary);
    let published = named(&spans, "publish mine").len();
    assert_eq!(published, roomy.len() + tight.len(), "a message without context has its span");
    Ok(())
}

#[test]
fn body_of_any_size_arrives_whole() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    for (opening, frame_max) in [(small(), FRAME_MAX), (Opening::default(), 131_072)] {
        let mut client = open(&bed, &opening)?;
        let edge = frame_max - FRAME_EXTRA;
        for size in [0, 1, edge - 1, edge, edge + 1, 3 * edge, 1_000_000] {
            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            send(&mut client, &[0x10, 0, 1], &body, frame_max)?;
            let content = client.content(60)?;
            assert!(content.body == body, "{size} bytes were damaged");
            let found = Properties::read(&content.header)?;
            assert!(found.header("traceparent").is_some(), "{size}: {found:?}");
        }
    }
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    assert_eq!(named(&spans, "publish mine").len(), 14, "{spans:#?}");
    Ok(())
}

#[test]
fn body_that_looks_like_frames_is_not_read_as_some() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &Opening::default())?;
    let inner: Vec<u8> =
        publish(1, ("", "mine"), &[0, 0], b"inner", 4096).iter().flat_map(Frame::bytes).collect();
    let body = inner.repeat(5000);
    send(&mut client, &[0, 0], &body, 131_072)?;
    send(&mut client, &[0, 0], b"end", 131_072)?;
    assert!(client.content(60)?.body == body, "the body was damaged");
    assert_eq!(client.content(60)?.body, b"end");
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    assert_eq!(spans.len(), 4, "{spans:#?}");
    Ok(())
}

#[test]
fn channels_may_take_turns_within_their_messages() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &small())?;
    client.open_channel(2)?;
    let (one, two) = (vec![b'1'; 3 * FRAME_MAX], vec![b'2'; 2 * FRAME_MAX]);
    let one = publish(1, ("", "mine"), &[0x10, 0, 1], &one, FRAME_MAX);
    let two = publish(2, ("", "mine"), &[0x10, 0, 2], &two, FRAME_MAX);
    // A frame of each in turn, and a heartbeat between them.
    let heartbeat = Frame { kind: HEARTBEAT, channel: 0, payload: Vec::new() };
    for index in 0..one.len().max(two.len()) {
        for frame in [one.get(index), two.get(index), Some(&heartbeat)].into_iter().flatten() {
            client.send_frame(frame)?;
        }
    }
    let mut found = Vec::new();
    for _ in 0..2 {
        let content = client.content(60)?;
        let properties = Properties::read(&content.header)?;
        let traceparent = properties.header("traceparent").context("no traceparent")?;
        let first = *content.body.first().context("a body")?;
        assert!(content.body.iter().all(|&byte| byte == first), "bodies were mixed");
        assert_eq!(properties.after, [first - b'0'], "properties were mixed");
        found.push((content.body.len(), traceparent));
    }
    found.sort();
    assert_eq!((found[0].0, found[1].0), (2 * FRAME_MAX, 3 * FRAME_MAX));
    assert_ne!(found[0].1, found[1].1);
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    let publishes = named(&spans, "publish mine");
    assert_eq!(publishes.len(), 2, "{spans:#?}");
    assert!(publishes.iter().all(|span| found.iter().any(|(_, is)| is.contains(&span.span_id))));
    Ok(())
}

#[test]
fn heartbeats_keep_a_silent_connection() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &Opening { heartbeat: 1, ..Opening::default() })?;
    let heartbeat = Frame { kind: HEARTBEAT, channel: 0, payload: Vec::new() };
    // Three times as long as the broker waits for one.
    for _ in 0..12 {
        client.send_frame(&heartbeat)?;
        std::thread::sleep(Duration::from_millis(500));
    }
    // And it has sent its own.
    assert_eq!(client.frame()?, heartbeat);
    send(&mut client, &[0, 0], b"body", 4096)?;
    assert_eq!(client.content(60)?.body, b"body");
    let (exit, _) = bed.finish()?;
    check_exit(&exit);
    Ok(())
}

#[test]
fn what_is_no_amqp_0_9_1_passes_byte_for_byte() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let ask = |address: SocketAddr, first: &[u8], length| -> Result<Vec<u8>> {
        let mut client = RawAmqp::connect(address)?;
        client.send(first)?;
        client.exactly(length)
    };
    // RabbitMQ answers with the header of what it speaks.
    for first in [b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00", b"GET / HT"] {
        assert_eq!(ask(bed.gateway.address(), first, 8)?, raw_amqp::PROTOCOL_HEADER, "{first:?}");
    }
    // It speaks an older version, too.
    let older = b"AMQP\x01\x01\x08\x00";
    let direct = ask(bed.server.address(), older, 200)?;
    assert_eq!(ask(bed.gateway.address(), older, 200)?, direct);
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(exit.counted(&["sessions_raw"]) >= 4.0, "{:#?}", exit.summary);
    assert_eq!(spans.len(), 0, "{spans:#?}");
    Ok(())
}

#[test]
fn refusal_of_rabbitmq_reaches_the_client() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let nowhere = Opening { vhost: "nowhere", ..Opening::default() };
    let refused = RawAmqp::open(bed.gateway.address(), &nowhere);
    let said = format!("{:#}", refused.err().context("it was refused")?);
    assert!(said.contains("vhost nowhere not found"), "{said}");

    // A delivery that there was not, which ends the channel and not the connection.
    let mut client = open(&bed, &Opening::default())?;
    client.ack(99, false)?;
    let closed = client.expect(20, 40)?;
    assert!(String::from_utf8_lossy(&closed.payload).contains("unknown delivery tag 99"));
    client.send_frame(&Method::of(20, 41).on(1))?;
    client.open_channel(1)?;
    // A frame that is larger than was agreed on ends the connection.
    let mut client = open(&bed, &small())?;
    let large = publish(1, ("", "mine"), &[0, 0], &vec![b'x'; 2 * FRAME_MAX], 3 * FRAME_MAX);
    for frame in large {
        client.send_frame(&frame)?;
    }
    let closed = client.expect(10, 50)?;
    assert!(String::from_utf8_lossy(&closed.payload).contains("FRAME_ERROR"), "{closed:?}");
    bed.finish()?;
    Ok(())
}

#[test]
fn secret_may_be_renewed() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let update = Method::of(10, 70).long(b"guest").short("renewed").on(0);
    let mut answers = Vec::new();
    for address in [bed.server.address(), bed.gateway.address()] {
        let opening = Opening { vhost: &bed.vhost, ..Opening::default() };
        let mut client = RawAmqp::open(address, &opening)?;
        client.send_frame(&update)?;
        answers.push(client.frame()?);
    }
    assert_eq!(answers[0], answers[1]);
    let (exit, _) = bed.finish()?;
    check_exit(&exit);
    Ok(())
}

#[test]
fn message_that_is_half_sent_when_its_connection_ends_harms_nobody() -> Result<()> {
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &small())?;
    let half = |channel| publish(channel, ("", "mine"), &[0, 0], &vec![b'x'; 9000], FRAME_MAX);
    // Gone in the middle of a message, and in the middle of a frame.
    for cut in [0, 10] {
        let opening = Opening { vhost: &bed.vhost, ..small() };
        let mut other = RawAmqp::open(bed.gateway.address(), &opening)?;
        let frames = half(1);
        for frame in &frames[..3] {
            other.send_frame(frame)?;
        }
        other.send(&frames[3].bytes()[..cut])?;
    }
    // A method between the frames of a message is an error for RabbitMQ, and its word arrives.
    let opening = Opening { vhost: &bed.vhost, ..small() };
    let mut other = RawAmqp::open(bed.gateway.address(), &opening)?;
    for frame in &half(1)[..3] {
        other.send_frame(frame)?;
    }
    other.send_frame(&Method::of(20, 40).raw(&[0, 200]).short("").raw(&[0; 4]).on(1))?;
    let closed = other.expect(10, 50)?;
    assert!(String::from_utf8_lossy(&closed.payload).contains("UNEXPECTED_FRAME"), "{closed:?}");

    send(&mut client, &[0, 0], b"whole", FRAME_MAX)?;
    assert_eq!(client.content(60)?.body, b"whole");
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    // The name of a queue that goes with its connection is left out of the span's.
    assert_eq!(named(&spans, "process").len(), 1, "{spans:#?}");
    Ok(())
}

#[test]
fn broker_without_memory_holds_a_publisher_and_says_so() -> Result<()> {
    let Some(server) = RabbitMq::start()? else { return Ok(()) };
    let gateway = Settings::to(&server.url()).variable("OTEL_TRACES_EXPORTER", "none").start()?;
    let mut client = RawAmqp::open(gateway.address(), &Opening::default())?;
    client.declare("mine", b"")?;
    client.confirm()?;
    send(&mut client, &[0, 0], b"before", 4096)?;
    client.expect(60, 80)?;
    server.control(&["set_vm_memory_high_watermark", "absolute", "1"])?;
    send(&mut client, &[0, 0], b"held", 4096)?;
    client.expect(10, 60)?;
    assert!(client.is_silent(Duration::from_millis(300))?, "it is not confirmed");
    server.control(&["set_vm_memory_high_watermark", "0.4"])?;
    let answers = [client.frame()?.method(), client.frame()?.method()];
    assert!(answers.contains(&Some((10, 61))) && answers.contains(&Some((60, 80))), "{answers:?}");
    let exit = gateway.stop()?;
    check_exit(&exit);
    Ok(())
}

#[test]
fn header_of_our_name_may_be_of_any_type() -> Result<()> {
    const CONTEXT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let text = Method::table(CONTEXT);
    // What stands under the name, and whether it is a context.
    let values: [(&[u8], bool); 8] = [
        (&[b"S", &text[..]].concat(), true),
        (&[b"x", &text[..]].concat(), true),
        (b"I\0\0\0\x07", false),
        (b"t\x01", false),
        (b"V", false),
        (b"A\0\0\0\x01V", false),
        (b"F\0\0\0\x03\x01aV", false),
        (b"S\0\0\0\x03\xff\0\xfe", false),
    ];
    let Some(bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed, &Opening::default())?;
    for (value, is_context) in values {
        let entry = [b"\x0btraceparent", value].concat();
        let properties = [&[0x20, 0][..], &Method::table(&entry)].concat();
        send(&mut client, &properties, b"body", 4096)?;
        let content = client.content(60)?;
        assert_eq!(content.body, b"body", "{value:?}");
        if is_context {
            assert_eq!(content.header.payload[12..], properties, "{value:?} is left alone");
        }
    }
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    let publishes = named(&spans, "publish mine");
    assert_eq!(publishes.len(), values.len(), "{spans:#?}");
    for (span, (value, is_context)) in publishes.iter().zip(values) {
        assert_eq!(span.trace_id == "0af7651916cd43dd8448eb211c80319c", is_context, "{value:?}");
        assert_eq!(span.parent == "b7ad6b7169203331", is_context, "{value:?}: {span:#?}");
    }
    Ok(())
}

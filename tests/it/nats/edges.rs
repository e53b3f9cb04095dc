//! Payloads of every size up to what the broker takes, and what it refuses.

use anyhow::Result;
use spanbridge_tests::{Bed, Flavour, RawNats};

use super::on_both_brokers;

const CONNECT: &str = r#"{"verbose":false,"headers":true}"#;

/// `max_payload` of a broker that nobody configured.
const DEFAULT_BYTES_MAX: usize = 1024 * 1024;

/// What a context takes in a header block, and more: room enough for one.
const ROOM_BYTES: usize = 500;

on_both_brokers! {
    payload_of_any_size_arrives_whole => any_size;
}

fn any_size(flavour: Flavour) -> Result<()> {
    sizes_up_to(flavour, "", DEFAULT_BYTES_MAX)
}

#[test]
fn smaller_limit_of_the_broker_is_kept() -> Result<()> {
    sizes_up_to(Flavour::Debian, "max_payload: 4096", 4096)
}

/// The broker counts the header block against its limit, and ends the connection past it.
fn sizes_up_to(flavour: Flavour, configuration: &str, bytes_max: usize) -> Result<()> {
    let bed = Bed::start_with(flavour, configuration, |settings| settings)?;
    let Some(bed) = bed else { return Ok(()) };
    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    client.send(b"SUB size 1\r\n")?;
    let roomy = [0, 1, 2, 1023, bytes_max / 2, bytes_max - ROOM_BYTES];
    let tight = [bytes_max - 10, bytes_max - 1, bytes_max];
    for (size, expected) in
        roomy.map(|size| (size, true)).into_iter().chain(tight.map(|size| (size, false)))
    {
        let payload: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        client.publish("size", &payload)?;
        let message = client.message()?;
        assert!(message.payload == payload, "{size} bytes were damaged");
        let injected = message.header("traceparent").is_some();
        assert_eq!(injected, expected, "context beside {size} bytes: {:?}", message.control);
    }
    assert_eq!(client.round_trip()?, b"", "the broker had nothing to complain about");
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    let published = spans.iter().filter(|span| span.name == "publish size").count();
    assert_eq!(published, roomy.len() + tight.len(), "a message without context has its span");
    assert!(exit.counted(&["max_payload"]) >= tight.len() as f64, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn refusal_of_the_broker_reaches_the_client() -> Result<()> {
    let Some(bed) = Bed::start_with(Flavour::Debian, "max_payload: 1024", |same| same)? else {
        return Ok(());
    };
    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    client.publish("size", &[b'x'; 1025])?;
    let answer = client.line()?;
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(answer, "-ERR 'Maximum Payload Violation'\r\n");
    assert!(client.round_trip().is_err(), "the broker has closed the connection");

    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    client.send(b"HELLO\r\n")?;
    let answer = client.line()?;
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(answer, "-ERR 'Unknown Protocol Operation'\r\n");
    bed.finish()?;
    Ok(())
}

#[test]
fn what_follows_a_large_payload_is_not_read_as_an_operation() -> Result<()> {
    let Some(bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    client.send(b"SUB text 1\r\n")?;
    // A payload that looks like the protocol, larger than any read.
    let payload = b"\r\nPUB text 3\r\nabc\r\n".repeat(20_000);
    client.publish("text", &payload)?;
    client.publish("text", b"end")?;
    assert!(client.message()?.payload == payload, "the payload was damaged");
    assert_eq!(client.message()?.payload, b"end");
    let (_, spans) = bed.finish()?;
    assert_eq!(spans.len(), 4, "{spans:#?}");
    Ok(())
}

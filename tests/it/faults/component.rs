//! Components that trap, loop or eat memory: messages go on as they came.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, Flavour, NatsServer, RawNats, eventually, tool};

use crate::traffic::send_and_take;

const CONNECT: &str = r#"{"verbose":false,"headers":true}"#;

/// Messages of one run: more than the breaker needs to open.
const MESSAGES: u32 = 100;

#[test]
fn component_that_traps_harms_no_message() -> Result<()> {
    harms_no_message("trap")
}

#[test]
fn component_that_loops_harms_no_message() -> Result<()> {
    harms_no_message("loop")
}

#[test]
fn component_that_eats_memory_harms_no_message() -> Result<()> {
    harms_no_message("memory")
}

/// The component does harm when a subject begins with the name of the fault.
fn harms_no_message(fault: &str) -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let component = tool::faulty_component()?;
    let settings = Settings::to(&server.url());
    let settings = settings.argument("--component").argument(component.to_string_lossy());
    let gateway = settings.variable("OTEL_TRACES_EXPORTER", "none").start()?;

    let mut client = RawNats::open(gateway.address(), CONNECT)?;
    client.send(format!("SUB {fault}.> 1\r\n").as_bytes())?;
    let block = b"NATS/1.0\r\nKey: value\r\n\r\n";
    let began = std::time::Instant::now();
    for number in 0..MESSAGES {
        let subject = format!("{fault}.{number}");
        let payload = format!("message {number}");
        client.publish_with_headers(&subject, block, payload.as_bytes())?;
        let message = client.message()?;
        assert_eq!(message.headers, block, "the header block is as it came");
        assert_eq!(message.payload, payload.as_bytes(), "the payload is as it came");
    }
    assert!(began.elapsed() < BOUND, "{MESSAGES} messages took {:?}", began.elapsed());
    drop(client);
    send_and_take(&gateway.url(), 0..MESSAGES)?;

    let exit = gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(exit.counted(&["component_failures"]) > 0.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn component_that_loops_over_settlements_holds_up_none_of_them() -> Result<()> {
    const COUNT: usize = 500;
    // The older one takes no reason behind `+TERM`.
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let component = tool::faulty_component()?;
    let settings = Settings::to(&server.url());
    let settings = settings.argument("--component").argument(component.to_string_lossy());
    let gateway = settings.variable("OTEL_TRACES_EXPORTER", "none").start()?;
    let mut client = RawNats::open(gateway.address(), CONNECT)?;
    client.send(b"SUB answers 1\r\nSUB work 2\r\n")?;
    ask(&mut client, "STREAM.CREATE.OPEN", r#"{"name":"OPEN","subjects":["open.*"]}"#)?;
    let consumer = r#"{"stream_name":"OPEN","config":{"durable_name":"c","ack_policy":"explicit",
        "deliver_subject":"work","max_ack_pending":1000}}"#;
    ask(&mut client, "CONSUMER.DURABLE.CREATE.OPEN.c", consumer)?;
    let mut acks = Vec::new();
    for number in 0..COUNT {
        // Spans stay open where a subject begins so.
        client.publish(&format!("open.{number}"), b"work")?;
        let control = client.message()?.control;
        let reply = control.split(' ').nth(3).context("a reply subject")?;
        acks.extend_from_slice(format!("PUB {reply} 10\r\n+TERM loop\r\n").as_bytes());
    }
    let began = std::time::Instant::now();
    client.send(&acks)?;
    client.round_trip()?;
    assert!(began.elapsed() < BOUND, "{COUNT} settlements took {:?}", began.elapsed());
    eventually("the server to have settled all", BOUND, || {
        let info: Value = serde_json::from_slice(&ask(&mut client, "CONSUMER.INFO.OPEN.c", "")?)?;
        Ok((info["ack_floor"]["stream_seq"] == COUNT).then_some(()))
    })?;
    drop(client);
    let exit = gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(exit.counted(&["component_failures"]) > 0.0, "{:?}", exit.summary);
    assert_eq!(exit.counted(&["settlements_lost"]), COUNT as f64, "{:?}", exit.summary);
    Ok(())
}

/// A request to JetStream, and its answer.
fn ask(client: &mut RawNats, what: &str, request: &str) -> Result<Vec<u8>> {
    let line = format!("PUB $JS.API.{what} answers {}\r\n{request}\r\n", request.len());
    client.send(line.as_bytes())?;
    Ok(client.message()?.payload)
}

//! Components that trap, loop or eat memory: messages go on as they came.

use anyhow::Result;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, Flavour, NatsServer, RawNats, tool};

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

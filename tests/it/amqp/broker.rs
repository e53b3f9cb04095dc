//! The harness for RabbitMQ, without the program under test.

use anyhow::Result;
use spanbridge_tests::raw_amqp::{Method, Opening, publish};
use spanbridge_tests::{RabbitMq, RawAmqp};

/// Properties that say nothing but that the message survives a crash.
const PERSISTENT: &[u8] = &[0x10, 0x00, 2];

#[test]
fn rabbitmq_keeps_a_confirmed_message_over_a_crash() -> Result<()> {
    let Some(mut server) = RabbitMq::start()? else { return Ok(()) };
    let mut client = RawAmqp::open(server.address(), &Opening::default())?;
    // Durable, and nobody's own.
    let declare = Method::of(50, 10).raw(&[0, 0]).short("kept").raw(&[0b0_0010]).long(b"").on(1);
    client.ask(&declare, 50, 11)?;
    client.confirm()?;
    for frame in publish(1, ("", "kept"), PERSISTENT, b"body", 4096) {
        client.send_frame(&frame)?;
    }
    client.expect(60, 80)?;
    server.write_declarations()?;
    server.kill()?;
    assert!(client.frame().is_err(), "a killed broker must not answer");
    assert!(RawAmqp::connect(server.address()).is_err(), "a killed broker must not listen");
    server.restart()?;
    let mut client = RawAmqp::open(server.address(), &Opening::default())?;
    client.consume("kept", true)?;
    assert_eq!(client.content(60)?.body, b"body");
    assert_eq!(server.control(&["list_queues", "name", "messages"])?.pop(), Some("kept\t0".into()));
    Ok(())
}

#[test]
fn raw_client_of_amqp_reads_what_it_published() -> Result<()> {
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let vhost = server.vhost()?;
    let opening = Opening { vhost: &vhost, frame_max: 4096, ..Opening::default() };
    let mut client = RawAmqp::open(server.address(), &opening)?;
    client.declare("mine", b"")?;
    client.consume("mine", false)?;
    let body: Vec<u8> = (0..20_000).map(|at| (at % 251) as u8).collect();
    for frame in publish(1, ("", "mine"), PERSISTENT, &body, 4096) {
        client.send_frame(&frame)?;
    }
    let content = client.content(60)?;
    assert_eq!(content.header.payload[12..], *PERSISTENT);
    assert!(content.body == body, "the body was damaged");
    client.ack(1, false)?;
    // An error of the broker's ends the connection, so it had none.
    client.open_channel(2)?;
    Ok(())
}

//! A gateway that is told to end tells its clients so, between two frames.

use anyhow::Result;
use spanbridge_tests::raw_amqp::{Method, Opening, publish};
use spanbridge_tests::{AmqpBed, Client, Frame, RawAmqp};

use crate::nats::named;

/// `connection.close` with 320, CONNECTION_FORCED.
fn check_farewell(frame: &Frame) {
    assert_eq!(frame.method(), Some((10, 50)), "{frame:?}");
    assert_eq!(frame.payload.get(4..6), Some(&320_u16.to_be_bytes()[..]), "{frame:?}");
}

fn open(bed: &AmqpBed) -> Result<RawAmqp> {
    let opening = Opening { vhost: &bed.vhost, ..Opening::default() };
    RawAmqp::open(bed.gateway.address(), &opening)
}

#[test]
fn client_is_told_that_its_connection_ends() -> Result<()> {
    let Some(mut bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed)?;
    client.confirm()?;
    bed.gateway.terminate()?;
    check_farewell(&client.frame()?);
    client.send_frame(&Method::of(10, 51).on(0))?;
    assert_eq!(client.rest()?, b"", "and nothing behind it");
    let (exit, _) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    Ok(())
}

#[test]
fn message_that_is_half_sent_is_taken_before_the_farewell() -> Result<()> {
    let Some(mut bed) = AmqpBed::start()? else { return Ok(()) };
    let mut client = open(&bed)?;
    let declare = Method::of(50, 10).raw(&[0, 0]).short("kept").raw(&[0b0_0010]).long(b"").on(1);
    client.ask(&declare, 50, 11)?;
    let body = vec![b'x'; 300_000];
    let frames = publish(1, ("", "kept"), &[0x10, 0, 2], &body, 131_072);
    let (before, after) = frames.split_at(3);
    for frame in before {
        client.send_frame(frame)?;
    }
    // Half of a frame, too.
    let last: Vec<u8> = after.iter().flat_map(Frame::bytes).collect();
    let (half, rest) = last.split_at(last.len() / 2);
    client.send(half)?;
    // Answered, so the gateway has read what came before it.
    let mut other = open(&bed)?;
    other.open_channel(2)?;
    bed.gateway.terminate()?;
    check_farewell(&other.frame()?);
    client.send(rest)?;
    check_farewell(&client.frame()?);
    for client in [&mut client, &mut other] {
        client.send_frame(&Method::of(10, 51).on(0))?;
        assert_eq!(client.rest()?, b"");
    }
    let (server, vhost) = (bed.server.clone(), bed.vhost.clone());
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(named(&spans, "publish kept").len(), 1, "{spans:#?}");
    let opening = Opening { vhost: &vhost, ..Opening::default() };
    let mut direct = RawAmqp::open(server.address(), &opening)?;
    direct.consume("kept", true)?;
    assert!(direct.content(60)?.body == body, "the message was damaged");
    Ok(())
}

#[test]
fn library_reads_the_farewell_as_what_it_is() -> Result<()> {
    let Some(mut bed) = AmqpBed::start()? else { return Ok(()) };
    let url = bed.url();
    let work = ["work", "--url", &url, "--queue", "orders", "--count", "1"];
    let worker = Client::start("amqp_pika.py", &work)?;
    worker.wait_for("ready")?;
    bed.gateway.terminate()?;
    let error = format!("{:#}", worker.finish().expect_err("its connection was closed"));
    assert!(error.contains("ConnectionClosedByBroker: (320"), "{error}");
    let (exit, _) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    Ok(())
}

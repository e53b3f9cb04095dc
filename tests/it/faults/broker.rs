//! The broker dies, or is not there yet: what it acknowledged is not lost.

use std::time::Duration;

use anyhow::Result;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, Bed, Flavour, NatsServer, RawNats, eventually, port};

use crate::traffic::{self, send_and_take};

#[test]
fn broker_killed_mid_stream_loses_nothing_it_acknowledged() -> Result<()> {
    for flavour in [Flavour::Debian, Flavour::Current] {
        let Some(mut bed) = Bed::start(flavour)? else { return Ok(()) };
        let url = bed.gateway.url();
        traffic::run(async {
            let client = traffic::connect(&url, "publisher").await?;
            let context = traffic::jetstream(&client).await?;
            traffic::publish(&context, 0..50).await?;
            bed.server.kill()?;
            assert!(!traffic::publish_once(&context, 50).await, "nobody there to acknowledge");
            bed.server.restart()?;
            // The same client, through the same gateway, comes back by itself.
            traffic::publish(&context, 50..100).await?;
            traffic::take(&context, 0..100).await?;
            Ok(())
        })?;
        let (exit, spans) = bed.finish()?;
        assert!(exit.status.success(), "{:?}", exit.status);
        let published = spans.iter().filter(|span| span.name.starts_with("publish ")).count();
        assert!(published >= 100, "{published} publish spans");
    }
    Ok(())
}

#[test]
fn broker_that_comes_late_is_reached() -> Result<()> {
    let Some(mut server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    server.kill()?;
    let settings = Settings::to(&server.url()).variable("OTEL_TRACES_EXPORTER", "none");
    let gateway = settings.start()?;
    let refused = RawNats::connect(gateway.address());
    assert!(refused.is_err(), "without a broker there is nobody to greet a client");
    server.restart()?;
    eventually("a session", BOUND, || Ok(RawNats::connect(gateway.address()).ok()))?;
    send_and_take(&gateway.url(), 0..10)?;
    assert!(gateway.stop()?.status.success());
    Ok(())
}

#[test]
fn second_broker_of_a_list_is_tried() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let nobody = format!("nats://127.0.0.1:{}", port::free()?);
    let brokers = format!("{nobody},{}", server.url());
    let gateway = Settings::to(&brokers).variable("OTEL_TRACES_EXPORTER", "none").start()?;
    send_and_take(&gateway.url(), 0..10)?;
    assert!(gateway.stop()?.status.success());
    Ok(())
}

#[test]
fn client_is_told_when_the_broker_goes() -> Result<()> {
    let Some(mut bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let mut client = RawNats::open(bed.gateway.address(), r#"{"verbose":false}"#)?;
    bed.server.kill()?;
    // An end or an error, at once: not a connection that stays open and silent.
    let began = std::time::Instant::now();
    assert!(client.line().is_err());
    assert!(began.elapsed() < BOUND - Duration::from_secs(1), "the client was left waiting");
    bed.finish()?;
    Ok(())
}

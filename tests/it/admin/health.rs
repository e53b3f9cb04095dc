//! What `/healthz` and `/readyz` say, and when.

use anyhow::Result;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, Flavour, NatsServer, RawNats, eventually};

use super::get;

const CONNECT: &str = r#"{"verbose":false,"headers":true}"#;

fn settings(server: &NatsServer) -> Settings {
    let settings = Settings::to(&server.url()).argument("--admin").argument("127.0.0.1:0");
    settings.variable("OTEL_TRACES_EXPORTER", "none")
}

#[test]
fn gateway_that_drains_is_healthy_and_not_ready() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let mut gateway = settings(&server).start()?;
    for path in ["/healthz", "/readyz"] {
        let answer = get(&gateway, path)?;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
    }
    // A frame that does not end keeps the drain waiting.
    let mut client = RawNats::open(gateway.address(), CONNECT)?;
    client.send(b"PUB jobs 10\r\nhalf")?;
    eventually("the half", BOUND, || {
        Ok((get(&gateway, "/metrics")?.body.contains("direction=\"published\"} 1")).then_some(()))
    })?;
    gateway.terminate()?;
    let answer = eventually("a drain", BOUND, || {
        let answer = get(&gateway, "/readyz?json")?;
        Ok((answer.status == 503).then_some(answer))
    })?;
    let body: serde_json::Value = serde_json::from_str(&answer.body)?;
    assert_eq!(body["reasons"], serde_json::json!(["draining"]), "{body}");
    assert_eq!(get(&gateway, "/healthz")?.status, 200);
    client.send(b" more.\r\n")?;
    assert!(gateway.stop()?.status.success());
    Ok(())
}

#[test]
fn gateway_whose_brokers_cannot_be_reached_is_not_ready_for_a_while() -> Result<()> {
    let Some(mut server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    server.kill()?;
    let gateway = settings(&server).start()?;
    assert_eq!(get(&gateway, "/readyz")?.status, 200, "nothing is known against the broker");
    assert!(RawNats::connect(gateway.address()).is_err());
    let answer = get(&gateway, "/readyz")?;
    assert!(answer.status == 503 && answer.body.contains("no broker"), "{answer:?}");
    server.restart()?;
    eventually("a session", BOUND, || Ok(RawNats::connect(gateway.address()).ok()))?;
    assert_eq!(get(&gateway, "/readyz")?.status, 200);
    assert!(gateway.stop()?.status.success());
    Ok(())
}

#[test]
fn endpoint_for_other_machines_has_to_be_meant() -> Result<()> {
    let arguments = ["--listen", "nats://127.0.0.1:0", "--broker", "nats://127.0.0.1:1"];
    let settings = Settings::of(&arguments).argument("--admin").argument("0.0.0.0:0");
    let settings = settings.variable("OTEL_TRACES_EXPORTER", "none");
    let mut process = settings.spawn()?;
    assert_eq!(process.wait(BOUND)?.code(), Some(2));
    let said = process.lines(spanbridge_tests::process::Stream::Err).join("\n");
    assert!(said.contains("admin 0.0.0.0:0") && said.contains("--allow-remote"), "{said}");
    settings.argument("--allow-remote").start()?.stop()?;
    Ok(())
}

//! TLS on either side, which begins with the first byte of a connection.

use anyhow::{Context, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Authority, Client, Frame, RabbitMq, RawAmqp, Receiver, raw_amqp};
use tempfile::TempDir;

use super::check_exit;
use crate::nats::named;

/// A gateway between these two sides, and what its client is to connect to.
fn listener(server: &RabbitMq, authority: &Authority, client: bool, broker: bool) -> String {
    let scheme = |tls: bool| if tls { "amqps" } else { "amqp" };
    let address = if broker { server.tls_address() } else { server.address() };
    let mut text = format!(
        "[[listener]]\nlisten = \"{}://127.0.0.1:0\"\nbrokers = [\"{}://localhost:{}\"]\n",
        scheme(client),
        scheme(broker),
        address.port()
    );
    if client {
        let (certificate, key) = (authority.path("server.pem"), authority.path("server.key"));
        text += &format!("[listener.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    }
    if broker {
        text += &format!("[listener.broker_tls]\nca = {:?}\n", server.authority().path("ca.pem"));
    }
    text
}

#[test]
fn tls_of_amqp_ends_at_the_gateway_on_either_side() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let authority = Authority::new()?;
    let ca = authority.text("ca.pem");
    let vhost = server.vhost()?;
    for (client, broker) in [(true, true), (true, false), (false, true)] {
        let (folder, tap) = (TempDir::new()?, receiver.tap());
        let file = folder.path().join("spanbridge.toml");
        std::fs::write(&file, listener(&server, &authority, client, broker))?;
        let settings = Settings::of(&["--config", &file.display().to_string()]);
        let gateway = settings.variables(tap.grpc()).start()?;
        let port = gateway.address().port().to_string();
        let mut arguments = vec!["--port", &port, "--vhost", &vhost];
        arguments.extend(["--count", "20", "--size", "300001"]);
        if client {
            arguments.extend(["--ca", &ca]);
        }
        let said = Client::run("amqp_secure.py", &arguments)?;
        let case = format!("client {client}, broker {broker}");
        assert_eq!(said[0]["whole"], 20, "{case}");
        assert!(said[0]["headers"]["traceparent"].is_string(), "{case}: {said:?}");
        let exit = gateway.stop()?;
        check_exit(&exit);
        let spans = tap.spans()?;
        assert_eq!(named(&spans, "publish secure").len(), 20, "{case}: {spans:#?}");
        assert_eq!(named(&spans, "process secure").len(), 20, "{case}: {spans:#?}");
    }
    Ok(())
}

#[test]
fn plain_client_of_a_tls_listener_gets_nothing_of_the_broker() -> Result<()> {
    let Some(server) = RabbitMq::shared()? else { return Ok(()) };
    let (authority, folder) = (Authority::new()?, TempDir::new()?);
    let file = folder.path().join("spanbridge.toml");
    std::fs::write(&file, listener(&server, &authority, true, false))?;
    let settings = Settings::of(&["--config", &file.display().to_string()]);
    let gateway = settings.variable("OTEL_TRACES_EXPORTER", "none").start()?;
    let mut client = RawAmqp::connect(gateway.address())?;
    client.send(raw_amqp::PROTOCOL_HEADER)?;
    // An alert of TLS at most.
    let rest = client.rest().unwrap_or_default();
    let first = Frame::read(&mut &rest[..]).ok().flatten().map(|frame| frame.kind);
    assert_ne!(first, Some(raw_amqp::METHOD), "{rest:?}");
    gateway.stop().context("the gateway still ends")?;
    Ok(())
}

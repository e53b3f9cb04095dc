//! TLS on either side, with real servers and clients: what passes, what is said, what is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{
    Authority, BOUND, Client, Flavour, NatsServer, Peer, RawNats, eventually, tool,
};

use super::{Rig, quiet};
use crate::nats::on_both_brokers;

/// Whether and when a side speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Plain,
    Upgrade,
    First,
}

use Side::{First, Plain, Upgrade};

on_both_brokers! {
    tls_ends_at_the_gateway_on_either_side => either_side;
    info_says_what_is_true_for_the_client => info_is_true;
}

fn server(flavour: Flavour, side: Side, authority: &Authority) -> Result<Option<NatsServer>> {
    match side {
        Plain => NatsServer::start(flavour),
        Upgrade => NatsServer::start_with(flavour, &authority.nats_block("")),
        First => NatsServer::start_silent(flavour, &authority.nats_block("handshake_first: true")),
    }
}

fn lines(client: Side, broker: Side, authority: &Authority) -> String {
    let mut lines = String::new();
    if client != Plain {
        lines += &format!(
            "[listener.tls]\ncertificate = {:?}\nkey = {:?}\nfirst = {}\n",
            authority.path("server.pem"),
            authority.path("server.key"),
            client == First
        );
    }
    if broker != Plain {
        let ca = authority.path("ca.pem");
        lines += &format!("[listener.broker_tls]\nca = {ca:?}\nfirst = {}\n", broker == First);
    }
    lines
}

/// What the client was told to say about itself, and what it found.
fn run_client(url: &str, side: Side, authority: &Authority, more: &[&str]) -> Result<Value> {
    let ca = authority.text("ca.pem");
    let mut arguments = vec!["--server", url];
    if side != Plain {
        arguments.extend(["--ca", &ca]);
    }
    if side == First {
        arguments.push("--first");
    }
    arguments.extend(more);
    let said = Client::run("nats_secure.py", &arguments)?;
    said.first().cloned().context("the client says what came")
}

fn either_side(flavour: Flavour) -> Result<()> {
    if tool::python()?.is_none() {
        return Ok(());
    }
    let authority = Authority::new()?;
    // Debian's server knows no handshake before INFO.
    let brokers: &[Side] =
        if flavour == Flavour::Debian { &[Plain, Upgrade] } else { &[Plain, Upgrade, First] };
    for &broker in brokers {
        let Some(server) = server(flavour, broker, &authority)? else { return Ok(()) };
        for client in [Plain, Upgrade, First] {
            if (client, broker) == (Plain, Plain) {
                continue;
            }
            let lines = lines(client, broker, &authority);
            let Some(rig) = Rig::start(&server.url(), &lines)? else { return Ok(()) };
            let said = run_client(&rig.gateway.url(), client, &authority, &[])?;
            let case = format!("{client:?} {broker:?}");
            assert_eq!(said["whole"], 3, "{case}");
            assert!(said["traceparent"].is_string(), "{case}: {said}");
            assert_eq!(said["tls_required"], client != Plain, "{case}");
            let (exit, spans) = rig.finish()?;
            let published = spans.iter().filter(|span| span.name == "publish secure.orders");
            assert_eq!(published.count(), 3, "{case}");
            assert_eq!(exit.counted(&["sessions_raw"]), 0.0, "{case}");
        }
    }
    Ok(())
}

/// The broker's INFO arrives as it was sent, but for what is not true for the client.
fn info_is_true(flavour: Flavour) -> Result<()> {
    let authority = Authority::new()?;
    let block = authority.nats_block("verify: true");
    let Some(server) = NatsServer::start_with(flavour, &block)? else { return Ok(()) };
    let identity = format!(
        "certificate = {:?}\nkey = {:?}\n",
        authority.path("client.pem"),
        authority.path("client.key")
    );
    let (gateway, _folder) =
        quiet(&server.url(), &(lines(Plain, Upgrade, &authority) + &identity))?;
    let direct = RawNats::connect(server.address())?;
    let mut through = RawNats::open(gateway.address(), r#"{"verbose":false}"#)?;
    let expected = masked(direct.info())
        .replace("\"tls_required\":true", "\"tls_required\":false")
        .replace("\"tls_verify\":true", "\"tls_verify\":false");
    assert_eq!(masked(through.info()), expected);
    assert!(expected.contains("\"tls_verify\":false"), "{expected}");
    assert_eq!(through.round_trip()?, b"");
    gateway.stop()?;
    Ok(())
}

/// An INFO line without the number that the server gives to each connection.
fn masked(info: &[u8]) -> String {
    let text = String::from_utf8_lossy(info).into_owned();
    let Some((before, after)) = text.split_once("\"client_id\":") else { return text };
    let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{before}\"client_id\":N{rest}")
}

#[test]
fn large_messages_pass_whole_through_tls_on_both_sides() -> Result<()> {
    if tool::python()?.is_none() {
        return Ok(());
    }
    let authority = Authority::new()?;
    let Some(server) = server(Flavour::Current, Upgrade, &authority)? else { return Ok(()) };
    let (gateway, _folder) = quiet(&server.url(), &lines(Upgrade, Upgrade, &authority))?;
    let more = ["--count", "60", "--size", "700001"];
    let said = run_client(&gateway.url(), Upgrade, &authority, &more)?;
    assert_eq!(said["whole"], 60);
    gateway.stop()?;
    Ok(())
}

#[test]
fn a_broker_that_is_not_who_it_should_be_gets_no_client() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let flavour = Flavour::Current;
    let block = authority.nats_block("verify: true");
    let (Some(plain), Some(tls), Some(verifying)) = (
        NatsServer::start(flavour)?,
        NatsServer::start_with(flavour, &authority.nats_block(""))?,
        NatsServer::start_with(flavour, &block)?,
    ) else {
        return Ok(());
    };
    let other_name = lines(Plain, Upgrade, &authority) + "server_name = \"other.example\"\n";
    for (server, lines, why) in [
        (&plain, lines(Plain, Upgrade, &authority), "offers no TLS"),
        (&tls, lines(Plain, Upgrade, &stranger), "invalid peer certificate"),
        (&tls, other_name, "other.example"),
        (&tls, lines(Upgrade, Plain, &authority), "has no broker_tls"),
        (&verifying, lines(Plain, Upgrade, &authority), "wants a certificate"),
    ] {
        let (gateway, _folder) = quiet(&server.url(), &lines)?;
        assert!(RawNats::connect(gateway.address()).is_err(), "{why}: nobody greets the client");
        eventually(why, BOUND, || Ok(gateway.log().join("\n").contains(why).then_some(())))?;
        let exit = gateway.stop()?;
        assert_eq!(exit.counted(&["connections_refused", "broker"]), 1.0, "{why}");
    }
    Ok(())
}

/// Somebody between a gateway and its broker can write in the clear before TLS starts. A gateway
/// that took those bytes for the broker's would hand them to the client as protected ones.
#[test]
fn what_a_broker_says_before_tls_is_not_taken_from_the_handshake() -> Result<()> {
    let authority = Authority::new()?;
    let peer = Peer::listen()?;
    let (gateway, _folder) = quiet(&peer.url()?, &lines(Plain, Upgrade, &authority))?;
    let mut client = TcpStream::connect(gateway.address())?;
    client.set_read_timeout(Some(BOUND))?;
    let mut broker = peer.accept()?;
    broker.write_all(b"INFO {\"tls_required\":true}\r\nMSG planted 1 1\r\nx\r\n")?;
    let mut found = Vec::new();
    // A reset is an end as well.
    let _ = client.read_to_end(&mut found);
    assert_eq!(found, b"", "nothing reaches the client");
    drop(broker);
    assert_eq!(gateway.stop()?.counted(&["connections_refused", "broker"]), 1.0);
    Ok(())
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_asked_for() -> Result<()> {
    if tool::python()?.is_none() {
        return Ok(());
    }
    let authority = Authority::new()?;
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let ca = authority.path("ca.pem");
    let lines = lines(Upgrade, Plain, &authority) + &format!("client_ca = {ca:?}\n");
    let (gateway, _folder) = quiet(&server.url(), &lines)?;
    let (certificate, key) = (authority.text("client.pem"), authority.text("client.key"));
    let shown = ["--certificate", &certificate, "--key", &key];
    assert_eq!(run_client(&gateway.url(), Upgrade, &authority, &shown)?["whole"], 3);
    assert!(run_client(&gateway.url(), Upgrade, &authority, &[]).is_err());
    // A client that goes on in the clear is no better.
    let mut plain = RawNats::connect(gateway.address())?;
    assert!(String::from_utf8_lossy(plain.info()).contains("\"tls_required\":true"));
    plain.send(b"CONNECT {\"verbose\":false}\r\n")?;
    assert!(plain.round_trip().is_err());
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["connections_refused", "tls"]), 2.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn without_a_part_in_tls_the_gateway_passes_it_on_unread() -> Result<()> {
    if tool::python()?.is_none() {
        return Ok(());
    }
    let authority = Authority::new()?;
    // Mutual TLS from end to end: the broker sees the client's own certificate.
    let block = authority.nats_block("verify: true");
    let Some(server) = NatsServer::start_with(Flavour::Current, &block)? else { return Ok(()) };
    let (gateway, _folder) = quiet(&server.url(), "")?;
    let (certificate, key) = (authority.text("client.pem"), authority.text("client.key"));
    let shown = ["--certificate", &certificate, "--key", &key];
    let said = run_client(&gateway.url(), Upgrade, &authority, &shown)?;
    assert_eq!((said["whole"].clone(), said["traceparent"].clone()), (3.into(), Value::Null));
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["sessions_raw", "tls"]), 1.0);
    Ok(())
}

//! PROXY headers: who a client is, from a load balancer in front to a server behind.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{
    BOUND, Client, Flavour, NatsServer, RawNats, Receiver, eventually, port, tool,
};

use super::quiet;

const ACCEPT: &str = "proxy_protocol = \"accept\"\nproxy_protocol_from = [\"127.0.0.1\"]\n";
const REQUIRE: &str = "proxy_protocol = \"require\"\nproxy_protocol_from = [\"127.0.0.1\"]\n";
const SEND: &str = "send_proxy_protocol = \"v2\"\n";
const CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"name\":\"proxied\"}\r\n";

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 203.0.113.1 4000 4222\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xcb\0\x71\x01\x0f\xa0\x10\x7e";

/// From a balancer's header, through the gateway, into the connection list of a real server.
#[test]
fn a_server_learns_who_the_client_is() -> Result<()> {
    let monitor = port::free()?;
    let configuration = format!("proxy_protocol: true\nhttp: \"127.0.0.1:{monitor}\"");
    let Some(server) = NatsServer::start_silent(Flavour::Current, &configuration)? else {
        return Ok(());
    };
    let (gateway, _folder) = quiet(&server.url(), &format!("{ACCEPT}{SEND}"))?;
    let health_check = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for (header, ip) in [(V1, "203.0.113.9"), (V2, "203.0.113.9"), (health_check, "127.0.0.1")] {
        let mut client = RawNats::connect_after(gateway.address(), header)?;
        client.send(CONNECT)?;
        assert_eq!(client.round_trip()?, b"");
        let connections = get(monitor, "/connz")?;
        let list = connections["connections"].as_array().context("connections")?;
        assert_eq!(list.len(), 1, "{connections}");
        assert_eq!(list[0]["ip"], ip, "{connections}");
        drop(client);
        eventually("the connection's end", BOUND, || {
            Ok((get(monitor, "/connz")?["num_connections"] == 0).then_some(()))
        })?;
    }
    gateway.stop()?;
    Ok(())
}

#[test]
fn a_header_and_a_tls_handshake_go_together() -> Result<()> {
    if tool::python()?.is_none() || Receiver::shared()?.is_none() {
        return Ok(());
    }
    let authority = spanbridge_tests::Authority::new()?;
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let tls = format!(
        "[listener.tls]\ncertificate = {:?}\nkey = {:?}\nfirst = true\n",
        authority.path("server.pem"),
        authority.path("server.key")
    );
    let (inner, _folder) = quiet(&server.url(), &format!("{REQUIRE}{tls}"))?;
    // Another gateway is the balancer: it passes TLS on, unread, behind a header of its own.
    let (balancer, _folder) = quiet(&inner.url(), SEND)?;
    let ca = authority.text("ca.pem");
    let arguments = ["--server", &balancer.url(), "--ca", &ca, "--first"];
    assert_eq!(Client::run("nats_secure.py", &arguments)?[0]["whole"], 3);
    balancer.stop()?;
    let exit = inner.stop()?;
    assert_eq!(exit.counted(&["connections_refused"]), 0.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn what_is_no_header_is_refused_where_one_is_due() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let limits = "[listener.limits]\nhandshake_timeout_seconds = 1\n";
    let (gateway, _folder) = quiet(&server.url(), &format!("{ACCEPT}{limits}"))?;
    let silent: &[u8] = b"";
    for first in [silent, CONNECT, b"PROXY TCP4 nobody\r\n", &V2[..20], b"\x16\x03\x01\x02\0\x01"] {
        let refused = RawNats::connect_after(gateway.address(), first);
        assert!(refused.is_err(), "{}", first.escape_ascii());
    }
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["connections_refused", "proxy_protocol"]), 5.0);
    assert_eq!(exit.counted(&["sessions_opened"]), 0.0);
    Ok(())
}

#[test]
fn a_header_of_somebody_who_may_not_say_it_is_not_believed() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let elsewhere = |lines: &str| lines.replace("127.0.0.1", "192.0.2.0/24");
    // Required: nobody else may come. Accepted: others are clients, and what they say is theirs.
    let (gateway, _folder) = quiet(&server.url(), &elsewhere(REQUIRE))?;
    assert!(RawNats::connect_after(gateway.address(), V1).is_err());
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["connections_refused", "proxy_protocol"]), 1.0);

    let (gateway, _folder) = quiet(&server.url(), &elsewhere(ACCEPT))?;
    RawNats::open(gateway.address(), r#"{"verbose":false}"#)?;
    let mut client = RawNats::connect_after(gateway.address(), V1)?;
    assert!(client.round_trip().is_err() || client.round_trip().is_err(), "the server refuses it");
    gateway.stop()?;
    Ok(())
}

/// The answer of a server's monitoring port.
fn get(port: u16, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(BOUND))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an answer with a body")?;
    Ok(serde_json::from_str(body)?)
}

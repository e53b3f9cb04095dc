//! TLS on either side, which begins with the first byte, and PROXY headers before it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::{Authority, BOUND, Client, Receiver, RedisServer, port};
use tempfile::TempDir;

use super::check_exit;
use crate::nats::named;

/// Before a listener that wants a header of whoever is on this machine.
const REQUIRE: &str = "proxy_protocol = \"require\"\nproxy_protocol_from = [\"127.0.0.1\"]\n";

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 203.0.113.1 4000 6379\r\n";

/// A real server with and without TLS.
struct Server {
    redis: RedisServer,
    tls_port: u16,
    authority: Authority,
}

impl Server {
    fn start() -> Result<Option<Self>> {
        let (authority, tls_port) = (Authority::new()?, port::free()?);
        let file = |name: &str| authority.text(name);
        let (number, certificate, key) =
            (tls_port.to_string(), file("server.pem"), file("server.key"));
        let arguments = [
            ["--tls-port", &number],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &file("ca.pem")],
            ["--tls-auth-clients", "no"],
        ];
        let redis = RedisServer::start_with(arguments.as_flattened(), &[])?;
        Ok(redis.map(|redis| Self { redis, tls_port, authority }))
    }

    /// The broker of a listener, with TLS or not, and what the listener says of it.
    fn broker(&self, tls: bool) -> (String, String) {
        if !tls {
            return (self.redis.url(), String::new());
        }
        let ca = self.authority.path("ca.pem");
        let lines = format!("[listener.broker_tls]\nca = {ca:?}\n");
        (format!("rediss://localhost:{}", self.tls_port), lines)
    }
}

/// A gateway whose listener takes TLS or not; `lines` stand in its table, and others behind them.
fn gateway(
    folder: &TempDir,
    (listen, lines): (&str, &str),
    (broker, more): &(String, String),
    variables: Vec<(String, String)>,
) -> Result<Gateway> {
    let file = folder.path().join("spanbridge.toml");
    let text = format!(
        "[[listener]]\nlisten = \"{listen}://127.0.0.1:0\"\nbrokers = [\"{broker}\"]\n\
         {lines}\n{more}\n"
    );
    std::fs::write(&file, text)?;
    Settings::of(&["--config", &file.display().to_string()]).variables(variables).start()
}

fn certificate(authority: &Authority) -> String {
    let (certificate, key) = (authority.path("server.pem"), authority.path("server.key"));
    format!("[listener.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

/// What redis-py is to connect to.
fn url(gateway: &Gateway, authority: Option<&Authority>) -> String {
    let port = gateway.address().port();
    match authority {
        Some(it) => format!("rediss://localhost:{port}/0?ssl_ca_certs={}", it.text("ca.pem")),
        None => format!("redis://127.0.0.1:{port}/0"),
    }
}

#[test]
fn tls_of_redis_ends_at_the_gateway_on_either_side() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let authority = Authority::new()?;
    for (client, broker) in [(true, true), (true, false), (false, true)] {
        let Some(server) = Server::start()? else { return Ok(()) };
        let (folder, tap) = (TempDir::new()?, receiver.tap());
        let lines = if client { certificate(&authority) } else { String::new() };
        let scheme = if client { "rediss" } else { "redis" };
        let variables = tap.grpc();
        let gateway = gateway(&folder, (scheme, &lines), &server.broker(broker), variables)?;
        let url = url(&gateway, client.then_some(&authority));
        // Values of three megabytes are among the commands.
        for role in [&["produce"][..], &["work", "--count", "9"], &["commands"]] {
            Client::run("redis_streams.py", &[role, &["--url", &url][..]].concat())?;
        }
        let exit = gateway.stop()?;
        check_exit(&exit)?;
        let (spans, case) = (tap.spans()?, format!("client {client}, broker {broker}"));
        // Two of them by the role `commands`, one of which is taken back.
        assert_eq!(named(&spans, "publish orders").len(), 11, "{case}: {spans:#?}");
        assert_eq!(named(&spans, "process orders").len(), 9, "{case}: {spans:#?}");
    }
    Ok(())
}

#[test]
fn plain_client_of_a_tls_listener_gets_nothing_of_the_server() -> Result<()> {
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let (authority, folder) = (Authority::new()?, TempDir::new()?);
    let broker = (server.url(), String::new());
    let gateway = gateway(&folder, ("rediss", &certificate(&authority)), &broker, quiet())?;
    let answer = say(&gateway, b"*1\r\n$4\r\nPING\r\n")?;
    assert!(!answer.contains(&b'+'), "{}", answer.escape_ascii());
    gateway.stop().map(drop)
}

#[test]
fn server_whose_certificate_nobody_signed_gets_nothing_of_the_client() -> Result<()> {
    let Some(server) = Server::start()? else { return Ok(()) };
    let (stranger, folder) = (Authority::new()?, TempDir::new()?);
    let (broker, _) = server.broker(true);
    let lines = format!("[listener.broker_tls]\nca = {:?}\n", stranger.path("ca.pem"));
    let gateway = gateway(&folder, ("redis", ""), &(broker, lines), quiet())?;
    assert_eq!(say(&gateway, b"PING\r\n")?, b"");
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["sessions_opened"]), 0.0, "{:#?}", exit.summary);
    Ok(())
}

#[test]
fn header_of_a_balancer_comes_before_commands_and_before_tls() -> Result<()> {
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let broker = (server.url(), String::new());
    let limits = "[listener.limits]\nhandshake_timeout_seconds = 1\n";
    let (folder, authority) = (TempDir::new()?, Authority::new()?);
    let plain = gateway(&folder, ("redis", &format!("{REQUIRE}{limits}")), &broker, quiet())?;
    assert_eq!(say(&plain, &[V1, b"PING\r\n"].concat())?, b"+PONG\r\n");
    for refused in [&b"PING\r\n"[..], b"", b"\x16\x03\x01\x02\0\x01"] {
        assert_eq!(say(&plain, refused)?, b"", "{}", refused.escape_ascii());
    }
    let exit = plain.stop()?;
    assert_eq!(exit.counted(&["connections_refused", "proxy_protocol"]), 3.0);

    let lines = format!("{REQUIRE}{}", certificate(&authority));
    let inner = gateway(&folder, ("rediss", &lines), &broker, quiet())?;
    // Another gateway is the balancer: it passes TLS on, unread, behind a header of its own.
    let target = (format!("redis://{}", inner.address()), String::new());
    let more = TempDir::new()?;
    let send = "send_proxy_protocol = \"v2\"\n";
    let balancer = gateway(&more, ("redis", send), &target, quiet())?;
    let url = url(&balancer, Some(&authority));
    Client::run("redis_streams.py", &["produce", "--url", &url])?;
    balancer.stop()?;
    check_exit(&inner.stop()?)
}

fn quiet() -> Vec<(String, String)> {
    vec![("OTEL_TRACES_EXPORTER".into(), "none".into())]
}

/// Sends bytes, and answers what comes within a while or until the other side hangs up.
fn say(gateway: &Gateway, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut client = TcpStream::connect(gateway.address())?;
    client.set_read_timeout(Some(BOUND.min(Duration::from_secs(5))))?;
    client.write_all(bytes)?;
    let mut answer = vec![0; 1024];
    let length = client.read(&mut answer).unwrap_or_default();
    answer.truncate(length);
    Ok(answer)
}

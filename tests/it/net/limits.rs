//! Bounds of connections: how many there are, and how long one may say nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::Result;
use spanbridge_tests::{
    Authority, BOUND, Flavour, NatsServer, Peer, Program, RawNats, eventually, port,
};

use super::quiet;

const CONNECT: &str = r#"{"verbose":false}"#;

#[test]
fn sessions_of_a_listener_are_bounded() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let (gateway, _folder) = quiet(&server.url(), "[listener.limits]\nsessions_max = 2\n")?;
    let first = RawNats::open(gateway.address(), CONNECT)?;
    let _second = RawNats::open(gateway.address(), CONNECT)?;
    assert!(RawNats::connect(gateway.address()).is_err(), "a third has no place");
    drop(first);
    eventually("a place", BOUND, || Ok(RawNats::open(gateway.address(), CONNECT).ok()))?;
    let exit = gateway.stop()?;
    assert!(exit.counted(&["connections_refused", "limit"]) >= 1.0, "{:?}", exit.summary);
    Ok(())
}

/// Who a client is, a balancer says: each of its clients has a bound of its own.
#[test]
fn sessions_of_one_source_are_bounded() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let lines = "proxy_protocol = \"accept\"\nproxy_protocol_from = [\"127.0.0.1\"]\n\
                 [listener.limits]\nsessions_per_source_max = 1\n";
    let (gateway, _folder) = quiet(&server.url(), lines)?;
    let connect = |ip: &str| {
        let header = format!("PROXY TCP4 {ip} 192.0.2.1 1 1\r\n");
        RawNats::connect_after(gateway.address(), header.as_bytes())
    };
    let first = connect("203.0.113.1")?;
    assert!(connect("203.0.113.1").is_err(), "a second of the same source");
    let _other = connect("203.0.113.2")?;
    drop(first);
    eventually("a place", BOUND, || Ok(connect("203.0.113.1").ok()))?;
    let exit = gateway.stop()?;
    assert!(exit.counted(&["connections_refused", "source"]) >= 1.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn a_client_that_stops_in_its_tls_handshake_holds_no_place() -> Result<()> {
    let authority = Authority::new()?;
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    for first in [false, true] {
        let lines = format!(
            "[listener.tls]\ncertificate = {:?}\nkey = {:?}\nfirst = {first}\n\
             [listener.limits]\nhandshake_timeout_seconds = 1\n",
            authority.path("server.pem"),
            authority.path("server.key")
        );
        let (gateway, _folder) = quiet(&server.url(), &lines)?;
        let mut silent = TcpStream::connect(gateway.address())?;
        let mut slow = TcpStream::connect(gateway.address())?;
        // The head of a record that never comes.
        slow.write_all(b"\x16\x03\x01\x02\0")?;
        for stream in [&mut silent, &mut slow] {
            stream.set_read_timeout(Some(BOUND))?;
            let began = Instant::now();
            // Its end, or INFO and its end.
            let _ = stream.read_to_end(&mut Vec::new());
            assert!(began.elapsed() < BOUND, "the gateway has ended it");
        }
        let exit = gateway.stop()?;
        assert_eq!(exit.counted(&["connections_refused", "tls"]), 2.0, "{:?}", exit.summary);
    }
    Ok(())
}

/// Without TLS and PROXY headers it is the broker that waits for a client's first word.
#[test]
fn a_client_that_says_nothing_is_ended_by_the_broker() -> Result<()> {
    let configuration = "authorization { user: a, password: b, timeout: 1 }";
    let Some(server) = NatsServer::start_with(Flavour::Current, configuration)? else {
        return Ok(());
    };
    let (gateway, _folder) = quiet(&server.url(), "")?;
    let mut silent = RawNats::connect(gateway.address())?;
    assert_eq!(silent.line()?, b"-ERR 'Authentication Timeout'\r\n");
    assert!(silent.line().is_err());
    gateway.stop()?;
    Ok(())
}

/// The kernel ends it: what a peer does not take within the bound, it will not take.
#[test]
fn a_client_that_takes_nothing_is_ended() -> Result<()> {
    let peer = Peer::listen()?;
    let lines = "[listener.limits]\nstall_timeout_seconds = 1\n";
    let (gateway, _folder) = quiet(&peer.url()?, lines)?;
    let client = TcpStream::connect(gateway.address())?;
    let mut broker = peer.accept()?;
    let line = [b'x'; 64 * 1024];
    let ended = loop {
        if let Err(error) = broker.write_all(&line) {
            break error;
        }
    };
    // Not its own patience: the gateway has closed the session.
    assert!(matches!(ended.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    drop(client);
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["sessions_ended", "client"]), 1.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn a_listener_for_others_does_not_stand_before_a_broker_of_this_machine() -> Result<()> {
    let broker = port::free()?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("open.toml");
    for (listen, host, starts) in [
        ("0.0.0.0", "127.0.0.1", false),
        ("0.0.0.0", "localhost", false),
        ("0.0.0.0", "LOCALHOST.", false),
        ("0.0.0.0", "0.0.0.0", false),
        ("0.0.0.0", "[::1]", false),
        ("0.0.0.0", "[::ffff:127.0.0.1]", false),
        ("[::]", "127.0.0.1", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.2", "0.0.0.0", true),
    ] {
        let text = format!(
            "[[listener]]\nlisten = \"nats://{listen}:0\"\nbrokers = [\"nats://{host}:{broker}\"]\n"
        );
        std::fs::write(&file, text)?;
        let file = file.display().to_string();
        let mut settings = spanbridge_tests::gateway::Settings::of(&["--config", &file]);
        settings = settings.variable("OTEL_TRACES_EXPORTER", "none");
        if starts {
            settings.start()?.stop()?;
            continue;
        }
        let ended = Program::run(&["gateway", "--config", &file])?;
        let errors = ended.errors.join("\n");
        assert_eq!(ended.status.code(), Some(2), "{listen} {host}: {errors}");
        assert!(errors.contains("--allow-remote"), "{errors}");
    }
    Ok(())
}

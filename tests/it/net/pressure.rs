//! Slow peers and half-closed connections: nothing is lost, and nothing piles up.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use spanbridge_tests::{BOUND, Gateway, Peer};
use tempfile::TempDir;

use super::quiet;

/// More than the buffers of all sockets between two peers take.
const BYTES_MANY: usize = 64 * 1024 * 1024;

/// How long a writer is refused before it counts as stopped.
const STOPPED: Duration = Duration::from_secs(2);

/// What a gateway may grow by while a peer is slow: a read of each direction, and the allocator's
/// habits. A session that kept what it read would grow by tens of megabytes.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

/// A session between a client and a broker that are both the test.
struct Session {
    client: TcpStream,
    broker: TcpStream,
    gateway: Gateway,
    _folder: TempDir,
}

impl Session {
    fn start() -> Result<Self> {
        let peer = Peer::listen()?;
        let (gateway, folder) = quiet(&peer.url()?, "")?;
        let client = TcpStream::connect(gateway.address())?;
        client.set_read_timeout(Some(BOUND))?;
        let mut session = Self { client, broker: peer.accept()?, gateway, _folder: folder };
        session.broker.write_all(b"INFO {\"headers\":true}\r\n")?;
        expect(&mut session.client, b"INFO {\"headers\":true}\r\n")?;
        session.client.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n")?;
        expect(&mut session.broker, b"CONNECT {\"verbose\":false,\"headers\":true}\r\n")?;
        Ok(session)
    }
}

fn expect(from: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    let mut found = vec![0; bytes.len()];
    from.read_exact(&mut found)?;
    ensure!(found == bytes, "expected {:?}", String::from_utf8_lossy(bytes));
    Ok(())
}

/// Writes until the other end takes no more; answers how much went.
fn fill(to: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    to.set_write_timeout(Some(STOPPED))?;
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(written);
            }
            Err(error) => return Err(error).context("the connection ended"),
        }
    }
    Ok(written)
}

/// Messages on an inbox, which go on as they came.
fn messages(control: &str) -> Vec<u8> {
    let payload = "x".repeat(1000);
    let message = format!("{control} 1000\r\n{payload}\r\n");
    message.repeat(BYTES_MANY / message.len()).into_bytes()
}

/// One side sends more than the other takes for a while; then everything arrives.
fn slow_peer(bytes: &[u8], from_client: bool) -> Result<()> {
    let mut session = Session::start()?;
    let before = session.gateway.resident_kib()?;
    let (from, to) = if from_client {
        (&mut session.client, &mut session.broker)
    } else {
        (&mut session.broker, &mut session.client)
    };
    let written = fill(from, bytes)?;
    assert!(written < bytes.len(), "a peer that takes nothing stops the one that sends");
    let grown = session.gateway.resident_kib()?.saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the gateway grew by {grown} KiB");
    let mut from = from.try_clone()?;
    from.set_write_timeout(Some(BOUND))?;
    thread::scope(|scope| -> Result<()> {
        let sending = scope.spawn(move || from.write_all(&bytes[written..]));
        expect(to, bytes)?;
        sending.join().expect("the sender does not panic")?;
        Ok(())
    })?;
    let exit = session.gateway.stop()?;
    assert!(exit.status.success());
    Ok(())
}

#[test]
fn a_slow_client_slows_the_broker_and_loses_nothing() -> Result<()> {
    slow_peer(&messages("MSG _INBOX.a 1"), false)
}

#[test]
fn a_slow_broker_slows_the_client_and_loses_nothing() -> Result<()> {
    slow_peer(&messages("PUB _INBOX.a"), true)
}

#[test]
fn what_a_broker_still_has_to_say_reaches_a_client_that_is_done() -> Result<()> {
    let mut session = Session::start()?;
    session.client.write_all(b"PUB _INBOX.a 1\r\nx\r\nPI")?;
    session.client.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    session.broker.read_to_end(&mut rest)?;
    assert_eq!(rest, b"PUB _INBOX.a 1\r\nx\r\nPI", "with the beginning that has no end");
    session.broker.write_all(b"MSG _INBOX.a 1 1\r\nx\r\n")?;
    drop(session.broker);
    let mut answer = Vec::new();
    session.client.read_to_end(&mut answer)?;
    assert_eq!(answer, b"MSG _INBOX.a 1 1\r\nx\r\n");
    let exit = session.gateway.stop()?;
    assert_eq!(exit.counted(&["sessions_ended", "client"]), 1.0);
    Ok(())
}

#[test]
fn what_a_client_still_has_to_say_reaches_a_broker_that_is_done() -> Result<()> {
    let mut session = Session::start()?;
    session.broker.write_all(b"-ERR 'going'\r\nMSG a")?;
    session.broker.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    session.client.read_to_end(&mut rest)?;
    assert_eq!(rest, b"-ERR 'going'\r\nMSG a");
    session.client.write_all(b"PUB _INBOX.a 1\r\nx\r\n")?;
    drop(session.client);
    let mut last = Vec::new();
    session.broker.read_to_end(&mut last)?;
    assert_eq!(last, b"PUB _INBOX.a 1\r\nx\r\n");
    let exit = session.gateway.stop()?;
    assert_eq!(exit.counted(&["sessions_ended", "broker"]), 1.0);
    Ok(())
}

//! The sessions of a load: connections that publish to a subject of their own and subscribe to it.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::protocol::{Form, Incoming, Protocol, Template};

/// How long a session may take to be connected, on a busy machine.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and how often in a row, a full socket is waited for.
const FULL_PAUSE: Duration = Duration::from_micros(50);
const FULL_MAX: u64 = 100_000;
/// As much as anybody reads at once.
const READ_BYTES: usize = 64 * 1024;
/// What may be left of a frame that is not whole yet.
const REST_BYTES_MAX: usize = 4096;

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) template: Template,
}

/// The sessions of a load, in one poll.
pub(crate) struct Peers {
    pub(crate) peers: Vec<Peer>,
    pub(crate) inbox: Inbox,
}

/// The receiving half.
pub(crate) struct Inbox {
    protocol: Protocol,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// By session: the beginning of a frame.
    rests: Vec<Vec<u8>>,
}

impl Peers {
    /// Connects; every session has made a round trip before this answers.
    pub(crate) fn connect(
        protocol: Protocol,
        address: SocketAddr,
        count: usize,
        form: Form,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut peers = Vec::with_capacity(count);
        for session in 0..count {
            let stream = greet(protocol, address, session)
                .with_context(|| format!("cannot connect session {session} of {count}"))?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(session), Interest::READABLE)?;
            peers.push(Peer { stream, template: protocol.template(session, form) });
        }
        let inbox = Inbox {
            protocol,
            poll,
            events: Events::with_capacity(1024),
            buffer: vec![0; REST_BYTES_MAX + READ_BYTES],
            rests: vec![Vec::new(); count],
        };
        Ok(Self { peers, inbox })
    }
}

impl Inbox {
    /// What the sessions speak.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Waits, reads what came and answers by session; `visit` gets all of one read at once.
    pub(crate) fn receive(
        &mut self,
        peers: &[Peer],
        timeout: Duration,
        mut visit: impl FnMut(usize, &[Incoming]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        let mut incoming = Vec::new();
        for event in &self.events {
            let session = event.token().0;
            let rest = &mut self.rests[session];
            // Edge-triggered: until there is nothing more.
            loop {
                let kept = rest.len();
                self.buffer[..kept].copy_from_slice(rest);
                let space = &mut self.buffer[kept..kept + READ_BYTES];
                let read = match (&peers[session].stream).read(space) {
                    Ok(0) => bail!("session {session} was closed"),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let bytes = &self.buffer[..kept + read];
                let done = self.protocol.read(bytes, |frame| incoming.push(frame))?;
                anyhow::ensure!(bytes.len() - done <= REST_BYTES_MAX, "a frame is too long");
                rest.clear();
                rest.extend_from_slice(&bytes[done..]);
                visit(session, &incoming)?;
                incoming.clear();
                // A short read has emptied the socket; what comes now is another event.
                if read < READ_BYTES {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Connects and subscribes.
fn greet(
    protocol: Protocol,
    address: SocketAddr,
    session: usize,
) -> anyhow::Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    protocol.greet(&mut stream, session)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Writes everything. The socket being full is waited out for some seconds; answers how often that
/// was.
pub(crate) fn write_all(mut stream: &TcpStream, mut bytes: &[u8]) -> io::Result<u64> {
    let mut full = 0;
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                full += 1;
                if full > FULL_MAX {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(FULL_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(full)
}

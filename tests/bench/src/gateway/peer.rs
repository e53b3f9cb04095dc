//! The sessions of a load: connections that publish to a subject of their own and subscribe to it,
//! or pairs of which one publishes and the other one reads.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::protocol::{Form, Incoming, Protocol, Template};
use crate::redis;

/// How long a session may take to be connected, on a busy machine.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and how often in a row, a full socket is waited for.
const FULL_PAUSE: Duration = Duration::from_micros(50);
const FULL_MAX: u64 = 100_000;
/// As much as anybody reads at once.
const READ_BYTES: usize = 64 * 1024;
/// What may be left of a frame that is not whole yet: a reply of Redis with all that is on its way.
const REST_BYTES_MAX: usize = 64 * 1024;

pub(crate) struct Peer {
    /// It publishes, and reads unless `consumer` does.
    publisher: TcpStream,
    consumer: Option<TcpStream>,
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
    /// By connection: the beginning of a frame.
    rests: Vec<Vec<u8>>,
}

impl Peers {
    /// Connects `sessions`; each has made a round trip before this answers.
    pub(crate) fn connect(
        protocol: Protocol,
        address: SocketAddr,
        sessions: usize,
        form: Form,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let apart = protocol.reads_apart();
        let count = if apart { sessions / 2 } else { sessions };
        let mut peers = Vec::with_capacity(count);
        for number in 0..count {
            let connect = |reads: bool| {
                let stream = greet(protocol, address, number, reads)
                    .with_context(|| format!("cannot connect {number} of {count}"))?;
                let mut stream = TcpStream::from_std(stream);
                let token = Token(number * 2 + usize::from(reads));
                poll.registry().register(&mut stream, token, Interest::READABLE)?;
                anyhow::Ok(stream)
            };
            let publisher = connect(false)?;
            let consumer = if apart { Some(connect(true)?) } else { None };
            peers.push(Peer { publisher, consumer, template: protocol.template(number, form) });
        }
        let inbox = Inbox {
            protocol,
            poll,
            events: Events::with_capacity(1024),
            buffer: vec![0; REST_BYTES_MAX + READ_BYTES],
            rests: vec![Vec::new(); count * 2],
        };
        Ok(Self { peers, inbox })
    }
}

impl Peer {
    /// Whether a connection does nothing but read.
    pub(crate) fn reads_apart(&self) -> bool {
        self.consumer.is_some()
    }

    /// Publishes; answers how often the socket was full.
    pub(crate) fn publish(&self, bytes: &[u8]) -> io::Result<u64> {
        write_all(&self.publisher, bytes)
    }

    /// Says something where it reads; answers how often the socket was full.
    pub(crate) fn reply(&self, bytes: &[u8]) -> io::Result<u64> {
        write_all(self.reader(), bytes)
    }

    fn reader(&self) -> &TcpStream {
        self.consumer.as_ref().unwrap_or(&self.publisher)
    }
}

impl Inbox {
    /// What the sessions speak.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Waits, and reads what came; `visit` gets the number of the peer, and all of one read.
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
            let connection = event.token().0;
            let (number, reads) = (connection / 2, connection % 2 == 1);
            let peer = &peers[number];
            let mut stream = if reads { peer.reader() } else { &peer.publisher };
            let rest = &mut self.rests[connection];
            // Edge-triggered: until there is nothing more.
            loop {
                let kept = rest.len();
                self.buffer[..kept].copy_from_slice(rest);
                let space = &mut self.buffer[kept..kept + READ_BYTES];
                let read = match stream.read(space) {
                    Ok(0) => bail!("connection {connection} was closed"),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let bytes = &self.buffer[..kept + read];
                let done = self.protocol.read(bytes, |frame| incoming.push(frame))?;
                anyhow::ensure!(bytes.len() - done <= REST_BYTES_MAX, "a frame is too long");
                rest.clear();
                rest.extend_from_slice(&bytes[done..]);
                visit(number, &incoming)?;
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
    number: usize,
    reads: bool,
) -> anyhow::Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    if reads {
        redis::greet_consumer(&mut stream, number)?;
    } else {
        protocol.greet(&mut stream, number)?;
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Writes everything. The socket being full is waited out for some seconds; answers how often that
/// was.
fn write_all(mut stream: &TcpStream, mut bytes: &[u8]) -> io::Result<u64> {
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

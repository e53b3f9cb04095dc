//! The steps before a session: a client's PROXY header, a broker's, and TLS on either side.
//!
//! Each step has the listener's handshake timeout as its bound, so that a peer that says nothing
//! holds a place for seconds and not forever.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use spanbridge_wire::Step;
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::Info;
use spanbridge_wire::proxy_protocol::{self, LEAD_BYTES, Origin};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::options::{ProxyProtocol, SendProxyProtocol};
use super::sources::SourcePlace;
use super::{Net, Stream, canonical};
use crate::address::Address;
use crate::close::By;

/// A client that may stay.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub stream: TcpStream,
    /// Who it is: its own address, or what a load balancer says.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
    /// Held as long as the session.
    pub place: SourcePlace,
}

/// Why a connection did not become a session.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub by: By,
    pub reason: Reason,
    pub error: io::Error,
}

/// Which step it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    ProxyProtocol,
    Source,
    Tls,
    Greeting,
}

impl Reason {
    /// For a log line.
    pub(crate) const fn step(self) -> &'static str {
        match self {
            Self::ProxyProtocol => "PROXY header",
            Self::Source => "limit of the source",
            Self::Tls => "TLS handshake",
            Self::Greeting => "greeting",
        }
    }

    pub(super) fn by_client(self) -> impl FnOnce(io::Error) -> Refusal {
        move |error| Refusal { by: By::Client, reason: self, error }
    }
}

impl Net {
    /// Runs one step within the handshake timeout.
    pub(super) async fn within<T>(
        &self,
        step: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        match timeout(self.handshake_timeout(), step).await {
            Ok(done) => done,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
        }
    }

    /// Finds out who a client is, and whether it may stay.
    pub(crate) async fn arrive(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Arrived, Refusal> {
        let refused = Reason::ProxyProtocol.by_client();
        let peer = canonical(peer);
        let (mut source, mut destination) = (peer, peer);
        let listed = self.options.proxy_protocol_from.iter().any(|from| from.contains(peer.ip()));
        match (self.options.proxy_protocol, listed) {
            (ProxyProtocol::Require, false) => {
                let what = "the peer is none of proxy_protocol_from";
                return Err(refused(io::Error::new(io::ErrorKind::PermissionDenied, what)));
            }
            (ProxyProtocol::Require | ProxyProtocol::Accept, true) => {
                let read = self.within(read_proxy_header(&mut stream)).await.map_err(refused)?;
                if let Origin::Tcp { source: from, destination: to } = read {
                    (source, destination) = (canonical(from), canonical(to));
                }
            }
            (ProxyProtocol::Off, _) | (ProxyProtocol::Accept, false) => {}
        }
        if source == peer && self.options.send_proxy_protocol == SendProxyProtocol::V2 {
            let local = stream.local_addr().map_err(Reason::ProxyProtocol.by_client())?;
            destination = canonical(local);
        }
        let Some(place) = self.sources.take(source.ip()) else {
            let what = "its source has as many sessions as it may (sessions_per_source_max)";
            let error = io::Error::new(io::ErrorKind::QuotaExceeded, what);
            return Err(Refusal { by: By::Here, reason: Reason::Source, error });
        };
        Ok(Arrived { stream, source, destination, place })
    }

    /// The TLS handshake of a client, where it comes first.
    pub(crate) async fn accept_first(&self, stream: TcpStream) -> Result<Stream, Refusal> {
        match &self.to_clients {
            Some(tls) if tls.is_first() => self.accept_tls(stream).await,
            _ => Ok(Stream::Plain(stream)),
        }
    }

    pub(super) async fn accept_tls(&self, stream: TcpStream) -> Result<Stream, Refusal> {
        let Some(tls) = &self.to_clients else { return Ok(Stream::Plain(stream)) };
        let accepted = self.within(tls.accept(stream)).await;
        accepted.map(|tls| Stream::Tls(Box::new(tls))).map_err(Reason::Tls.by_client())
    }

    /// Introduces the client to a broker, and starts TLS with it. Answers as well the `INFO` that
    /// had to be read for that; it is empty where the gateway has no part in TLS, and where the
    /// protocol has no such thing.
    pub(crate) async fn meet_broker(
        &self,
        mut stream: TcpStream,
        broker: &Address,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> io::Result<(Stream, Vec<u8>)> {
        if self.options.send_proxy_protocol == SendProxyProtocol::V2 {
            let mut header = Vec::new();
            proxy_protocol::write_v2(source, destination, &mut header);
            stream.write_all(&header).await?;
        }
        let host = broker.host.as_str();
        if let (true, Some(tls)) = (broker.tls, &self.to_brokers) {
            let stream = self.within(tls.connect(stream, host)).await?;
            return Ok((Stream::Tls(Box::new(stream)), Vec::new()));
        }
        let Some(_) = self.tls_said() else { return Ok((Stream::Plain(stream), Vec::new())) };
        let Some(tls) = &self.to_brokers else {
            let mut stream = Stream::Plain(stream);
            let line = self.within(read_info(&mut stream)).await?;
            if info_of(&line)?.tls_required {
                return Err(io::Error::other(
                    "the broker asks for TLS, and the listener has no broker_tls",
                ));
            }
            return Ok((stream, line));
        };
        if tls.is_first() {
            let stream = self.within(tls.connect(stream, host)).await?;
            let mut stream = Stream::Tls(Box::new(stream));
            let line = self.within(read_info(&mut stream)).await?;
            return Ok((stream, line));
        }
        let mut plain = Stream::Plain(stream);
        let line = self.within(read_info(&mut plain)).await?;
        let info = info_of(&line)?;
        if !info.tls_required && !info.tls_available {
            // Whoever stands between could have taken the offer out.
            return Err(io::Error::other("the broker offers no TLS, and broker_tls asks for it"));
        }
        if info.tls_verify && !tls.has_identity() {
            return Err(io::Error::other(
                "the broker wants a certificate of its clients, and broker_tls.certificate is \
                 not set; the certificates of the clients themselves cannot pass",
            ));
        }
        let Stream::Plain(stream) = plain else { return Err(io::ErrorKind::InvalidData.into()) };
        let stream = self.within(tls.connect(stream, host)).await?;
        Ok((Stream::Tls(Box::new(stream)), line))
    }
}

/// Reads a header and nothing behind it: the next byte may be the first of a TLS handshake.
async fn read_proxy_header(stream: &mut TcpStream) -> io::Result<Origin> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut header = vec![0; LEAD_BYTES];
    stream.read_exact(&mut header).await?;
    loop {
        match proxy_protocol::read(&header).map_err(invalid)? {
            Step::Frame { frame, .. } => return Ok(frame),
            // Byte by byte: a hundred at most in version 1, and a length tells all in version 2.
            Step::Need => header.push(stream.read_u8().await?),
        }
    }
}

async fn read_info(stream: &mut Stream) -> io::Result<Vec<u8>> {
    stream.read_line(NatsLimits::default().info_bytes_max as usize).await
}

/// The JSON of an `INFO` line.
fn info_of(line: &[u8]) -> io::Result<Info<'_>> {
    let json = line.strip_prefix(b"INFO").map(<[u8]>::trim_ascii);
    let info = json.and_then(Info::parse);
    info.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "expected INFO of a NATS server"))
}

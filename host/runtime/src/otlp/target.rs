//! What an OTLP exporter has to know: protocol, endpoint, headers, TLS.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;

use super::endpoint::Endpoint;

/// Default time of one request (`OTEL_EXPORTER_OTLP_TIMEOUT`).
pub const OTLP_TIMEOUT: Duration = Duration::from_secs(10);

/// How spans travel to an OTLP receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf over gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1; the default.
    #[default]
    HttpProtobuf,
    /// JSON over HTTP/1.1.
    HttpJson,
}

/// Files of a TLS connection, all PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates to trust instead of the system's.
    pub certificate: Option<PathBuf>,
    /// Certificate and key to show to the receiver.
    pub client: Option<ClientIdentity>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key of the leaf.
    pub key: PathBuf,
}

/// One OTLP receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpTarget {
    /// Protocol.
    pub protocol: Protocol,
    /// Where to.
    pub endpoint: Endpoint,
    /// Headers of every request. Values are marked sensitive, so that no debug output shows them.
    pub headers: HeaderMap,
    /// Whether requests are compressed with gzip.
    pub gzip: bool,
    /// Longest time of one request. The pipeline applies it, not the exporter.
    pub timeout: Duration,
    /// Used only when the endpoint is `https`.
    pub tls: TlsFiles,
}

impl OtlpTarget {
    /// A receiver with nothing special about it.
    pub fn new(protocol: Protocol, endpoint: Endpoint) -> Self {
        Self {
            protocol,
            endpoint,
            headers: HeaderMap::new(),
            gzip: false,
            timeout: OTLP_TIMEOUT,
            tls: TlsFiles::default(),
        }
    }
}

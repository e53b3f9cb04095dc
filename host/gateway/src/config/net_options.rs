//! What a listener says of its connections: the keys, and the options they become.

use std::path::PathBuf;

use super::file::SESSIONS_MAX;
use super::section::{Found, Problem, Section, Table, Value, section};
use super::value::{Count, Seconds, quoted, text, word};
use crate::net::network::{Network, NetworkError};
use crate::net::options::{
    BrokerTlsOptions, LimitOptions, NetOptions, ProxyProtocol, SendProxyProtocol, TlsOptions,
};

/// Longest a step before a session may take, in seconds: it holds a place all the while.
const HANDSHAKE_SECONDS_MAX: u64 = 3600;

/// Longest silence that Linux takes for `TCP_KEEPIDLE`, in seconds.
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;

/// Longest stall that can be stated, in seconds: a day.
const STALL_SECONDS_MAX: u64 = 24 * 3600;

section! {
    /// The keys of a listener about the PROXY protocol.
    pub(super) struct ProxyKeys {
        /// Whether clients come through a load balancer that says first who they are: those of
        /// `proxy_protocol_from` have to. `require` refuses all others.
        [proxy_protocol]: ProxyProtocol = "\"off\"";
        /// The load balancers whose PROXY headers are believed.
        [proxy_protocol_from]: Vec<Network> = "";
        /// Tell brokers who the client is.
        [send_proxy_protocol]: SendProxyProtocol = "\"off\"";
    }
}

section! {
    /// The keys of `[listener.tls]`.
    pub(super) struct TlsKeys {
        /// PEM file: the certificate that clients are shown, and those that it leads back to.
        /// Required. A reload reads the file again.
        [certificate]: PathBuf = "";
        /// PEM file: its key. Required. A reload reads the file again.
        [key]: PathBuf = "";
        /// PEM file: clients have to show a certificate that leads back to one of these. A reload
        /// reads the file again.
        [client_ca]: PathBuf = "";
        /// The handshake comes first; else behind the server's `INFO`, as NATS clients expect it.
        /// On AMQP and Redis it always does.
        [first]: bool = "false";
    }
}

section! {
    /// The keys of `[listener.broker_tls]`.
    pub(super) struct BrokerTlsKeys {
        /// PEM file: the broker's certificate has to lead back to one of these. Unset: to one that
        /// the system trusts. A reload reads the file again.
        [ca]: PathBuf = "";
        /// PEM file: the certificate that the broker is shown where it asks. A reload reads the
        /// file again.
        [certificate]: PathBuf = "";
        /// PEM file: its key. A reload reads the file again.
        [key]: PathBuf = "";
        /// The name that the broker's certificate has to be for. Unset: the broker's host.
        [server_name]: String = "";
        /// The handshake comes first; else behind the server's `INFO`. On AMQP and Redis it always
        /// does.
        [first]: bool = "false";
    }
}

section! {
    /// The keys of `[listener.limits]`.
    pub(super) struct LimitKeys {
        /// Sessions of this listener. Unset: only those of the process are bounded.
        [sessions_max]: Count<1, SESSIONS_MAX> = "";
        /// Sessions from one IPv4 address, or one IPv6 network of 64 bits. Unset: any number.
        [sessions_per_source_max]: Count<1, SESSIONS_MAX> = "";
        /// How long each step before a session may take: a PROXY header, a TLS handshake, the
        /// `INFO` of a broker.
        [handshake_timeout_seconds]: Seconds<1, HANDSHAKE_SECONDS_MAX> = "5";
        /// After so much silence a peer is asked whether it is still there. 0: never.
        [keepalive_seconds]: Seconds<0, KEEPALIVE_SECONDS_MAX> = "60";
        /// A connection whose peer takes nothing for so long ends, on Linux. 0: never.
        [stall_timeout_seconds]: Seconds<0, STALL_SECONDS_MAX> = "120";
    }
}

impl Value for Network {
    fn kind() -> &'static str {
        "network"
    }

    fn allowed() -> String {
        "networks like `10.0.0.0/8`, or addresses".to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        text(found)?.parse().map_err(|error: NetworkError| error.to_string())
    }
}

const PROXY_WORDS: [(&str, ProxyProtocol); 3] = [
    ("off", ProxyProtocol::Off),
    ("accept", ProxyProtocol::Accept),
    ("require", ProxyProtocol::Require),
];

impl Value for ProxyProtocol {
    fn kind() -> &'static str {
        "string"
    }

    fn allowed() -> String {
        quoted(&PROXY_WORDS.map(|(word, _)| word))
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        word(found, &PROXY_WORDS)
    }
}

const SEND_PROXY_WORDS: [(&str, SendProxyProtocol); 2] =
    [("off", SendProxyProtocol::Off), ("v2", SendProxyProtocol::V2)];

impl Value for SendProxyProtocol {
    fn kind() -> &'static str {
        "string"
    }

    fn allowed() -> String {
        quoted(&SEND_PROXY_WORDS.map(|(word, _)| word))
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        word(found, &SEND_PROXY_WORDS)
    }
}

/// Reads what a listener says of its connections.
pub(super) fn read(listener: &mut Table<'_, '_>) -> Result<NetOptions, Problem> {
    let proxy = ProxyKeys::take(listener)?;
    let limits = inner::<LimitKeys>(listener, "limits")?;
    Ok(NetOptions {
        tls: read_tls(listener)?,
        broker_tls: inner(listener, "broker_tls")?.map(broker_tls),
        proxy_protocol: proxy.proxy_protocol.unwrap_or_default(),
        proxy_protocol_from: proxy.proxy_protocol_from.unwrap_or_default(),
        send_proxy_protocol: proxy.send_proxy_protocol.unwrap_or_default(),
        limits: limits.map_or_else(LimitOptions::default, limit_options),
    })
}

/// Reads a table inside a listener's, whose keys are those of `T` and no others.
fn inner<T: Section>(
    listener: &mut Table<'_, '_>,
    key: &'static str,
) -> Result<Option<T>, Problem> {
    let Some(mut table) = listener.table(key)? else { return Ok(None) };
    let keys = T::take(&mut table)?;
    table.finish()?;
    Ok(Some(keys))
}

fn read_tls(listener: &mut Table<'_, '_>) -> Result<Option<TlsOptions>, Problem> {
    let Some(found) = listener.find("tls") else { return Ok(None) };
    let Some(keys) = inner::<TlsKeys>(listener, "tls")? else { return Ok(None) };
    let missing = |key| {
        let what = listener.about(&format!("tls.{key}: expected, not found"));
        Problem::new(found.span(), what)
    };
    Ok(Some(TlsOptions {
        certificate: keys.certificate.ok_or_else(|| missing("certificate"))?,
        key: keys.key.ok_or_else(|| missing("key"))?,
        client_ca: keys.client_ca,
        first: keys.first.unwrap_or(false),
    }))
}

fn broker_tls(keys: BrokerTlsKeys) -> BrokerTlsOptions {
    BrokerTlsOptions {
        ca: keys.ca,
        certificate: keys.certificate,
        key: keys.key,
        server_name: keys.server_name,
        first: keys.first.unwrap_or(false),
    }
}

fn limit_options(keys: LimitKeys) -> LimitOptions {
    let defaults = LimitOptions::default();
    LimitOptions {
        sessions_max: keys.sessions_max.map(Count::get),
        sessions_per_source_max: keys.sessions_per_source_max.map(Count::get),
        handshake_timeout: keys
            .handshake_timeout_seconds
            .map_or(defaults.handshake_timeout, Seconds::get),
        keepalive: keys.keepalive_seconds.map_or(defaults.keepalive, Seconds::get),
        stall_timeout: keys.stall_timeout_seconds.map_or(defaults.stall_timeout, Seconds::get),
    }
}

//! The options of a listener's connections.

use std::path::PathBuf;
use std::time::Duration;

use super::network::Network;

/// Everything about a listener's connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetOptions {
    /// TLS towards clients.
    pub tls: Option<TlsOptions>,
    /// TLS towards brokers.
    pub broker_tls: Option<BrokerTlsOptions>,
    /// Whether clients come through a load balancer that says who they are.
    pub proxy_protocol: ProxyProtocol,
    /// Whose PROXY headers are believed.
    pub proxy_protocol_from: Vec<Network>,
    /// Whether brokers are told who the client is.
    pub send_proxy_protocol: SendProxyProtocol,
    /// Bounds.
    pub limits: LimitOptions,
}

/// TLS towards clients: `[listener.tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate that clients are shown, and those that it leads back to: a PEM file.
    pub certificate: PathBuf,
    /// Its key: a PEM file.
    pub key: PathBuf,
    /// Clients have to show a certificate that leads back to one of these: a PEM file.
    pub client_ca: Option<PathBuf>,
    /// The handshake comes first, as always on AMQP and Redis; else behind the server's `INFO`, as
    /// NATS clients expect it.
    pub first: bool,
}

/// TLS towards brokers: `[listener.broker_tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTlsOptions {
    /// The broker's certificate has to lead back to one of these, a PEM file; without it, to one
    /// that the system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate that the broker is shown: a PEM file.
    pub certificate: Option<PathBuf>,
    /// Its key: a PEM file.
    pub key: Option<PathBuf>,
    /// The name that the broker's certificate has to be for; without it, the broker's host.
    pub server_name: Option<String>,
    /// The handshake comes first; else behind the server's `INFO`. Always so on AMQP and Redis.
    pub first: bool,
}

/// Whether clients come through a load balancer that says who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// No: a header is bytes like any other.
    #[default]
    Off,
    /// Those from the listed networks begin with a header; others are clients themselves.
    Accept,
    /// The same, and others are refused.
    Require,
}

/// Whether brokers are told who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendProxyProtocol {
    /// No.
    #[default]
    Off,
    /// With a header of version 2.
    V2,
}

/// Bounds of a listener's connections: `[listener.limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOptions {
    /// Sessions of this listener, beside the bound of the process.
    pub sessions_max: Option<usize>,
    /// Sessions from one address; of version 6, from one network of 64 bits.
    pub sessions_per_source_max: Option<usize>,
    /// How long each step before a session may take: a PROXY header, a TLS handshake.
    pub handshake_timeout: Duration,
    /// After so much silence the peer is asked whether it is still there; zero: never.
    pub keepalive: Duration,
    /// A connection whose peer takes nothing for so long ends; zero: never.
    pub stall_timeout: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            sessions_max: None,
            // Behind a load balancer or an address translation, thousands have one address.
            sessions_per_source_max: None,
            // Two seconds are what nats-server gives a TLS handshake; a first lost segment takes
            // one, and a second two more.
            handshake_timeout: Duration::from_secs(5),
            // Below the five minutes after which the idle tables of routers forget.
            keepalive: Duration::from_secs(60),
            // A server cuts a client off that takes nothing for ten seconds. Somebody who suspends
            // a laptop comes back later than this, and connects again.
            stall_timeout: Duration::from_secs(120),
        }
    }
}

impl NetOptions {
    /// Looks for what does not go together. Answers the key, what was found, what is allowed.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { broker_tls, proxy_protocol, proxy_protocol_from, limits, .. } = self;
        if let Some(BrokerTlsOptions { certificate, key, .. }) = broker_tls
            && certificate.is_some() != key.is_some()
        {
            let one = if key.is_some() { "key" } else { "certificate" };
            return Err(format!("broker_tls: expected certificate and key, found {one} alone"));
        }
        let listed = !proxy_protocol_from.is_empty();
        match proxy_protocol {
            ProxyProtocol::Off if listed => {
                return Err("proxy_protocol_from: expected nothing while proxy_protocol is \
                            \"off\", found networks"
                    .to_owned());
            }
            // Whoever may say who a client is, is believed.
            ProxyProtocol::Accept | ProxyProtocol::Require if !listed => {
                return Err("proxy_protocol_from: expected the networks of the load balancers \
                            whose headers are believed, found none"
                    .to_owned());
            }
            _ => {}
        }
        let zero = [
            ("limits.sessions_max", limits.sessions_max == Some(0)),
            ("limits.sessions_per_source_max", limits.sessions_per_source_max == Some(0)),
            ("limits.handshake_timeout_seconds", limits.handshake_timeout.is_zero()),
        ];
        for (key, is_zero) in zero {
            if is_zero {
                return Err(format!("{key}: expected at least 1, found 0"));
            }
        }
        Ok(())
    }

    /// Answers whether the broker takes the gateway for somebody, whoever the client is.
    pub(crate) fn lends_identity(&self) -> bool {
        let shown = self.broker_tls.as_ref().is_some_and(|tls| tls.certificate.is_some());
        let asked = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        shown && !asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused_by_its_key() {
        let options = |change: fn(&mut NetOptions)| {
            let mut options = NetOptions::default();
            change(&mut options);
            options
        };
        assert_eq!(options(|_| {}).check(), Ok(()));
        for (key, wrong) in [
            (
                "broker_tls: expected certificate and key, found key alone",
                options(|net| {
                    let key = Some("k".into());
                    net.broker_tls = Some(BrokerTlsOptions { key, ..Default::default() });
                }),
            ),
            ("proxy_protocol_from", options(|net| net.proxy_protocol = ProxyProtocol::Accept)),
            ("proxy_protocol_from", options(|net| net.proxy_protocol = ProxyProtocol::Require)),
            (
                "proxy_protocol_from",
                options(|net| net.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()]),
            ),
            ("limits.sessions_max", options(|net| net.limits.sessions_max = Some(0))),
            (
                "limits.sessions_per_source_max",
                options(|net| net.limits.sessions_per_source_max = Some(0)),
            ),
            (
                "limits.handshake_timeout_seconds",
                options(|net| net.limits.handshake_timeout = Duration::ZERO),
            ),
        ] {
            let error = wrong.check().unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
    }

    #[test]
    fn an_identity_is_lent_when_the_broker_sees_one_and_the_client_showed_none() {
        let tls = |client_ca: Option<PathBuf>| TlsOptions {
            certificate: "c".into(),
            key: "k".into(),
            client_ca,
            first: false,
        };
        let shown = BrokerTlsOptions { certificate: Some("c".into()), ..Default::default() };
        let anonymous = BrokerTlsOptions::default();
        for (tls, broker_tls, lends) in [
            (None, None, false),
            (None, Some(anonymous), false),
            (None, Some(shown.clone()), true),
            (Some(tls(None)), Some(shown.clone()), true),
            (Some(tls(Some("ca".into()))), Some(shown), false),
        ] {
            let options = NetOptions { tls, broker_tls, ..NetOptions::default() };
            assert_eq!(options.lends_identity(), lends, "{options:?}");
        }
    }
}

//! Addresses as users write them: `nats://HOST:PORT`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A protocol that the gateway speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The NATS client protocol.
    Nats,
}

impl Protocol {
    /// The scheme of its addresses.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Nats => "nats",
        }
    }

    /// The port that a broker of this protocol listens on unless told otherwise.
    const fn default_port(self) -> u16 {
        match self {
            Self::Nats => 4222,
        }
    }
}

/// Where to listen, or where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// What is spoken there.
    pub protocol: Protocol,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port; 0 to listen on any free one.
    pub port: u16,
}

impl Address {
    /// Answers whether only this machine can reach it, as far as the text says.
    ///
    /// What a name means is known when it is resolved, and looked at again then.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => {
                let name = self.host.strip_suffix('.').unwrap_or(&self.host);
                name.eq_ignore_ascii_case("localhost")
            }
        }
    }

    /// Answers whether a connection to it comes from loopback, as far as the text says: an
    /// unspecified address means this machine.
    pub fn reaches_loopback(&self) -> bool {
        let ip = self.host.parse::<IpAddr>().map(|ip| ip.to_canonical());
        self.is_loopback() || ip.is_ok_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, host, port } = self;
        if host.contains(':') {
            write!(f, "{}://[{host}]:{port}", protocol.scheme())
        } else {
            write!(f, "{}://{host}:{port}", protocol.scheme())
        }
    }
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address like nats://127.0.0.1:4222, found `{found}`{why}")]
pub struct AddressError {
    found: String,
    why: &'static str,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A user's credentials belong into the client's own connection, which passes through; here
        // they would end up in logs.
        let error = |why| AddressError { found: without_user(text), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| error(""))?;
        let protocol = match scheme {
            "nats" => Protocol::Nats,
            "tls" => return Err(error(": TLS is switched on by [listener.tls] and broker_tls")),
            "ws" | "wss" => return Err(error(": WebSocket is not spoken")),
            _ => return Err(error(": nats is the only protocol")),
        };
        if rest.contains('@') {
            return Err(error(": leave user and password to the client"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| error(""))?)),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(error(": the host is missing or not a name"));
        }
        let port = match port {
            None => protocol.default_port(),
            Some(port) => port.parse().map_err(|_| error(": a port is 0 to 65535"))?,
        };
        Ok(Self { protocol, host: host.to_owned(), port })
    }
}

/// The text without what stands before an `@`.
fn without_user(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_written() {
        let table = [
            ("nats://127.0.0.1:4222", "127.0.0.1", 4222),
            ("nats://broker.example:0", "broker.example", 0),
            ("nats://broker", "broker", 4222),
            ("nats://[::1]:4333", "::1", 4333),
            ("nats://[::1]", "::1", 4222),
            ("nats://broker:1/", "broker", 1),
        ];
        for (text, host, port) in table {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_was_found() {
        for text in [
            "",
            "4222",
            "127.0.0.1:4222",
            "nats://",
            "nats://h:x",
            "nats://h:70000",
            "redis://h:1",
            "tls://h:1",
            "unix:///run/nats.sock",
            "nats://[::1",
            "nats://[::1]4222",
            "nats://a/b",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("found `{text}`")), "{error}");
        }
    }

    #[test]
    fn a_password_does_not_reach_the_error() {
        let error = "nats://me:secret@host:1".parse::<Address>().unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("host:1"), "{error}");
    }

    #[test]
    fn loopback_is_known_by_address_and_by_name() {
        for (host, loopback) in [
            ("127.0.0.1", true),
            ("127.8.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("localhost", true),
            ("LocalHost.", true),
            ("localhost.example", false),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("::", false),
            ("broker", false),
        ] {
            let address = Address { protocol: Protocol::Nats, host: host.to_owned(), port: 1 };
            assert_eq!(address.is_loopback(), loopback, "{host}");
            // What listens everywhere is connected to on this machine.
            let unspecified = ["0.0.0.0", "::"].contains(&host);
            assert_eq!(address.reaches_loopback(), loopback || unspecified, "{host}");
        }
    }
}

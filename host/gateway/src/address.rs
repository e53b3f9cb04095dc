//! Addresses as users write them, such as `nats://HOST:PORT` or `rediss://HOST`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A protocol that the gateway speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The NATS client protocol.
    Nats,
    /// AMQP 0-9-1, as RabbitMQ speaks it.
    Amqp,
    /// RESP, as Redis and Valkey speak it.
    Redis,
}

impl Protocol {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nats => "NATS",
            Self::Amqp => "AMQP",
            Self::Redis => "Redis",
        }
    }

    /// The scheme of an address where TLS comes first. `None`: it comes behind the protocol's own
    /// words, or TLS is asked for elsewhere.
    pub const fn tls_scheme(self) -> Option<&'static str> {
        match self {
            Self::Nats => None,
            Self::Amqp => Some("amqps"),
            Self::Redis => Some("rediss"),
        }
    }
}

/// Where to listen, or where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The scheme asks for TLS from the first byte on: `amqps`, `rediss`.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port; 0 to listen on any free one.
    pub port: u16,
}

/// Schemes: protocol, whether TLS comes first, the port unless told otherwise.
const SCHEMES: [(&str, Protocol, bool, u16); 5] = [
    ("nats", Protocol::Nats, false, 4222),
    ("amqp", Protocol::Amqp, false, 5672),
    ("amqps", Protocol::Amqp, true, 5671),
    ("redis", Protocol::Redis, false, 6379),
    ("rediss", Protocol::Redis, true, 6379),
];

impl Address {
    /// Reads the address of a NATS server, for what speaks nothing else.
    ///
    /// # Errors
    ///
    /// When it is no address, or one of another protocol.
    pub fn of_nats(text: &str) -> Result<Self, AddressError> {
        let address: Self = text.parse()?;
        match address.protocol {
            Protocol::Nats => Ok(address),
            Protocol::Amqp | Protocol::Redis => {
                Err(AddressError { found: text.to_owned(), why: ": a NATS server is needed" })
            }
        }
    }

    /// The scheme that it is written with.
    fn scheme(&self) -> &'static str {
        let same =
            |scheme: &&(_, Protocol, bool, _)| (scheme.1, scheme.2) == (self.protocol, self.tls);
        SCHEMES.iter().find(same).map_or("nats", |(scheme, ..)| scheme)
    }

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
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{}://[{host}]:{port}", self.scheme())
        } else {
            write!(f, "{}://{host}:{port}", self.scheme())
        }
    }
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address like nats://127.0.0.1:4222 or amqp://HOST, found `{found}`{why}")]
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
        let known = SCHEMES.iter().find(|(known, ..)| *known == scheme);
        let &(_, protocol, tls, default_port) = known.ok_or_else(|| match scheme {
            "tls" => error(": TLS is switched on by [listener.tls] and broker_tls"),
            "ws" | "wss" => error(": WebSocket is not spoken"),
            _ => error(": the protocols are nats, amqp, amqps, redis and rediss"),
        })?;
        if rest.contains('@') {
            return Err(error(": leave user and password to the client"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if protocol == Protocol::Amqp && rest.contains('/') {
            return Err(error(": leave the virtual host to the client"));
        }
        if protocol == Protocol::Redis && rest.contains('/') {
            return Err(error(": leave the database to the client"));
        }
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| error(""))?)),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(error(": the host is missing or not a name"));
        }
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| error(": a port is 0 to 65535"))?,
        };
        Ok(Self { protocol, tls, host: host.to_owned(), port })
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
            ("amqp://broker", "broker", 5672),
            ("amqps://[::1]", "::1", 5671),
            ("amqps://broker:1/", "broker", 1),
            ("redis://broker", "broker", 6379),
            ("rediss://[::1]:1", "::1", 1),
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
            "valkey://h:1",
            "redis://h/0",
            "tls://h:1",
            "unix:///run/nats.sock",
            "nats://[::1",
            "nats://[::1]4222",
            "nats://a/b",
            "amqp://a/vhost",
            "amqp+tls://a",
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
    fn what_speaks_only_nats_refuses_other_addresses() {
        assert!(Address::of_nats("nats://h").is_ok() && Address::of_nats("amqp").is_err());
        let error = Address::of_nats("amqp://h").unwrap_err().to_string();
        assert!(error.ends_with("found `amqp://h`: a NATS server is needed"), "{error}");
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
            let (protocol, host_name) = (Protocol::Amqp, host.to_owned());
            let address = Address { protocol, tls: true, host: host_name, port: 1 };
            assert_eq!(address.is_loopback(), loopback, "{host}");
            // What listens everywhere is connected to on this machine.
            let unspecified = ["0.0.0.0", "::"].contains(&host);
            assert_eq!(address.reaches_loopback(), loopback || unspecified, "{host}");
        }
    }
}

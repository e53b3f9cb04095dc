//! The PROXY protocol: who a connection comes from, said by the load balancer in front.
//!
//! ```text
//! version 1   PROXY TCP4 192.0.2.1 192.0.2.2 56324 4222 ↵                      at most 107 bytes
//!
//! version 2   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a   the signature, 12 bytes
//!             2 │ command      0: LOCAL, 1: PROXY
//!             family │ transport      1: IPv4, 2: IPv6, 3: Unix │ 1: stream
//!             length, two bytes, big endian
//!             source, destination, source port, destination port
//!             further fields (TLVs), which are not read
//! ```
//!
//! A header says who the source is only when a peer that may say so has sent it: who that is, is
//! not known here. A reader must not guess whether there is a header, so nothing here searches for
//! one.
//!
//! See <https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt>, sections 2.1 and 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::{PROXY_V1_BYTES_MAX, PROXY_V2_BYTES_MAX};
use crate::{Step, decimal};

/// What version 2 begins with: no line of text does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, command, family and length.
const FIXED_BYTES: usize = 16;

/// A stream over IPv4, a stream over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The most bytes that [`read`] can need to find a header's length. No header is shorter, so that
/// whoever reads exactly this much first has read nothing behind it.
pub const LEAD_BYTES: usize = 12;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The connection is the sender's own (a health check), or of a kind without addresses. Its
    /// peer is its source.
    Unknown,
    /// The connection was accepted for somebody else.
    Tcp {
        /// Who connected.
        source: SocketAddr,
        /// What that one connected to.
        destination: SocketAddr,
    },
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// They begin like neither version.
    Signature,
    /// A version that nobody has defined yet.
    Version,
    /// A command that nobody has defined yet.
    Command,
    /// It is longer than its limit.
    TooLong,
    /// The addresses are not what the family says.
    Addresses,
}

impl std::fmt::Display for NoHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signature => "expected a PROXY header, found something else",
            Self::Version => "expected version 1 or 2 of the PROXY protocol, found another",
            Self::Command => "expected the command LOCAL or PROXY, found another",
            Self::TooLong => "the PROXY header is longer than its limit",
            Self::Addresses => "the addresses of the PROXY header cannot be read",
        })
    }
}

impl std::error::Error for NoHeader {}

/// Reads the header that `bytes` begin with.
///
/// # Errors
///
/// Fails as soon as no further byte could make a header of it.
pub fn read(bytes: &[u8]) -> Result<Step<Origin>, NoHeader> {
    if bytes.starts_with(&SIGNATURE) {
        return read_v2(bytes);
    }
    if bytes.starts_with(b"PROXY ") {
        return read_v1(bytes);
    }
    let begins_like = |whole: &[u8]| whole.starts_with(bytes);
    if begins_like(&SIGNATURE) || begins_like(b"PROXY ") {
        return Ok(Step::Need);
    }
    Err(NoHeader::Signature)
}

fn read_v1(bytes: &[u8]) -> Result<Step<Origin>, NoHeader> {
    let seen = bytes.get(..PROXY_V1_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        let more = bytes.len() < PROXY_V1_BYTES_MAX;
        return if more { Ok(Step::Need) } else { Err(NoHeader::TooLong) };
    };
    let line = seen.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").ok_or(NoHeader::Addresses)?;
    let words = line.strip_prefix(b"PROXY ").unwrap_or_default();
    // What follows UNKNOWN is to be ignored.
    let frame = if words == b"UNKNOWN" || words.starts_with(b"UNKNOWN ") {
        Origin::Unknown
    } else {
        read_words(words).ok_or(NoHeader::Addresses)?
    };
    Ok(Step::Frame { frame, len: end.saturating_add(1) })
}

/// Reads `TCP4 source destination port port`: single spaces, nothing behind.
fn read_words(words: &[u8]) -> Option<Origin> {
    let text = std::str::from_utf8(words).ok()?;
    let mut words = text.split(' ');
    let family = words.next()?;
    let mut ip = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (ip()?, ip()?);
    let mut port = || {
        let digits = words.next()?.as_bytes();
        // A port has no leading zero; `decimal` would take one.
        let plain = digits == b"0" || !digits.starts_with(b"0");
        u16::try_from(decimal::parse_u64(digits)?).ok().filter(|_| plain)
    };
    let (source_port, destination_port) = (port()?, port()?);
    words.next().is_none().then_some(Origin::Tcp {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

fn read_v2(bytes: &[u8]) -> Result<Step<Origin>, NoHeader> {
    let Some([command, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED_BYTES) else {
        // The version is wrong before the length is known.
        return match bytes.get(SIGNATURE.len()) {
            Some(command) if command >> 4 != 2 => Err(NoHeader::Version),
            _ => Ok(Step::Need),
        };
    };
    if command >> 4 != 2 {
        return Err(NoHeader::Version);
    }
    let len = FIXED_BYTES.saturating_add(u16::from_be_bytes([*high, *low]).into());
    if len > PROXY_V2_BYTES_MAX {
        return Err(NoHeader::TooLong);
    }
    let frame = |body: &[u8]| match (command & 0x0f, *family) {
        (0, _) => Ok(Origin::Unknown),
        (1, TCP4) => addresses::<4, _>(body, Ipv4Addr::from).ok_or(NoHeader::Addresses),
        (1, TCP6) => addresses::<16, _>(body, Ipv6Addr::from).ok_or(NoHeader::Addresses),
        // Datagrams, Unix sockets, and what comes later: taken, but the addresses are not used.
        (1, _) => Ok(Origin::Unknown),
        _ => Err(NoHeader::Command),
    };
    match bytes.get(FIXED_BYTES..len) {
        Some(body) => Ok(Step::Frame { frame: frame(body)?, len }),
        None => Ok(Step::Need),
    }
}

/// Reads two addresses of `N` bytes, and two ports.
fn addresses<const N: usize, Ip: Into<IpAddr>>(
    body: &[u8],
    ip: impl Fn([u8; N]) -> Ip,
) -> Option<Origin> {
    let (source, rest) = body.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let ([a, b, c, d], _tlvs) = rest.split_first_chunk::<4>()?;
    Some(Origin::Tcp {
        source: SocketAddr::new(ip(*source).into(), u16::from_be_bytes([*a, *b])),
        destination: SocketAddr::new(ip(*destination).into(), u16::from_be_bytes([*c, *d])),
    })
}

/// Appends a header of version 2 for a TCP connection.
///
/// Where one address is of version 4 and the other of version 6, both are written as version 6.
pub fn write_v2(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(&SIGNATURE);
    out.push(0x21);
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[TCP4, 0, 12]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        (from, to) => {
            out.extend_from_slice(&[TCP6, 0, 36]);
            out.extend_from_slice(&v6(from).octets());
            out.extend_from_slice(&v6(to).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests;

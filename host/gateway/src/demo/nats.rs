//! A NATS client of the plainest kind: text lines over a socket, no library, no tracing.
//!
//! ```text
//! ◀─ INFO {…}                            ─▶ CONNECT {…}   SUB inbox 1   PING    ◀─ PONG
//! ─▶ HPUB subject inbox 40 70            ◀─ HMSG inbox 1 16 16
//!    NATS/1.0␍␊traceparent: 00-…␍␊␍␊…       NATS/1.0 503␍␊␍␊
//! ```
//!
//! It has one subscription, for the answers to its requests, and one request at a time. No TLS, no
//! log-in, no reconnecting. What the broker sends is bounded before it is kept. See
//! <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::address::Address;

/// How long the broker has for an answer. It takes milliseconds when it is there.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Longest control line. `INFO` names every server of a cluster.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Largest message: what a server allows unless it is told otherwise.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Headers of a message.
pub(super) type Headers = Vec<(String, String)>;

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    inbox: String,
}

/// A message that came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Where an answer goes; for a message of a stream, its acknowledgement.
    pub reply: Option<String>,
    /// A word from the server instead of a message, such as 503 (nobody answers) or 408 (too late).
    pub status: Option<u16>,
    /// In their order.
    pub headers: Headers,
    /// The payload.
    pub payload: Vec<u8>,
}

/// What a client was told, or should have been.
#[derive(Debug, thiserror::Error)]
pub(super) enum NatsError {
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `-ERR`
    #[error("the server says {0}")]
    Refused(String),
    /// The server wants what this client cannot do.
    #[error("the server wants TLS, which the demo does not speak")]
    Tls,
    /// Something else than the protocol.
    #[error("expected {0} from the server, found something else")]
    Protocol(&'static str),
}

/// A control line, as far as it matters here.
enum Control {
    Message { reply: Option<String>, headers: usize, total: usize },
    Pong,
    Other,
}

impl Client {
    /// Connects under a name. `inbox` is a subject that nobody else subscribes to.
    pub(super) fn connect(address: &Address, name: &str, inbox: &str) -> Result<Self, NatsError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let mut connected = None;
        for address in (address.host.as_str(), address.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, ANSWER_WAIT) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = connected.ok_or(last)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.set_write_timeout(Some(ANSWER_WAIT))?;
        let mut client = Self { reader: BufReader::new(stream), inbox: inbox.to_owned() };
        let info = client.line()?;
        let info = info.strip_prefix("INFO ").ok_or(NatsError::Protocol("INFO"))?;
        let info: serde_json::Value =
            serde_json::from_str(info).map_err(|_| NatsError::Protocol("INFO in JSON"))?;
        if info["tls_required"] == true {
            return Err(NatsError::Tls);
        }
        let connect = serde_json::json!({
            "name": name, "lang": "spanbridge-demo", "version": env!("CARGO_PKG_VERSION"),
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true,
        });
        client.write(format!("CONNECT {connect}\r\nSUB {inbox} 1\r\n").as_bytes())?;
        client.flush()?;
        Ok(client)
    }

    fn publish(
        &mut self,
        subject: &str,
        reply: &str,
        headers: &[(String, String)],
        payload: &[u8],
    ) -> Result<(), NatsError> {
        let mut bytes = Vec::new();
        if headers.is_empty() {
            bytes.extend(format!("PUB {subject} {reply} {}\r\n", payload.len()).bytes());
        } else {
            let mut block = "NATS/1.0\r\n".to_owned();
            for (name, value) in headers {
                block.push_str(&format!("{name}: {value}\r\n"));
            }
            block.push_str("\r\n");
            let total = block.len() + payload.len();
            bytes.extend(format!("HPUB {subject} {reply} {} {total}\r\n", block.len()).bytes());
            bytes.extend(block.bytes());
        }
        bytes.extend(payload);
        bytes.extend(b"\r\n");
        Ok(self.write(&bytes)?)
    }

    /// Publishes and waits for the answer.
    pub(super) fn request(
        &mut self,
        subject: &str,
        headers: &[(String, String)],
        payload: &[u8],
    ) -> Result<Message, NatsError> {
        let inbox = self.inbox.clone();
        self.publish(subject, &inbox, headers, payload)?;
        loop {
            if let Control::Message { reply, headers, total } = self.control()? {
                return self.message(reply, headers, total);
            }
        }
    }

    /// Waits until the server has seen everything that was sent.
    fn flush(&mut self) -> Result<(), NatsError> {
        self.write(b"PING\r\n")?;
        loop {
            match self.control()? {
                Control::Pong => return Ok(()),
                // An answer that nobody waits for any more.
                Control::Message { reply, headers, total } => {
                    self.message(reply, headers, total)?;
                }
                Control::Other => {}
            }
        }
    }

    fn control(&mut self) -> Result<Control, NatsError> {
        let line = self.line()?;
        let control = parse_control(&line)?;
        if line == "PING" {
            self.write(b"PONG\r\n")?;
        }
        Ok(control)
    }

    /// Reads what follows a control line: headers, payload, line end.
    fn message(
        &mut self,
        reply: Option<String>,
        headers: usize,
        total: usize,
    ) -> Result<Message, NatsError> {
        if total > MESSAGE_BYTES_MAX || headers > total {
            return Err(NatsError::Protocol("a message of at most 1 MiB"));
        }
        let mut bytes = vec![0; total + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(total);
        let payload = bytes.split_off(headers);
        let (status, headers) = parse_headers(&bytes)?;
        Ok(Message { reply, status, headers, payload })
    }

    fn line(&mut self) -> Result<String, NatsError> {
        let mut line = Vec::new();
        self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let line = line.strip_suffix(b"\r\n").ok_or(NatsError::Protocol("a control line"))?;
        String::from_utf8(line.to_vec()).map_err(|_| NatsError::Protocol("UTF-8"))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }
}

fn parse_control(line: &str) -> Result<Control, NatsError> {
    let mut words = line.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let length = |word: &str| word.parse().map_err(|_| NatsError::Protocol("a length"));
    // Subject, subscription, perhaps a reply subject, then one length or two.
    let (reply, headers, total) = match (verb, &words[..]) {
        ("MSG", [_, _, total]) => (None, "0", *total),
        ("MSG", [_, _, reply, total]) => (Some(*reply), "0", *total),
        ("HMSG", [_, _, headers, total]) => (None, *headers, *total),
        ("HMSG", [_, _, reply, headers, total]) => (Some(*reply), *headers, *total),
        ("PONG", _) => return Ok(Control::Pong),
        ("PING" | "INFO" | "+OK", _) => return Ok(Control::Other),
        ("-ERR", _) => return Err(NatsError::Refused(words.join(" "))),
        _ => return Err(NatsError::Protocol("a control line")),
    };
    let (headers, total) = (length(headers)?, length(total)?);
    Ok(Control::Message { reply: reply.map(str::to_owned), headers, total })
}

/// Reads `NATS/1.0 [status]` and the headers below it; no bytes are no headers.
fn parse_headers(block: &[u8]) -> Result<(Option<u16>, Headers), NatsError> {
    if block.is_empty() {
        return Ok((None, Vec::new()));
    }
    let text = String::from_utf8_lossy(block);
    let mut lines = text.split("\r\n");
    let version = lines.next().and_then(|line| line.strip_prefix("NATS/1.0"));
    let version = version.ok_or(NatsError::Protocol("NATS/1.0"))?;
    let status = version.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    Ok((status, lines.filter_map(header).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_line_says_what_follows() {
        let read = |line| match parse_control(line) {
            Ok(Control::Message { reply, headers, total }) => Some((reply, headers, total)),
            _ => None,
        };
        let reply = || Some("r".to_owned());
        for (line, expected) in [
            ("MSG s 1 5", Some((None, 0, 5))),
            ("MSG s 1 r 5", Some((reply(), 0, 5))),
            ("HMSG s 1 12 17", Some((None, 12, 17))),
            ("HMSG s 1 r 12 17", Some((reply(), 12, 17))),
            ("MSG s 1", None),
            ("MSG s 1 five", None),
            ("MSG s 1 -5", None),
            ("HMSG s 1 17", None),
            ("PONG", None),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        assert!(
            matches!(parse_control("-ERR 'no'"), Err(NatsError::Refused(what)) if what == "'no'")
        );
        assert!(parse_control("HELLO").is_err() && parse_control("").is_err());
    }

    #[test]
    fn headers_have_a_status_or_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let read = |block: &str| parse_headers(block.as_bytes()).ok();
        assert_eq!(read(""), Some((None, Vec::new())));
        assert_eq!(read("NATS/1.0 503\r\n\r\n"), Some((Some(503), Vec::new())));
        let headers = vec![pair("a", "1"), pair("B", "x:y")];
        assert_eq!(read("NATS/1.0\r\na: 1\r\nB:x:y\r\n\r\n"), Some((None, headers)));
        assert_eq!(read("HTTP/1.1 200\r\n\r\n"), None);
    }
}

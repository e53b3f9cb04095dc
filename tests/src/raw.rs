//! A NATS client of bytes: it sends what it is told and reads lines.
//!
//! It exists to compare bytes, and to be a client without header support. It answers no PING by
//! itself and understands no operation.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};

use crate::wait::BOUND;

/// Longest line that is read: INFO of a server is under a kilobyte.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub struct RawNats {
    stream: BufReader<TcpStream>,
    info: Vec<u8>,
}

impl RawNats {
    /// Connects and reads the INFO line. Sends nothing.
    ///
    /// # Errors
    /// When nothing listens or what answers does not begin with INFO.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        let mut raw = Self { stream: BufReader::new(stream), info: Vec::new() };
        raw.info = raw.line()?;
        ensure!(raw.info.starts_with(b"INFO {"), "expected INFO, found {:?}", text(&raw.info));
        Ok(raw)
    }

    /// Connects, sends CONNECT with these options (a JSON object) and waits for PONG.
    ///
    /// # Errors
    /// As [`Self::connect`], or when the server refuses.
    pub fn open(address: SocketAddr, options: &str) -> Result<Self> {
        let mut raw = Self::connect(address)?;
        raw.send(format!("CONNECT {options}\r\n").as_bytes())?;
        let before = raw.round_trip()?;
        ensure!(before.is_empty(), "CONNECT was answered by {:?}", text(&before));
        Ok(raw)
    }

    /// The INFO line with which the server greeted, with its line end.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Publishes without headers.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) -> Result<()> {
        let line = format!("PUB {subject} {}\r\n", payload.len());
        self.send(&[line.as_bytes(), payload, b"\r\n"].concat())
    }

    /// Publishes with a header block, which begins with `NATS/1.0` and ends with an empty line.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn publish_with_headers(
        &mut self,
        subject: &str,
        headers: &[u8],
        payload: &[u8],
    ) -> Result<()> {
        let total = headers.len() + payload.len();
        let line = format!("HPUB {subject} {} {total}\r\n", headers.len());
        self.send(&[line.as_bytes(), headers, payload, b"\r\n"].concat())
    }

    /// Reads a line, with its line end.
    ///
    /// # Errors
    /// When the connection ends or stays silent, or the line is unreasonably long.
    pub fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        ensure!(line.ends_with(b"\r\n"), "expected a line, found {:?}", text(&line));
        Ok(line)
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// When the connection ends or stays silent before.
    pub fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).with_context(|| format!("expected {length} bytes"))?;
        Ok(bytes)
    }

    /// Sends PING and answers the lines that came before its PONG: what the server had to say.
    ///
    /// # Errors
    /// When the connection ends or stays silent before.
    pub fn round_trip(&mut self) -> Result<Vec<u8>> {
        self.send(b"PING\r\n")?;
        let mut before = Vec::new();
        loop {
            let line = self.line()?;
            if line == b"PONG\r\n" {
                return Ok(before);
            }
            before.extend_from_slice(&line);
        }
    }

    /// Reads one delivered message. A PING of the server's before it is passed over.
    ///
    /// # Errors
    /// When something else comes.
    pub fn message(&mut self) -> Result<RawMessage> {
        let mut line = self.line()?;
        while line == b"PING\r\n" {
            line = self.line()?;
        }
        let control = text(&line).trim_end().to_owned();
        let words: Vec<&str> = control.split(' ').collect();
        let length = |word: Option<&&str>| -> Result<usize> {
            let word = word.with_context(|| format!("expected a length in {control:?}"))?;
            word.parse().with_context(|| format!("expected a length in {control:?}"))
        };
        let total = length(words.last())?;
        let headers = match words.first() {
            Some(&"MSG") => 0,
            Some(&"HMSG") => length(words.get(words.len().wrapping_sub(2)))?,
            _ => bail!("expected a message, found {control:?}"),
        };
        ensure!(headers <= total, "headers longer than the message in {control:?}");
        let mut payload = self.exactly(total)?;
        let end = self.exactly(2)?;
        ensure!(end == b"\r\n", "expected a line end behind the payload of {control:?}");
        let rest = payload.split_off(headers);
        Ok(RawMessage { control, headers: payload, payload: rest })
    }
}

/// A delivered message, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// The control line, without its line end.
    pub control: String,
    /// The header block; empty for MSG.
    pub headers: Vec<u8>,
    /// What the producer sent.
    pub payload: Vec<u8>,
}

impl RawMessage {
    /// The value of a header; names are compared without case.
    pub fn header(&self, name: &str) -> Option<String> {
        let block = String::from_utf8_lossy(&self.headers).into_owned();
        let mut pairs = block.lines().filter_map(|line| line.split_once(':'));
        let pair = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
        pair.map(|(_, value)| value.trim().to_owned())
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

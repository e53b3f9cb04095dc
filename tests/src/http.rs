//! One HTTP request over a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result};

use crate::wait::BOUND;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// The head, line by line, names in lower case.
    pub head: Vec<String>,
    /// The rest.
    pub body: String,
}

/// Asks for a path with more header lines, each ended by `\r\n`.
///
/// # Errors
/// When nobody answers, or not in HTTP.
pub fn get(address: SocketAddr, path: &str, headers: &str) -> Result<Answer> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(BOUND))?;
    ask(stream, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n"))
}

/// Sends any request.
///
/// # Errors
/// As [`get`].
pub fn raw(address: SocketAddr, request: &str) -> Result<Answer> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(BOUND))?;
    ask(stream, request)
}

/// The same through a socket in the file system.
///
/// # Errors
/// As [`get`].
pub fn raw_unix(path: &Path, request: &str) -> Result<Answer> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(BOUND))?;
    ask(stream, request)
}

fn ask(mut stream: impl Read + Write, request: &str) -> Result<Answer> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes)?;
    let (head, body) =
        text.split_once("\r\n\r\n").context("an answer without an end of its head")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("expected a status line, found {head:?}"))?;
    let head = head.lines().map(str::to_ascii_lowercase).collect();
    Ok(Answer { status, head, body: body.to_owned() })
}

//! A client of Redis of the plainest kind: a command, and its reply, in version 2 of the protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longest that an answer may take on loopback.
const ANSWER_BOUND: Duration = Duration::from_secs(20);

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status, or a string.
    Text(String),
    /// An error.
    Error(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nil,
    /// Several.
    List(Vec<Self>),
}

impl Reply {
    /// The text of a status or a string; empty for anything else.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The replies in this one; none for anything else.
    pub fn list(&self) -> &[Self] {
        if let Self::List(list) = self { list } else { &[] }
    }
}

/// A connection.
#[derive(Debug)]
pub struct RedisClient {
    stream: BufReader<TcpStream>,
}

impl RedisClient {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_BOUND))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends words between spaces as a command, and answers the reply.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn say(&mut self, command: &str) -> Result<Reply> {
        self.call(&command.split(' ').collect::<Vec<_>>())
    }

    /// Sends a command, and answers the reply.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn call(&mut self, words: &[&str]) -> Result<Reply> {
        self.send(words)?;
        self.reply()
    }

    /// Sends a command only.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn send(&mut self, words: &[&str]) -> Result<()> {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        Ok(self.stream.get_mut().write_all(bytes.as_bytes())?)
    }

    /// The next reply.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").context("the connection has ended")?;
        let (kind, rest) = line.split_at(1);
        Ok(match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(rest.parse()?),
            "$" | "*" if rest == "-1" => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>()? + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => {
                let count: usize = rest.parse()?;
                Reply::List((0..count).map(|_| self.reply()).collect::<Result<_>>()?)
            }
            _ => bail!("expected a reply, found {line:?}"),
        })
    }

    /// The entries of a stream, each with its id in front of its fields.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn entries(&mut self, stream: &str) -> Result<Vec<Vec<String>>> {
        let reply = self.call(&["XRANGE", stream, "-", "+"])?;
        let entry = |entry: &Reply| {
            let [id, fields] = entry.list() else { return Vec::new() };
            let fields = fields.list().iter().map(Reply::text);
            std::iter::once(id.text()).chain(fields).map(str::to_owned).collect()
        };
        Ok(reply.list().iter().map(entry).collect())
    }
}

//! RESP as far as a load needs it: commands from words, and whole replies one after the other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::bail;

/// Why a reply was not read.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is not whole.
    Need,
    /// It is not what a load gets, or an error of the broker.
    Wrong(String),
}

/// What is read of the replies of a broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replies<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Appends the beginning of a command of `count` words.
pub(crate) fn begin(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{count}\r\n").as_bytes());
}

/// Appends a word.
pub(crate) fn word(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// A whole command.
pub(crate) fn command(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    begin(words.len(), &mut out);
    words.iter().for_each(|text| word(text.as_bytes(), &mut out));
    out
}

/// Says something and waits for all answers, none of which is an error.
pub(crate) fn ask(stream: &mut TcpStream, commands: &[&[&str]]) -> anyhow::Result<()> {
    let bytes: Vec<u8> = commands.iter().flat_map(|words| command(words)).collect();
    stream.write_all(&bytes)?;
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    for _ in commands {
        let end = loop {
            let mut replies = Replies::new(&text);
            match replies.line() {
                Ok(_) => break replies.at,
                Err(Stop::Wrong(error)) => bail!(error),
                Err(Stop::Need) => {}
            }
            let read = stream.read(&mut buffer)?;
            anyhow::ensure!(read > 0, "the broker closed the connection");
            text.extend_from_slice(&buffer[..read]);
        };
        text.drain(..end);
    }
    Ok(())
}

impl<'a> Replies<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What the next element is, by its first byte.
    pub(crate) fn kind(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A first line: what stands behind its first byte.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let len = memchr::memchr(b'\n', rest).ok_or(Stop::Need)?;
        self.at += len + 1;
        match rest[..len].trim_ascii_end() {
            [b'-', text @ ..] => {
                Err(Stop::Wrong(format!("the broker says `{}`", text.escape_ascii())))
            }
            [_, text @ ..] => Ok(text),
            [] => Err(Stop::Wrong("expected a reply, found an empty line".to_owned())),
        }
    }

    /// The number of elements of an array, or of bytes of a string.
    pub(crate) fn count(&mut self, kind: u8) -> Result<usize, Stop> {
        let found = self.kind().ok_or(Stop::Need)?;
        let line = self.line()?;
        let count = if found == kind { decimal(line) } else { None };
        count.ok_or_else(|| {
            let (kind, found, line) = (char::from(kind), char::from(found), line.escape_ascii());
            Stop::Wrong(format!("expected `{kind}` and a number, found `{found}{line}`"))
        })
    }

    /// A string.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], Stop> {
        let len = self.count(b'$')?;
        let start = self.at;
        self.at += len + b"\r\n".len();
        if self.at > self.bytes.len() {
            return Err(Stop::Need);
        }
        Ok(&self.bytes[start..start + len])
    }
}

pub(crate) fn decimal(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_its_words_with_their_lengths() {
        assert_eq!(command(&["XACK", "", "1-0"]), b"*3\r\n$4\r\nXACK\r\n$0\r\n\r\n$3\r\n1-0\r\n");
    }

    #[test]
    fn replies_are_read_once_they_are_whole() {
        let bytes = b"*1\r\n$2\r\nab\r\n:7\r\n";
        let mut replies = Replies::new(bytes);
        assert_eq!(replies.count(b'*').unwrap(), 1);
        assert_eq!(replies.text().unwrap(), b"ab");
        assert_eq!(replies.line().unwrap(), b"7");
        assert_eq!(replies.at(), bytes.len());
        for end in 4..12 {
            let mut replies = Replies::new(&bytes[..end]);
            assert_eq!(replies.count(b'*').unwrap(), 1);
            assert!(matches!(replies.text(), Err(Stop::Need)), "{end}");
        }
    }

    #[test]
    fn errors_and_other_kinds_end_a_load() {
        for bytes in [&b"-WRONGTYPE no\r\n"[..], b"+OK\r\n", b"$-1\r\n", b"\r\n"] {
            assert!(matches!(Replies::new(bytes).text(), Err(Stop::Wrong(_))));
        }
    }
}

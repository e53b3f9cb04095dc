//! Header blocks.
//!
//! ```text
//! NATS/1.0[ status[ description]] ↵      the version line
//! name: value ↵                          any number of headers
//! ↵
//! ```
//!
//! A block is read strictly, and whole: each line ends with a carriage return and a line feed,
//! neither of them stands anywhere else, each header has a colon, no line is folded, and the
//! block ends with its first empty line. Clients differ in what they make of anything else, so a
//! block like that has no headers here and is left alone.
//!
//! Names are compared without case here. NATS itself compares them with case (ADR-4); trace
//! context has been seen in both spellings.

use memchr::{memchr, memchr2};

use crate::Extent;
use crate::decimal::parse_size;

const VERSION: &[u8] = b"NATS/1.0";

/// A header block that follows the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    block: &'a [u8],
    /// The offset behind the version line.
    first: usize,
    status: Option<Status<'a>>,
}

/// What a broker says in the version line in place of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Three digits: 503 is "no responders", 404 "no messages", 408 "request timeout", 100 a
    /// heartbeat or flow control.
    pub code: u16,
    /// The words behind it; may be empty.
    pub description: &'a [u8],
}

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name as it is written. May be empty: clients skip such a header.
    pub name: &'a [u8],
    /// The value without the blanks around it.
    pub value: &'a [u8],
    /// The line in the block, with its end.
    pub line: Extent,
    /// The value in the block.
    pub value_at: Extent,
}

/// The headers of a block, in order.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Headers<'a> {
    /// Reads a header block: the bytes between control line and payload.
    ///
    /// Answers `None` when they do not follow the grammar. There is no error type: whatever is
    /// wrong, the block is left as it is.
    pub fn parse(block: &'a [u8]) -> Option<Self> {
        let headers = Self::open(block)?;
        let mut rest = headers.iter();
        while rest.next().is_some() {}
        rest.is_complete().then_some(headers)
    }

    /// Reads the version line only. For whoever walks through the headers and checks at the end
    /// that [`HeaderIter::is_complete`].
    pub(super) fn open(block: &'a [u8]) -> Option<Self> {
        let version = next_line(block, 0)?;
        let status = parse_status(version.text.strip_prefix(VERSION)?)?;
        Some(Self { block, first: version.end, status })
    }

    /// The whole block.
    pub const fn block(&self) -> &'a [u8] {
        self.block
    }

    /// The version line with its end.
    pub fn version_line(&self) -> &'a [u8] {
        self.block.get(..self.first).unwrap_or_default()
    }

    /// The status, if the block has one. Such a message speaks for the broker: it has no producer.
    pub const fn status(&self) -> Option<Status<'a>> {
        self.status
    }

    /// The headers, in order.
    pub const fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { block: self.block, at: self.first }
    }

    /// The value of the first header with this name, in whatever case it is written.
    pub fn find(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl HeaderIter<'_> {
    /// Whether the walk ended at the empty line that ends a block, and not at something else.
    pub(super) fn is_complete(&self) -> bool {
        self.block.get(self.at..) == Some(b"\r\n")
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The empty line at the end is the one that has no colon.
        let line = next_line(self.block, self.at)?;
        let header = split_header(&line, self.at)?;
        self.at = line.end;
        Some(header)
    }
}

/// One line of a block.
struct Line<'a> {
    /// Without its end.
    text: &'a [u8],
    /// The offset behind its end.
    end: usize,
}

/// The line that starts at `start`. `None` when it is not ended as it should be.
#[inline]
fn next_line(block: &[u8], start: usize) -> Option<Line<'_>> {
    let rest = block.get(start..)?;
    let (text, behind) = rest.split_at_checked(memchr2(b'\r', b'\n', rest)?)?;
    let end = start.checked_add(text.len())?.checked_add(2)?;
    behind.starts_with(b"\r\n").then_some(Line { text, end })
}

/// Splits a line at its first colon. `None` for a line without one, and for a folded line.
#[inline]
fn split_header<'a>(line: &Line<'a>, start: usize) -> Option<Header<'a>> {
    let colon = memchr(b':', line.text)?;
    let (name, behind) = line.text.split_at_checked(colon)?;
    if line.text.first().is_some_and(|&byte| is_space(byte)) {
        return None;
    }
    let behind = behind.get(1..)?;
    let padding = behind.iter().position(|&byte| !is_space(byte)).unwrap_or(behind.len());
    let mut value = behind.get(padding..)?;
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    let from = start.checked_add(colon)?.checked_add(1)?.checked_add(padding)?;
    Some(Header {
        name,
        value,
        line: Extent::between(start, line.end),
        value_at: Extent::between(from, from.checked_add(value.len())?),
    })
}

/// Reads what follows the version: nothing, or a blank, three digits and perhaps some words.
///
/// The outer `None` is a malformed line, the inner one a line without status.
fn parse_status(text: &[u8]) -> Option<Option<Status<'_>>> {
    let status = text.trim_ascii();
    if status.is_empty() {
        return Some(None);
    }
    if !text.first().is_some_and(|&byte| is_space(byte)) {
        return None;
    }
    let (code, description) = status.split_at_checked(3)?;
    let separate = description.first().is_none_or(|&byte| is_space(byte));
    let code = u16::try_from(parse_size(code)?).ok().filter(|_| separate)?;
    Some(Some(Status { code, description: description.trim_ascii() }))
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_order_and_trimmed() {
        let block = b"NATS/1.0\r\nA: 1\r\nb:2\r\nA:\t 3 \t\r\n: x\r\nc:\r\nd:  \r\ne: a:b\r\n\r\n";
        let headers = Headers::parse(block).unwrap();
        let read: Vec<_> = headers.iter().map(|header| (header.name, header.value)).collect();
        let wanted: [(&[u8], &[u8]); 7] = [
            (b"A", b"1"),
            (b"b", b"2"),
            (b"A", b"3"),
            (b"", b"x"),
            (b"c", b""),
            (b"d", b""),
            (b"e", b"a:b"),
        ];
        assert_eq!(read, wanted);
        for header in headers {
            assert_eq!(header.value_at.of(block), header.value);
            assert!(header.line.of(block).starts_with(header.name));
            assert!(header.line.of(block).ends_with(b"\r\n"));
        }
    }

    #[test]
    fn names_are_found_without_case_and_the_first_one_counts() {
        let headers = Headers::parse(b"NATS/1.0\r\nTraceParent: 1\r\ntraceparent: 2\r\n\r\n");
        assert_eq!(headers.unwrap().find(b"traceparent"), Some(b"1".as_slice()));
        assert_eq!(headers.unwrap().find(b"tracepar"), None);
    }

    #[test]
    fn status_lines_are_read() {
        let table: [(&str, Option<(u16, &str)>); 6] = [
            ("NATS/1.0", None),
            ("NATS/1.0 ", None),
            ("NATS/1.0 503", Some((503, ""))),
            ("NATS/1.0 100 Idle Heartbeat", Some((100, "Idle Heartbeat"))),
            ("NATS/1.0\t404\tNo Messages ", Some((404, "No Messages"))),
            ("NATS/1.0 000", Some((0, ""))),
        ];
        for (line, wanted) in table {
            let block = format!("{line}\r\n\r\n");
            let status = Headers::parse(block.as_bytes()).unwrap().status();
            let wanted = wanted
                .map(|(code, description)| Status { code, description: description.as_bytes() });
            assert_eq!(status, wanted, "{line}");
        }
    }

    #[test]
    fn malformed_blocks_are_left_alone() {
        let table: [&[u8]; 20] = [
            b"",
            b"\r\n",
            b"NATS/1.0",
            b"NATS/1.0\r\n",
            b"NATS/1.0\r\n\r",
            b"NATS/1.1\r\n\r\n",
            b"nats/1.0\r\n\r\n",
            b"NATS/1.0503\r\n\r\n",
            b"NATS/1.0 50\r\n\r\n",
            b"NATS/1.0 5033\r\n\r\n",
            b"NATS/1.0 abc\r\n\r\n",
            b"NATS/1.0\n\n",
            b"NATS/1.0\r\na: 1\n\r\n",
            b"NATS/1.0\r\na: 1\rb\r\n\r\n",
            b"NATS/1.0\r\na: 1\r\r\n\r\n",
            b"NATS/1.0\r\na\r\n\r\n",
            b"NATS/1.0\r\na: 1\r\n b: 2\r\n\r\n",
            b"NATS/1.0\r\na: 1\r\n",
            b"NATS/1.0\r\n\r\na: 1\r\n\r\n",
            b"NATS/1.0\r\na: 1\r\n\r\nx",
        ];
        for block in table {
            assert_eq!(Headers::parse(block), None, "{}", block.escape_ascii());
        }
    }
}

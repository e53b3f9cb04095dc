//! The entries of a load over Redis: a stream for each pair of sessions, and a group that reads it.
//!
//! ```text
//! one adds    XADD load.00042 MAXLEN ~ 1000 * data <256 bytes>, and two fields if *injected*
//!                                                  └ 16 digits of time, then filling
//! one reads   XREADGROUP GROUP load c COUNT 64 BLOCK 0 STREAMS load.00042 >
//!             XACK load.00042 load <id> for each entry of a reply, and the next XREADGROUP
//! ```
//!
//! Two, because a read that waits keeps every other command of its connection waiting.

use std::io::Write as _;
use std::net::TcpStream;

use crate::protocol::{Form, Incoming, PAYLOAD_BYTES, Template, stamp};
use crate::resp::{self, Replies, Stop, ask, command};

/// A context of the lengths that the gateway writes.
const CONTEXT: [(&str, &str); 2] = [
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
    ("tracestate", "spanbridge=p:00f067aa0ba902b7;t:1732682000000"),
];
/// The one field of a message.
const FIELD: &str = "data";
/// The group, and the name of its sessions.
const GROUP: &str = "load";
/// Entries that a stream keeps, about: more than are ever on their way.
const LENGTH_MAX: &str = "1000";
/// Most entries of one reply: as many as are on their way at most.
const COUNT_MAX: &str = "64";
/// Bits of a tag that are the number of an entry among those of its millisecond.
const NUMBER_BITS: u32 = 20;

fn key(session: usize) -> String {
    format!("load.{session:05}")
}

pub(crate) fn template(session: usize, form: Form) -> Template {
    let key = key(session);
    let context = if form == Form::Injected { &CONTEXT[..] } else { &[] };
    let words = ["XADD", &key, "MAXLEN", "~", LENGTH_MAX, "*", FIELD];
    let (mut head, mut tail) = (Vec::new(), b"\r\n".to_vec());
    resp::begin(words.len() + 1 + context.len() * 2, &mut head);
    words.iter().for_each(|text| resp::word(text.as_bytes(), &mut head));
    head.extend_from_slice(format!("${PAYLOAD_BYTES}\r\n").as_bytes());
    for (name, value) in context {
        resp::word(name.as_bytes(), &mut tail);
        resp::word(value.as_bytes(), &mut tail);
    }
    let mut acknowledge = Vec::new();
    resp::begin(4, &mut acknowledge);
    ["XACK", &key, GROUP].iter().for_each(|text| resp::word(text.as_bytes(), &mut acknowledge));
    Template::new(head, &tail).answered_by(acknowledge, read_command(&key))
}

fn read_command(key: &str) -> Vec<u8> {
    let group = ["XREADGROUP", "GROUP", GROUP, "c", "COUNT", COUNT_MAX, "BLOCK", "0"];
    command(&[&group[..], &["STREAMS", key, ">"]].concat())
}

/// Makes the session's stream anew, which a load that failed may have left.
pub(crate) fn greet(stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
    let key = key(session);
    ask(
        stream,
        &[
            &["CLIENT", "SETNAME", GROUP],
            &["DEL", &key],
            &["XGROUP", "CREATE", &key, GROUP, "$", "MKSTREAM"],
        ],
    )
}

/// Begins to read what the session adds.
pub(crate) fn greet_consumer(stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
    ask(stream, &[&["CLIENT", "SETNAME", GROUP]])?;
    Ok(stream.write_all(&read_command(&key(session)))?)
}

/// Appends the id that ends an acknowledgement.
pub(crate) fn write_id(tag: u64, out: &mut Vec<u8>) {
    let (ms, number) = (tag >> NUMBER_BITS, tag & ((1 << NUMBER_BITS) - 1));
    resp::word(format!("{ms}-{number}").as_bytes(), out);
}

fn tag(id: &[u8]) -> Option<u64> {
    let (ms, number) = str::from_utf8(id).ok()?.split_once('-')?;
    let (ms, number): (u64, u64) = (ms.parse().ok()?, number.parse().ok()?);
    let fits = number >> NUMBER_BITS == 0 && ms.leading_zeros() >= NUMBER_BITS;
    fits.then_some(ms << NUMBER_BITS | number)
}

/// Reads whole replies, and answers how many bytes they had.
pub(crate) fn read(bytes: &[u8], mut visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
    let (mut replies, mut done, mut found) = (Replies::new(bytes), 0, Vec::new());
    while let Some(kind) = replies.kind() {
        let read = match kind {
            b'*' => entries(&mut replies, &mut found),
            // The id of what was added.
            b'$' => replies.text().map(drop),
            // The number of what was acknowledged.
            _ => replies.line().map(drop),
        };
        match read {
            Ok(()) if kind == b'*' => {
                found.drain(..).for_each(&mut visit);
                visit(Incoming::End);
            }
            Ok(()) => visit(Incoming::Other),
            Err(Stop::Need) => break,
            Err(Stop::Wrong(error)) => anyhow::bail!(error),
        }
        done = replies.at();
    }
    Ok(done)
}

/// The entries of one stream: `[[key, [[id, [field, value, …]], …]]]`.
fn entries(replies: &mut Replies<'_>, found: &mut Vec<Incoming>) -> Result<(), Stop> {
    found.clear();
    replies.count(b'*')?;
    replies.count(b'*')?;
    replies.text()?;
    for _ in 0..replies.count(b'*')? {
        replies.count(b'*')?;
        let id = replies.text()?;
        let strings = replies.count(b'*')?;
        replies.text()?;
        let payload = replies.text()?;
        let start = replies.at();
        for _ in 2..strings {
            replies.text()?;
        }
        let (Some(stamp), Some(tag)) = (stamp(payload), tag(id)) else {
            let id = id.escape_ascii();
            return Err(Stop::Wrong(format!("expected an entry of this load, found `{id}`")));
        };
        found.push(Incoming::Message { stamp, header: replies.at() - start, tag });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a broker makes of two entries.
    fn delivered(form: Form) -> Vec<u8> {
        let mut sent = Vec::new();
        template(7, form).write(99, &mut sent);
        let from = sent.windows(FIELD.len()).position(|at| at == FIELD.as_bytes()).unwrap();
        let fields = &sent[from - b"$4\r\n".len()..];
        let count = if form == Form::Injected { 6 } else { 2 };
        let mut out = b"*1\r\n*2\r\n$10\r\nload.00007\r\n*2\r\n".to_vec();
        for id in ["1763900000000-0", "1763900000000-1"] {
            out.extend_from_slice(format!("*2\r\n$15\r\n{id}\r\n*{count}\r\n").as_bytes());
            out.extend_from_slice(fields);
        }
        out
    }

    #[test]
    fn stamps_and_tags_come_back_from_both_forms() {
        let context: usize = 5 + 11 + 2 + 5 + 55 + 2 + 5 + 10 + 2 + 5 + 45 + 2;
        for (form, header) in [(Form::Plain, 0), (Form::Injected, context)] {
            let (mut seen, bytes) = (Vec::new(), delivered(form));
            let done = read(&bytes, |incoming| seen.push(incoming)).unwrap();
            assert_eq!(done, bytes.len());
            let tag = 1_763_900_000_000 << NUMBER_BITS;
            let message = |tag| Incoming::Message { stamp: 99, header, tag };
            assert_eq!(seen, [message(tag), message(tag + 1), Incoming::End]);
        }
    }

    #[test]
    fn a_reply_that_is_not_whole_waits() {
        let bytes = delivered(Form::Injected);
        for len in 0..bytes.len() {
            let done = read(&bytes[..len], |incoming| panic!("saw {incoming:?}")).unwrap();
            assert_eq!(done, 0, "of {len} bytes");
        }
    }

    #[test]
    fn other_replies_are_passed_over_and_errors_end_the_load() {
        let mut seen = Vec::new();
        let bytes = b"$3\r\n1-0\r\n:1\r\n+OK\r\n";
        assert_eq!(read(bytes, |incoming| seen.push(incoming)).unwrap(), bytes.len());
        assert_eq!(seen, [Incoming::Other; 3]);
        assert!(read(b"-NOGROUP no such key\r\n", |_| ()).is_err());
    }

    #[test]
    fn an_acknowledgement_names_the_entry() {
        let mut out = Vec::new();
        write_id(tag(b"1763900000000-42").unwrap(), &mut out);
        assert_eq!(out, b"$16\r\n1763900000000-42\r\n");
        assert_eq!(tag(b"1763900000000-1048576"), None);
    }
}

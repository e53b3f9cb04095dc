//! The messages of a load over lists of Redis, in the envelope that kombu gives them.
//!
//! ```text
//! LPUSH load.00042 {"body": "<256 bytes>", …, "headers": {"task": …}, "properties": {…}}
//! RPOP load.00042             └ 16 digits of time, then filling
//! ```
//!
//! For nutcracker, which knows neither streams nor reads that wait: so each message is taken out
//! by the session that has put it in, in the same write, and its reply is the delivery.

use std::net::TcpStream;

use crate::protocol::{Form, Incoming, PAYLOAD_BYTES, Template, stamp};
use crate::resp::{self, Replies, Stop, ask, command};

/// What stands before the content.
const HEAD: &str = "{\"body\": \"";
/// What stands behind it, with a hole for the context.
const TAIL: [&str; 2] = [
    "\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \
     \"headers\": {\"lang\": \"py\", \"task\": \"load.work\", \
     \"id\": \"43b6a1a6-4f0e-4f3c-9f0a-1d9b2b1c7e55\"",
    "}, \"properties\": {\"correlation_id\": \"43b6a1a6-4f0e-4f3c-9f0a-1d9b2b1c7e55\", \
     \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"load\"}, \
     \"priority\": 0, \"body_encoding\": \"base64\", \
     \"delivery_tag\": \"89f0b7c2-6a51-4a43-8a52-6d1c5a3f9e10\"}}",
];
/// A context of the lengths that the gateway writes.
const CONTEXT: &str = ",\"traceparent\":\
    \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\",\
    \"tracestate\":\"spanbridge=p:00f067aa0ba902b7;t:1732682000000\"";
/// Bytes of a message without context.
const PLAIN_BYTES: usize = HEAD.len() + PAYLOAD_BYTES + TAIL[0].len() + TAIL[1].len();

/// What the gateway has to be told of these messages.
pub(crate) const ROUTE: &str = "[[route]]\ndestination = \"load.*\"\nenvelope = \"kombu\"\n";

fn key(session: usize) -> String {
    format!("load.{session:05}")
}

pub(crate) fn template(session: usize, form: Form) -> Template {
    let key = key(session);
    let context = if form == Form::Injected { CONTEXT } else { "" };
    let (mut head, mut tail) = (Vec::new(), [TAIL[0], context, TAIL[1], "\r\n"].concat());
    resp::begin(3, &mut head);
    ["LPUSH", &key].iter().for_each(|text| resp::word(text.as_bytes(), &mut head));
    head.extend_from_slice(format!("${}\r\n{HEAD}", PLAIN_BYTES + context.len()).as_bytes());
    tail.push_str(str::from_utf8(&command(&["RPOP", &key])).unwrap_or_default());
    Template::new(head, tail.as_bytes())
}

/// Empties the session's list, which a load that failed may have left.
pub(crate) fn greet(stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
    ask(stream, &[&["DEL", &key(session)]])
}

/// Reads whole replies, and answers how many bytes they had.
pub(crate) fn read(bytes: &[u8], mut visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
    let (mut replies, mut done) = (Replies::new(bytes), 0);
    while let Some(kind) = replies.kind() {
        let read = if kind == b'$' { message(&mut replies) } else { other(&mut replies) };
        match read {
            Ok(incoming) => visit(incoming),
            Err(Stop::Need) => break,
            Err(Stop::Wrong(error)) => anyhow::bail!(error),
        }
        done = replies.at();
    }
    Ok(done)
}

/// The length of the list.
fn other(replies: &mut Replies<'_>) -> Result<Incoming, Stop> {
    replies.line().map(|_| Incoming::Other)
}

fn message(replies: &mut Replies<'_>) -> Result<Incoming, Stop> {
    let text = replies.text()?;
    let header = text.len().checked_sub(PLAIN_BYTES);
    let (Some(header), Some(stamp)) = (header, text.get(HEAD.len()..).and_then(stamp)) else {
        let text = text.escape_ascii();
        return Err(Stop::Wrong(format!("expected a message of this load, found `{text}`")));
    };
    Ok(Incoming::Message { stamp, header, tag: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a broker says to a message that is put in and taken out.
    fn answered(form: Form) -> Vec<u8> {
        let mut sent = Vec::new();
        template(7, form).write(99, &mut sent);
        let start = b"*3\r\n$5\r\nLPUSH\r\n$10\r\nload.00007\r\n".len();
        let taken = command(&["RPOP", "load.00007"]);
        [b":1\r\n", &sent[start..sent.len() - taken.len()]].concat()
    }

    #[test]
    fn stamps_come_back_from_both_forms() {
        for (form, header) in [(Form::Plain, 0), (Form::Injected, CONTEXT.len())] {
            let (mut seen, bytes) = (Vec::new(), answered(form));
            let done = read(&bytes, |incoming| seen.push(incoming)).unwrap();
            assert_eq!(done, bytes.len());
            let message = Incoming::Message { stamp: 99, header, tag: 0 };
            assert_eq!(seen, [Incoming::Other, message]);
        }
    }

    #[test]
    fn a_message_that_is_not_whole_waits() {
        let bytes = answered(Form::Injected);
        for len in 4..bytes.len() {
            assert_eq!(read(&bytes[..len], |_| ()).unwrap(), 4, "of {len} bytes");
        }
    }

    #[test]
    fn messages_are_json_and_an_empty_list_ends_the_load() {
        let bytes = answered(Form::Injected);
        let text = Replies::new(&bytes[4..]).text().unwrap();
        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(value["headers"]["task"], "load.work");
        assert_eq!(value["headers"]["traceparent"].as_str().map(str::len), Some(55));
        assert!(read(b"$-1\r\n", |_| ()).is_err());
    }
}

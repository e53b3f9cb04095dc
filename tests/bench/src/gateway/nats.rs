//! The NATS messages of a load: written from a template, read only as far as counting needs.
//!
//! ```text
//! plain     PUB load.00042 256        payload
//! injected  HPUB load.00042 165 421   NATS/1.0, traceparent, tracestate, payload
//!                                     └ 16 digits of time, then filling
//! ```
//!
//! *Injected* is what the gateway makes of *plain*, byte for byte in length: so the broker does the
//! same work behind every target.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::bail;

use crate::peer::CONNECT_TIMEOUT;
use crate::protocol::{Form, Incoming, PAYLOAD_BYTES, Template, stamp};
use crate::resp::decimal;

/// A context of the lengths that the gateway writes.
const HEADER: &str = "NATS/1.0\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\r\n\
    tracestate: spanbridge=p:00f067aa0ba902b7;t:1732682000000\r\n\r\n";

fn subject(session: usize) -> String {
    format!("load.{session:05}")
}

pub(crate) fn template(session: usize, form: Form) -> Template {
    let subject = subject(session);
    let head = match form {
        Form::Plain => format!("PUB {subject} {PAYLOAD_BYTES}\r\n"),
        Form::Injected => {
            let (header, total) = (HEADER.len(), HEADER.len() + PAYLOAD_BYTES);
            format!("HPUB {subject} {header} {total}\r\n{HEADER}")
        }
    };
    Template::new(head.into_bytes(), b"\r\n")
}

/// Introduces itself, subscribes and waits for the broker to have done so.
pub(crate) fn greet(stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
    let subject = subject(session);
    let greeting = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"lang\":\"raw\",\
         \"version\":\"0\",\"name\":\"load\"}}\r\nSUB {subject} 1\r\nPING\r\n"
    );
    stream.write_all(greeting.as_bytes())?;
    let (mut text, mut byte) = (Vec::new(), [0; 1024]);
    let end = Instant::now() + CONNECT_TIMEOUT;
    while !text.ends_with(b"PONG\r\n") {
        let read = stream.read(&mut byte)?;
        anyhow::ensure!(read > 0 && Instant::now() < end, "the broker did not answer");
        text.extend_from_slice(&byte[..read]);
    }
    Ok(())
}

/// Reads whole frames, and answers how many bytes they had.
pub(crate) fn read(bytes: &[u8], mut visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
    let mut done = 0;
    while let Some(len) = memchr::memchr(b'\n', &bytes[done..]) {
        let line = bytes[done..done + len].trim_ascii_end();
        let after = done + len + 1;
        match line.first() {
            Some(kind @ (b'M' | b'H')) => {
                let mut numbers = line.rsplit(|&byte| byte == b' ').map(decimal);
                let total = numbers.next().flatten().unwrap_or(0);
                let header = if *kind == b'H' { numbers.next().flatten() } else { Some(0) };
                let payload = after + header.unwrap_or(0);
                let end = after + total + b"\r\n".len();
                if end > bytes.len() {
                    break;
                }
                let (Some(stamp), Some(header)) = (bytes.get(payload..).and_then(stamp), header)
                else {
                    bail!("expected a message of this load, found `{}`", line.escape_ascii());
                };
                visit(Incoming::Message { stamp, header, tag: 0 });
                done = end;
            }
            Some(b'-') => bail!("the broker says `{}`", line.escape_ascii()),
            _ => {
                let ping = line == b"PING";
                visit(if ping { Incoming::Ping } else { Incoming::Other });
                done = after;
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(form: Form) -> Vec<u8> {
        let mut sent = Vec::new();
        template(7, form).write(99, &mut sent);
        let text = String::from_utf8_lossy(&sent).replacen("PUB load.00007", "MSG load.00007 1", 1);
        text.into_bytes()
    }

    #[test]
    fn stamps_come_back_from_both_forms() {
        for (form, expected) in [(Form::Plain, 0), (Form::Injected, HEADER.len())] {
            let mut seen = Vec::new();
            let bytes = echoed(form);
            let done = read(&bytes, |incoming| seen.push(incoming)).unwrap();
            assert_eq!(done, bytes.len());
            assert_eq!(seen, [Incoming::Message { stamp: 99, header: expected, tag: 0 }]);
        }
    }

    #[test]
    fn a_frame_that_is_not_whole_waits() {
        let bytes = echoed(Form::Injected);
        for len in 0..bytes.len() {
            let done = read(&bytes[..len], |incoming| panic!("saw {incoming:?}")).unwrap();
            assert_eq!(done, 0, "of {len} bytes");
        }
    }

    #[test]
    fn an_error_of_the_broker_ends_the_load() {
        assert!(read(b"-ERR 'Slow Consumer'\r\n", |_| ()).is_err());
        let mut seen = Vec::new();
        assert_eq!(read(b"PING\r\nPONG\r\n", |incoming| seen.push(incoming)).unwrap(), 12);
        assert_eq!(seen, [Incoming::Ping, Incoming::Other]);
    }
}

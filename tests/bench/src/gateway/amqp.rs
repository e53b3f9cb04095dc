//! The AMQP 0-9-1 messages of a load: written from a template, read only as far as counting needs.
//!
//! ```text
//! publish   basic.publish to the queue, by the default exchange   method frame
//!           256 bytes, and a header table if *injected*            header frame
//!           16 digits of time, then filling                          body frame
//! deliver   the same three frames, and basic.ack goes back
//! ```

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, bail};
use spanbridge_tests::raw_amqp::{BASIC, BODY, HEADER, METHOD, Method, PROTOCOL_HEADER};
use spanbridge_tests::{Frame, raw_amqp};

use crate::protocol::{Form, Incoming, PAYLOAD_BYTES, Template, stamp};

/// Channel of everything.
const CHANNEL: u16 = 1;
/// Largest frame: what RabbitMQ proposes.
const FRAME_MAX: usize = 131_072;
/// Bytes of a frame before its payload.
const HEAD_BYTES: usize = 7;
const FRAME_END: u8 = 0xCE;
/// Bytes before the flags of a content header.
const PROPERTIES_AT: usize = 12;

const DELIVER: u16 = 60;

/// A context of the lengths that the gateway writes.
const CONTEXT: [(&str, &str); 2] = [
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
    ("tracestate", "spanbridge=p:00f067aa0ba902b7;t:1732682000000"),
];

fn queue(session: usize) -> String {
    format!("load.{session:05}")
}

/// Property flags, and a table of headers where the load brings a context.
fn properties(form: Form) -> Vec<u8> {
    match form {
        Form::Plain => vec![0, 0],
        Form::Injected => {
            let entries = CONTEXT.map(|(name, value)| {
                let name = [&[name.len() as u8][..], name.as_bytes(), b"S"].concat();
                [name, Method::table(value.as_bytes())].concat()
            });
            [&[0x20, 0][..], &Method::table(&entries.concat())].concat()
        }
    }
}

pub(crate) fn template(session: usize, form: Form) -> Template {
    let (queue, body) = (queue(session), [0; PAYLOAD_BYTES]);
    let frames = raw_amqp::publish(CHANNEL, ("", &queue), &properties(form), &body, FRAME_MAX);
    let mut bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    bytes.truncate(bytes.len() - 1 - PAYLOAD_BYTES);
    Template::new(bytes, &[FRAME_END])
}

/// Appends the acknowledgement of one delivery.
pub(crate) fn ack(tag: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[METHOD, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80]);
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&[0, FRAME_END]);
}

/// A frame in bytes: its kind, its payload, and where the next begins. `None`: it is not whole.
fn frame(bytes: &[u8]) -> anyhow::Result<Option<(u8, &[u8], usize)>> {
    let Some((&[kind, _, _, s0, s1, s2, s3], rest)) = bytes.split_first_chunk::<HEAD_BYTES>()
    else {
        return Ok(None);
    };
    let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
    let (Some(payload), Some(&end)) = (rest.get(..size), rest.get(size)) else { return Ok(None) };
    anyhow::ensure!(end == FRAME_END, "expected the end of a frame, found {end:#04x}");
    Ok(Some((kind, payload, HEAD_BYTES + size + 1)))
}

/// Reads whole deliveries, and answers how many bytes they had.
pub(crate) fn read(bytes: &[u8], mut visit: impl FnMut(Incoming)) -> anyhow::Result<usize> {
    let mut done = 0;
    while let Some((kind, method, length)) = frame(&bytes[done..])? {
        let is_delivery = kind == METHOD && method.starts_with(&[0, BASIC as u8, 0, DELIVER as u8]);
        if !is_delivery {
            if kind == METHOD {
                bail!("the broker says `{}`", method.escape_ascii());
            }
            visit(Incoming::Other);
            done += length;
            continue;
        }
        let Some((HEADER, properties, header_length)) = frame(&bytes[done + length..])? else {
            break;
        };
        let body_at = done + length + header_length;
        let Some((BODY, body, body_length)) = frame(&bytes[body_at..])? else { break };
        let tag_at = 5 + usize::from(*method.get(4).context("a consumer's tag")?);
        let tag = method.get(tag_at..tag_at + 8).context("a delivery tag")?;
        visit(Incoming::Message {
            stamp: stamp(body).context("a message of this load")?,
            header: properties.len().saturating_sub(PROPERTIES_AT + 2),
            tag: u64::from_be_bytes(tag.try_into()?),
        });
        done = body_at + body_length;
    }
    Ok(done)
}

/// Opens a connection and a channel, declares the session's queue and consumes from it.
pub(crate) fn greet(stream: &mut TcpStream, session: usize) -> anyhow::Result<()> {
    let queue = queue(session);
    let client = Method::table(b"\x0fconnection_nameS\0\0\0\x04load");
    // Not heartbeats, which nobody here answers.
    let tune = [&2047_u16.to_be_bytes()[..], &(FRAME_MAX as u32).to_be_bytes(), &[0, 0]].concat();
    // Nobody's own, because a private queue is no queue of a load; gone a minute after the load.
    let expires = b"\x09x-expiresI\0\0\xea\x60";
    let steps = [
        (Method::of(10, 11).raw(&client).short("PLAIN").long(b"\0guest\0guest").short("en_US"), 0),
        (Method::of(10, 31).raw(&tune), 0),
        (Method::of(10, 40).short("/").short("").raw(&[0]), 0),
        (Method::of(20, 10).short(""), CHANNEL),
        (Method::of(50, 10).raw(&[0, 0]).short(&queue).raw(&[0]).long(expires), CHANNEL),
        // What a load that failed has left.
        (Method::of(50, 30).raw(&[0, 0]).short(&queue).raw(&[0]), CHANNEL),
        (Method::of(BASIC, 20).raw(&[0, 0]).short(&queue).short("c").raw(&[0]).long(b""), CHANNEL),
    ];
    stream.write_all(PROTOCOL_HEADER)?;
    let bytes: Vec<u8> =
        steps.into_iter().flat_map(|(method, channel)| method.on(channel).bytes()).collect();
    stream.write_all(&bytes)?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((_, payload, length)) = frame(&text)? {
            match payload.get(..4) {
                // consume-ok
                Some([0, 60, 0, 21]) => return Ok(()),
                Some([0, 10, 0, 50] | [0, 20, 0, 40]) => {
                    bail!("the broker says `{}`", payload.escape_ascii());
                }
                _ => drop(text.drain(..length)),
            }
        }
        let read = stream.read(&mut buffer)?;
        anyhow::ensure!(read > 0, "the broker closed the connection");
        text.extend_from_slice(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a broker makes of a publish.
    fn echoed(form: Form) -> Vec<u8> {
        let mut sent = Vec::new();
        template(7, form).write(99, &mut sent);
        let (_, _, length) = frame(&sent).unwrap().unwrap();
        let deliver = Method::of(BASIC, DELIVER).short("c").raw(&42_u64.to_be_bytes());
        let deliver = deliver.raw(&[0]).short("").short(&queue(7)).on(CHANNEL);
        [deliver.bytes(), sent.split_off(length)].concat()
    }

    #[test]
    fn stamps_and_tags_come_back_from_both_forms() {
        for (form, expected) in [(Form::Plain, 0), (Form::Injected, 4 + 72 + 61)] {
            let mut seen = Vec::new();
            let bytes = echoed(form);
            let done = read(&bytes, |incoming| seen.push(incoming)).unwrap();
            assert_eq!(done, bytes.len());
            assert_eq!(seen, [Incoming::Message { stamp: 99, header: expected, tag: 42 }]);
        }
    }

    #[test]
    fn a_message_that_is_not_whole_waits() {
        let bytes = echoed(Form::Injected);
        for len in 0..bytes.len() {
            let done = read(&bytes[..len], |incoming| panic!("saw {incoming:?}")).unwrap();
            assert_eq!(done, 0, "of {len} bytes");
        }
    }

    #[test]
    fn an_error_of_the_broker_ends_the_load() {
        let close = Method::of(20, 40).raw(&[1, 150]).short("NOT_FOUND").raw(&[0; 4]).on(CHANNEL);
        assert!(read(&close.bytes(), |_| ()).is_err());
    }

    #[test]
    fn an_acknowledgement_is_the_frame_that_it_should_be() {
        let mut out = Vec::new();
        ack(42, &mut out);
        let expected = Method::of(BASIC, 80).raw(&42_u64.to_be_bytes()).raw(&[0]).on(CHANNEL);
        assert_eq!(out, expected.bytes());
    }
}

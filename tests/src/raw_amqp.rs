//! An AMQP 0-9-1 client of bytes: it sends the frames it is told and reads frames.
//!
//! ```text
//! frame    kind 1 │ channel 2 │ size 4 │ payload │ 0xCE
//! method   class 2 │ method 2 │ arguments
//! header   class 2 │ weight 2 │ body size 8 │ flags 2 │ properties
//! ```
//!
//! It exists to compare bytes and to do what no library does. It sends no heartbeat by itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::wait::BOUND;

/// What a client of AMQP 0-9-1 says first.
pub const PROTOCOL_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// Kind of a frame that holds a method.
pub const METHOD: u8 = 1;
/// Kind of a frame that holds the properties of a message.
pub const HEADER: u8 = 2;
/// Kind of a frame that holds part of a message's body.
pub const BODY: u8 = 3;
/// Kind of a frame that holds nothing.
pub const HEARTBEAT: u8 = 8;

/// Bytes of a frame around its payload.
pub const FRAME_EXTRA: usize = 8;

/// Ends each frame.
const FRAME_END: u8 = 0xCE;

/// Largest payload that is read: what RabbitMQ proposes as `frame_max`.
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;

/// Class of the methods of a connection.
const CONNECTION: u16 = 10;
/// Class of the methods about messages.
pub const BASIC: u16 = 60;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is in it.
    pub kind: u8,
    /// Zero for the connection.
    pub channel: u16,
    /// Without what is around it.
    pub payload: Vec<u8>,
}

/// The arguments of a method, one after the other.
#[derive(Clone, Debug)]
pub struct Method(Vec<u8>);

/// How to open a connection.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// What the broker calls its part.
    pub vhost: &'a str,
    /// What the client says it is called.
    pub name: &'a str,
    /// Largest frame that it wants.
    pub frame_max: u32,
    /// Seconds between heartbeats; zero for none.
    pub heartbeat: u16,
}

/// One connection.
#[derive(Debug)]
pub struct RawAmqp {
    stream: TcpStream,
}

/// A delivered message, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawContent {
    /// The method that announced it: `basic.deliver`, `basic.return` or `basic.get-ok`.
    pub method: Frame,
    /// Its properties, as they came.
    pub header: Frame,
    /// All of its body.
    pub body: Vec<u8>,
}

impl Frame {
    /// Takes a frame off the front of bytes; `None` when it is not whole.
    ///
    /// # Errors
    /// When it does not end as frames do.
    pub fn read(bytes: &mut &[u8]) -> Result<Option<Self>> {
        let &[kind, c0, c1, s0, s1, s2, s3, ref rest @ ..] = *bytes else { return Ok(None) };
        let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3]))?;
        let Some((payload, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        let Some((&end, rest)) = rest.split_first() else { return Ok(None) };
        ensure!(end == FRAME_END, "expected the end of a frame, found {end:#04x}");
        *bytes = rest;
        let channel = u16::from_be_bytes([c0, c1]);
        Ok(Some(Self { kind, channel, payload: payload.to_vec() }))
    }

    /// The frame as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let size = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(&self.channel.to_be_bytes());
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes.push(FRAME_END);
        bytes
    }

    /// Its class and method, if it holds one.
    pub fn method(&self) -> Option<(u16, u16)> {
        let &[c0, c1, m0, m1, ..] = &self.payload[..] else { return None };
        let method = (u16::from_be_bytes([c0, c1]), u16::from_be_bytes([m0, m1]));
        (self.kind == METHOD).then_some(method)
    }
}

impl Method {
    /// A method without arguments yet.
    pub fn of(class: u16, method: u16) -> Self {
        Self([class.to_be_bytes(), method.to_be_bytes()].concat())
    }

    /// Adds bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a short string, of at most 255 bytes.
    #[must_use]
    pub fn short(self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.raw(&[length]).raw(&text.as_bytes()[..usize::from(length)])
    }

    /// Adds a long string, or a table that is one already.
    #[must_use]
    pub fn long(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.raw(&length.to_be_bytes()).raw(bytes)
    }

    /// A table on its own, with its length before it.
    pub fn table(entries: &[u8]) -> Vec<u8> {
        Self(Vec::new()).long(entries).0
    }

    /// The frame of it.
    pub fn on(self, channel: u16) -> Frame {
        Frame { kind: METHOD, channel, payload: self.0 }
    }
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Self { vhost: "/", name: "raw", frame_max: 131_072, heartbeat: 0 }
    }
}

impl RawAmqp {
    /// Connects and says nothing.
    ///
    /// # Errors
    /// When nothing listens.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        Ok(Self { stream })
    }

    /// Connects and opens a connection, with one channel: number 1.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn open(address: SocketAddr, opening: &Opening<'_>) -> Result<Self> {
        let mut raw = Self::connect(address)?;
        raw.send(PROTOCOL_HEADER)?;
        raw.expect(CONNECTION, 10)?;
        let name =
            Method(Vec::new()).short("connection_name").raw(b"S").long(opening.name.as_ref());
        // What libraries say of themselves, without which the broker cancels nobody's consumer and
        // says nothing of a lack of memory.
        let able = Method(Vec::new()).short("consumer_cancel_notify").raw(b"t\x01");
        let able = able.short("connection.blocked").raw(b"t\x01").0;
        let able = Method(Vec::new()).short("capabilities").raw(b"F").long(&able);
        let ok = Method::of(CONNECTION, 11).long(&[name.0, able.0].concat()).short("PLAIN");
        raw.send_frame(&ok.long(b"\0guest\0guest").short("en_US").on(0))?;
        raw.expect(CONNECTION, 30)?;
        let tuned = Method::of(CONNECTION, 31).raw(&2047_u16.to_be_bytes());
        let tuned = tuned.raw(&opening.frame_max.to_be_bytes());
        raw.send_frame(&tuned.raw(&opening.heartbeat.to_be_bytes()).on(0))?;
        let open = Method::of(CONNECTION, 40).short(opening.vhost).short("").raw(&[0]);
        raw.send_frame(&open.on(0))?;
        raw.expect(CONNECTION, 41)?;
        raw.open_channel(1)?;
        Ok(raw)
    }

    /// Opens one more channel.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn open_channel(&mut self, channel: u16) -> Result<()> {
        self.ask(&Method::of(20, 10).short("").on(channel), 20, 11).map(drop)
    }

    /// Declares a queue that goes with the connection, with these arguments (a field table
    /// without its length).
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn declare(&mut self, queue: &str, arguments: &[u8]) -> Result<()> {
        // Exclusive and deleted with its last consumer.
        let declare = Method::of(50, 10).raw(&[0, 0]).short(queue).raw(&[0b0_1100]);
        self.ask(&declare.long(arguments).on(1), 50, 11).map(drop)
    }

    /// Consumes from a queue on channel 1, with acknowledgements or without.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn consume(&mut self, queue: &str, no_ack: bool) -> Result<()> {
        let consume = Method::of(BASIC, 20).raw(&[0, 0]).short(queue).short("");
        let consume = consume.raw(&[u8::from(no_ack) << 1]).long(b"");
        self.ask(&consume.on(1), BASIC, 21).map(drop)
    }

    /// Asks for confirms on channel 1.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn confirm(&mut self) -> Result<()> {
        self.ask(&Method::of(85, 10).raw(&[0]).on(1), 85, 11).map(drop)
    }

    /// Acknowledges a delivery on channel 1.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn ack(&mut self, tag: u64, multiple: bool) -> Result<()> {
        let ack = Method::of(BASIC, 80).raw(&tag.to_be_bytes()).raw(&[u8::from(multiple)]);
        self.send_frame(&ack.on(1))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_frame(&mut self, frame: &Frame) -> Result<()> {
        self.send(&frame.bytes())
    }

    /// Sends a frame and waits for the method that answers it.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn ask(&mut self, frame: &Frame, class: u16, method: u16) -> Result<Frame> {
        self.send_frame(frame)?;
        self.expect(class, method)
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

    /// Reads all bytes until the peer closes.
    ///
    /// # Errors
    /// When it stays silent without closing.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Answers whether nothing comes for this long.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn is_silent(&mut self, time: Duration) -> Result<bool> {
        self.stream.set_read_timeout(Some(time))?;
        let silent = self.stream.peek(&mut [0]).is_err();
        self.stream.set_read_timeout(Some(BOUND))?;
        Ok(silent)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When the connection ends or stays silent, or it is none.
    pub fn frame(&mut self) -> Result<Frame> {
        let mut bytes = self.exactly(7)?;
        let size = [bytes[3], bytes[4], bytes[5], bytes[6]];
        let size = usize::try_from(u32::from_be_bytes(size))?;
        ensure!(size <= PAYLOAD_BYTES_MAX, "a frame of {size} bytes");
        bytes.extend_from_slice(&self.exactly(size + 1)?);
        Frame::read(&mut &bytes[..])?.context("a whole frame")
    }

    /// Reads a frame that has to be this method; heartbeats before it are passed over.
    ///
    /// # Errors
    /// When another comes.
    pub fn expect(&mut self, class: u16, method: u16) -> Result<Frame> {
        let mut frame = self.frame()?;
        while frame.kind == HEARTBEAT {
            frame = self.frame()?;
        }
        if frame.method() != Some((class, method)) {
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            bail!("expected method {class}.{method}, found {:?} {text:?}", frame.method());
        }
        Ok(frame)
    }

    /// Reads a message that this method of class basic announces.
    ///
    /// # Errors
    /// When something else comes.
    pub fn content(&mut self, method: u16) -> Result<RawContent> {
        let method = self.expect(BASIC, method)?;
        let header = self.frame()?;
        ensure!(header.kind == HEADER, "expected properties, found {header:?}");
        let size = body_size(&header)?;
        let mut body = Vec::new();
        while body.len() < size {
            let frame = self.frame()?;
            ensure!(frame.kind == BODY, "expected a body, found {frame:?}");
            body.extend_from_slice(&frame.payload);
        }
        Ok(RawContent { method, header, body })
    }
}

/// The size of the body that a frame of properties announces.
///
/// # Errors
/// When it is too short for one.
pub fn body_size(header: &Frame) -> Result<usize> {
    let size = header.payload.get(4..12).context("properties without a body size")?;
    Ok(usize::try_from(u64::from_be_bytes(size.try_into()?))?)
}

/// The frames of one message to an exchange, with properties (flags and what they announce), its
/// body cut into frames of at most `frame_max` bytes.
pub fn publish(
    channel: u16,
    (exchange, key): (&str, &str),
    properties: &[u8],
    body: &[u8],
    frame_max: usize,
) -> Vec<Frame> {
    let method = Method::of(BASIC, 40).raw(&[0, 0]).short(exchange).short(key).raw(&[0]);
    let size = (body.len() as u64).to_be_bytes();
    let payload = [&BASIC.to_be_bytes()[..], &[0, 0], &size, properties].concat();
    let mut frames = vec![method.on(channel), Frame { kind: HEADER, channel, payload }];
    let pieces = body.chunks(frame_max - FRAME_EXTRA);
    frames.extend(pieces.map(|piece| Frame { kind: BODY, channel, payload: piece.to_vec() }));
    frames
}

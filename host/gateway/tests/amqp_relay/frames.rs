//! Frames as peers write them, and a reader of its own for what the relay wrote.

/// Around a payload: head and end.
const FRAME_EXTRA: usize = 8;

pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    let head = [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes()].concat();
    [&head[..], payload, &[0xce]].concat()
}

pub(crate) fn method(channel: u16, class: u16, method: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat())
}

pub(crate) fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

pub(crate) fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// An entry of a table: a long string.
pub(crate) fn text_entry(name: &str, text: &str) -> Vec<u8> {
    entry(name, b'S', &long(text.as_bytes()))
}

pub(crate) fn entry(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[kind], value].concat()
}

pub(crate) fn number_entry(name: &str, number: u64) -> Vec<u8> {
    entry(name, b'l', &number.to_be_bytes())
}

/// The properties of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    /// Entries of the table; `None`: there is no table.
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) correlation_id: Option<&'static str>,
    pub(crate) reply_to: Option<String>,
    pub(crate) message_id: Option<String>,
}

impl Properties {
    pub(crate) fn with_headers(entries: &[Vec<u8>]) -> Self {
        Self { headers: Some(entries.concat()), ..Self::default() }
    }

    pub(crate) fn with_id(id: impl Into<String>) -> Self {
        Self { message_id: Some(id.into()), ..Self::default() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut flags = 0_u16;
        let mut out = Vec::new();
        if let Some(headers) = &self.headers {
            flags |= 1 << 13;
            out.extend(long(headers));
        }
        let texts = [
            (10, self.correlation_id),
            (9, self.reply_to.as_deref()),
            (7, self.message_id.as_deref()),
        ];
        for (bit, text) in texts {
            if let Some(text) = text {
                flags |= 1 << bit;
                out.extend(short(text));
            }
        }
        [&flags.to_be_bytes()[..], &out].concat()
    }
}

/// Header and body frames, the latter of this size at most.
pub(crate) fn content(channel: u16, of: &Properties, body: &[u8], frame_max: usize) -> Vec<u8> {
    let fixed = [&60_u16.to_be_bytes()[..], &[0, 0], &(body.len() as u64).to_be_bytes()].concat();
    let mut out = frame(2, channel, &[fixed, of.bytes()].concat());
    for piece in body.chunks(frame_max - FRAME_EXTRA) {
        out.extend(frame(3, channel, piece));
    }
    out
}

pub(crate) fn publish_method(channel: u16, exchange: &str, key: &str, mandatory: bool) -> Vec<u8> {
    let arguments = [&[0, 0][..], &short(exchange), &short(key), &[mandatory.into()]].concat();
    method(channel, 60, 40, &arguments)
}

pub(crate) fn publish(channel: u16, to: (&str, &str), of: &Properties, body: &[u8]) -> Vec<u8> {
    let method = publish_method(channel, to.0, to.1, false);
    [method, content(channel, of, body, 4096)].concat()
}

pub(crate) fn publish_mandatory(to: (&str, &str), of: &Properties, body: &[u8]) -> Vec<u8> {
    [publish_method(1, to.0, to.1, true), content(1, of, body, 4096)].concat()
}

/// `basic.return`.
pub(crate) fn returned(to: (&str, &str), of: &Properties, body: &[u8]) -> Vec<u8> {
    let code = 312_u16.to_be_bytes();
    let arguments = [&code[..], &short("NO_ROUTE"), &short(to.0), &short(to.1)].concat();
    [method(1, 60, 50, &arguments), content(1, of, body, 4096)].concat()
}

/// A delivery to a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) channel: u16,
    pub(crate) consumer: &'static str,
    pub(crate) tag: u64,
    pub(crate) redelivered: bool,
    pub(crate) exchange: &'static str,
    pub(crate) key: &'static str,
    pub(crate) properties: Properties,
    pub(crate) body: &'static [u8],
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            channel: 1,
            consumer: "tag",
            tag: 1,
            redelivered: false,
            exchange: "",
            key: "tasks",
            properties: Properties::default(),
            body: b"body",
        }
    }
}

impl Delivery {
    pub(crate) fn tagged(tag: u64) -> Self {
        Self { tag, ..Self::default() }
    }

    pub(crate) fn frames(&self) -> Vec<u8> {
        let Self { channel, consumer, tag, redelivered, exchange, key, properties, body } = self;
        let names = [short(exchange), short(key)].concat();
        let arguments =
            [&short(consumer)[..], &tag.to_be_bytes(), &[(*redelivered).into()], &names].concat();
        let method = method(*channel, 60, 60, &arguments);
        [method, content(*channel, properties, body, 4096)].concat()
    }

    /// The same as the answer to `basic.get`.
    pub(crate) fn got(&self) -> Vec<u8> {
        let Self { channel, tag, redelivered, exchange, key, properties, body, .. } = self;
        let names = [short(exchange), short(key)].concat();
        let arguments =
            [&tag.to_be_bytes()[..], &[(*redelivered).into()], &names, &[0; 4]].concat();
        let method = method(*channel, 60, 71, &arguments);
        [method, content(*channel, properties, body, 4096)].concat()
    }
}

pub(crate) fn ack(channel: u16, tag: u64, multiple: bool) -> Vec<u8> {
    method(channel, 60, 80, &[&tag.to_be_bytes()[..], &[multiple.into()]].concat())
}

/// Bits: 1 multiple, 2 requeue.
pub(crate) fn nack(channel: u16, tag: u64, bits: u8) -> Vec<u8> {
    method(channel, 60, 120, &[&tag.to_be_bytes()[..], &[bits]].concat())
}

pub(crate) fn reject(channel: u16, tag: u64, requeue: bool) -> Vec<u8> {
    method(channel, 60, 90, &[&tag.to_be_bytes()[..], &[requeue.into()]].concat())
}

pub(crate) fn confirm_select(channel: u16) -> Vec<u8> {
    method(channel, 85, 10, &[0])
}

/// Bits: 1 passive, 2 durable, 4 exclusive, 8 auto-delete, 16 no-wait.
pub(crate) fn declare(channel: u16, queue: &str, bits: u8) -> Vec<u8> {
    let arguments = [&[0, 0][..], &short(queue), &[bits], &long(b"")].concat();
    method(channel, 50, 10, &arguments)
}

pub(crate) fn declare_ok(channel: u16, queue: &str) -> Vec<u8> {
    method(channel, 50, 11, &[&short(queue)[..], &[0; 8]].concat())
}

pub(crate) fn consume(channel: u16, queue: &str, tag: &str, no_ack: bool) -> Vec<u8> {
    let bits = if no_ack { 2 } else { 0 };
    let arguments = [&[0, 0][..], &short(queue), &short(tag), &[bits], &long(b"")].concat();
    method(channel, 60, 20, &arguments)
}

pub(crate) fn consume_ok(channel: u16, tag: &str) -> Vec<u8> {
    method(channel, 60, 21, &short(tag))
}

pub(crate) fn get(channel: u16, queue: &str, no_ack: bool) -> Vec<u8> {
    method(channel, 60, 70, &[&[0, 0][..], &short(queue), &[no_ack.into()]].concat())
}

pub(crate) fn close_channel(channel: u16) -> Vec<u8> {
    let arguments = [&200_u16.to_be_bytes()[..], &short("bye"), &[0; 4]].concat();
    method(channel, 20, 40, &arguments)
}

pub(crate) fn channel_closed(channel: u16) -> Vec<u8> {
    method(channel, 20, 41, b"")
}

pub(crate) fn close_connection() -> Vec<u8> {
    method(0, 10, 50, &[&200_u16.to_be_bytes()[..], &short("bye"), &[0; 4]].concat())
}

/// `channel.open` and its answer.
pub(crate) fn opened(channel: u16) -> (Vec<u8>, Vec<u8>) {
    (method(channel, 20, 10, &short("")), method(channel, 20, 11, &long(b"")))
}

pub(crate) fn start_ok(name: &str, mechanism: &str, response: &[u8]) -> Vec<u8> {
    let properties = text_entry("connection_name", name);
    let parts = [long(&properties), short(mechanism), long(response), short("en_US")];
    method(0, 10, 11, &parts.concat())
}

/// What client and broker say in turns until the client is in.
pub(crate) fn opening(name: &str, frame_max: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let start = [&[0, 9][..], &long(b""), &long(b"PLAIN AMQPLAIN"), &long(b"en_US")].concat();
    let tune = |frame_max: u32| {
        [&2047_u16.to_be_bytes()[..], &frame_max.to_be_bytes(), &60_u16.to_be_bytes()].concat()
    };
    let open = [&short("/shop")[..], &short(""), &[0]].concat();
    let tuned = [method(0, 10, 31, &tune(frame_max)), method(0, 10, 40, &open)].concat();
    vec![
        (b"AMQP\x00\x00\x09\x01".to_vec(), method(0, 10, 10, &start)),
        (start_ok(name, "PLAIN", b"\0app\0secret"), method(0, 10, 30, &tune(131_072))),
        (tuned, method(0, 10, 41, &short(""))),
    ]
}

/// A frame that was written, cut by hand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

/// Cuts what was written into frames. Everything has to be whole.
pub(crate) fn cut(mut bytes: &[u8]) -> Vec<Written> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes[3..7].try_into().unwrap()) as usize;
        let (frame, rest) = bytes.split_at(size + FRAME_EXTRA);
        assert_eq!(frame.last(), Some(&0xce), "a frame ends with 0xce");
        let channel = u16::from_be_bytes([frame[1], frame[2]]);
        frames.push(Written { kind: frame[0], channel, payload: frame[7..7 + size].to_vec() });
        bytes = rest;
    }
    frames
}

impl Written {
    /// The texts of a header frame's table that is the first property.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        assert_eq!(self.kind, 2);
        let mut headers = Vec::new();
        if self.payload[12] & 0x20 == 0 {
            return headers;
        }
        let end = 18 + u32::from_be_bytes(self.payload[14..18].try_into().unwrap()) as usize;
        let mut rest = &self.payload[18..end];
        while let [length, after @ ..] = rest {
            let (name, after) = after.split_at(usize::from(*length));
            assert_eq!(after[0], b'S', "only texts here");
            let size = u32::from_be_bytes(after[1..5].try_into().unwrap()) as usize;
            let (value, after) = after[5..].split_at(size);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            headers.push((text(name), text(value)));
            rest = after;
        }
        headers
    }

    /// Of a header frame.
    pub(crate) fn traceparent(&self) -> Option<String> {
        let mut headers = self.headers().into_iter();
        headers.find(|(name, _)| name.eq_ignore_ascii_case("traceparent")).map(|(_, value)| value)
    }
}

/// The header frames among what was written.
pub(crate) fn headers_in(bytes: &[u8]) -> Vec<Written> {
    cut(bytes).into_iter().filter(|frame| frame.kind == 2).collect()
}

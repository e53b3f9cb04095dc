//! Random streams: well-formed ones, damaged ones, and noise.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Limits small enough that random input meets them.
pub(crate) const SMALL: spanbridge_wire::limits::NatsLimits = spanbridge_wire::limits::NatsLimits {
    control_line_bytes_max: 48,
    connect_bytes_max: 96,
    info_bytes_max: 128,
    header_bytes_max: 80,
    payload_bytes_max: 400,
};

/// A subject, reply or sid.
pub(crate) fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9$_.*>-]{1,12}"
}

pub(crate) fn blanks() -> impl Strategy<Value = String> {
    "[ \t]{1,3}"
}

/// Names that collide, also without case, next to names that do not.
pub(crate) fn name() -> impl Strategy<Value = String> {
    let known = ["traceparent", "Traceparent", "TRACEPARENT", "tracestate", "baggage", "Nats-Id"];
    prop_oneof![select(known.to_vec()).prop_map(str::to_owned), "[a-z!#-]{1,8}"]
}

/// A value as it is read: no blanks around it.
pub(crate) fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[!-~]{0,16}", "[!-~][ -~]{0,20}[!-~]", Just("é:\t€".to_owned())]
}

/// A header block, spelled with more or less white space.
pub(crate) fn block() -> impl Strategy<Value = Vec<u8>> {
    let version = select(vec!["NATS/1.0", "NATS/1.0 ", "NATS/1.0 503", "NATS/1.0 100 Idle"]);
    let header = (name(), "[ \t]{0,2}", value(), "[ \t]{0,1}")
        .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"));
    (version, vec(header, 0..5)).prop_map(|(version, headers)| {
        format!("{version}\r\n{}\r\n", headers.concat()).into_bytes()
    })
}

/// A message of either direction, with a correct length.
pub(crate) fn message(from_client: bool) -> impl Strategy<Value = Vec<u8>> {
    let line_end = select(vec!["\r\n", "\n", " \r\n"]);
    let shape = (any::<bool>(), token(), token(), proptest::option::of(token()), line_end);
    let payload = vec(any::<u8>(), 0..60);
    (shape, proptest::option::of(block()), payload, blanks()).prop_map(
        move |((lower, subject, sid, reply, line_end), block, payload, gap)| {
            let name = match (from_client, block.is_some()) {
                (true, false) => "PUB",
                (true, true) => "HPUB",
                (false, false) => "MSG",
                (false, true) => "HMSG",
            };
            let mut words =
                vec![if lower { name.to_lowercase() } else { name.to_owned() }, subject];
            words.extend((!from_client).then_some(sid));
            words.extend(reply);
            words.extend(block.as_ref().map(|block| block.len().to_string()));
            let block = block.unwrap_or_default();
            words.push((block.len() + payload.len()).to_string());
            let mut bytes = format!("{}{line_end}", words.join(&gap)).into_bytes();
            bytes.extend_from_slice(&block);
            bytes.extend_from_slice(&payload);
            bytes.extend_from_slice(b"\r\n");
            bytes
        },
    )
}

fn other(from_client: bool) -> impl Strategy<Value = Vec<u8>> {
    let client = [
        "PING\r\n",
        "pong\n",
        "SUB orders.> 1\r\n",
        "sub\torders.*  workers 22\r\n",
        "UNSUB 1\r\n",
        "UNSUB 1 5\r\n",
        "CONNECT {\"headers\":true}\r\n",
        "connect{}\n",
    ];
    let broker = [
        "PING\r\n",
        "PONG\r\n",
        "+OK\r\n",
        "-ERR 'Unknown Protocol Operation'\r\n",
        "INFO {\"headers\":true,\"max_payload\":1048576} \r\n",
    ];
    let lines = if from_client { client.to_vec() } else { broker.to_vec() };
    select(lines).prop_map(|line| line.as_bytes().to_vec())
}

/// A stream in which everything is well-formed.
pub(crate) fn stream(from_client: bool) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => message(from_client), 1 => other(from_client)], 0..8)
        .prop_map(|frames| frames.concat())
}

/// A stream in which one byte was changed, or which is noise made of the protocol's own words.
pub(crate) fn damaged(from_client: bool) -> impl Strategy<Value = Vec<u8>> {
    let hit = (stream(from_client), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut bytes, at, byte)| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    );
    let words = [
        "PUB",
        "HPUB",
        "MSG",
        "HMSG",
        "INFO",
        "CONNECT",
        "+OK",
        "-ERR",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\r",
        "a",
        "1",
        "0",
        "7",
        "999999999",
        "9999999999",
        "NATS/1.0",
        ":",
        "{",
        "}",
        "\"",
    ];
    let noise = vec(select(words.to_vec()), 0..30).prop_map(|words| words.concat().into_bytes());
    prop_oneof![hit, noise, vec(any::<u8>(), 0..80)]
}

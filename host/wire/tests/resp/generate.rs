//! Random commands and replies, spelled out byte by byte, and streams made of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spanbridge_wire::limits::RespLimits;

/// Limits small enough that random input meets them.
pub(crate) const SMALL: RespLimits = RespLimits {
    command_bytes_max: 96,
    reply_bytes_max: 64,
    bulk_bytes_max: 40,
    line_bytes_max: 24,
};

pub(crate) fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

pub(crate) fn spell(arguments: &[Vec<u8>]) -> Vec<u8> {
    let head = format!("*{}\r\n", arguments.len()).into_bytes();
    let spelled = arguments.iter().map(|argument| bulk(argument));
    std::iter::once(head).chain(spelled).collect::<Vec<_>>().concat()
}

/// A command from words separated by blanks.
pub(crate) fn words(text: &str) -> Vec<u8> {
    spell(&text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    let known: [&str; 18] = [
        "*",
        "1-1",
        "0",
        "2",
        "MAXLEN",
        "~",
        "LIMIT",
        "NOMKSTREAM",
        "IDMPAUTO",
        "GROUP",
        "STREAMS",
        "COUNT",
        "AUTH",
        "SETNAME",
        "traceparent",
        "Traceparent",
        "IDS",
        "LEFT",
    ];
    prop_oneof![
        3 => select(known.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..12),
        1 => vec(any::<u8>(), 30..40),
    ]
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known: [&str; 20] = [
        "XADD",
        "xadd",
        "XREADGROUP",
        "XREAD",
        "XCLAIM",
        "XAUTOCLAIM",
        "XACK",
        "XACKDEL",
        "LPUSH",
        "BRPOP",
        "BLMPOP",
        "LMOVE",
        "EVALSHA",
        "HELLO",
        "AUTH",
        "CLIENT",
        "SELECT",
        "PUBLISH",
        "GET",
        "MULTI",
    ];
    prop_oneof![
        9 => select(known.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..40),
    ]
}

/// The arguments of a command, its name first.
pub(crate) fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (name(), vec(word(), 0..9)).prop_map(|(name, mut rest)| {
        rest.insert(0, name);
        rest
    })
}

pub(crate) fn client_stream() -> impl Strategy<Value = Vec<u8>> {
    let inline =
        select(vec!["PING\r\n", "\r\n", "get \"a b\"\n", "\"GET\" a\r\n", "*0\r\n", "*-1\r\n"]);
    let one = prop_oneof![
        6 => command().prop_map(|command| spell(&command)),
        1 => inline.prop_map(|line| line.as_bytes().to_vec()),
    ];
    vec(one, 0..6).prop_map(|commands| commands.concat())
}

/// A reply, spelled out.
pub(crate) fn reply() -> impl Strategy<Value = Vec<u8>> {
    let text = || vec(any::<u8>(), 0..20);
    let line = "[+,(:#-][ -~]{0,12}\r\n".prop_map(String::into_bytes);
    let leaf = prop_oneof![
        3 => text().prop_map(|text| bulk(&text)),
        2 => line,
        1 => any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        1 => select(vec!["$-1\r\n", "*-1\r\n", "_\r\n", "#t\r\n", "*0\r\n"])
            .prop_map(|nothing| nothing.as_bytes().to_vec()),
        1 => text().prop_map(|text| {
            let len = text.len() + 4;
            [format!("={len}\r\ntxt:").as_bytes(), &text, b"\r\n"].concat()
        }),
        1 => text().prop_map(|text| [b"!", &bulk(&text)[1..]].concat()),
        1 => vec(text(), 0..3).prop_map(|chunks| {
            let chunks = chunks.iter().filter(|chunk| !chunk.is_empty());
            let chunks = chunks.map(|chunk| [b";", &bulk(chunk)[1..]].concat());
            let chunks: Vec<_> = chunks.collect();
            [b"$?\r\n", chunks.concat().as_slice(), b";0\r\n"].concat()
        }),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let many = || vec(inner.clone(), 0..5);
        let pairs = vec((inner.clone(), inner.clone()), 0..3).prop_map(|pairs| {
            let spelled = pairs.iter().map(|(key, value)| [key.as_slice(), value].concat());
            (pairs.len(), spelled.collect::<Vec<_>>().concat())
        });
        prop_oneof![
            3 => (select(vec!['*', '~', '>']), many()).prop_map(|(marker, elements)| {
                let head = format!("{marker}{}\r\n", elements.len()).into_bytes();
                [head, elements.concat()].concat()
            }),
            1 => pairs.clone().prop_map(|(len, spelled)| {
                [format!("%{len}\r\n").as_bytes(), &spelled].concat()
            }),
            1 => (pairs, inner.clone()).prop_map(|((len, spelled), value)| {
                [format!("|{len}\r\n").as_bytes(), &spelled, &value].concat()
            }),
            1 => many().prop_map(|elements| {
                [b"*?\r\n", elements.concat().as_slice(), b".\r\n"].concat()
            }),
        ]
    })
}

pub(crate) fn broker_stream() -> impl Strategy<Value = Vec<u8>> {
    vec(reply(), 0..4).prop_map(|replies| replies.concat())
}

/// A stream of which one byte was changed, or which was cut.
pub(crate) fn damaged(stream: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), select(b"0123456789-?*$|;.\r\n".to_vec())];
    (stream, any::<prop::sample::Index>(), byte, any::<bool>()).prop_map(
        |(mut bytes, at, byte, cut)| {
            let at = at.index(bytes.len() + 1);
            if cut {
                bytes.truncate(at);
            } else if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes
        },
    )
}

//! Random tables and content headers that no well-behaved client writes: names twice and in any
//! bytes, types by letter, spelled out byte by byte.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// An entry: name, and type with value.
pub(crate) type Raw = (Vec<u8>, Vec<u8>);

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known: [&[u8]; 5] = [b"traceparent", b"TraceParent", b"tracestate", b"baggage", b""];
    prop_oneof![
        3 => select(known.to_vec()).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..5),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let fixed = |tag: u8, len: usize| {
        vec(any::<u8>(), len).prop_map(move |bytes| [&[tag], bytes.as_slice()].concat())
    };
    let sized = |tag: u8| {
        vec(any::<u8>(), 0..24).prop_map(move |bytes| {
            [&[tag], (bytes.len() as u32).to_be_bytes().as_slice(), &bytes].concat()
        })
    };
    prop_oneof![
        1 => select(b"tbB".to_vec()).prop_flat_map(move |tag| fixed(tag, 1)),
        1 => select(b"suU".to_vec()).prop_flat_map(move |tag| fixed(tag, 2)),
        1 => select(b"Iif".to_vec()).prop_flat_map(move |tag| fixed(tag, 4)),
        1 => fixed(b'D', 5),
        1 => select(b"lLdT".to_vec()).prop_flat_map(move |tag| fixed(tag, 8)),
        1 => Just(b"V".to_vec()),
        4 => select(b"SSxAF".to_vec()).prop_flat_map(sized),
    ]
}

pub(crate) fn entries() -> impl Strategy<Value = Vec<Raw>> {
    vec((name(), value()), 0..6)
}

pub(crate) fn spell(entries: &[Raw]) -> Vec<u8> {
    let spelled =
        entries.iter().map(|(name, value)| [&[name.len() as u8], name.as_slice(), value].concat());
    spelled.collect::<Vec<_>>().concat()
}

/// A content header frame: flags of the properties and their bytes in front of the table, the
/// table, and the same behind it.
#[derive(Clone, Debug)]
pub(crate) struct RawHeader {
    pub(crate) flags: u16,
    pub(crate) front: Vec<u8>,
    pub(crate) table: Option<Vec<Raw>>,
    pub(crate) behind: Vec<u8>,
    pub(crate) head: [u8; 3],
    pub(crate) fixed: [u8; 10],
}

impl RawHeader {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut list = self.front.clone();
        let mut flags = self.flags;
        if let Some(table) = &self.table {
            let entries = spell(table);
            flags |= 0x2000;
            list.extend_from_slice(&(entries.len() as u32).to_be_bytes());
            list.extend_from_slice(&entries);
        }
        list.extend_from_slice(&self.behind);
        let size = (14 + list.len() as u32).to_be_bytes();
        let flags = flags.to_be_bytes();
        [&self.head[..], &size, &[0, 60], &self.fixed, &flags, &list, &[0xce]].concat()
    }
}

pub(crate) fn header() -> impl Strategy<Value = RawHeader> {
    let text = || vec(any::<u8>(), 0..20);
    let front = vec(proptest::option::of(text()), 2);
    let behind = (any::<u16>(), vec(text(), 8), any::<[u8; 10]>());
    let fixed = (any::<[u8; 2]>(), any::<[u8; 10]>());
    (front, proptest::option::of(entries()), behind, fixed).prop_map(
        |(front, table, (choice, texts, numbers), (channel, fixed))| {
            let mut header = RawHeader {
                flags: 0,
                front: Vec::new(),
                table,
                behind: Vec::new(),
                head: [2, channel[0], channel[1]],
                fixed,
            };
            let mut texts = texts.into_iter();
            for (place, text) in front.into_iter().enumerate() {
                if let Some(text) = text {
                    header.flags |= 0x8000 >> place;
                    header.front.push(text.len() as u8);
                    header.front.extend_from_slice(&text);
                }
            }
            for place in (3..14).filter(|place| choice & (0x8000 >> place) != 0) {
                header.flags |= 0x8000 >> place;
                match place {
                    3 | 4 => header.behind.push(numbers[place - 3]),
                    9 => header.behind.extend_from_slice(&numbers[2..]),
                    _ => {
                        let text = texts.next().unwrap();
                        header.behind.push(text.len() as u8);
                        header.behind.extend_from_slice(&text);
                    }
                }
            }
            header
        },
    )
}

//! Properties of the envelopes of job queues and events: splicing and then parsing is parsing and
//! then editing. The oracles are serde_json, and a MessagePack reader that builds everything.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::Envelope as Named;
use spanbridge_guest::envelope::{BODY_BYTES_MAX, ENTRIES_MAX, Envelope};

type Fields = Map<String, Value>;

/// A message: its kind, its bytes.
#[derive(Clone, Debug)]
struct Message {
    kind: Kind,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sidekiq,
    CloudEvents,
    Options,
    Script,
}

impl Kind {
    fn envelope(self) -> Envelope {
        let kind = match self {
            Self::Sidekiq => "sidekiq",
            Self::CloudEvents => "cloudevents",
            Self::Options | Self::Script => "bullmq",
        };
        Envelope::new(Named { kind: kind.to_owned(), field: String::new() }).unwrap()
    }

    /// What a message means: the object that holds its context, and everything else.
    fn read(self, body: &[u8]) -> (Fields, Value) {
        if self == Self::Script {
            let mut rest = body;
            let arguments = unpack(&mut rest);
            let Value::Object(mut options) = unpack(&mut rest) else { panic!("a map") };
            assert!(rest.is_empty());
            return (context(&mut options), json!([arguments, options]));
        }
        let mut object: Fields = serde_json::from_slice(body).unwrap();
        match self {
            Self::Options => (context(&mut object), Value::Object(object)),
            _ => (object, Value::Null),
        }
    }
}

/// Takes the context out of a job's options.
fn context(options: &mut Fields) -> Fields {
    match options.remove("tm") {
        None | Some(Value::Null) => Fields::new(),
        Some(text) => serde_json::from_str(text.as_str().unwrap()).unwrap(),
    }
}

/// Reads MessagePack as far as messages here have it.
fn unpack(rest: &mut &[u8]) -> Value {
    fn number(rest: &mut &[u8], len: usize) -> usize {
        take(rest, len).iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }
    fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
        let (taken, behind) = rest.split_at(len);
        *rest = behind;
        taken
    }
    let text = |rest: &mut &[u8], len: usize| {
        Value::from(String::from_utf8(take(rest, len).to_vec()).unwrap())
    };
    let list = |rest: &mut &[u8], len: usize| (0..len).map(|_| unpack(rest)).collect::<Value>();
    let map = |rest: &mut &[u8], len: usize| {
        let pairs = (0..len).map(|_| (unpack(rest).as_str().unwrap().to_owned(), unpack(rest)));
        Value::Object(pairs.collect())
    };
    let marker = number(rest, 1);
    match marker {
        0x00..=0x7f => Value::from(marker),
        0x80..=0x8f => map(rest, marker & 0xf),
        0x90..=0x9f => list(rest, marker & 0xf),
        0xa0..=0xbf => text(rest, marker & 0x1f),
        0xc0 => Value::Null,
        0xc2 | 0xc3 => Value::from(marker == 0xc3),
        0xcb => json!({"f64": take(rest, 8)}),
        0xcf => json!({"u64": take(rest, 8)}),
        0xd9..=0xdb => {
            let len = number(rest, 1 << (marker - 0xd9));
            text(rest, len)
        }
        0xdc | 0xdd => {
            let len = number(rest, 2 << (marker - 0xdc));
            list(rest, len)
        }
        0xde | 0xdf => {
            let len = number(rest, 2 << (marker - 0xde));
            map(rest, len)
        }
        other => panic!("{other:02x} is not written here"),
    }
}

/// Writes MessagePack; `wide` in forms that are longer than they need to be.
fn pack(value: &Value, wide: bool, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(flag) => out.push(0xc2 + u8::from(*flag)),
        Value::Number(number) => {
            out.push(0xcf);
            out.extend_from_slice(&number.as_i64().unwrap_or(7).to_be_bytes());
        }
        Value::String(text) if text.len() < 32 && !wide => {
            out.push(0xa0 + text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
        Value::String(text) => {
            out.push(0xda);
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(list) => {
            out.push(0xdc);
            out.extend_from_slice(&(list.len() as u16).to_be_bytes());
            list.iter().for_each(|value| pack(value, wide, out));
        }
        Value::Object(map) => {
            if map.len() < 16 && !wide {
                out.push(0x80 + map.len() as u8);
            } else {
                out.push(0xde);
                out.extend_from_slice(&(map.len() as u16).to_be_bytes());
            }
            for (name, value) in map {
                pack(&Value::from(name.as_str()), wide, out);
                pack(value, wide, out);
            }
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z0-9=,;-]{0,12}", 1 => any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Members of others: names that are near ours, and no context field.
fn others() -> impl Strategy<Value = Fields> {
    let name = "(tm2|TM|ab|retry|h[0-9]{1,2}|é\"|\\\\)";
    btree_map(name, json_value(), 0..20).prop_map(|map| map.into_iter().collect())
}

const NAMES: [&str; 4] = ["traceparent", "tracestate", "baggage", "uberctx-k"];

/// Context as clients write it: no name twice.
fn fields() -> impl Strategy<Value = Fields> {
    btree_map(prop::sample::select(&NAMES), proptest::option::weighted(0.8, text()), 0..4).prop_map(
        |map| map.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
    )
}

fn message() -> impl Strategy<Value = Message> {
    let kind =
        prop::sample::select(&[Kind::Sidekiq, Kind::CloudEvents, Kind::Options, Kind::Script]);
    let context = proptest::option::weighted(0.7, (fields(), others()));
    (kind, others(), context, any::<[bool; 2]>()).prop_map(|(kind, others, context, spelled)| {
        Message { kind, body: write(kind, others, context, spelled) }
    })
}

fn write(
    kind: Kind,
    others: Fields,
    context: Option<(Fields, Fields)>,
    [pretty, null]: [bool; 2],
) -> Vec<u8> {
    let show = |value: &Value| if pretty { format!("{value:#}") } else { value.to_string() };
    let mut object = others;
    match kind {
        Kind::Sidekiq => object.extend([
            ("class".to_owned(), json!("C")),
            ("jid".to_owned(), json!("1")),
            ("queue".to_owned(), json!("q")),
            ("args".to_owned(), json!([])),
            ("created_at".to_owned(), json!(1.5)),
        ]),
        Kind::CloudEvents => object.extend([
            ("specversion".to_owned(), json!("1.0")),
            ("id".to_owned(), json!("1")),
            ("source".to_owned(), json!("s")),
            ("type".to_owned(), json!("t")),
        ]),
        Kind::Options | Kind::Script => {
            let context = context.clone().map(|(fields, others)| {
                show(&Value::Object(fields.into_iter().chain(others).collect()))
            });
            if context.is_some() || null {
                object.insert("tm".to_owned(), context.into());
            }
        }
    }
    if matches!(kind, Kind::Sidekiq | Kind::CloudEvents) {
        object.extend(context.into_iter().flat_map(|(fields, _)| fields));
    }
    if kind != Kind::Script {
        return show(&Value::Object(object)).into_bytes();
    }
    let arguments = json!(["bull:q:", "1", "name", 7, null, null, null, {"id": "2"}, null]);
    let mut body = Vec::new();
    pack(&arguments, pretty, &mut body);
    pack(&Value::Object(object), pretty, &mut body);
    body
}

/// What a splice has to mean, done on what was parsed.
fn edit(kind: Kind, fields: &mut Fields, set: &[(&str, &[u8])], remove: &[&str]) {
    let is_ours =
        |name: &str| kind != Kind::CloudEvents || matches!(name, "traceparent" | "tracestate");
    let is_set = |name: &str| set.iter().any(|(other, _)| *other == name);
    fields.retain(|name, _| is_set(name) || !is_ours(name) || !remove.contains(&name.as_str()));
    for (name, value) in set.iter().filter(|(name, _)| is_ours(name)) {
        fields.insert((*name).to_owned(), str::from_utf8(value).unwrap().into());
    }
}

fn borrow(set: &Fields) -> Vec<(&str, &[u8])> {
    set.iter().map(|(name, value)| (&**name, value.as_str().unwrap_or("none").as_bytes())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn splice_then_parse_is_parse_then_edit(
        message in message(), set in fields(), remove in vec(prop::sample::select(&NAMES), 0..3)
    ) {
        let Message { kind, body } = message;
        let (envelope, set) = (kind.envelope(), borrow(&set));
        let found = envelope.scan(&body, BODY_BYTES_MAX).unwrap();
        let splices = found.splice(&set, &remove).unwrap();

        prop_assert!(splices.len() <= ENTRIES_MAX + 1);
        let mut end = None;
        for splice in splices.iter() {
            prop_assert!(end < Some(splice.offset));
            prop_assert!(splice.removed > 0 || !splice.inserted.is_empty());
            end = Some(splice.offset + splice.removed);
        }
        let after = splices.apply(&body);
        let (mut fields, rest) = kind.read(&body);
        edit(kind, &mut fields, &set, &remove);
        prop_assert_eq!(kind.read(&after), (fields, rest));

        let again = envelope.scan(&after, BODY_BYTES_MAX).unwrap();
        prop_assert!(again.splice(&set, &remove).unwrap().is_empty());
        prop_assert_eq!(
            (again.message_id(), again.job_name()), (found.message_id(), found.job_name())
        );
    }

    #[test]
    fn entries_are_what_a_parser_reads(message in message()) {
        let envelope = message.kind.envelope();
        let found = envelope.scan(&message.body, BODY_BYTES_MAX).unwrap();
        let (mut expected, _) = message.kind.read(&message.body);
        let names = if message.kind == Kind::CloudEvents { &NAMES[..2] } else { &NAMES[..] };
        expected.retain(|name, value| names.contains(&name.as_str()) && !value.is_null());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let read = found.entries().map(|(name, value)| (text(&name), text(&value).into()));
        prop_assert_eq!(read.collect::<Fields>(), expected);
    }

    #[test]
    fn any_bytes_are_survived(
        message in message(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        set in fields(),
    ) {
        let mut body = message.body;
        for (place, byte) in edits {
            let at = place.index(body.len());
            body[at] = byte;
        }
        for envelope in [message.kind.envelope(), auto()] {
            if let Some(found) = envelope.scan(&body, BODY_BYTES_MAX)
                && let Some(splices) = found.splice(&borrow(&set), &[])
            {
                let after = splices.apply(&body);
                prop_assert!(envelope.scan(&after, BODY_BYTES_MAX).is_some());
            }
        }
    }
}

fn auto() -> Envelope {
    Envelope::new(Named { kind: "auto".to_owned(), field: String::new() }).unwrap()
}

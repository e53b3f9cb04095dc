//! Random frames as `amq-protocol` writes them, and streams made of them.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use spanbridge_wire::limits::AmqpLimits;

use crate::methods;

/// A limit small enough that random input meets it.
pub(crate) const SMALL: AmqpLimits = AmqpLimits { frame_bytes_max: 64 };

pub(crate) fn encode(frame: &AMQPFrame) -> Vec<u8> {
    let context = gen_frame(frame)(WriteContext::from(Vec::new()));
    context.expect("it fits a vector").into_inner().0
}

pub(crate) fn short() -> impl Strategy<Value = ShortString> {
    prop_oneof![Just(String::new()), "[a-z.#*]{1,12}", "é[ -~]{0,30}", "[x]{200,250}"]
        .prop_map(ShortString::from)
}

pub(crate) fn long() -> impl Strategy<Value = LongString> {
    vec(any::<u8>(), 0..40).prop_map(LongString::from)
}

/// Names that collide without case, next to names that do not.
fn name() -> impl Strategy<Value = ShortString> {
    let known = ["traceparent", "Traceparent", "tracestate", "baggage", "x-death"];
    prop_oneof![select(known.to_vec()).prop_map(str::to_owned), "[a-zA-Z.-]{0,6}"]
        .prop_map(ShortString::from)
}

fn value() -> impl Strategy<Value = AMQPValue> {
    let scalar = prop_oneof![
        4 => long().prop_map(AMQPValue::LongString),
        1 => any::<bool>().prop_map(AMQPValue::Boolean),
        1 => any::<i8>().prop_map(AMQPValue::ShortShortInt),
        1 => any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        1 => any::<i16>().prop_map(AMQPValue::ShortInt),
        1 => any::<u16>().prop_map(AMQPValue::ShortUInt),
        1 => any::<i32>().prop_map(AMQPValue::LongInt),
        1 => any::<u32>().prop_map(AMQPValue::LongUInt),
        1 => any::<i64>().prop_map(AMQPValue::LongLongInt),
        1 => (-1e9_f32..1e9).prop_map(AMQPValue::Float),
        1 => (-1e9_f64..1e9).prop_map(AMQPValue::Double),
        1 => (any::<u8>(), any::<u32>())
            .prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        1 => any::<u64>().prop_map(AMQPValue::Timestamp),
        1 => vec(any::<u8>(), 0..20).prop_map(|b| AMQPValue::ByteArray(ByteArray::from(b))),
        1 => Just(AMQPValue::Void),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|v| AMQPValue::FieldArray(FieldArray::from(v))),
            btree_map(name(), inner, 0..4)
                .prop_map(|map| AMQPValue::FieldTable(FieldTable::from(map))),
        ]
    })
}

pub(crate) fn table() -> impl Strategy<Value = FieldTable> {
    btree_map(name(), value(), 0..6).prop_map(FieldTable::from)
}

pub(crate) fn properties() -> impl Strategy<Value = BasicProperties> {
    let front = (option::of(short()), option::of(short()), option::of(table()));
    let numbers = (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<u64>>());
    (front, numbers, vec(option::of(short()), 8)).prop_map(|(front, numbers, texts)| {
        // Sets a property only if there is one: an absent one and an empty one differ.
        macro_rules! set {
            ($to:ident, $($with:ident = $value:expr),+ $(,)?) => {
                $(if let Some(value) = $value { $to = $to.$with(value); })+
            };
        }
        let mut all = BasicProperties::default();
        let [correlation, reply, expiration, id, kind, user, app, cluster] =
            <[_; 8]>::try_from(texts).unwrap();
        set!(
            all,
            with_content_type = front.0,
            with_content_encoding = front.1,
            with_headers = front.2,
            with_delivery_mode = numbers.0,
            with_priority = numbers.1,
            with_correlation_id = correlation,
            with_reply_to = reply,
            with_expiration = expiration,
            with_message_id = id,
            with_timestamp = numbers.2,
            with_type = kind,
            with_user_id = user,
            with_app_id = app,
            with_cluster_id = cluster,
        );
        all
    })
}

/// A content header.
pub(crate) fn header() -> impl Strategy<Value = AMQPFrame> {
    (any::<u16>(), any::<u64>(), properties()).prop_map(|(channel, body_size, properties)| {
        AMQPFrame::Header(channel, AMQPContentHeader { class_id: 60, body_size, properties })
    })
}

/// Any frame that comes behind the protocol header.
pub(crate) fn frame() -> impl Strategy<Value = AMQPFrame> {
    prop_oneof![
        6 => (any::<u16>(), methods::method())
            .prop_map(|(channel, method)| AMQPFrame::Method(channel, method)),
        3 => header(),
        2 => (any::<u16>(), vec(any::<u8>(), 0..80))
            .prop_map(|(channel, body)| AMQPFrame::Body(channel, body)),
        1 => Just(AMQPFrame::Heartbeat),
    ]
}

/// A broker's stream in which everything is well-formed.
pub(crate) fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(frame(), 0..8).prop_map(|frames| frames.iter().flat_map(encode).collect())
}

/// A stream in which one byte was changed, or which is noise made of the protocol's own bytes.
pub(crate) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let hit =
        (stream(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    let words: [&[u8]; 10] = [
        b"\x01",
        b"\x02\x00\x01",
        b"\x03\x00\x01\x00\x00\x00\x02hi\xce",
        b"\x08\x00\x00\x00\x00\x00\x00\xce",
        b"\x00\x00\x00",
        b"\x00\x3c\x00\x28",
        b"\x04",
        b"S\x00\x00\x00\x01",
        b"\xce",
        b"\xff",
    ];
    let noise = vec(select(words.to_vec()), 0..30).prop_map(|words| words.concat());
    prop_oneof![hit, noise, vec(any::<u8>(), 0..80)]
}

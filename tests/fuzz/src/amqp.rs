//! Laws of the AMQP codec.

use spanbridge_wire::Step;
use spanbridge_wire::amqp::{
    BrokerMarks, ClientProperties, ContentHeader, Decoder, Error, Frame, HeaderEdit, Method,
    Properties, Refusal, Rewrite, ServerProperties, Table, Value,
};
use spanbridge_wire::limits::AmqpLimits;

use crate::input::{Part, same_in_any_chunks, split_edits};

/// Small enough that an input of a few hundred bytes meets it.
const LIMITS: AmqpLimits = AmqpLimits { frame_bytes_max: 256 };

/// How deep a test walks into tables within tables; the codec itself does not.
const DEPTH: u32 = 4;

/// A stream: however it is cut, the same frames take up the same bytes.
pub fn amqp_frames(data: &[u8]) {
    for start in [Decoder::client(LIMITS), Decoder::broker(LIMITS)] {
        same_in_any_chunks(data, start, step);
    }
}

/// A table: its entries are its bytes, and its values lie in their entries.
pub fn amqp_table(data: &[u8]) {
    read_table(Table::new(data), DEPTH);
}

/// Edits and a content header: splicing and then reading is reading and then editing.
pub fn amqp_splice(data: &[u8]) {
    let Some((edits, bytes)) = split_edits(data) else {
        return;
    };
    let edits: Vec<_> = edits.into_iter().map(|(name, value)| HeaderEdit { name, value }).collect();
    let Some((header, len)) = first_header(bytes, LIMITS) else {
        return;
    };
    let Some(before) = header.properties(bytes) else {
        return;
    };
    let plan = match Rewrite::plan(&before, &edits, 1_000) {
        Ok(plan) => plan,
        Err(Refusal::HeadersMalformed) => {
            assert!(before.headers.is_some_and(|table| !table.is_complete()));
            return;
        }
        Err(_) => return,
    };
    let mut out = Vec::new();
    plan.write(&mut out);
    assert_eq!(plan.is_unchanged(), out == bytes[..len], "unchanged means the same bytes");
    assert_eq!(plan.frame_len(), out.len() as u64, "the length is known before writing");
    if edits.is_empty() {
        assert!(plan.is_unchanged(), "nothing edited means nothing changed");
        return;
    }
    assert!(out.len() <= len.max(1_000));

    let found = first_header(&out, AmqpLimits::default());
    let (after_header, after_len) = found.expect("a rewritten header is one");
    assert_eq!(after_len, out.len());
    assert_eq!(out[..3], bytes[..3]);
    let after = after_header.properties(&out).expect("and can be read");
    let flags = header.flags | if plan.is_unchanged() { 0 } else { 0x2000 };
    assert_eq!(after_header.flags, flags);
    let same =
        |header: ContentHeader| (header.channel, header.class, header.weight, header.body_size);
    assert_eq!(same(after_header), same(header));
    assert_eq!(others(&after), others(&before));
    assert_eq!(entries(after.headers), edited(entries(before.headers), &edits));
}

fn first_header(bytes: &[u8], limits: AmqpLimits) -> Option<(ContentHeader, usize)> {
    match Decoder::broker(limits).next(bytes) {
        Ok(Step::Frame { frame: Frame::Header(header), len }) => Some((header, len)),
        _ => None,
    }
}

fn step(decoder: &mut Decoder, bytes: &[u8]) -> Result<Option<Part>, Error> {
    let Step::Frame { frame, len } = decoder.next(bytes)? else {
        assert!(bytes.len() < LIMITS.frame_bytes_max as usize, "nobody has to hold more");
        return Ok(None);
    };
    match frame {
        Frame::Payload(piece) => {
            let end_len = usize::from(piece.last);
            assert_eq!(bytes[piece.len as usize..len], [0xce][..end_len]);
            return Ok(Some(Part::piece(piece.len, end_len, len)));
        }
        Frame::Method { method, .. } => read_method(&method, &bytes[..len]),
        Frame::Header(header) => {
            if let Some(table) = header.properties(&bytes[..len]).and_then(|found| found.headers) {
                read_table(table, DEPTH);
            }
        }
        Frame::Unread { size, .. } => assert!(size > LIMITS.frame_bytes_max - 8),
        Frame::Body { size, .. } => assert_eq!(decoder.payload_left(), Some(size)),
        Frame::ProtocolHeader | Frame::Heartbeat => assert_eq!(len, 8),
    }
    Ok(Some(Part::head(len)))
}

fn read_method(method: &Method, frame: &[u8]) {
    let arguments = match method {
        Method::ConnectionStart(start) => start.server_properties,
        Method::ConnectionStartOk(start) => {
            if let Some(user) = start.user {
                assert!(user.end() < frame.len() as u32);
            }
            start.client_properties
        }
        Method::QueueDeclare(declare) => declare.arguments,
        Method::ExchangeDeclare(declare) => declare.arguments,
        Method::BasicConsume(consume) => consume.arguments,
        Method::BasicDeliver(deliver) => {
            assert!(deliver.routing_key.end() < frame.len() as u32);
            return;
        }
        _ => return,
    };
    assert!(arguments.end() < frame.len() as u32, "a table lies within its frame");
    read_table(Table::new(arguments.of(frame)), DEPTH);
}

fn read_table(table: Table<'_>, depth: u32) {
    let mut spelled = Vec::new();
    let mut rest = table.iter();
    for entry in rest.by_ref() {
        let at = entry.at.of(table.bytes());
        assert!(at.ends_with(entry.value.raw()));
        assert_eq!(at[1..][..entry.name.len()], *entry.name);
        assert!(table.find(entry.name).is_some());
        spelled.extend_from_slice(at);
        read_value(entry.value, depth);
    }
    assert!(table.bytes().starts_with(&spelled), "entries follow one another");
    assert_eq!(rest.is_complete(), spelled.len() == table.bytes().len());
    let marks = BrokerMarks::of(table);
    assert!(marks.deaths().count() <= table.bytes().len());
    ClientProperties::of(table);
    ServerProperties::of(table);
}

fn read_value(value: Value<'_>, depth: u32) {
    let kinds = [
        value.as_text().is_some(),
        value.as_i64().is_some(),
        value.as_bool().is_some(),
        value.as_timestamp().is_some(),
        value.as_table().is_some(),
        value.as_array().is_some(),
    ];
    assert!(kinds.iter().filter(|&&is| is).count() <= 1, "a value is of one kind");
    assert!(value.as_u64().is_none_or(|number| i64::try_from(number).ok() == value.as_i64()));
    if depth > 0 {
        value.as_table().into_iter().for_each(|table| read_table(table, depth - 1));
        value.as_array().into_iter().flatten().for_each(|value| read_value(value, depth - 1));
    }
}

/// Every property but the headers.
fn others<'a>(properties: &Properties<'a>) -> ([Option<&'a [u8]>; 10], [Option<u64>; 3]) {
    let texts = [
        properties.content_type,
        properties.content_encoding,
        properties.correlation_id,
        properties.reply_to,
        properties.expiration,
        properties.message_id,
        properties.kind,
        properties.user_id,
        properties.app_id,
        properties.cluster_id,
    ];
    let mode = properties.delivery_mode.map(u64::from);
    (texts, [mode, properties.priority.map(u64::from), properties.timestamp])
}

/// Name, type and bytes.
type Entry = (Vec<u8>, u8, Vec<u8>);

fn entries(table: Option<Table<'_>>) -> Vec<Entry> {
    let entries = table.unwrap_or_default().into_iter();
    entries.map(|e| (e.name.to_vec(), e.value.tag(), e.value.raw().to_vec())).collect()
}

/// The same edits in the most naive way.
fn edited(before: Vec<Entry>, edits: &[HeaderEdit<'_>]) -> Vec<Entry> {
    let mut after: Vec<Entry> = Vec::new();
    for (name, tag, old) in before {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(&name);
        match edits.iter().find(|edit| same(edit.name)) {
            None => after.push((name, tag, old)),
            Some(HeaderEdit { value: Some(new), .. }) if !after.iter().any(|e| same(&e.0)) => {
                let keeps = tag == b'x' && old == *new;
                after.push((name, if keeps { tag } else { b'S' }, new.to_vec()));
            }
            Some(_) => {}
        }
    }
    for edit in edits {
        let there = after.iter().any(|(name, ..)| name.eq_ignore_ascii_case(edit.name));
        if let Some(new) = edit.value
            && !there
        {
            after.push((edit.name.to_vec(), b'S', new.to_vec()));
        }
    }
    after
}

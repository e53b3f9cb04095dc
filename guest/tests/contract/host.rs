//! A host in memory: builds records and arenas, keeps open spans, applies edits, decodes spans.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use prost::Message as _;
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Answer, Attribute, Delivery, DeliveryMode, EditKind, Message, MessageBits, Outcome, Relation,
    Sampler, Settings, Settlement, Trust, Verdict, VerdictBits,
};
use spanbridge_guest::bindings::spanbridge::tracing::types::Propagator;
use spanbridge_guest::carrier::field_of_name;
use spanbridge_guest::component::Component;
use spanbridge_guest::field::Field;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// A time of the day to count from.
pub(crate) const T0: u64 = 1_763_900_000 * SECOND;

pub(crate) fn settings(system: &str) -> Settings {
    Settings {
        system: system.to_owned(),
        server_address: "broker.test".to_owned(),
        server_port: 1234,
        consumer_group: String::new(),
        destination_template: None,
        propagators: vec![Propagator::Tracecontext, Propagator::Baggage],
        relation: Relation::ParentAndLink,
        relation_wait_max: 3600 * SECOND,
        delivery: DeliveryMode::Keep,
        trust: Trust::Accept,
        sampler: Sampler::AlwaysOn,
        parent_based: true,
        producer_spans: true,
        consumer_spans: true,
        receive_spans: false,
        queue_wait_spans: false,
        body_size: false,
        old_names: false,
        envelope: None,
        attribute_value_length_max: 0,
        attribute_count_max: 128,
        link_count_max: 128,
    }
}

pub(crate) fn component(settings: Settings) -> Component {
    let mut component = Component::new([1, 2, 3, 4]);
    component.open(0, settings).unwrap();
    component
}

/// What a message holds. Headers are named, as on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub destination: String,
    pub id: String,
    pub headers: Vec<(String, String)>,
    pub attributes: Vec<(Attribute, String)>,
    pub body: Vec<u8>,
}

impl Parts {
    pub(crate) fn to(destination: &str) -> Self {
        Self { destination: destination.to_owned(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "one {name}");
        value
    }

    /// Writes the parts behind `arena` and answers where they begin and how long each is.
    pub(crate) fn write(&self, arena: &mut Vec<u8>) -> (u32, [u32; 5]) {
        let at = arena.len() as u32;
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            if let Some((field, key)) = field_of_name(name.as_bytes()) {
                headers.extend_from_slice(&[field as u8, key.len() as u8]);
                headers.extend_from_slice(&(value.len() as u16).to_le_bytes());
                headers.extend_from_slice(key);
                headers.extend_from_slice(value.as_bytes());
            }
        }
        let mut attributes = Vec::new();
        for (attribute, value) in &self.attributes {
            attributes.extend_from_slice(&[*attribute as u8, 0]);
            attributes.extend_from_slice(&(value.len() as u16).to_le_bytes());
            attributes.extend_from_slice(value.as_bytes());
        }
        let parts: [&[u8]; 5] =
            [self.destination.as_bytes(), self.id.as_bytes(), &headers, &attributes, &self.body];
        for part in parts {
            arena.extend_from_slice(part);
        }
        (at, parts.map(|part| part.len() as u32))
    }

    pub(crate) fn message(&self, arena: &mut Vec<u8>) -> Message {
        let (at, [destination, id, headers, attributes, body]) = self.write(arena);
        Message {
            route: 0,
            bits: 0,
            at,
            destination,
            id,
            headers,
            attributes,
            body,
            body_size: self.body.len() as u64,
            start: T0,
            end: T0 + 1000,
            parent_hi: 0,
            parent_lo: 0,
            parent_span: 0,
        }
    }

    pub(crate) fn delivery(&self, arena: &mut Vec<u8>) -> Delivery {
        let (at, [destination, id, headers, attributes, body]) = self.write(arena);
        Delivery {
            route: 0,
            bits: 0,
            at,
            destination,
            id,
            headers,
            attributes,
            body,
            attempt: 1,
            prefetched: 0,
            body_size: self.body.len() as u64,
            start: T0 + 2 * SECOND,
            requested: 0,
            published: 0,
            previous_hi: 0,
            previous_lo: 0,
            previous_span: 0,
        }
    }

    /// The message after its edits.
    pub(crate) fn apply(mut self, mut edits: &[u8]) -> Self {
        let mut grown = 0_isize;
        while !edits.is_empty() {
            let number = |at: usize| u32::from_le_bytes(edits[at..at + 4].try_into().unwrap());
            let (kind, field) = (edits[0], Field::from_number(edits[1]).unwrap());
            let key = usize::from(u16::from_le_bytes([edits[2], edits[3]]));
            let (value, at, remove) = (number(4) as usize, number(8), number(12) as usize);
            let (head, rest) = edits.split_at(16 + key + value);
            edits = rest;
            let (key, value) = head[16..].split_at(key);
            let name = format!("{}{}", field.name(), str::from_utf8(key).unwrap());
            if kind == EditKind::SpliceBody as u8 {
                let at = (at as isize + grown) as usize;
                self.body.splice(at..at + remove, value.iter().copied());
                grown += value.len() as isize - remove as isize;
                continue;
            }
            self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
            if kind == EditKind::SetHeader as u8 {
                self.headers.push((name, String::from_utf8(value.to_vec()).unwrap()));
            }
        }
        self
    }
}

/// One message's part of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub verdict: Verdict,
    pub spans: Vec<Span>,
    pub edits: Vec<u8>,
    pub key: Vec<u8>,
    pub open: Vec<u8>,
}

impl Answered {
    pub(crate) fn has(&self, bits: VerdictBits) -> bool {
        VerdictBits::from_bits_retain(self.verdict.bits as u16).contains(bits)
    }

    /// What the host hands back when the span ends.
    pub(crate) fn settlement(&self, outcome: Outcome, start: u64, end: u64) -> Settle {
        Settle { open: self.clone(), outcome, start, end, detail: String::new(), delay: 0 }
    }
}

pub(crate) fn decode(run: &[u8]) -> Vec<Span> {
    ScopeSpans::decode(run).unwrap().spans
}

fn next(from: &mut &[u8], length: u32) -> Vec<u8> {
    from.split_off(..length as usize).unwrap().to_vec()
}

pub(crate) fn take_apart(answer: Answer) -> Vec<Answered> {
    let (mut run, mut rest) = answer.bytes.split_at(answer.spans as usize);
    let answered = answer.verdicts.iter().map(|verdict| Answered {
        verdict: *verdict,
        spans: decode(&next(&mut run, verdict.spans)),
        edits: next(&mut rest, verdict.edits),
        key: next(&mut rest, verdict.key),
        open: next(&mut rest, verdict.open),
    });
    let answered = answered.collect();
    assert!(run.is_empty() && rest.is_empty(), "every byte belongs to a message");
    answered
}

pub(crate) fn publish(
    component: &mut Component,
    parts: &Parts,
    change: impl FnOnce(&mut Message),
) -> Answered {
    let mut arena = b"something else".to_vec();
    let mut message = parts.message(&mut arena);
    change(&mut message);
    take_apart(component.publish(&[message], &arena)).remove(0)
}

pub(crate) fn deliver(
    component: &mut Component,
    parts: &Parts,
    change: impl FnOnce(&mut Delivery),
) -> Answered {
    let mut arena = Vec::new();
    let mut delivery = parts.delivery(&mut arena);
    change(&mut delivery);
    take_apart(component.deliver(&[delivery], &arena)).remove(0)
}

/// An open span that ends.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub open: Answered,
    pub outcome: Outcome,
    pub start: u64,
    pub end: u64,
    pub detail: String,
    pub delay: u64,
}

pub(crate) fn settle(component: &mut Component, ends: &[Settle]) -> Vec<Span> {
    let mut arena = Vec::new();
    let mut settlements = Vec::new();
    for end in ends {
        let at = arena.len() as u32;
        arena.extend_from_slice(&end.open.open);
        arena.extend_from_slice(end.detail.as_bytes());
        settlements.push(Settlement {
            route: 0,
            bits: end.open.verdict.bits,
            at,
            open: end.open.open.len() as u32,
            detail: end.detail.len() as u32,
            outcome: end.outcome as u32,
            start: end.start,
            end: end.end,
            delay: end.delay,
        });
    }
    decode(&component.settle(&settlements, &arena))
}

/// A span's attributes as text.
pub(crate) fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let shown = span.attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let text = match value.unwrap() {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            Value::BoolValue(flag) => flag.to_string(),
            other => panic!("an attribute nobody writes: {other:?}"),
        };
        (attribute.key.as_str(), text)
    });
    shown.collect()
}

pub(crate) fn with_bits(bits: MessageBits) -> impl FnOnce(&mut Delivery) {
    move |delivery| delivery.bits = bits.bits().into()
}

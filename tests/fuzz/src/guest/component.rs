//! Laws of the calls: every answer is whole, and every edit can be made.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Answer, Delivery, DeliveryMode, EditKind, Message, MessageBits, Relation, Sampler, Settings,
    Settlement, Trust, Verdict, VerdictBits,
};
use spanbridge_guest::bindings::spanbridge::tracing::types::Propagator;
use spanbridge_guest::component::Component;
use spanbridge_guest::envelope::BODY_BYTES_MAX;

use super::input::Input;
use super::protobuf;

/// `ScopeSpans.spans`, field 2.
const SPANS: u64 = 0x12;

/// A message through publish, delivery and settlement, by a route of any settings.
///
/// ```text
/// settings   parts but the body   three times   bits   outcome   body
/// 6 bytes    pieces, see `parts`  u64 each      u16    u8        rest
/// ```
pub fn component(data: &[u8]) {
    let mut input = Input::new(data);
    let (settings, envelope) = settings(&mut input);
    let mut component = Component::new([1, 2, 3, 4]);
    component.open(0, settings).expect("settings that can be had");
    let mut parts = parts(&mut input);
    let times = [input.number(), input.number(), input.number()];
    let bits = u32::from(u16::from_le_bytes([input.byte(), input.byte()]));
    let outcome = input.byte();
    parts.body = input.rest().to_vec();

    let (message, arena) = message(&parts, times, bits);
    let answer = component.publish(&[message], &arena);
    let sent = Answered::check(&answer, &parts.body, bits);
    let was_envelope = super::known(envelope).scan(&parts.body, BODY_BYTES_MAX).is_some();
    parts.body = sent.body;
    let is_envelope = super::known(envelope).scan(&parts.body, BODY_BYTES_MAX).is_some();
    assert_eq!(is_envelope, was_envelope, "an envelope stays one");

    let (delivery, arena) = delivery(&parts, times, bits);
    let answer = component.deliver(&[delivery], &arena);
    let got = Answered::check(&answer, &parts.body, bits);

    for (verdict, open) in [(sent.verdict, sent.open), (got.verdict, got.open)] {
        let settlement = Settlement {
            route: 0,
            bits: verdict.bits,
            at: 0,
            open: verdict.open,
            detail: parts.id.len() as u32,
            outcome: outcome.into(),
            start: times[0],
            end: times[1],
            delay: times[2],
        };
        let run = component.settle(&[settlement], &[&open[..], &parts.id].concat());
        assert_eq!(check_run(&run), usize::from(verdict.open > 0));
    }
}

/// What was answered about one message.
struct Answered {
    verdict: Verdict,
    open: Vec<u8>,
    /// The body with its edits made.
    body: Vec<u8>,
}

impl Answered {
    fn check(answer: &Answer, body: &[u8], bits: u32) -> Self {
        let [verdict] = answer.verdicts[..] else { panic!("one verdict a message") };
        let (run, rest) = answer.bytes.split_at(answer.spans as usize);
        assert_eq!(run.len(), verdict.spans as usize);
        check_run(run);
        let (edits, rest) = rest.split_at(verdict.edits as usize);
        let (_key, open) = rest.split_at(verdict.key as usize);
        assert_eq!(open.len(), verdict.open as usize, "every byte belongs to something");
        protobuf::fields(open);
        let bits = MessageBits::from_bits_truncate(bits as u16);
        let said = VerdictBits::from_bits_retain(verdict.bits as u16);
        if bits.contains(MessageBits::READ_ONLY) {
            assert!(edits.is_empty() && !said.contains(VerdictBits::INJECTED));
        }
        Self { verdict, open: open.to_vec(), body: apply(edits, body) }
    }
}

/// Counts the spans of a run, each of which has to be whole.
fn check_run(run: &[u8]) -> usize {
    let spans = protobuf::fields(run);
    for (tag, span) in &spans {
        assert_eq!(*tag, SPANS);
        protobuf::fields(span);
    }
    spans.len()
}

/// Makes the edits of the body and looks at those of headers.
fn apply(mut edits: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut end = 0;
    while !edits.is_empty() {
        let number = |at: usize| u32::from_le_bytes(edits[at..at + 4].try_into().expect("four"));
        let (kind, key) = (edits[0], usize::from(u16::from_le_bytes([edits[2], edits[3]])));
        let (value, at, remove) = (number(4) as usize, number(8) as usize, number(12) as usize);
        let (edit, rest) = edits.split_at(16 + key + value);
        edits = rest;
        let value = &edit[16 + key..];
        if kind == EditKind::SpliceBody as u8 {
            out.extend_from_slice(&body[end..at]);
            out.extend_from_slice(value);
            end = at + remove;
        } else {
            assert!(!value.iter().any(u8::is_ascii_control), "a value stays in its line");
        }
    }
    out.extend_from_slice(&body[end..]);
    out
}

/// The settings, and which envelope they name.
fn settings(input: &mut Input<'_>) -> (Settings, u8) {
    use Propagator::*;
    let [spans, policy, formats, ratio, count, envelope] = [(); 6].map(|()| input.byte());
    let is = |bit: u8| spans >> bit & 1 == 1;
    let all = [Tracecontext, Baggage, B3, B3multi, Jaeger, Xray, Ottrace];
    let chosen = all.into_iter().enumerate().filter(|(n, _)| formats >> n & 1 == 1);
    let relations =
        [Relation::Parent, Relation::Link, Relation::ParentAndLink, Relation::Root, Relation::Auto];
    let settings = Settings {
        system: "redis".to_owned(),
        server_address: "broker.test".to_owned(),
        server_port: ratio.into(),
        consumer_group: String::new(),
        destination_template: (policy & 0x80 != 0).then(|| "jobs.*".to_owned()),
        propagators: chosen.map(|(_, propagator)| propagator).collect(),
        relation: relations[usize::from(policy & 7) % relations.len()],
        relation_wait_max: 1_000_000_000,
        delivery: if policy & 8 == 0 { DeliveryMode::Keep } else { DeliveryMode::Continue },
        trust: if policy & 16 == 0 { Trust::Accept } else { Trust::Restart },
        sampler: match policy >> 5 & 3 {
            0 => Sampler::AlwaysOn,
            1 => Sampler::AlwaysOff,
            _ => Sampler::Ratio(f64::from(ratio) / 255.0),
        },
        parent_based: is(0),
        producer_spans: is(1),
        consumer_spans: is(2),
        receive_spans: is(3),
        queue_wait_spans: is(4),
        body_size: is(5),
        old_names: is(6),
        envelope: is(7).then(|| super::named(envelope)),
        attribute_value_length_max: (count >> 4).into(),
        attribute_count_max: (count & 0x1f).into(),
        link_count_max: (count >> 6).into(),
    };
    (settings, envelope)
}

/// The parts of a message; its blocks are as long as they say.
struct Parts {
    destination: Vec<u8>,
    id: Vec<u8>,
    headers: Vec<u8>,
    attributes: Vec<u8>,
    body: Vec<u8>,
}

/// Reads `destination, id, headers: count { number, key, value }, attributes: likewise with a
/// kind for a key`.
fn parts(input: &mut Input<'_>) -> Parts {
    let (destination, id) = (input.piece().to_vec(), input.piece().to_vec());
    let (mut headers, mut attributes) = (Vec::new(), Vec::new());
    for _ in 0..input.byte() % 8 {
        let (field, key, value) = (input.byte(), input.piece(), input.piece());
        headers.extend_from_slice(&[field, key.len() as u8, value.len() as u8, 0]);
        headers.extend_from_slice(key);
        headers.extend_from_slice(value);
    }
    for _ in 0..input.byte() % 8 {
        let (attribute, kind, value) = (input.byte(), input.byte(), input.piece());
        attributes.extend_from_slice(&[attribute, kind, value.len() as u8, 0]);
        attributes.extend_from_slice(value);
    }
    Parts { destination, id, headers, attributes, body: Vec::new() }
}

impl Parts {
    /// The parts one after the other, and how long each is.
    fn write(&self) -> (Vec<u8>, [u32; 5]) {
        let parts = [&self.destination, &self.id, &self.headers, &self.attributes, &self.body];
        (parts.map(Vec::as_slice).concat(), parts.map(|part| part.len() as u32))
    }
}

fn message(parts: &Parts, [start, end, parent]: [u64; 3], bits: u32) -> (Message, Vec<u8>) {
    let (arena, [destination, id, headers, attributes, body]) = parts.write();
    let message = Message {
        route: 0,
        bits,
        at: 0,
        destination,
        id,
        headers,
        attributes,
        body,
        body_size: end,
        start,
        end,
        parent_hi: parent,
        parent_lo: parent,
        parent_span: parent,
    };
    (message, arena)
}

fn delivery(
    parts: &Parts,
    [start, requested, published]: [u64; 3],
    bits: u32,
) -> (Delivery, Vec<u8>) {
    let (arena, [destination, id, headers, attributes, body]) = parts.write();
    let delivery = Delivery {
        route: 0,
        bits,
        at: 0,
        destination,
        id,
        headers,
        attributes,
        body,
        attempt: published as u32,
        prefetched: start as u32,
        body_size: published,
        start,
        requested,
        published,
        previous_hi: requested,
        previous_lo: requested,
        previous_span: requested,
    };
    (delivery, arena)
}

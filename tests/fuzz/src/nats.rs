//! Laws of the NATS codec.

use spanbridge_wire::Step;
use spanbridge_wire::limits::NatsLimits;
use spanbridge_wire::nats::jetstream::{Ack, AckSubject, PublishAnswer, PullSubject};
use spanbridge_wire::nats::{
    BrokerDecoder, BrokerFrame, ClientDecoder, ClientFrame, Connect, ControlSubject, Error,
    HeaderEdit, Headers, Info, Message, Refusal, Rewrite,
};

use crate::input::{Part, same_in_any_chunks, split_edits};

/// Small enough that an input of a few hundred bytes meets every limit.
const LIMITS: NatsLimits = NatsLimits {
    control_line_bytes_max: 64,
    connect_bytes_max: 128,
    info_bytes_max: 256,
    header_bytes_max: 128,
    payload_bytes_max: 100_000,
};

/// A stream from a client: however it is cut, the same frames take up the same bytes.
pub fn nats_client(data: &[u8]) {
    let mut decoder = ClientDecoder::new(LIMITS);
    same_in_any_chunks::<_, Error>(data, decoder, |decoder, bytes| {
        Ok(match decoder.next(bytes)? {
            Step::Need => None,
            Step::Frame { frame: ClientFrame::Payload(piece), len } => {
                Some(Part::piece(piece.len, if piece.last { 2 } else { 0 }, len))
            }
            Step::Frame { frame: ClientFrame::Publish(message), len } => {
                check_message(&message, bytes, len);
                Some(Part::head(len))
            }
            Step::Frame { frame: ClientFrame::Connect(json), len } => {
                Connect::parse(json.of(bytes));
                Some(Part::head(len))
            }
            Step::Frame { len, .. } => Some(Part::head(len)),
        })
    });
    // The other way to take a payload leaves the decoder at the same place.
    let mut rest = data;
    while let Ok(Step::Frame { frame, len }) = decoder.next(rest) {
        rest = &rest[len..];
        if let ClientFrame::Publish(message) = frame
            && let Ok(Step::Frame { frame: payload, len }) = decoder.payload(rest)
        {
            let unseen = if message.header_seen() { 0 } else { message.header_len };
            assert_eq!(payload.len(), message.payload_len + unseen);
            assert_eq!(&rest[payload.range().end..len], b"\r\n");
            rest = &rest[len..];
            assert_eq!(decoder.payload_left(), None);
        }
    }
}

/// A stream from a broker: however it is cut, the same frames take up the same bytes.
pub fn nats_broker(data: &[u8]) {
    same_in_any_chunks::<_, Error>(data, BrokerDecoder::new(LIMITS), |decoder, bytes| {
        Ok(match decoder.next(bytes)? {
            Step::Need => None,
            Step::Frame { frame: BrokerFrame::Payload(piece), len } => {
                Some(Part::piece(piece.len, if piece.last { 2 } else { 0 }, len))
            }
            Step::Frame { frame: BrokerFrame::Deliver(delivery), len } => {
                check_message(&delivery.message, bytes, len);
                assert!(!delivery.sid.is_empty());
                Some(Part::head(len))
            }
            Step::Frame { frame: BrokerFrame::Info(json), len } => {
                Info::parse(json.of(bytes));
                Some(Part::head(len))
            }
            Step::Frame { len, .. } => Some(Part::head(len)),
        })
    });
    PublishAnswer::parse(data);
    Ack::parse(data);
}

/// A header block: its lines are the block, and its parts lie in their lines.
pub fn nats_headers(data: &[u8]) {
    let Some(headers) = Headers::parse(data) else {
        return;
    };
    let mut lines = headers.version_line().to_vec();
    for header in headers {
        let line = header.line.of(data);
        assert!(line.starts_with(header.name) && line.ends_with(b"\r\n"));
        assert_eq!(line.get(header.name.len()), Some(&b':'));
        assert_eq!(header.value_at.of(data), header.value);
        assert!(header.line.start() < header.value_at.start());
        assert!(header.value_at.end() < header.line.end());
        assert!(headers.find(header.name).is_some());
        lines.extend_from_slice(line);
    }
    lines.extend_from_slice(b"\r\n");
    assert_eq!(lines, data, "a block is its lines");
    assert!(headers.status().is_none_or(|status| status.code < 1_000));
}

/// A message and edits: splicing and then reading is reading and then editing.
///
/// ```text
/// edits  { name len, name, value len or 0xff for none, value }…  message
/// ```
pub fn nats_splice(data: &[u8]) {
    let Some((edits, bytes)) = split_edits(data) else {
        return;
    };
    let edits: Vec<_> = edits.into_iter().map(|(name, value)| HeaderEdit { name, value }).collect();
    let frame = ClientDecoder::new(LIMITS).next(bytes);
    let Ok(Step::Frame { frame: ClientFrame::Publish(message), .. }) = frame else {
        return;
    };
    let plan = match Rewrite::plan(bytes, &message, &edits, message.payload_len, &LIMITS) {
        Ok(plan) => plan,
        Err(Refusal::HeaderMalformed) => {
            assert!(message.header(bytes).is_some_and(|block| Headers::parse(block).is_none()));
            return;
        }
        Err(_) => return,
    };
    let mut out = Vec::new();
    plan.write(&mut out);
    let head = &bytes[..message.head_len()];
    assert_eq!(plan.is_unchanged(), out == head, "unchanged means the same bytes");
    if edits.is_empty() {
        assert_eq!(out, head, "nothing edited means nothing changed");
        return;
    }

    let frame = ClientDecoder::new(LIMITS).next(&out);
    let (after, len) = match frame {
        Ok(Step::Frame { frame: ClientFrame::Publish(after), len }) => (after, len),
        other => panic!("a rewritten head is a head: {other:?}"),
    };
    let grown = i64::from(message.size()) + plan.added();
    assert_eq!((i64::from(after.size()), after.payload_len), (grown, message.payload_len));
    assert_eq!((after.header_len, after.size()), (plan.header_len(), plan.size()));
    assert_eq!(after.subject.of(&out), message.subject.of(bytes));
    assert_eq!(after.reply.map(|r| r.of(&out)), message.reply.map(|r| r.of(bytes)));
    if after.header_seen() {
        assert_eq!(len, out.len());
        assert_eq!(read(&after, &out), edited(read(&message, bytes), &edits));
    }
}

fn check_message(message: &Message, bytes: &[u8], len: usize) {
    assert_eq!(message.head_len(), len);
    assert_eq!(message.size(), message.header_len + message.payload_len);
    assert!(message.size() <= LIMITS.payload_bytes_max);
    assert!(!message.subject.of(bytes).is_empty());
    if let Some(block) = message.header(bytes) {
        assert_eq!(block.len(), message.header_len as usize);
        nats_headers(block);
    }
    for subject in [Some(message.subject), message.reply].into_iter().flatten() {
        let subject = subject.of(bytes);
        let control = ControlSubject::of(subject);
        if AckSubject::parse(subject).is_some() {
            assert_eq!(control, Some(ControlSubject::JetStreamAck));
        }
        if PullSubject::parse(subject).is_some() {
            assert_eq!(control, Some(ControlSubject::JetStreamApi));
        }
    }
}

type Pair = (Vec<u8>, Vec<u8>);

fn read(message: &Message, bytes: &[u8]) -> Vec<Pair> {
    let block = message.header(bytes).unwrap_or(b"NATS/1.0\r\n\r\n");
    let headers = Headers::parse(block).expect("a rewrite needs a well-formed block");
    headers.iter().map(|header| (header.name.to_vec(), header.value.to_vec())).collect()
}

/// The same edits in the most naive way.
fn edited(before: Vec<Pair>, edits: &[HeaderEdit<'_>]) -> Vec<Pair> {
    let mut after: Vec<Pair> = Vec::new();
    for (name, old) in before {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(&name);
        match edits.iter().find(|edit| same(edit.name)) {
            None => after.push((name, old)),
            Some(HeaderEdit { value: Some(new), .. }) if !after.iter().any(|(n, _)| same(n)) => {
                after.push((name, new.trim_ascii_blank().to_vec()));
            }
            Some(_) => {}
        }
    }
    for edit in edits {
        let there = after.iter().any(|(name, _)| name.eq_ignore_ascii_case(edit.name));
        if let Some(new) = edit.value
            && !there
        {
            after.push((edit.name.to_vec(), new.trim_ascii_blank().to_vec()));
        }
    }
    after
}

/// Values are read without the blanks around them.
trait TrimBlank {
    fn trim_ascii_blank(&self) -> &[u8];
}

impl TrimBlank for [u8] {
    fn trim_ascii_blank(&self) -> &[u8] {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = self.iter().position(|byte| !blank(byte)).unwrap_or(self.len());
        let end = self.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
        &self[start..end]
    }
}

use std::sync::{Arc, Mutex};

use super::*;
use crate::fields::{Field, Fields};
use crate::record::{Head, Message};
use crate::route::OpenRoute;

const SPAN: &[u8] = &[0x12, 2, 7, 7];
const A: ResourceId = ResourceId::DEFAULT;
const B: ResourceId = ResourceId::OVERFLOW;

#[derive(Default)]
struct Recorder(Mutex<Vec<(ResourceId, Vec<u8>, u32)>>);

impl SpanSink for Recorder {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        self.0.lock().unwrap().push((resource, run.to_vec(), spans));
        true
    }
}

fn slots() -> Vec<Slot> {
    let name = "traceparent".into();
    let field = Field { number: 0, name, family: false, spares_body: true };
    let fields = Arc::new(Fields::new([field]));
    vec![Slot { version: 1, open: Some(OpenRoute { settings: Arc::default(), fields }) }]
}

fn edit(value: &[u8]) -> Vec<u8> {
    let mut edit = vec![0; 16];
    edit[4] = value.len() as u8;
    edit.extend_from_slice(value);
    edit
}

fn verdict(spans: usize, edits: usize, open: usize) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (at, length) in [(44, spans), (48, edits), (56, open)] {
        bytes[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
    }
    bytes
}

struct Case {
    verdicts: Vec<[u8; 64]>,
    spans: usize,
    bytes: Vec<u8>,
}

impl Case {
    /// Three messages: two spans and edits, nothing, a span that stays open.
    fn good() -> Self {
        let edit = edit(b"00-1");
        let verdicts = vec![verdict(8, edit.len(), 0), verdict(0, 0, 0), verdict(4, edit.len(), 5)];
        let bytes = [&SPAN.repeat(3), &edit[..], &edit[..], b"begin"].concat();
        Self { verdicts, spans: 12, bytes }
    }

    fn take(
        &self,
        resources: &[ResourceId],
        out: &mut Buffers,
        sink: &Recorder,
    ) -> Result<(), Flaw> {
        let raw = Raw {
            verdicts: self.verdicts.as_flattened(),
            spans: self.spans as u32,
            bytes: &self.bytes,
        };
        let records =
            vec![Message { head: Head::default(), ..Message::default() }; resources.len()];
        take(raw, &records, resources, &slots(), out, sink)
    }
}

#[test]
fn an_answer_is_taken_over_and_spans_of_one_resource_go_out_together() {
    let (mut out, sink) = (Buffers::default(), Recorder::default());
    assert_eq!(Case::good().take(&[A, A, A], &mut out, &sink), Ok(()));
    assert_eq!(Case::good().take(&[A, A, A], &mut out, &sink), Ok(()));
    let edit = edit(b"00-1");
    assert_eq!(out.verdicts.len(), 6);
    let one = 2 * edit.len() + 5;
    let at = [0, edit.len(), edit.len(), one, one + edit.len(), one + edit.len()];
    assert_eq!(out.at, at);
    assert_eq!(out.bytes.len(), 2 * one);
    assert!(out.bytes.ends_with(b"begin"));
    assert_eq!(sink.0.into_inner().unwrap(), vec![(A, SPAN.repeat(3), 3); 2]);
}

#[test]
fn spans_of_several_resources_go_out_in_runs() {
    for (resources, expected) in [
        ([A, B, B], vec![(A, 2), (B, 1)]),
        ([A, B, A], vec![(A, 2), (A, 1)]),
        ([B, B, A], vec![(B, 2), (A, 1)]),
    ] {
        let (mut out, sink) = (Buffers::default(), Recorder::default());
        assert_eq!(Case::good().take(&resources, &mut out, &sink), Ok(()));
        let pushed = sink.0.into_inner().unwrap();
        let pushed: Vec<_> = pushed
            .into_iter()
            .map(|(resource, run, spans)| {
                assert_eq!(run, SPAN.repeat(spans as usize));
                (resource, spans)
            })
            .collect();
        assert_eq!(pushed, expected);
    }
}

#[test]
fn a_flaw_makes_the_whole_answer_void() {
    type Flawed = fn(&mut Case);
    let flaws: [(&str, Flawed); 12] = [
        ("too few verdicts", |case| case.verdicts.truncate(2)),
        ("too many verdicts", |case| case.verdicts.push(verdict(0, 0, 0))),
        ("run longer than bytes", |case| case.spans = case.bytes.len() + 1),
        ("run longer than its spans", |case| case.spans += 1),
        ("run shorter than its spans", |case| case.spans -= 1),
        ("spans of a message past the run", |case| case.verdicts[0] = verdict(16, 20, 0)),
        ("part of a span", |case| case.verdicts[0] = verdict(7, 20, 0)),
        ("no span", |case| case.bytes[0] = 0x0a),
        ("edits past the end", |case| case.verdicts[2] = verdict(4, 200, 5)),
        ("edits that are none", |case| case.verdicts[2] = verdict(4, 19, 6)),
        ("open span past the end", |case| case.verdicts[2] = verdict(4, 20, u32::MAX as usize)),
        ("bytes left over", |case| case.bytes.push(0)),
    ];
    for (name, flaw) in flaws {
        let (mut out, sink) = (Buffers::default(), Recorder::default());
        Case::good().take(&[A, A, A], &mut out, &sink).unwrap();
        let (verdicts, bytes) = (out.verdicts.clone(), out.bytes.clone());
        let mut case = Case::good();
        flaw(&mut case);
        assert!(case.take(&[A, B, A], &mut out, &sink).is_err(), "{name}");
        assert_eq!((&out.verdicts, &out.bytes, out.at.len()), (&verdicts, &bytes, 3), "{name}");
        assert_eq!(sink.0.into_inner().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn a_key_stands_between_edits_and_the_open_span() {
    let mut keyed = verdict(0, 0, 4);
    keyed[52] = 3;
    let bytes = b"tagopen".to_vec();
    let (mut out, sink) = (Buffers::default(), Recorder::default());
    let case = Case { verdicts: vec![keyed], spans: 0, bytes: bytes.clone() };
    assert_eq!(case.take(&[A], &mut out, &sink), Ok(()));
    assert_eq!((out.verdicts[0].key, out.verdicts[0].open), (3, 4));
    keyed[53] = 0x10;
    let case = Case { verdicts: vec![keyed], spans: 0, bytes: [&bytes[..], &[0; 0x1000]].concat() };
    assert!(case.take(&[A], &mut out, &sink).is_err());
}

#[test]
fn settled_spans_belong_to_settlements_in_their_order() {
    let settled = |run: &[u8], resources: &[ResourceId]| {
        let sink = Recorder::default();
        let taken = take_settled(run, resources, &sink);
        taken.map(|()| sink.0.into_inner().unwrap())
    };
    assert_eq!(settled(SPAN, &[A]), Ok(vec![(A, SPAN.to_vec(), 1)]));
    assert_eq!(settled(&[], &[A]), Ok(vec![]));
    // An unsampled span leaves nothing behind; with one resource that needs no telling apart.
    assert_eq!(settled(SPAN, &[A, A]), Ok(vec![(A, SPAN.to_vec(), 1)]));
    let both = SPAN.repeat(2);
    assert_eq!(settled(&both, &[A, B]), Ok(vec![(A, SPAN.to_vec(), 1), (B, SPAN.to_vec(), 1)]));
    assert!(settled(SPAN, &[A, B]).is_err());
    assert!(settled(&SPAN[1..], &[A]).is_err());
}

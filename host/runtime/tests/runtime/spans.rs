//! A sink that keeps what it is given, and a decoder that is not ours.

use std::sync::Mutex;

use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use prost::Message;
use spanbridge::SpanSink;
use spanbridge::resource::ResourceId;

/// Keeps span runs.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<(ResourceId, Vec<u8>, u32)>>);

impl SpanSink for Recorder {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        self.0.lock().unwrap().push((resource, run.to_vec(), spans));
        true
    }
}

impl Recorder {
    /// Takes the runs as they came.
    pub(crate) fn runs(&self) -> Vec<(ResourceId, Vec<u8>, u32)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Takes the spans, decoded.
    pub(crate) fn spans(&self) -> Vec<(ResourceId, Span)> {
        let mut all = Vec::new();
        for (resource, run, count) in self.runs() {
            let spans = ScopeSpans::decode(&run[..]).unwrap().spans;
            assert_eq!(spans.len(), count as usize);
            all.extend(spans.into_iter().map(|span| (resource, span)));
        }
        all
    }
}

/// The bytes of an id that is given as two numbers.
pub(crate) fn trace_id(hi: u64, lo: u64) -> Vec<u8> {
    [hi.to_be_bytes(), lo.to_be_bytes()].concat()
}

//! The way out for spans: a recorder that keeps the account, and a receiver that fails at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use prost::Message;
use spanbridge::SpanSink;
use spanbridge::otlp::{
    Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome, Pipeline,
};
use spanbridge::resource::ResourceId;

use crate::random::Random;

/// Sees every span that the component makes, then hands it to the pipeline.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) pipeline: Pipeline,
    account: Mutex<Made>,
}

/// The spans that were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) spans: u64,
    /// Those among them that tell of a pull. A message of a pull has one beside its own.
    pub(crate) receives: u64,
    pub(crate) span_ids: BTreeSet<[u8; 8]>,
    /// How many have each outcome.
    pub(crate) outcomes: BTreeMap<String, u64>,
}

impl Made {
    pub(crate) fn with(&self, outcomes: &[&str]) -> u64 {
        outcomes.iter().filter_map(|outcome| self.outcomes.get(*outcome)).sum()
    }

    fn add(&mut self, span: Span) {
        self.spans += 1;
        self.receives += u64::from(span.name.starts_with("receive "));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        let id: [u8; 8] = span.span_id[..].try_into().expect("a span id has eight bytes");
        assert!(self.span_ids.insert(id), "a span was made twice: {}", span.name);
        let outcome = span.attributes.into_iter().find(|pair| pair.key == "spanbridge.outcome");
        let Some(outcome) = outcome.and_then(|pair| pair.value) else { return };
        if let Some(Value::StringValue(outcome)) = outcome.value {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }
}

impl Recorder {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        Self { pipeline, account: Mutex::default() }
    }

    pub(crate) fn made(&self) -> Made {
        self.account.lock().unwrap().clone()
    }
}

impl SpanSink for Recorder {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        let decoded = ScopeSpans::decode(run).expect("a span run is the spans of a scope").spans;
        assert_eq!(decoded.len(), spans as usize);
        let mut made = self.account.lock().unwrap();
        decoded.into_iter().for_each(|span| made.add(span));
        self.pipeline.sink().push(resource, run, spans)
    }
}

/// What the receiver took.
#[derive(Debug, Default)]
pub(crate) struct Taken(Mutex<u64>);

impl Taken {
    pub(crate) fn get(&self) -> u64 {
        *self.0.lock().unwrap()
    }
}

/// A receiver that is slow, throws spans away and refuses requests, as its seed says.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) is_well: bool,
    pub(crate) random: Mutex<Random>,
    pub(crate) taken: Arc<Taken>,
}

impl Receiver {
    async fn answer(&self, batch: Batch) -> Outcome {
        let roll = if self.is_well { 9 } else { self.random.lock().unwrap().below(10) };
        let spans = batch.spans() as u64;
        let rejected = match roll {
            0 => {
                let refusal = Failure::permanent(FailureKind::Refused, "not today");
                return Outcome::Failed(refusal);
            }
            1 => return Outcome::Failed(Failure::transient(FailureKind::Unavailable, "later")),
            2 => 1,
            3 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                0
            }
            _ => 0,
        };
        *self.taken.0.lock().unwrap() += spans - rejected;
        Outcome::Delivered(Delivered { rejected, message: String::new() })
    }
}

impl Exporter for Receiver {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(self.answer(batch))
    }
}

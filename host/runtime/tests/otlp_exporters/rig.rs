//! A pipeline with short back-offs, and spans to push through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanbridge::metrics::Counters;
use spanbridge::otlp::{Exporter, Flush, OtlpTarget, Pipeline, PipelineSettings, otlp_exporter};
use spanbridge::resource::{ResourceId, Resources};
use spanbridge::sink::Sink;

use super::collector::PATIENCE;

pub(crate) struct Rig {
    pub(crate) pipeline: Pipeline,
    pub(crate) sink: Sink,
    pub(crate) counters: Arc<Counters>,
}

/// Settings that try again soon, and send only when flushed or a batch of four is full.
pub(crate) fn settings() -> PipelineSettings {
    let mut settings = PipelineSettings {
        batch_spans_max: 4,
        schedule_delay: PATIENCE,
        export_timeout: PATIENCE,
        request_timeout: PATIENCE,
        ..PipelineSettings::default()
    };
    settings.retry.backoff_first = Duration::from_millis(10);
    settings.retry.backoff_max = Duration::from_millis(50);
    settings
}

impl Rig {
    pub(crate) fn new(exporter: Box<dyn Exporter>, settings: PipelineSettings) -> Self {
        let counters = Arc::<Counters>::default();
        let resources = Resources::new(Some("shop"), &[], 8, Arc::clone(&counters));
        let pipeline =
            Pipeline::start(settings, resources, exporter, Arc::clone(&counters)).unwrap();
        Self { sink: pipeline.sink(), pipeline, counters }
    }

    pub(crate) fn otlp(target: &OtlpTarget) -> Self {
        Self::new(otlp_exporter(target).unwrap(), settings())
    }

    /// Queues spans with these names for the default resource.
    pub(crate) fn push(&self, names: &[&str]) -> bool {
        let spans: Vec<Span> = names.iter().map(|name| span(name)).collect();
        self.sink.push(ResourceId::DEFAULT, &run(&spans), u32::try_from(names.len()).unwrap())
    }

    pub(crate) fn flush(&self) -> Flush {
        self.pipeline.flush(PATIENCE)
    }
}

/// Waits for a condition.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn span(name: &str) -> Span {
    Span {
        trace_id: vec![0xAB; 16],
        span_id: vec![0xCD; 8],
        name: name.into(),
        kind: 4,
        start_time_unix_nano: 1,
        end_time_unix_nano: u64::MAX,
        // A receiver that reads JSON sees the default status as an empty one.
        status: Some(Default::default()),
        ..Span::default()
    }
}

/// A span run of these spans.
pub(crate) fn run(spans: &[Span]) -> Vec<u8> {
    ScopeSpans { spans: spans.to_vec(), ..ScopeSpans::default() }.encode_to_vec()
}

/// Service name and span names of each resource of a request.
pub(crate) fn names(request: &ExportTraceServiceRequest) -> Vec<(String, Vec<String>)> {
    let service = |resource: &ResourceSpans| {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        let name = attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        match name.value.clone().unwrap().value.unwrap() {
            opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(name) => name,
            other => panic!("{other:?}"),
        }
    };
    let spans = |resource: &ResourceSpans| {
        let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        spans.map(|span| span.name.clone()).collect()
    };
    request.resource_spans.iter().map(|r| (service(r), spans(r))).collect()
}

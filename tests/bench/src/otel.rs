//! The OpenTelemetry SDK doing what an instrumented producer does: extract, span, inject.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry::{Context as OtelContext, KeyValue, StringValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, Span, SpanData,
    SpanExporter, SpanProcessor,
};

use crate::candidates::Candidate;
use crate::message::{CLIENT, Context, DESTINATION, ID, SERVER};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    /// The batch processor with an exporter that does nothing.
    Batch,
    /// A processor that forgets the span.
    Null,
}

#[derive(Debug)]
struct Forget;

impl SpanExporter for Forget {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

#[derive(Debug)]
struct Null;

impl SpanProcessor for Null {
    fn on_start(&self, _: &mut Span, _: &OtelContext) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(crate) struct Sdk {
    name: &'static str,
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    headers: HashMap<String, String>,
    /// Attributes that never change, made once.
    fixed: Vec<KeyValue>,
}

impl Sdk {
    pub(crate) fn new(name: &'static str, context: Context, processor: Processor) -> Self {
        let builder = SdkTracerProvider::builder();
        let provider = match processor {
            Processor::Null => builder.with_span_processor(Null).build(),
            Processor::Batch => {
                // A round fits the queue, and the queue is flushed after each: nothing is dropped.
                let config = BatchConfigBuilder::default().with_max_queue_size(65_536).build();
                let batch = BatchSpanProcessor::builder(Forget).with_batch_config(config).build();
                builder.with_span_processor(batch).build()
            }
        };
        let headers = context.header().map(|value| ("traceparent".to_owned(), value.to_owned()));
        let text = |text: &'static str| StringValue::from(text);
        let fixed = vec![
            KeyValue::new("messaging.system", text("nats")),
            KeyValue::new("messaging.operation.name", text("publish")),
            KeyValue::new("messaging.operation.type", text("send")),
            KeyValue::new("server.address", text(SERVER)),
            KeyValue::new("server.port", 4222),
        ];
        Self {
            name,
            tracer: provider.tracer("bench"),
            provider,
            propagator: TraceContextPropagator::new(),
            headers: headers.into_iter().collect(),
            fixed,
        }
    }

    fn publish(&self) -> HashMap<String, String> {
        let parent = self.propagator.extract_with_context(&OtelContext::new(), &self.headers);
        let mut attributes = self.fixed.clone();
        attributes.push(KeyValue::new("messaging.destination.name", DESTINATION.to_owned()));
        attributes.push(KeyValue::new("messaging.message.id", ID.to_owned()));
        attributes.push(KeyValue::new("messaging.client.id", CLIENT.to_owned()));
        let span = self
            .tracer
            .span_builder(format!("publish {DESTINATION}"))
            .with_kind(SpanKind::Producer)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &parent);
        let context = parent.with_span(span);
        let mut headers = HashMap::new();
        self.propagator.inject_context(&context, &mut headers);
        context.span().end();
        headers
    }
}

impl Candidate for Sdk {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, messages: usize) {
        for _ in 0..messages {
            std::hint::black_box(self.publish());
        }
    }

    fn settle_down(&mut self) {
        if let Err(error) = self.provider.force_flush() {
            panic!("{}: {error}", self.name);
        }
    }
}

//! Spanbridge: a batch through the tracer, edits applied, spans in the sink's queue.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use spanbridge::metrics::Counters;
use spanbridge::otlp::{
    Batch, Delivered, ExportFuture, Exporter, Outcome, Pipeline, PipelineSettings,
};
use spanbridge::resource::{ResourceId, Resources};
use spanbridge::{
    Attribute, ComponentSource, Edit, Fields, MessageBits, Publish, PublishBatch, Route,
    RouteSettings, Runtime, SpanContext, Tracer, env,
};

use crate::candidates::Candidate;
use crate::message::{CLIENT, Context, DESTINATION, ID, SERVER};

/// Takes requests and forgets them.
#[derive(Debug)]
struct Forget;

impl Exporter for Forget {
    fn export(&self, _: Batch) -> ExportFuture<'_> {
        Box::pin(ready(Outcome::Delivered(Delivered::default())))
    }
}

pub(crate) struct Ours {
    name: &'static str,
    context: Context,
    batch_messages: usize,
    pipeline: Pipeline,
    counters: Arc<Counters>,
    tracer: Tracer,
    batch: PublishBatch,
    fields: Arc<Fields>,
    route: Route,
    now: u64,
    /// What a relay would write: names and values.
    out: Vec<u8>,
}

impl Ours {
    pub(crate) fn new(
        name: &'static str,
        context: Context,
        batch_messages: usize,
    ) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::default());
        let resources = Resources::new(Some("bench"), &[], 16, Arc::clone(&counters));
        let settings = PipelineSettings::new(&env::Bsp::default(), Duration::from_secs(1));
        let pipeline =
            Pipeline::start(settings, resources, Box::new(Forget), Arc::clone(&counters))?;
        let component = std::env::var_os("SPANBRIDGE_COMPONENT");
        let runtime =
            Runtime::builder()
                .component(component.map_or_else(ComponentSource::default, |path| {
                    ComponentSource::Path(path.into())
                }))
                .sink(Arc::new(pipeline.sink()))
                .counters(Arc::clone(&counters))
                .build()?;
        let route = runtime.open_route(RouteSettings {
            server_address: SERVER.to_owned(),
            server_port: 4222,
            ..RouteSettings::new("nats")
        })?;
        let (tracer, batch) = (runtime.tracer(), runtime.publish_batch());
        let fields = runtime.fields(route);
        let (now, out) = (1_763_900_000_000_000_000, Vec::new());
        Ok(Self {
            name,
            context,
            batch_messages,
            pipeline,
            counters,
            tracer,
            batch,
            fields,
            route,
            now,
            out,
        })
    }
}

impl Candidate for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, messages: usize) {
        for _ in 0..messages / self.batch_messages {
            self.batch.clear();
            self.out.clear();
            for _ in 0..self.batch_messages {
                self.now += 1000;
                let mut parts = self.batch.add(&Publish {
                    route: self.route,
                    bits: MessageBits::empty(),
                    resource: ResourceId::DEFAULT,
                    destination: DESTINATION.as_bytes(),
                    id: ID.as_bytes(),
                    body: b"",
                    body_size: 256,
                    start: self.now,
                    end: self.now + 500,
                    parent: SpanContext::default(),
                });
                if let Some(value) = self.context.header()
                    && let Some(found) = self.fields.find(b"traceparent")
                {
                    parts.header(found.number, found.key, value.as_bytes());
                }
                parts.text_attribute(Attribute::ClientId, CLIENT.as_bytes());
            }
            let answer = self.tracer.publish(&mut self.batch);
            for index in 0..self.batch_messages {
                for edit in answer.edits(index) {
                    if let Edit::SetHeader { field, value, .. } = edit {
                        let name = self.fields.name(field).unwrap_or_default();
                        self.out.extend_from_slice(name.as_bytes());
                        self.out.extend_from_slice(value);
                    }
                }
            }
        }
    }

    fn settle_down(&mut self) {
        self.pipeline.flush(Duration::from_secs(10));
        assert_eq!(self.counters.spans_dropped.total(), 0, "{}: spans were dropped", self.name);
        assert_eq!(self.counters.component_failures.total(), 0, "{}: calls failed", self.name);
    }
}

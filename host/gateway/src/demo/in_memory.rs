//! The demo with a queue in memory, and clients on both sides that call the runtime as a library
//! would: the shortest complete use of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use spanbridge::{
    Delivery, DeliveryMode, Edit, Edits, Fields, MessageBits, Outcome, Propagation, Publish, Route,
    RouteSettings, Runtime, Settlement, SpanContext, env,
};

use super::Export;
use super::frame::{self, Frame};
use super::programs::{self, BILLING, ORDER, ORDERS, SHOP};
use super::recorder::Recorder;
use crate::failure::Failure;
use crate::worker::now;

/// Messages that the queue holds. The demo sends one.
const QUEUE_MESSAGES_MAX: usize = 1;

/// `messaging.message.id` of the message.
const MESSAGE_ID: &[u8] = b"order-1042";

/// A client's half of the runtime: what a messaging library would keep.
struct Client {
    runtime: Runtime,
    route: Route,
    /// The header names that carry context.
    fields: Arc<Fields>,
    recorder: Recorder,
}

/// Plays it once, to the end of both programs.
pub(super) fn play(settings: &env::Settings, export: &Export) -> Result<(), Failure> {
    let output = export.output();
    let runtime = Runtime::builder()
        .sink(Arc::new(output.sink.clone()))
        .counters(Arc::clone(&output.counters))
        .build()
        .map_err(|error| Failure::new("cannot start").because(error))?;
    let route = runtime
        .open_route(RouteSettings {
            propagators: settings.propagators.clone(),
            delivery: DeliveryMode::Continue,
            queue_wait_spans: true,
            ..RouteSettings::new("in_memory")
        })
        .map_err(|error| Failure::new("cannot start").because(error))?;
    let propagation = Propagation::new(&runtime, &settings.propagators)
        .map_err(|error| Failure::new("cannot start").because(error))?;
    let short_ids = programs::short_ids(&settings.propagators);
    let client = |service| Client {
        runtime: runtime.clone(),
        route,
        fields: runtime.fields(route),
        recorder: Recorder::new(export, service, short_ids),
    };
    let (producer, worker) = (client(SHOP), client(BILLING));
    let (to_queue, from_queue) = sync_channel::<Vec<u8>>(QUEUE_MESSAGES_MAX);
    thread::scope(|scope| {
        let shop = scope.spawn(move || producer.produce(&to_queue));
        let billing = scope.spawn(move || worker.consume(&from_queue, propagation));
        let panicked = |_| Err(Failure::new("a program of the demo panicked"));
        let shop = shop.join().unwrap_or_else(panicked);
        // A producer that failed is why the worker got nothing.
        shop.and(billing.join().unwrap_or_else(panicked))
    })
}

impl Client {
    /// The producer's side: `shop` publishes below its request.
    fn produce(self, queue: &SyncSender<Vec<u8>>) -> Result<(), Failure> {
        let recorder = self.recorder.clone();
        programs::shop(&recorder, |request| self.publish(queue, request.context()))
    }

    fn publish(&self, queue: &SyncSender<Vec<u8>>, parent: SpanContext) -> Result<(), Failure> {
        let mut tracer = self.runtime.tracer();
        let mut batch = self.runtime.publish_batch();
        batch.add(&Publish {
            route: self.route,
            bits: MessageBits::PARENT_SAMPLED | MessageBits::PARENT_RANDOM,
            resource: self.recorder.resource(),
            destination: ORDERS.as_bytes(),
            id: MESSAGE_ID,
            body: &[],
            body_size: ORDER.len() as u64,
            start: now(),
            end: 0,
            parent,
        });
        let answer = tracer.publish(&mut batch);
        let mut headers = Vec::new();
        apply(answer.edits(0), &self.fields, &mut headers);
        let open = answer.open(0);

        let frame = Frame { accepted: 0, headers, payload: ORDER.to_vec() };
        let mut bytes = frame
            .format()
            .ok_or_else(|| Failure::new("the context is longer than the queue's frame can say"))?;
        frame::stamp(&mut bytes, now());
        queue.send(bytes).map_err(|_| Failure::new("the worker is gone"))?;

        let mut settlements = self.runtime.settle_batch();
        if let Some(open) = open {
            settlements.add(&open, &Settlement::new(Outcome::Confirmed, now()));
        }
        tracer.settle(&settlements);
        Ok(())
    }

    /// The consumer's side: `billing` works below the context in the message that it is handed.
    fn consume(
        self,
        queue: &Receiver<Vec<u8>>,
        mut propagation: Propagation,
    ) -> Result<(), Failure> {
        programs::busy();
        let bytes = queue.recv().map_err(|_| Failure::new("no message was published"))?;
        let Frame { accepted, mut headers, payload } =
            Frame::parse(&bytes).ok_or_else(|| Failure::new("the queue's bytes are no message"))?;

        let mut tracer = self.runtime.tracer();
        let mut batch = self.runtime.deliver_batch();
        let mut parts = batch.add(&Delivery {
            route: self.route,
            bits: MessageBits::empty(),
            resource: self.recorder.resource(),
            destination: ORDERS.as_bytes(),
            id: MESSAGE_ID,
            body: &[],
            body_size: payload.len() as u64,
            attempt: 1,
            prefetched: 0,
            start: now(),
            requested: 0,
            published: accepted,
            previous: SpanContext::default(),
        });
        for (name, value) in &headers {
            if let Some(found) = self.fields.find(name.as_bytes()) {
                parts.header(found.number, found.key, value.as_bytes());
            }
        }
        drop(parts);
        let answer = tracer.deliver(&mut batch);
        apply(answer.edits(0), &self.fields, &mut headers);
        let (open, verdict) = (answer.open(0), answer.verdict(0));

        // Without a format the message brings nothing; a library still knows the span it started.
        let (trace_hi, trace_lo, span_id) = (verdict.trace_hi, verdict.trace_lo, verdict.span_id);
        let started = SpanContext { trace_hi, trace_lo, span_id };
        let brought = parent(&mut propagation, &headers)?;
        programs::billing(&self.recorder, brought.or((span_id != 0).then_some(started)))?;

        let mut settlements = self.runtime.settle_batch();
        if let Some(open) = open {
            settlements.add(&open, &Settlement::new(Outcome::Ack, now()));
        }
        tracer.settle(&settlements);
        Ok(())
    }
}

/// The span that a message's headers name.
pub(super) fn parent(
    propagation: &mut Propagation,
    headers: &[(String, String)],
) -> Result<Option<SpanContext>, Failure> {
    let context = propagation
        .extract(headers)
        .map_err(|error| Failure::new("the context cannot be read").because(error))?;
    let trace = context.and_then(|context| context.trace);
    Ok(trace.map(|trace| SpanContext {
        trace_hi: trace.trace_hi,
        trace_lo: trace.trace_lo,
        span_id: trace.span_id,
    }))
}

/// Changes headers as the component wants it.
fn apply(edits: Edits<'_>, fields: &Fields, headers: &mut Vec<(String, String)>) {
    let name_of = |field, key: &[u8]| {
        let prefix = fields.name(field).unwrap_or_default();
        format!("{prefix}{}", String::from_utf8_lossy(key))
    };
    for edit in edits {
        match edit {
            Edit::SetHeader { field, key, value } => {
                let name = name_of(field, key);
                let value = String::from_utf8_lossy(value).into_owned();
                headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
                headers.push((name, value));
            }
            Edit::RemoveHeader { field, key } => {
                let name = name_of(field, key);
                headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            }
            // No body was handed in.
            Edit::SpliceBody { .. } => {}
        }
    }
}

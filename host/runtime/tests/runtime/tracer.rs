//! Messages through the component that is built with the runtime.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use spanbridge::metrics::Counters;
use spanbridge::resource::{ResourceId, Resources};
use spanbridge::{
    Attribute, Delivery, Edit, Error, Limits, MessageBits, OpenSpan, Outcome, Publish,
    PublishBatch, RootSampler, Route, RouteSettings, Runtime, Settlement, SpanContext, VerdictBits,
};

use crate::faulty::code_cache;
use crate::spans::{Recorder, trace_id};

pub(crate) const START: u64 = 1_700_000_000_000_000_000;

pub(crate) fn message(route: Route, destination: &[u8]) -> Publish<'_> {
    Publish {
        route,
        bits: MessageBits::empty(),
        resource: ResourceId::DEFAULT,
        destination,
        id: b"",
        body: b"",
        body_size: 3,
        start: START,
        end: START + 1_000,
        parent: SpanContext::default(),
    }
}

fn delivery(route: Route, destination: &[u8]) -> Delivery<'_> {
    Delivery {
        route,
        bits: MessageBits::empty(),
        resource: ResourceId::DEFAULT,
        destination,
        id: b"",
        body: b"",
        body_size: 3,
        attempt: 1,
        prefetched: 0,
        start: START + 2_000_000_000,
        requested: 0,
        published: START,
        previous: SpanContext::default(),
    }
}

fn runtime(limits: Limits, seed: u64) -> (Runtime, Arc<Recorder>) {
    let sink = Arc::<Recorder>::default();
    // What these tests see must not depend on how busy the machine is.
    let limits = Limits { batch_cpu_max: Duration::from_secs(10), ..limits };
    let builder = Runtime::builder().code_cache(code_cache()).limits(limits).seed(seed);
    (builder.sink(sink.clone()).build().unwrap(), sink)
}

fn nats(runtime: &Runtime) -> Route {
    runtime.open_route(RouteSettings::new("nats")).unwrap()
}

/// The value that the edits of a message give a header.
fn set_header(batch_edits: spanbridge::Edits<'_>, number: u8) -> Option<Vec<u8>> {
    batch_edits.into_iter().find_map(|edit| match edit {
        Edit::SetHeader { field, value, .. } if field == number => Some(value.to_vec()),
        _ => None,
    })
}

#[test]
fn publish_deliver_and_settle_make_one_trace() {
    let (runtime, sink) = runtime(Limits::default(), 1);
    let resources = Resources::new(None, &[], 8, Arc::<Counters>::default());
    let worker = resources.register("worker", &[]);
    let route = nats(&runtime);
    let fields = runtime.fields(route);
    let number = fields.find(b"Traceparent").unwrap().number;
    let mut tracer = runtime.tracer();

    let mut batch = runtime.publish_batch();
    batch.add(&message(route, b"orders")).text_attribute(Attribute::ClientId, b"shop");
    let answer = tracer.publish(&mut batch);
    let traceparent = set_header(answer.edits(0), number).unwrap();
    let published = answer.verdict(0);
    assert!(published.bits.contains(VerdictBits::SAMPLED | VerdictBits::INJECTED));
    assert!(answer.open(0).is_none());

    let mut batch = runtime.deliver_batch();
    let mut parts = batch.add(&Delivery { resource: worker, ..delivery(route, b"orders") });
    parts.header(number, b"", &traceparent);
    drop(parts);
    let answer = tracer.deliver(&mut batch);
    let open: OpenSpan = answer.open(0).unwrap();
    assert_eq!((open.resource, open.start), (worker, START + 2_000_000_000));
    assert_eq!((open.trace_hi, open.trace_lo), (published.trace_hi, published.trace_lo));
    let mut batch = runtime.settle_batch();
    batch.add(&open, &Settlement::new(Outcome::Ack, START + 3_000_000_000));
    tracer.settle(&batch);

    let spans = sink.spans();
    let [(of_producer, publish), (of_worker, process)] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((*of_producer, *of_worker), (ResourceId::DEFAULT, worker));
    assert_eq!((publish.name.as_str(), publish.kind()), ("publish orders", SpanKind::Producer));
    assert_eq!((process.name.as_str(), process.kind()), ("process orders", SpanKind::Consumer));
    assert_eq!(publish.trace_id, trace_id(published.trace_hi, published.trace_lo));
    assert_eq!(process.trace_id, publish.trace_id);
    assert_eq!(process.parent_span_id, publish.span_id);
    assert_eq!(process.end_time_unix_nano, START + 3_000_000_000);
}

#[test]
fn a_batch_of_many_destinations_is_answered_message_by_message_and_cut_into_calls() {
    let limits = Limits { messages_per_call_max: 7, ..Limits::default() };
    let (runtime, sink) = runtime(limits, 2);
    let route = nats(&runtime);
    let number = runtime.fields(route).find(b"traceparent").unwrap().number;
    let mut batch = runtime.publish_batch();
    for index in 0..64 {
        let destination = format!("orders.{index}");
        let end = if index % 2 == 0 { START + 1 } else { 0 };
        batch.add(&Publish { end, ..message(route, destination.as_bytes()) });
    }
    let mut tracer = runtime.tracer();
    let answer = tracer.publish(&mut batch);
    let spans = sink.spans();
    assert_eq!(spans.len(), 32);
    for index in 0..64 {
        let verdict = answer.verdict(index);
        let traceparent = String::from_utf8(set_header(answer.edits(index), number).unwrap());
        let ids = format!("{:016x}{:016x}-", verdict.trace_hi, verdict.trace_lo);
        assert_eq!(traceparent.unwrap()[3..36], ids);
        let open = answer.open(index);
        assert_eq!(open.is_some(), index % 2 == 1, "{index}");
        if index % 2 == 0 {
            let (_, span) = &spans[index / 2];
            assert_eq!(span.name, format!("publish orders.{index}"));
            assert_eq!(span.span_id, verdict.span_id.to_be_bytes());
        }
    }
    assert_eq!(answer.verdict(64), Default::default());
    assert!(answer.edits(64).is_empty() && answer.open(64).is_none());
}

#[test]
fn spans_go_to_the_sink_by_resource() {
    let (runtime, sink) = runtime(Limits::default(), 3);
    let resources = Resources::new(None, &[], 8, Arc::<Counters>::default());
    let (a, b) = (resources.register("a", &[]), resources.register("b", &[]));
    let route = nats(&runtime);
    let mut tracer = runtime.tracer();
    for (resources, runs) in [(vec![a, a, a], vec![(a, 3)]), (vec![a, b, b], vec![(a, 1), (b, 2)])]
    {
        let mut batch = runtime.publish_batch();
        for &resource in &resources {
            batch.add(&Publish { resource, ..message(route, b"orders") });
        }
        tracer.publish(&mut batch);
        let pushed: Vec<_> = sink.runs().iter().map(|run| (run.0, run.2)).collect();
        assert_eq!(pushed, runs);
    }
}

#[test]
fn a_message_that_is_too_large_goes_on_untraced_and_its_neighbours_do_not() {
    let limits = Limits { arena_bytes_max: 1000, batch_messages_max: 3, ..Limits::default() };
    let (runtime, sink) = runtime(limits, 4);
    let route = nats(&runtime);
    let mut batch = runtime.publish_batch();
    for destination in [&b"a"[..], &[b'x'; 1001], b"b", b"c"] {
        batch.add(&message(route, destination));
    }
    let mut tracer = runtime.tracer();
    let answer = tracer.publish(&mut batch);
    let edited: Vec<_> = (0..4).map(|index| !answer.edits(index).is_empty()).collect();
    assert_eq!(edited, [true, false, true, false]);
    assert_eq!(answer.verdict(1), Default::default());
    assert_eq!(sink.spans().len(), 2);
    assert_eq!(runtime.counters().messages_untraced.overflow.get(), 2);
}

fn ids_of_publishes(runtime: &Runtime, messages: usize) -> Vec<(u64, u64, u64)> {
    let route = nats(runtime);
    let mut tracer = runtime.tracer();
    let mut batch = runtime.publish_batch();
    let mut ids = Vec::new();
    for _ in 0..messages {
        batch.clear();
        batch.add(&message(route, b"orders"));
        let verdict = tracer.publish(&mut batch).verdict(0);
        ids.push((verdict.trace_hi, verdict.trace_lo, verdict.span_id));
    }
    ids
}

#[test]
fn a_seed_replays_ids_and_another_one_does_not() {
    let run = |seed| ids_of_publishes(&runtime(Limits::default(), seed).0, 5);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn an_instance_is_exchanged_after_its_calls_and_ids_do_not_repeat() {
    let limits = Limits { instance_calls_max: 10, ..Limits::default() };
    let (runtime, _) = runtime(limits, 9);
    let ids = ids_of_publishes(&runtime, 2_000);
    assert!(ids.iter().all(|id| id.2 != 0), "a message was not traced");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    // The thread that makes spares may not keep up with one for every ten calls.
    assert!(runtime.counters().instances_recycled.get() >= 1);
}

#[test]
fn a_tracer_learns_of_routes_that_are_opened_and_closed_later() {
    let (runtime, sink) = runtime(Limits::default(), 10);
    let mut tracer = runtime.tracer();
    let mut batch = runtime.publish_batch();
    let mut published = |route| {
        batch.clear();
        batch.add(&message(route, b"orders"));
        tracer.publish(&mut batch).verdict(0).span_id != 0
    };
    let first = nats(&runtime);
    assert!(published(first));
    let routes: Vec<_> = (0..100).map(|_| nats(&runtime)).collect();
    // More than are opened while one message waits, so the last may take a few calls.
    let last = routes[99];
    assert!((0..10).any(|_| published(last)));
    assert!(routes.iter().all(|&route| published(route)));
    runtime.close_route(first);
    assert!(!published(first));
    assert_eq!(runtime.fields(first).iter().count(), 0);
    let reused = nats(&runtime);
    assert_eq!(reused, first);
    assert!(published(reused));
    assert_eq!(runtime.counters().component_failures.total(), 0);
    drop(sink);
}

#[test]
fn settings_that_cannot_be_had_are_said_when_a_route_is_opened() {
    let (runtime, _) = runtime(Limits { routes_max: 1, ..Limits::default() }, 11);
    let sampler = RootSampler::TraceIdRatio(2.0);
    let refused = runtime.open_route(RouteSettings { sampler, ..RouteSettings::new("nats") });
    assert!(refused.is_err_and(|error| error.is_config()));
    nats(&runtime);
    let error: Error = runtime.open_route(RouteSettings::new("nats")).unwrap_err();
    assert!(error.is_config() && error.to_string().contains("1 routes are open"), "{error}");
}

#[test]
fn an_empty_batch_is_answered_without_a_call() {
    let (runtime, sink) = runtime(Limits::default(), 12);
    let mut tracer = runtime.tracer();
    let mut batch = PublishBatch::default();
    assert!(!tracer.publish(&mut batch).has_edits());
    tracer.settle(&runtime.settle_batch());
    assert!(sink.runs().is_empty());
}

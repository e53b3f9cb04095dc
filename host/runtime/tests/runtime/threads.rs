//! Many threads, each with a tracer of its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use spanbridge::{Limits, RouteSettings, Runtime};

use crate::faulty::code_cache;
use crate::spans::Recorder;
use crate::tracer::message;

const THREADS: usize = 8;
const BATCHES: usize = 50;
const MESSAGES: usize = 20;

#[test]
fn eight_threads_trace_every_message_with_an_id_of_its_own() {
    let sink = Arc::<Recorder>::default();
    let batch_cpu_max = std::time::Duration::from_secs(10);
    let limits = Limits { instance_calls_max: 20, batch_cpu_max, ..Limits::default() };
    let builder = Runtime::builder().code_cache(code_cache()).limits(limits);
    let runtime = builder.sink(sink.clone()).build().unwrap();
    let route = runtime.open_route(RouteSettings::new("nats")).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let runtime = runtime.clone();
            scope.spawn(move || {
                let mut tracer = runtime.tracer();
                let mut batch = runtime.publish_batch();
                for _ in 0..BATCHES {
                    batch.clear();
                    for _ in 0..MESSAGES {
                        batch.add(&message(route, b"orders"));
                    }
                    tracer.publish(&mut batch);
                }
            });
        }
    });
    let spans = sink.spans();
    let untraced = runtime.counters().messages_untraced.total();
    // A thread may find no instance at its start; it goes without then, and counts.
    assert_eq!(spans.len() + untraced as usize, THREADS * BATCHES * MESSAGES);
    let ids: HashSet<_> = spans.iter().map(|(_, span)| &span.span_id).collect();
    assert_eq!(ids.len(), spans.len());
    assert_eq!(runtime.counters().component_failures.total(), 0);
}

#[test]
fn a_tracer_outlives_its_runtime_and_moves_to_another_thread() {
    let sink = Arc::<Recorder>::default();
    let builder = Runtime::builder().code_cache(code_cache());
    let runtime = builder.sink(sink.clone()).build().unwrap();
    let route = runtime.open_route(RouteSettings::new("nats")).unwrap();
    let mut tracer = runtime.tracer();
    let mut batch = runtime.publish_batch();
    drop(runtime);
    batch.add(&message(route, b"orders"));
    thread::spawn(move || tracer.publish(&mut batch).verdict(0)).join().unwrap();
    assert_eq!(sink.spans().len(), 1);
}

//! Another component in place of the loaded one, while messages pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use spanbridge::{ComponentSource, Limits, PropagatorKind, RouteSettings, Runtime};

use crate::faulty::{self, code_cache};
use crate::load::patched;
use crate::spans::Recorder;
use crate::tracer::message;

const THREADS: usize = 3;
const SWAPS: u64 = 8;

fn embedded() -> ComponentSource {
    ComponentSource::Bytes(ComponentSource::embedded().to_vec())
}

fn runtime(sink: &Arc<Recorder>) -> Runtime {
    // The deadline is not what is tested, and this machine may be busy.
    let limits = Limits { batch_cpu_max: Duration::from_secs(10), ..Limits::default() };
    let builder = Runtime::builder().code_cache(code_cache()).limits(limits);
    builder.sink(Arc::clone(sink) as _).build().unwrap()
}

/// Publishes a message and answers whether it got a span.
fn publish(runtime: &Runtime, tracer: &mut spanbridge::Tracer, route: spanbridge::Route) -> bool {
    let mut batch = runtime.publish_batch();
    batch.add(&message(route, b"orders"));
    tracer.publish(&mut batch).verdict(0).span_id != 0
}

#[test]
fn no_message_goes_untraced_while_components_are_exchanged() {
    let sink = Arc::<Recorder>::default();
    let runtime = runtime(&sink);
    let route = runtime.open_route(RouteSettings::new("nats")).unwrap();
    let stop = AtomicBool::new(false);
    let published: usize = thread::scope(|scope| {
        let work = || {
            let mut tracer = runtime.tracer();
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                assert!(publish(&runtime, &mut tracer, route), "message {count}");
                count += 1;
            }
            // The last component is in use by the next call but a few.
            count
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for generation in 1..=SWAPS {
            let info = runtime.load_component(&embedded()).unwrap();
            assert_eq!(info.generation, generation);
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let counters = runtime.counters();
    assert_eq!(sink.spans().len(), published);
    assert_eq!(counters.messages_untraced.total(), 0);
    assert_eq!(counters.component_failures.total(), 0);
    assert_eq!(counters.component_swaps.loaded.get(), SWAPS);
    assert!(counters.instances_recycled.get() >= 1, "somebody changed over");
    assert_eq!(runtime.component().origin, "bytes");
}

#[test]
fn a_bad_candidate_is_refused_and_the_loaded_component_goes_on() {
    let other = patched("spanbridge:tracing/messaging@0.1.0", "spanbridge:tracing/messaging@0.2.0");
    let bytes = |bytes: &[u8]| ComponentSource::Bytes(bytes.to_vec());
    for (system, candidate, expected) in [
        ("nats", bytes(b"no component"), "found something else"),
        ("nats", bytes(&other), "found spanbridge:tracing/messaging@0.2.0"),
        ("loop", bytes(faulty::component()), "it took too long"),
        ("trap", bytes(faulty::component()), "it trapped"),
        ("refuse", bytes(faulty::component()), "system refuse cannot be had"),
        ("nats", bytes(faulty::component()), "other headers need a restart"),
    ] {
        let sink = Arc::<Recorder>::default();
        let runtime = runtime(&sink);
        let before = runtime.component();
        let settings = RouteSettings {
            propagators: vec![PropagatorKind::TraceContext],
            ..RouteSettings::new(system)
        };
        let route = runtime.open_route(settings).unwrap();
        let mut tracer = runtime.tracer();
        assert!(publish(&runtime, &mut tracer, route));
        let error = runtime.load_component(&candidate).unwrap_err();
        assert!(error.is_component() && error.to_string().contains(expected), "{error}");
        assert_eq!(runtime.component(), before, "{expected}");
        assert!(publish(&runtime, &mut tracer, route), "{expected}");
        let counters = runtime.counters();
        assert_eq!(counters.component_swaps.refused.get(), 1);
        assert_eq!(counters.component_swaps.loaded.get(), 0);
        assert_eq!(counters.messages_untraced.total(), 0);
    }
}

#[test]
fn a_new_component_starts_with_a_closed_breaker() {
    let (runtime, _) = faulty::runtime();
    let route = runtime.open_route(RouteSettings::new("test")).unwrap();
    let mut tracer = runtime.tracer();
    let bypasses = || runtime.counters().component_bypasses.get();
    // Each failed trial doubles the wait, so in the end it is far longer than the exchange takes.
    for _ in 0..200_000 {
        let mut batch = runtime.publish_batch();
        batch.add(&message(route, b"trap"));
        tracer.publish(&mut batch);
        if bypasses() == 5 {
            break;
        }
        thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(bypasses(), 5);
    let bypassed = || runtime.counters().messages_untraced.bypassed.get();
    let same = ComponentSource::Bytes(faulty::component().to_vec());
    runtime.load_component(&same).unwrap();
    let before = bypassed();
    let mut batch = runtime.publish_batch();
    batch.add(&message(route, b"orders"));
    tracer.publish(&mut batch);
    assert_eq!(bypassed(), before);
}

#[test]
fn a_span_that_is_open_is_ended_by_the_next_component() {
    let sink = Arc::<Recorder>::default();
    let runtime = runtime(&sink);
    let route = runtime.open_route(RouteSettings::new("nats")).unwrap();
    let mut tracer = runtime.tracer();
    let mut batch = runtime.publish_batch();
    batch.add(&spanbridge::Publish { end: 0, ..message(route, b"orders") });
    let open = tracer.publish(&mut batch).open(0).unwrap();
    runtime.load_component(&embedded()).unwrap();
    let mut settle = runtime.settle_batch();
    settle.add(&open, &spanbridge::Settlement::new(spanbridge::Outcome::Confirmed, open.start + 9));
    tracer.settle(&settle);
    let spans = sink.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].1.end_time_unix_nano, open.start + 9);
}

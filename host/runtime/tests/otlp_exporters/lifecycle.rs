//! Start, flush, shutdown, and what is counted when there is no time.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use spanbridge::env::{Env, Settings};
use spanbridge::metrics::Counters;
use spanbridge::otlp::{
    Batch, ExportFuture, Exporter, Flush, Pipeline, PipelineSettings, Protocol,
};
use spanbridge::resource::{RESOURCES_MAX, Resources};

use super::collector::{Answer, Collector, End, PATIENCE};
use super::rig::{Rig, settings, wait_until};

#[test]
fn a_shutdown_sends_what_is_queued_and_refuses_the_rest() {
    let collector = Collector::start(Protocol::HttpProtobuf, vec![], None);
    let rig = Rig::otlp(&collector.target());
    rig.push(&["a", "b"]);
    assert_eq!(rig.pipeline.shutdown(PATIENCE), Flush::Done);
    assert_eq!(collector.wait(1).len(), 1);
    assert!(!rig.push(&["late"]));
    assert_eq!(rig.counters.spans_dropped.shutdown.get(), 1);
    assert_eq!(rig.pipeline.flush(PATIENCE), Flush::Refused);
    assert_eq!(rig.pipeline.shutdown(PATIENCE), Flush::Refused);
}

#[test]
fn a_shutdown_ends_at_its_deadline_and_counts_what_is_left() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let script = vec![Answer::http(200).end(End::Hangs); 4];
        let collector = Collector::start(protocol, script, None);
        let rig = Rig::otlp(&collector.target());
        rig.push(&["a", "b", "c", "d", "e"]);
        collector.wait(1);
        let timeout = Duration::from_millis(100);
        assert_eq!(rig.pipeline.shutdown(timeout), Flush::DeadlinePassed, "{protocol:?}");
        assert_eq!(rig.counters.spans_dropped.shutdown.get(), 5, "{protocol:?}");
    }
}

#[test]
fn a_pipeline_that_is_dropped_stops_and_counts() {
    let collector = Collector::start(Protocol::HttpProtobuf, vec![], None);
    let Rig { pipeline, sink: _, counters } = {
        let rig = Rig::otlp(&collector.target());
        rig.push(&["a"]);
        rig
    };
    drop(pipeline);
    wait_until("the span is counted", || counters.spans_dropped.shutdown.get() == 1);
}

#[test]
fn a_flush_that_has_no_time_says_so_and_the_spans_still_arrive() {
    let script = vec![Answer::http(503).header("retry-after", "1")];
    let collector = Collector::start(Protocol::HttpProtobuf, script, None);
    let rig = Rig::otlp(&collector.target());
    rig.push(&["a"]);
    assert_eq!(rig.pipeline.flush(Duration::from_millis(1)), Flush::DeadlinePassed);
    assert_eq!(rig.flush(), Flush::Done);
    assert_eq!(rig.counters.spans_exported.get(), 1);
}

#[test]
fn many_threads_push_and_flush_and_every_span_is_accounted_for() {
    let collector = Collector::start(Protocol::Grpc, vec![Answer::grpc(14, b"")], None);
    let rig = Arc::new(Rig::otlp(&collector.target()));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let rig = Arc::clone(&rig);
            thread::spawn(move || {
                for _ in 0..100 {
                    rig.push(&["a", "b", "c"]);
                }
                rig.flush()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Flush::Done);
    }
    assert_eq!(rig.counters.spans_exported.get(), 4 * 100 * 3);
    assert_eq!(rig.counters.spans_dropped.total(), 0);
}

/// Panics on the first batch, and never comes back from the second.
#[derive(Debug, Default)]
struct Broken(std::sync::atomic::AtomicU32);

impl Exporter for Broken {
    fn export(&self, _: Batch) -> ExportFuture<'_> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => panic!("an exporter of somebody else"),
            _ => Box::pin(std::future::pending()),
        }
    }
}

#[test]
fn an_exporter_that_panics_or_hangs_loses_its_batches_and_nothing_else() {
    let settings = PipelineSettings {
        request_timeout: Duration::from_millis(50),
        export_timeout: Duration::from_millis(200),
        ..settings()
    };
    let rig = Rig::new(Box::<Broken>::default(), settings);
    rig.push(&["a"]);
    assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    assert_eq!(rig.counters.export_failures.panic.get(), 1);
    rig.push(&["b"]);
    assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    assert!(rig.counters.export_failures.timeout.get() >= 1);
    assert_eq!(rig.counters.spans_dropped.retries_exhausted.get(), 1);
}

#[test]
fn the_environment_alone_starts_a_pipeline_or_none() {
    let collector = Collector::start(Protocol::HttpJson, vec![], None);
    let url = format!("http://{}", collector.address);
    let on = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    let start = |pairs: &[(&str, &str)]| {
        let (settings, warnings) = Settings::read(&Env::from_pairs(pairs.iter().copied())).unwrap();
        assert_eq!(warnings, []);
        let counters = Arc::<Counters>::default();
        let resources = Resources::new(None, &[], RESOURCES_MAX, Arc::clone(&counters));
        Pipeline::from_settings(&settings, resources, counters).unwrap()
    };
    assert!(start(&[("OTEL_TRACES_EXPORTER", "none")]).is_none());
    assert!(start(&[("OTEL_SDK_DISABLED", "true"), on[0], on[1]]).is_none());
    let pipeline = start(&on).unwrap();
    let run = super::rig::run(&[super::rig::span("a")]);
    assert!(pipeline.sink().push(spanbridge::resource::ResourceId::DEFAULT, &run, 1));
    assert_eq!(pipeline.shutdown(PATIENCE), Flush::Done);
    assert_eq!(collector.wait(1).len(), 1);
}

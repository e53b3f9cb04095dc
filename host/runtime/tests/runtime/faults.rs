//! A component that fails: every message goes on as it came, and a counter says why.

use std::time::{Duration, Instant};

use spanbridge::metrics::Counters;
use spanbridge::resource::ResourceId;
use spanbridge::{
    Answer, Delivery, MessageBits, OpenSpan, Outcome, Route, RouteSettings, Runtime, Settlement,
    SpanContext, Tracer, Verdict, VerdictBits,
};

use crate::faulty;
use crate::tracer::message;

/// Far above the two milliseconds of the deadline: this machine may be busy.
const LONG: Duration = Duration::from_millis(500);

/// Failures by reason: trap, deadline, memory, answer.
type Reasons = [u64; 4];

/// What the component is told to do, and what it counts as.
const FAULTS: [(&str, Reasons); 9] = [
    ("trap", [1, 0, 0, 0]),
    ("stack", [1, 0, 0, 0]),
    ("loop", [0, 1, 0, 0]),
    ("memory", [0, 0, 1, 0]),
    ("verdicts", [0, 0, 0, 1]),
    ("edit", [0, 0, 0, 1]),
    ("run", [0, 0, 0, 1]),
    ("tail", [0, 0, 0, 1]),
    ("pointer", [0, 0, 0, 1]),
];

fn reasons(counters: &Counters) -> Reasons {
    let failures = &counters.component_failures;
    [&failures.trap, &failures.deadline, &failures.memory, &failures.answer]
        .map(|counter| counter.get())
}

fn route(runtime: &Runtime) -> Route {
    runtime.open_route(RouteSettings::new("test")).unwrap()
}

fn is_untouched(answer: &Answer<'_>, messages: usize) -> bool {
    !answer.has_edits()
        && (0..messages).all(|index| {
            answer.verdict(index) == Verdict::default()
                && answer.edits(index).is_empty()
                && answer.key(index).is_empty()
                && answer.open(index).is_none()
        })
}

/// Publishes until a call is made again. Another instance takes a moment.
fn recovers(runtime: &Runtime, tracer: &mut Tracer, route: Route) {
    let bypassed = || runtime.counters().messages_untraced.bypassed.get();
    let start = Instant::now();
    loop {
        let before = bypassed();
        let mut batch = runtime.publish_batch();
        batch.add(&message(route, b"orders"));
        tracer.publish(&mut batch);
        if bypassed() == before {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it did not recover");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_fault_of_a_publish_leaves_all_messages_of_the_call_alone() {
    for (word, expected) in FAULTS {
        let (runtime, sink) = faulty::runtime();
        let (route, mut tracer) = (route(&runtime), runtime.tracer());
        let mut batch = runtime.publish_batch();
        for destination in ["orders", word, "orders"] {
            batch.add(&message(route, destination.as_bytes()));
        }
        let start = Instant::now();
        let answer = tracer.publish(&mut batch);
        let elapsed = start.elapsed();
        assert!(is_untouched(&answer, 3), "{word}");
        assert!(elapsed < LONG, "{word} took {elapsed:?}");
        let counters = runtime.counters();
        assert_eq!(reasons(counters), expected, "{word}");
        assert_eq!(counters.messages_untraced.failed.get(), 3, "{word}");
        recovers(&runtime, &mut tracer, route);
        assert_eq!(reasons(counters), expected, "{word}");
        assert!(sink.runs().is_empty(), "{word}");
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
        body_size: 0,
        attempt: 0,
        prefetched: 0,
        start: 1,
        requested: 0,
        published: 0,
        previous: SpanContext::default(),
    }
}

#[test]
fn every_fault_of_a_delivery_leaves_all_messages_of_the_call_alone() {
    for (word, expected) in FAULTS {
        let (runtime, sink) = faulty::runtime();
        let (route, mut tracer) = (route(&runtime), runtime.tracer());
        let mut batch = runtime.deliver_batch();
        for destination in [word, "orders"] {
            batch.add(&delivery(route, destination.as_bytes()));
        }
        assert!(is_untouched(&tracer.deliver(&mut batch), 2), "{word}");
        assert_eq!(reasons(runtime.counters()), expected, "{word}");
        assert_eq!(runtime.counters().messages_untraced.failed.get(), 2, "{word}");
        assert!(sink.runs().is_empty(), "{word}");
    }
}

fn open(route: Route) -> OpenSpan {
    OpenSpan {
        route,
        bits: VerdictBits::SAMPLED,
        resource: ResourceId::DEFAULT,
        trace_hi: 1,
        trace_lo: 2,
        span_id: 3,
        start: 1,
        published: 0,
        beginning: (*b"begin").into(),
    }
}

#[test]
fn a_fault_of_a_settlement_loses_spans_and_counts_them() {
    for (word, expected) in FAULTS
        .into_iter()
        .filter(|fault| ["trap", "stack", "loop", "memory", "run"].contains(&fault.0))
    {
        let (runtime, sink) = faulty::runtime();
        let (route, mut tracer) = (route(&runtime), runtime.tracer());
        let mut batch = runtime.settle_batch();
        let end = Settlement::new(Outcome::Ack, 2);
        batch.add(&open(route), &end);
        batch.add(&open(route), &Settlement { detail: word.as_bytes(), ..end });
        tracer.settle(&batch);
        assert_eq!(reasons(runtime.counters()), expected, "{word}");
        assert_eq!(runtime.counters().settlements_lost.failed.get(), 2, "{word}");
        assert!(sink.runs().is_empty(), "{word}");
    }
}

#[test]
fn calls_before_a_failing_one_of_the_same_batch_keep_their_answers() {
    let limits = spanbridge::Limits { messages_per_call_max: 2, ..Default::default() };
    let runtime = faulty::builder().limits(limits).build().unwrap();
    let (route, mut tracer) = (route(&runtime), runtime.tracer());
    let mut batch = runtime.publish_batch();
    for destination in ["a", "b", "c", "trap", "d"] {
        batch.add(&message(route, destination.as_bytes()));
    }
    assert!(is_untouched(&tracer.publish(&mut batch), 5));
    assert_eq!(runtime.counters().messages_untraced.failed.get(), 3);
    assert_eq!(reasons(runtime.counters()), [1, 0, 0, 0]);
}

#[test]
fn a_component_that_keeps_failing_is_bypassed_and_tried_again() {
    let (runtime, _) = faulty::runtime();
    let (route, mut tracer) = (route(&runtime), runtime.tracer());
    let counters = runtime.counters();
    let mut batch = runtime.publish_batch();
    batch.add(&message(route, b"trap"));
    let start = Instant::now();
    while counters.component_bypasses.get() == 0 {
        assert!(is_untouched(&tracer.publish(&mut batch), 1));
        assert!(start.elapsed() < Duration::from_secs(20), "it was never bypassed");
    }
    let failed = reasons(counters)[0];
    let bypassed = counters.messages_untraced.bypassed.get();
    assert!(is_untouched(&tracer.publish(&mut batch), 1));
    assert_eq!(reasons(counters)[0], failed, "an open breaker lets no call through");
    assert_eq!(counters.messages_untraced.bypassed.get(), bypassed + 1);
    recovers(&runtime, &mut tracer, route);
}

#[test]
fn work_within_the_deadline_is_not_cut_off_however_long_the_thread_has_to_wait() {
    let (runtime, _) = faulty::runtime();
    let route = route(&runtime);
    // Several threads for each processor, so that most calls are interrupted by the scheduler.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut tracer = runtime.tracer();
                let mut batch = runtime.publish_batch();
                batch.add(&message(route, b"slow"));
                for _ in 0..200 {
                    tracer.publish(&mut batch);
                }
            });
        }
    });
    assert_eq!(reasons(runtime.counters()), [0; 4]);
}

#[test]
fn a_route_that_the_component_refuses_or_fails_to_open_is_an_error() {
    let (runtime, _) = faulty::runtime();
    let refused = runtime.open_route(RouteSettings::new("refuse")).unwrap_err();
    assert!(refused.is_config() && refused.to_string().contains("system refuse"), "{refused}");
    for word in ["trap", "loop", "memory"] {
        let error = runtime.open_route(RouteSettings::new(word)).unwrap_err();
        assert!(error.is_component(), "{error}");
    }
    route(&runtime);
}

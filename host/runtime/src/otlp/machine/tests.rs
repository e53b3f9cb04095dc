//! The pipeline without a thread, a clock or a network.

use std::time::Duration;

use super::*;
use crate::env::Bsp;
use crate::otlp::exporter::FailureKind;
use crate::otlp::framing::put_field;
use crate::resource::ResourceId;
use crate::sink::{QueueLimits, Sink, WakeAt};

const SECOND: Duration = Duration::from_secs(1);

/// A machine with its queue, for batches of four spans.
struct Rig {
    machine: Machine,
    sink: Sink,
    counters: Arc<Counters>,
}

impl Rig {
    fn new(concurrency: usize) -> Self {
        let counters = Arc::<Counters>::default();
        let limits = QueueLimits { queue_spans_max: 20, queue_bytes_max: 10_000 };
        let wake_at = WakeAt { spans: 4, bytes: 5_000 };
        let queue = Arc::new(Queue::new(limits, wake_at, Arc::clone(&counters)));
        let resources = Resources::new(None, &[], 8, Arc::clone(&counters));
        let settings = PipelineSettings {
            batch_spans_max: 4,
            request_bytes_max: 5_000,
            ..PipelineSettings::new(&Bsp::default(), 10 * SECOND)
        };
        let sink = Sink::new(Arc::clone(&queue));
        let machine = Machine::new(settings, queue, resources, Arc::clone(&counters), concurrency);
        Self { machine, sink, counters }
    }

    fn push(&self, spans: u32) -> bool {
        let mut run = Vec::new();
        (0..spans).for_each(|_| put_field(&mut run, 2, b"span"));
        self.sink.push(ResourceId::DEFAULT, &run, spans)
    }

    /// Expects a send: its flight and spans.
    fn sent(&mut self, now: Duration) -> (usize, usize) {
        match self.machine.poll(now) {
            Action::Send { flight, batch, .. } => (flight, batch.spans()),
            other => panic!("expected a send at {now:?}, found {other:?}"),
        }
    }

    /// Expects a wait: until when.
    fn waits(&mut self, now: Duration) -> Duration {
        match self.machine.poll(now) {
            Action::Wait { until } => until,
            other => panic!("expected a wait at {now:?}, found {other:?}"),
        }
    }

    fn deliver(&mut self, flight: usize, now: Duration) {
        let outcome = Outcome::Delivered(Delivered::default());
        assert!(self.machine.finish(flight, outcome, now, 0).is_some());
    }

    fn fail(&mut self, flight: usize, retry: Retry, now: Duration) -> Settled {
        let failure = Failure { kind: FailureKind::Unavailable, retry, message: String::new() };
        self.machine.finish(flight, Outcome::Failed(failure), now, u32::MAX).unwrap()
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_part_filled_batch_waits_for_the_schedule_and_a_full_one_does_not() {
    let mut rig = Rig::new(1);
    rig.push(3);
    assert_eq!(rig.waits(ms(1)), 5 * SECOND);
    rig.push(2);
    assert_eq!(rig.sent(ms(2)), (0, 4));
    rig.deliver(0, ms(3));
    assert_eq!(rig.waits(ms(4)), 5 * SECOND);
    assert_eq!(rig.sent(5 * SECOND), (0, 1));
    rig.deliver(0, 5 * SECOND);
    assert_eq!(rig.waits(5 * SECOND), 10 * SECOND);
    assert_eq!(rig.counters.spans_exported.get(), 5);
    assert_eq!(rig.counters.export_requests.get(), 2);
}

#[test]
fn an_idle_pipeline_sends_nothing() {
    let mut rig = Rig::new(2);
    assert_eq!(rig.waits(5 * SECOND), 10 * SECOND);
    assert_eq!(rig.waits(60 * SECOND), 65 * SECOND);
    assert_eq!(rig.counters.export_requests.get(), 0);
}

#[test]
fn no_more_flights_than_allowed_are_sent_and_the_rest_is_bounded_by_the_queue() {
    let mut rig = Rig::new(9);
    rig.push(20);
    assert_eq!(rig.sent(ms(1)), (0, 4));
    assert_eq!(rig.sent(ms(1)), (1, 4));
    rig.waits(ms(1));
    assert!(rig.push(8));
    assert!(!rig.push(1));
    assert_eq!(rig.counters.spans_dropped.queue_full.get(), 1);
    rig.deliver(1, ms(2));
    assert_eq!(rig.sent(ms(2)), (1, 4));
    assert!(rig.push(4));
}

#[test]
fn a_transient_failure_is_retried_with_back_off_until_the_deadline() {
    let mut rig = Rig::new(1);
    rig.push(4);
    let mut now = Duration::ZERO;
    let mut attempts = 0;
    loop {
        assert_eq!(rig.sent(now), (0, 4));
        attempts += 1;
        match rig.fail(0, Retry::Backoff, now) {
            Settled::WillRetry { wait, .. } => {
                assert_eq!(rig.waits(now), (now + wait).min(rig.machine.next_drain));
                now += wait;
            }
            Settled::GaveUp { spans, .. } => break assert_eq!(spans, 4),
            other => panic!("unexpected {other:?}"),
        }
    }
    // 0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5 seconds; the next would be after 30.
    assert_eq!((attempts, now), (7, ms(23_500)));
    assert_eq!(rig.counters.spans_dropped.retries_exhausted.get(), 4);
    assert_eq!(rig.counters.export_retries.unavailable.get(), 6);
    assert_eq!(rig.counters.export_failures.unavailable.get(), 7);
}

#[test]
fn attempts_are_bounded_even_when_time_is_left() {
    let mut rig = Rig::new(1);
    rig.machine.settings.retry.attempts_max = 2;
    rig.push(4);
    rig.sent(ms(0));
    assert!(matches!(rig.fail(0, Retry::Backoff, ms(0)), Settled::WillRetry { .. }));
    rig.sent(ms(500));
    assert!(matches!(rig.fail(0, Retry::Backoff, ms(500)), Settled::GaveUp { .. }));
}

#[test]
fn a_permanent_failure_drops_the_batch_and_frees_the_flight() {
    let mut rig = Rig::new(1);
    rig.push(8);
    rig.sent(ms(0));
    assert!(matches!(rig.fail(0, Retry::Never, ms(1)), Settled::GaveUp { spans: 4, .. }));
    assert_eq!(rig.counters.spans_dropped.non_retryable.get(), 4);
    assert_eq!(rig.sent(ms(1)), (0, 4));
    let encode = Failure::permanent(FailureKind::Encode, "");
    rig.machine.finish(0, Outcome::Failed(encode), ms(1), 0);
    assert_eq!(rig.counters.spans_dropped.encode.get(), 4);
}

#[test]
fn a_receivers_delay_silences_every_flight() {
    let mut rig = Rig::new(2);
    rig.push(4);
    rig.sent(ms(0));
    let settled = rig.fail(0, Retry::After(3 * SECOND), ms(10));
    assert!(matches!(settled, Settled::WillRetry { wait, .. } if wait == 3 * SECOND));
    rig.push(4);
    assert_eq!(rig.waits(ms(20)), ms(3_010));
    assert_eq!(rig.sent(ms(3_010)), (0, 4));
    assert_eq!(rig.sent(ms(3_010)), (1, 4));
}

#[test]
fn a_flight_that_backs_off_honours_the_delay_that_another_was_given() {
    let mut rig = Rig::new(2);
    rig.push(8);
    assert_eq!((rig.sent(ms(0)), rig.sent(ms(0))), ((0, 4), (1, 4)));
    rig.fail(0, Retry::Backoff, ms(0));
    rig.fail(1, Retry::After(2 * SECOND), ms(0));
    assert_eq!(rig.waits(ms(500)), 2 * SECOND);
    assert_eq!(rig.sent(2 * SECOND), (0, 4));
}

#[test]
fn a_delay_past_the_deadline_gives_up_and_still_silences() {
    let mut rig = Rig::new(1);
    rig.push(8);
    rig.sent(ms(0));
    let settled = rig.fail(0, Retry::After(40 * SECOND), ms(0));
    assert!(matches!(settled, Settled::GaveUp { .. }));
    rig.waits(39 * SECOND);
    assert_eq!(rig.sent(40 * SECOND), (0, 4));
}

#[test]
fn rejected_spans_are_counted_once_and_never_more_than_were_sent() {
    let mut rig = Rig::new(1);
    for (rejected, exported, dropped) in [(1, 3, 1), (99, 3, 5)] {
        rig.push(4);
        rig.sent(ms(0));
        let delivered = Delivered { rejected, message: "old".into() };
        rig.machine.finish(0, Outcome::Delivered(delivered), ms(0), 0);
        assert_eq!(rig.counters.spans_exported.get(), exported);
        assert_eq!(rig.counters.spans_dropped.rejected.get(), dropped);
    }
    assert_eq!(rig.counters.export_retries.total(), 0);
}

#[test]
fn a_flush_ends_when_what_was_queued_before_it_has_landed() {
    let mut rig = Rig::new(2);
    rig.push(5);
    rig.machine.flush();
    assert_eq!(rig.sent(ms(1)), (0, 4));
    assert_eq!(rig.sent(ms(1)), (1, 1));
    rig.waits(ms(1));
    assert!(!rig.machine.flushed());
    rig.deliver(1, ms(2));
    // Pushed after the flush began: it must not hold the flush up.
    rig.push(4);
    assert_eq!(rig.sent(ms(2)), (1, 4));
    rig.waits(ms(2));
    assert!(!rig.machine.flushed());
    rig.deliver(0, ms(3));
    rig.waits(ms(3));
    assert!(rig.machine.flushed());
    assert!(!rig.machine.flushed());
}

#[test]
fn a_flush_of_nothing_ends_at_once_and_a_lost_span_shows() {
    let mut rig = Rig::new(1);
    rig.machine.flush();
    rig.waits(ms(1));
    assert!(rig.machine.flushed());
    rig.push(1);
    rig.machine.flush();
    rig.sent(ms(2));
    rig.fail(0, Retry::Never, ms(2));
    rig.waits(ms(2));
    assert!(rig.machine.flushed());
    assert_eq!(rig.machine.lost(), 1);
}

#[test]
fn a_flush_during_a_scheduled_drain_covers_what_came_after_the_drain_began() {
    let mut rig = Rig::new(1);
    rig.push(3);
    rig.sent(5 * SECOND);
    rig.push(2);
    rig.machine.flush();
    rig.waits(5 * SECOND);
    rig.deliver(0, 5 * SECOND);
    assert_eq!(rig.sent(5 * SECOND), (0, 2));
    rig.waits(5 * SECOND);
    assert!(!rig.machine.flushed());
    rig.deliver(0, 5 * SECOND);
    rig.waits(5 * SECOND);
    assert!(rig.machine.flushed());
}

#[test]
fn closing_sends_everything_then_finishes() {
    let mut rig = Rig::new(1);
    rig.push(5);
    rig.machine.close();
    assert!(!rig.push(1));
    assert_eq!(rig.sent(ms(1)), (0, 4));
    rig.waits(ms(1));
    rig.deliver(0, ms(2));
    assert_eq!(rig.sent(ms(2)), (0, 1));
    rig.deliver(0, ms(3));
    assert!(matches!(rig.machine.poll(ms(3)), Action::Finished));
    assert_eq!(rig.counters.spans_exported.get(), 5);
}

#[test]
fn what_is_abandoned_is_counted_wherever_it_is() {
    let mut rig = Rig::new(1);
    rig.push(9);
    rig.sent(ms(1));
    rig.push(2);
    rig.machine.close();
    assert_eq!(rig.machine.abandon(), 11);
    assert_eq!(rig.counters.spans_dropped.shutdown.get(), 11);
    assert!(matches!(rig.machine.poll(ms(1)), Action::Finished));
    // An attempt that ends afterwards is nobody's any more.
    assert_eq!(rig.machine.finish(0, Outcome::Delivered(Delivered::default()), ms(1), 0), None);
}

#[test]
fn a_span_larger_than_any_request_is_dropped_and_the_others_go_out() {
    let mut rig = Rig::new(1);
    let mut run = Vec::new();
    put_field(&mut run, 2, &[0; 6_000]);
    put_field(&mut run, 2, b"span");
    assert!(rig.sink.push(ResourceId::DEFAULT, &run, 2));
    rig.machine.flush();
    assert_eq!(rig.sent(ms(1)), (0, 1));
    assert_eq!(rig.counters.spans_dropped.too_large.get(), 1);
    // The room of both is free again.
    rig.deliver(0, ms(1));
    assert!(rig.push(20));
}

#[test]
fn an_attempt_gets_no_more_time_than_its_batch_has_left() {
    let mut rig = Rig::new(1);
    rig.push(4);
    let timeout = |action| match action {
        Action::Send { timeout, .. } => timeout,
        other => panic!("expected a send, found {other:?}"),
    };
    assert_eq!(timeout(rig.machine.poll(ms(0))), 10 * SECOND);
    rig.fail(0, Retry::After(25 * SECOND), ms(0));
    assert_eq!(timeout(rig.machine.poll(25 * SECOND)), 5 * SECOND);
}

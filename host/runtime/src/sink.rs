//! The sink: where spans enter the pipeline, from any thread, without waiting.
//!
//! ```text
//! push ──▶ queue (a buffer per resource, under one mutex) ──swap──▶ worker ──▶ exporter
//!   └─ full, closed or malformed: dropped and counted
//! ```
//!
//! The component hands over spans already encoded, so a push is a check of the framing and one
//! copy. Nothing is allocated once the buffers have grown. A push never waits for the exporter; the
//! mutex is held for a copy or for a swap of two pointers.
//!
//! This module does not batch, time or send.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::metrics::Counters;
use crate::otlp::buffer::SpanBuffer;
use crate::otlp::framing;
use crate::resource::ResourceId;

/// Spans queued at most when `OTEL_BSP_MAX_QUEUE_SIZE` is unset.
///
/// The specification's 2 048 is a tenth of a second for one busy queue. 65 536 rides out a
/// collector's restart of two seconds at 30 000 messages a second.
pub const QUEUE_SPANS_MAX: usize = 65_536;

/// Bytes queued at most.
///
/// 65 536 spans of 512 bytes, which is a span with a link and a dozen attributes. So the count
/// binds for ordinary spans, and this for large ones.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bounds of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Spans waiting to be put into a request.
    pub queue_spans_max: usize,
    /// Bytes of those spans.
    pub queue_bytes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { queue_spans_max: QUEUE_SPANS_MAX, queue_bytes_max: QUEUE_BYTES_MAX }
    }
}

/// Takes encoded spans. Cloning it is cheap and gives the same queue.
#[derive(Clone, Debug)]
pub struct Sink {
    queue: Option<Arc<Queue>>,
}

impl Sink {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue: Some(queue) }
    }

    /// A sink for a process that exports nothing: it forgets what it is given and counts nothing.
    pub fn discarding() -> Self {
        Self { queue: None }
    }

    /// Queues a span run: `spans` encoded spans, each with the tag and length of
    /// `ScopeSpans.spans`.
    ///
    /// Answers whether the run was taken. A run is taken whole or not at all; a refused one is
    /// counted in `spans_dropped` by reason: `queue_full`, `shutdown` once the pipeline stops,
    /// `too_large` when the run alone is past the bounds, `encode` when its framing is wrong or
    /// does not hold `spans` spans. Never blocks beyond a short mutex.
    pub fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.push(resource, run, spans))
    }
}

impl Sink {
    /// Spans and bytes that count against the bounds of the queue at this moment.
    pub fn waiting(&self) -> (usize, usize) {
        self.queue.as_ref().map_or((0, 0), |queue| queue.held())
    }
}

/// The worker is woken when this much waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WakeAt {
    pub(crate) spans: usize,
    pub(crate) bytes: usize,
}

impl WakeAt {
    /// Whether so many spans and bytes are worth a request of their own.
    pub(crate) fn reached(self, spans: usize, bytes: usize) -> bool {
        spans >= self.spans || bytes >= self.bytes
    }
}

/// The queue between the sinks and the worker.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: QueueLimits,
    wake_at: WakeAt,
    counters: Arc<Counters>,
    state: Mutex<State>,
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: SpanBuffer,
    /// Spans and bytes that the worker took and has not put into a request yet. They count against
    /// the bounds, or a swap would double them.
    taken_spans: usize,
    taken_bytes: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, wake_at: WakeAt, counters: Arc<Counters>) -> Self {
        Self { limits, wake_at, counters, state: Mutex::default(), wake: Notify::new() }
    }

    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        let dropped = &self.counters.spans_dropped;
        let count = spans as usize;
        if framing::count_spans(run) != Some(spans) {
            dropped.encode.add(u64::from(spans));
            return false;
        }
        if count > self.limits.queue_spans_max || run.len() > self.limits.queue_bytes_max {
            dropped.too_large.add(u64::from(spans));
            return false;
        }
        let mut state = self.state();
        if state.closed {
            dropped.shutdown.add(u64::from(spans));
            return false;
        }
        let (old_spans, old_bytes) = (state.waiting.spans(), state.waiting.bytes());
        let (new_spans, new_bytes) = (old_spans + count, old_bytes + run.len());
        // No sum overflows: each part is within a limit that fits memory.
        if new_spans + state.taken_spans > self.limits.queue_spans_max
            || new_bytes + state.taken_bytes > self.limits.queue_bytes_max
        {
            dropped.queue_full.add(u64::from(spans));
            return false;
        }
        state.waiting.push(resource.0, run, count);
        drop(state);
        self.counters.spans_queued.add(u64::from(spans));
        let wake_at = self.wake_at;
        if wake_at.reached(new_spans, new_bytes) && !wake_at.reached(old_spans, old_bytes) {
            self.wake.notify_one();
        }
        true
    }

    /// Swaps what waits with `empty`. Its spans count against the bounds until [`Self::release`].
    pub(crate) fn take(&self, empty: &mut SpanBuffer) {
        let mut state = self.state();
        std::mem::swap(&mut state.waiting, empty);
        state.taken_spans += empty.spans();
        state.taken_bytes += empty.bytes();
    }

    /// Makes room for spans that left the worker's buffer.
    pub(crate) fn release(&self, spans: usize, bytes: usize) {
        let mut state = self.state();
        state.taken_spans -= spans;
        state.taken_bytes -= bytes;
    }

    /// Spans and bytes that wait to be taken.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.waiting.spans(), state.waiting.bytes())
    }

    /// Spans and bytes that wait, and those that the worker has not put into a request yet.
    fn held(&self) -> (usize, usize) {
        let state = self.state();
        let (spans, bytes) = (state.waiting.spans(), state.waiting.bytes());
        (spans + state.taken_spans, bytes + state.taken_bytes)
    }

    pub(crate) fn wake_at(&self) -> WakeAt {
        self.wake_at
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Sizes and bytes change together without a call that can panic in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &[u8] = &[0x12, 3, 1, 2, 3];

    fn queue(queue_spans_max: usize, queue_bytes_max: usize) -> (Sink, Arc<Queue>) {
        let limits = QueueLimits { queue_spans_max, queue_bytes_max };
        let queue = Arc::new(Queue::new(limits, WakeAt { spans: 2, bytes: 1000 }, Arc::default()));
        (Sink::new(Arc::clone(&queue)), queue)
    }

    #[test]
    fn a_push_past_either_bound_is_dropped_and_counted() {
        for (spans_max, bytes_max) in [(2, 1000), (1000, 10)] {
            let (sink, queue) = queue(spans_max, bytes_max);
            let id = ResourceId::DEFAULT;
            assert!(sink.push(id, SPAN, 1));
            assert!(sink.push(id, SPAN, 1));
            assert!(!sink.push(id, SPAN, 1));
            assert_eq!(queue.counters.spans_queued.get(), 2);
            assert_eq!(queue.counters.spans_dropped.queue_full.get(), 1);
        }
    }

    #[test]
    fn what_the_worker_holds_counts_against_the_bound_until_released() {
        let (sink, queue) = queue(2, 1000);
        let id = ResourceId::DEFAULT;
        assert!(sink.push(id, &SPAN.repeat(2), 2));
        let mut taken = SpanBuffer::default();
        queue.take(&mut taken);
        assert_eq!((taken.spans(), queue.waiting().0), (2, 0));
        assert!(!sink.push(id, SPAN, 1));
        queue.release(1, SPAN.len());
        assert!(sink.push(id, SPAN, 1));
        assert!(!sink.push(id, SPAN, 1));
    }

    #[test]
    fn a_run_is_refused_by_reason() {
        let (sink, queue) = queue(4, 100);
        let dropped = &queue.counters.spans_dropped;
        let id = ResourceId::DEFAULT;
        assert!(!sink.push(id, &SPAN[..4], 1));
        assert!(!sink.push(id, SPAN, 2));
        assert_eq!(dropped.encode.get(), 3);
        assert!(!sink.push(id, &SPAN.repeat(5), 5));
        assert_eq!(dropped.too_large.get(), 5);
        queue.close();
        assert!(!sink.push(id, SPAN, 1));
        assert_eq!(dropped.shutdown.get(), 1);
        assert_eq!(dropped.total(), 9);
        assert_eq!(queue.counters.spans_queued.get(), 0);
    }

    #[test]
    fn a_discarding_sink_takes_everything() {
        assert!(Sink::discarding().push(ResourceId::DEFAULT, b"not a run", 7));
    }
}

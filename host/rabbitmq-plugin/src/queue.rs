//! The spans that wait for the exporter, as frames of the pipe.
//!
//! Schedulers push, one process of the broker's takes. Either side holds the lock for a copy or for
//! the exchange of a few words; nothing here waits for the exporter.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use spanbridge::SpanSink;
use spanbridge::metrics::Counters;
use spanbridge::resource::ResourceId;
use spanbridge::sink::QueueLimits;

use crate::frame::{FRAME_BYTES, put_resource, put_spans};

/// Spans on their way out of the broker.
#[derive(Debug)]
pub struct Queue {
    limits: QueueLimits,
    counters: Arc<Counters>,
    names: RwLock<HashMap<ResourceId, Arc<str>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    spans: usize,
    bytes: usize,
    closed: bool,
    /// Empty, and as large as the last frame: the next one need not grow.
    spare: Vec<u8>,
}

/// A frame, being filled or full.
#[derive(Debug, Default)]
pub struct Frame {
    /// Its records.
    pub bytes: Vec<u8>,
    /// Spans in it.
    pub spans: usize,
    /// Whose the last of them are.
    resource: Option<ResourceId>,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: QueueLimits, counters: Arc<Counters>) -> Self {
        Self { limits, counters, names: RwLock::default(), state: Mutex::default() }
    }

    /// Says what a resource is called. Spans of one without a name are dropped.
    pub fn name(&self, resource: ResourceId, name: &str) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.entry(resource).or_insert_with(|| name.into());
    }

    /// Takes the oldest frame out. `None`: nothing waits. Whoever is done with it may
    /// [give it back](Self::give_back).
    pub fn take(&self) -> Option<Frame> {
        let mut state = self.state();
        let frame = state.frames.pop_front()?;
        state.spans -= frame.spans;
        state.bytes -= frame.bytes.len();
        Some(frame)
    }

    /// Takes the memory of a frame that was sent.
    pub fn give_back(&self, frame: Frame) {
        let mut bytes = frame.bytes;
        bytes.clear();
        // One of a single large record is not kept.
        if bytes.capacity() <= 2 * FRAME_BYTES {
            self.state().spare = bytes;
        }
    }

    /// Spans and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.spans, state.bytes)
    }

    /// Refuses everything from now on. What waits can be taken.
    pub fn close(&self) {
        self.state().closed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Frames and sums change together without a call that can panic in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name_of(&self, resource: ResourceId) -> Option<Arc<str>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(&resource).cloned()
    }
}

impl SpanSink for Queue {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        let (dropped, count) = (&self.counters.spans_dropped, u64::from(spans));
        let mut state = self.state();
        if state.closed {
            dropped.shutdown.add(count);
            return false;
        }
        // No sum overflows: each part is within a limit that fits memory.
        if state.spans + spans as usize > self.limits.queue_spans_max
            || state.bytes + run.len() > self.limits.queue_bytes_max
        {
            dropped.queue_full.add(count);
            return false;
        }
        let full = |frame: &Frame| frame.bytes.len() + run.len() > FRAME_BYTES;
        let is_new = state.frames.back().is_none_or(full);
        let last = state.frames.back().filter(|_| !is_new).and_then(|frame| frame.resource);
        // Mostly it is the one of the span before, and then nothing is looked up.
        let name = if last == Some(resource) { None } else { Some(self.name_of(resource)) };
        if let Some(None) = name {
            dropped.encode.add(count);
            return false;
        }
        if is_new {
            let bytes = mem::take(&mut state.spare);
            state.frames.push_back(Frame { bytes, ..Frame::default() });
        }
        let Some(frame) = state.frames.back_mut() else { return false };
        let before = frame.bytes.len();
        if let Some(name) = name.flatten() {
            frame.resource = Some(resource);
            put_resource(&mut frame.bytes, &name);
        }
        put_spans(&mut frame.bytes, spans, run);
        frame.spans += spans as usize;
        let grown = frame.bytes.len() - before;
        state.spans += spans as usize;
        state.bytes += grown;
        drop(state);
        self.counters.spans_queued.add(count);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Record, record};

    const SHOP: ResourceId = ResourceId::DEFAULT;
    const OTHER: ResourceId = ResourceId::OVERFLOW;

    fn queue(queue_spans_max: usize, queue_bytes_max: usize) -> Queue {
        let limits = QueueLimits { queue_spans_max, queue_bytes_max };
        let queue = Queue::new(limits, Arc::default());
        queue.name(SHOP, "shop");
        queue.name(OTHER, "other");
        queue
    }

    fn records(mut frame: &[u8]) -> Vec<Record<'_>> {
        let mut records = Vec::new();
        while let Some((found, rest)) = record(frame) {
            records.push(found);
            frame = rest;
        }
        assert!(frame.is_empty(), "{frame:?}");
        records
    }

    #[test]
    fn a_frame_says_whose_spans_it_holds_and_says_it_once() {
        let queue = queue(10, 1 << 20);
        for (resource, run) in [(SHOP, b"a"), (SHOP, b"b"), (OTHER, b"c")] {
            assert!(queue.push(resource, run, 1));
        }
        let frame = queue.take().unwrap();
        let spans = |run| Record::Spans { count: 1, run };
        let [shop, other] = ["shop", "other"].map(Record::Resource);
        let expected = [shop, spans(&b"a"[..]), spans(b"b"), other, spans(b"c")];
        assert_eq!(records(&frame.bytes), expected);
        assert_eq!((frame.spans, queue.waiting(), queue.take().is_none()), (3, (0, 0), true));
        assert!(queue.push(SHOP, b"d", 1));
        assert_eq!(records(&queue.take().unwrap().bytes)[0], shop, "the next one stands alone");
    }

    #[test]
    fn what_is_past_a_bound_or_has_no_name_is_dropped_and_counted() {
        let full = queue(2, 1 << 20);
        assert!(full.push(SHOP, b"a", 2) && !full.push(SHOP, b"b", 1));
        let long = queue(10, 30);
        assert!(long.push(SHOP, &[0; 10], 1) && !long.push(SHOP, &[0; 10], 1));
        for queue in [&full, &long] {
            assert_eq!(queue.counters.spans_dropped.queue_full.get(), 1);
        }
        full.take();
        assert!(full.push(SHOP, b"b", 1), "there is room again");
        full.close();
        assert!(!full.push(SHOP, b"c", 1) && full.take().is_some());
        assert_eq!(full.counters.spans_dropped.shutdown.get(), 1);
        let nameless = Queue::new(QueueLimits::default(), Arc::default());
        assert!(!nameless.push(SHOP, b"a", 1));
        assert_eq!(nameless.counters.spans_dropped.encode.get(), 1);
    }

    #[test]
    fn a_long_run_has_a_frame_of_its_own() {
        let queue = queue(10, 1 << 20);
        for length in [1, FRAME_BYTES, 1] {
            assert!(queue.push(SHOP, &vec![0; length], 1));
        }
        let spans = std::iter::from_fn(|| queue.take()).map(|frame| frame.spans);
        assert_eq!(spans.collect::<Vec<_>>(), [1, 1, 1]);
    }
}

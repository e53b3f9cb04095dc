//! Encoded spans waiting, one byte buffer per resource.
//!
//! The queue, the batcher and the spare all are a [`SpanBuffer`]: the worker swaps them, so that in
//! steady state nothing is allocated. Bounds are the queue's business; this module only keeps its
//! idle memory small.

use std::collections::VecDeque;

use super::framing;

/// Idle capacity kept by one buffer over all its resources.
///
/// A batch of 512 spans of 400 bytes is 200 KiB; this keeps that for twenty busy resources, and
/// gives back what a burst took.
const IDLE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Spans of one resource, in the order they were pushed.
#[derive(Debug, Default)]
struct Lane {
    bytes: Vec<u8>,
    /// Bytes already cut off the front.
    start: usize,
    spans: usize,
}

/// Encoded spans by resource.
#[derive(Debug, Default)]
pub(crate) struct SpanBuffer {
    lanes: Vec<Lane>,
    /// Lanes that hold spans, each once, the one to cut next in front.
    ready: VecDeque<u16>,
    spans: usize,
    bytes: usize,
}

/// A stretch of one lane that goes into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) lane: u16,
    pub(crate) spans: usize,
    pub(crate) bytes: usize,
}

/// What [`SpanBuffer::plan`] found.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) segments: Vec<Segment>,
    /// A span that fits no request heads this lane.
    pub(crate) oversized: Option<u16>,
}

impl SpanBuffer {
    pub(crate) fn spans(&self) -> usize {
        self.spans
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a run that has been checked.
    pub(crate) fn push(&mut self, lane: u16, run: &[u8], spans: usize) {
        let target = self.lane_mut(lane);
        let was_empty = target.spans == 0;
        target.bytes.extend_from_slice(run);
        target.spans += spans;
        if was_empty && spans > 0 {
            self.ready.push_back(lane);
        }
        self.spans += spans;
        self.bytes += run.len();
    }

    /// Moves everything from `other` behind what is here. `other` keeps this buffer's spare
    /// capacity where a lane here was empty.
    pub(crate) fn append(&mut self, other: &mut Self) {
        while let Some(lane) = other.ready.pop_front() {
            let source = &mut other.lanes[usize::from(lane)];
            let target = self.lane_mut(lane);
            if target.spans == 0 {
                std::mem::swap(target, source);
                self.ready.push_back(lane);
            } else {
                target.bytes.drain(..target.start);
                target.start = 0;
                target.bytes.extend_from_slice(&source.bytes);
                target.spans += source.spans;
            }
        }
        self.spans += other.spans;
        self.bytes += other.bytes;
        other.clear();
    }

    /// Chooses what the next request carries: at most `spans_max` spans, and at most `bytes_max`
    /// bytes counting `overhead(lane)` for each resource. Removes nothing.
    pub(crate) fn plan(
        &self,
        spans_max: usize,
        bytes_max: usize,
        mut overhead: impl FnMut(u16) -> usize,
    ) -> Plan {
        let mut plan = Plan::default();
        let (mut spans, mut bytes) = (0, 0);
        for &lane in &self.ready {
            bytes += overhead(lane);
            let segment = self.segment(lane, spans_max - spans, bytes_max.saturating_sub(bytes));
            if segment.spans == 0 {
                plan.oversized = plan.segments.is_empty().then_some(lane);
                break;
            }
            spans += segment.spans;
            bytes += segment.bytes;
            plan.segments.push(segment);
            if spans == spans_max {
                break;
            }
        }
        plan
    }

    /// The longest front of a lane within both bounds.
    fn segment(&self, lane: u16, spans_max: usize, bytes_max: usize) -> Segment {
        let waiting = self.waiting(lane);
        let mut segment = Segment { lane, spans: 0, bytes: 0 };
        while segment.spans < spans_max {
            let Some(next) = framing::first_span(&waiting[segment.bytes..]) else { break };
            if next > bytes_max - segment.bytes {
                break;
            }
            segment.bytes += next;
            segment.spans += 1;
        }
        segment
    }

    /// The bytes of a planned segment.
    pub(crate) fn bytes_of(&self, segment: &Segment) -> &[u8] {
        &self.waiting(segment.lane)[..segment.bytes]
    }

    /// Removes planned segments. A lane that keeps spans goes behind the others, so that a busy
    /// resource does not starve a quiet one.
    pub(crate) fn remove(&mut self, segments: &[Segment]) {
        for segment in segments {
            let lane = &mut self.lanes[usize::from(segment.lane)];
            lane.start += segment.bytes;
            lane.spans -= segment.spans;
            self.spans -= segment.spans;
            self.bytes -= segment.bytes;
            self.ready.retain(|&ready| ready != segment.lane);
            if lane.spans > 0 {
                self.ready.push_back(segment.lane);
            } else {
                lane.bytes.clear();
                lane.start = 0;
            }
        }
        if self.ready.is_empty() {
            self.clear();
        }
    }

    /// Removes the first span of a lane: the number of its bytes.
    pub(crate) fn remove_first(&mut self, lane: u16) -> usize {
        let bytes = framing::first_span(self.waiting(lane)).unwrap_or(0);
        self.remove(&[Segment { lane, spans: 1, bytes }]);
        bytes
    }

    /// Empties the buffer, keeping at most [`IDLE_BYTES_MAX`] of capacity.
    pub(crate) fn clear(&mut self) {
        let mut kept = 0;
        for lane in &mut self.lanes {
            lane.bytes.clear();
            lane.start = 0;
            lane.spans = 0;
            kept += lane.bytes.capacity();
            if kept > IDLE_BYTES_MAX {
                kept -= lane.bytes.capacity();
                lane.bytes = Vec::new();
            }
        }
        self.ready.clear();
        self.spans = 0;
        self.bytes = 0;
    }

    fn waiting(&self, lane: u16) -> &[u8] {
        let lane = &self.lanes[usize::from(lane)];
        &lane.bytes[lane.start..]
    }

    fn lane_mut(&mut self, lane: u16) -> &mut Lane {
        let index = usize::from(lane);
        if index >= self.lanes.len() {
            self.lanes.resize_with(index + 1, Lane::default);
        }
        &mut self.lanes[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A span of `size` content bytes, all `fill`.
    fn span(size: u8, fill: u8) -> Vec<u8> {
        [vec![0x12, size], vec![fill; usize::from(size)]].concat()
    }

    fn lanes(plan: &Plan) -> Vec<(u16, usize)> {
        plan.segments.iter().map(|segment| (segment.lane, segment.spans)).collect()
    }

    #[test]
    fn a_plan_stops_at_the_span_bound_and_at_the_byte_bound() {
        let mut buffer = SpanBuffer::default();
        for _ in 0..3 {
            buffer.push(0, &span(8, 1), 1);
        }
        buffer.push(2, &span(8, 2), 1);
        let cases = [
            (10, 1000, vec![(0, 3), (2, 1)]),
            (2, 1000, vec![(0, 2)]),
            (4, 30, vec![(0, 3)]),
            (4, 29, vec![(0, 2)]),
            (4, 40, vec![(0, 3), (2, 1)]),
            (4, 39, vec![(0, 3)]),
        ];
        for (spans, bytes, expected) in cases {
            // No overhead: ten bytes a span.
            let plan = buffer.plan(spans, bytes, |_| 0);
            assert_eq!(lanes(&plan), expected, "{spans} spans, {bytes} bytes");
            assert_eq!(plan.oversized, None);
        }
    }

    #[test]
    fn a_span_that_fits_no_request_is_named_and_can_be_removed() {
        let mut buffer = SpanBuffer::default();
        buffer.push(1, &span(100, 1), 1);
        buffer.push(1, &span(1, 2), 1);
        assert_eq!(buffer.plan(10, 50, |_| 5).oversized, Some(1));
        assert_eq!(buffer.remove_first(1), 102);
        assert_eq!(lanes(&buffer.plan(10, 50, |_| 5)), [(1, 1)]);
        assert_eq!((buffer.spans(), buffer.bytes()), (1, 3));
    }

    #[test]
    fn a_busy_resource_goes_behind_the_others_after_its_turn() {
        let mut buffer = SpanBuffer::default();
        for _ in 0..4 {
            buffer.push(0, &span(1, 0), 1);
        }
        buffer.push(1, &span(1, 1), 1);
        let first = buffer.plan(2, 1000, |_| 0);
        buffer.remove(&first.segments);
        assert_eq!(lanes(&buffer.plan(2, 1000, |_| 0)), [(1, 1), (0, 1)]);
    }

    #[test]
    fn append_keeps_the_order_inside_a_resource() {
        let (mut pending, mut queue) = (SpanBuffer::default(), SpanBuffer::default());
        pending.push(0, &[span(1, 1), span(1, 2)].concat(), 2);
        let first = pending.plan(1, 1000, |_| 0);
        pending.remove(&first.segments);
        queue.push(0, &span(1, 3), 1);
        queue.push(5, &span(1, 4), 1);
        pending.append(&mut queue);
        assert_eq!((pending.spans(), pending.bytes()), (3, 9));
        assert_eq!((queue.spans(), queue.bytes()), (0, 0));
        let plan = pending.plan(10, 1000, |_| 0);
        assert_eq!(pending.bytes_of(&plan.segments[0]), [span(1, 2), span(1, 3)].concat());
        assert_eq!(plan.segments[1].lane, 5);
        pending.remove(&plan.segments);
        assert_eq!((pending.spans(), pending.bytes()), (0, 0));
    }

    #[test]
    fn clearing_gives_back_what_a_burst_took() {
        let mut buffer = SpanBuffer::default();
        let run = span(100, 0).repeat(80_000);
        buffer.push(3, &run, 80_000);
        buffer.push(4, &span(1, 0), 1);
        buffer.clear();
        assert_eq!(buffer.lanes[3].bytes.capacity(), 0);
        assert!(buffer.lanes[4].bytes.capacity() > 0);
    }
}

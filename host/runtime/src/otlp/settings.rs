//! Bounds and times of the pipeline.

use std::time::Duration;

use super::retry::RetryPolicy;
use super::target::OTLP_TIMEOUT;
use crate::env::Bsp;
use crate::sink::{QUEUE_SPANS_MAX, QueueLimits};

/// Bytes of one request by default.
///
/// The OTLP specification forbids more than [`REQUEST_BYTES_LIMIT`], but gRPC receivers refuse
/// messages over 4 MiB unless they are configured otherwise, and a refused request is lost whole.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one request that the OTLP specification forbids to exceed.
pub const REQUEST_BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// Shortest schedule delay. Less would keep a core busy looking at an empty queue.
pub const SCHEDULE_DELAY_MIN: Duration = Duration::from_millis(10);

/// Bounds and times of one pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipelineSettings {
    /// Bounds of the queue.
    pub queue: QueueLimits,
    /// Spans of one request, at least 1.
    pub batch_spans_max: usize,
    /// Bytes of one request. A span that alone is larger is dropped as `too_large`. Lowered to
    /// [`REQUEST_BYTES_LIMIT`].
    pub request_bytes_max: usize,
    /// Longest time a span waits for its batch to fill. Raised to [`SCHEDULE_DELAY_MIN`].
    pub schedule_delay: Duration,
    /// Longest time one batch is tried, back-off included.
    pub export_timeout: Duration,
    /// Longest time of one attempt.
    pub request_timeout: Duration,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl PipelineSettings {
    /// Takes the batch processor's settings and the exporter's request timeout.
    pub fn new(bsp: &Bsp, request_timeout: Duration) -> Self {
        let queue_spans_max = bsp.max_queue_size.unwrap_or(QUEUE_SPANS_MAX);
        Self {
            queue: QueueLimits { queue_spans_max, ..QueueLimits::default() },
            batch_spans_max: bsp.max_export_batch_size.min(queue_spans_max),
            request_bytes_max: REQUEST_BYTES_MAX,
            schedule_delay: bsp.schedule_delay,
            export_timeout: bsp.export_timeout,
            request_timeout,
            retry: RetryPolicy::default(),
        }
    }

    /// The same within the bounds of each field.
    pub(crate) fn bounded(mut self) -> Self {
        self.batch_spans_max = self.batch_spans_max.max(1);
        self.request_bytes_max = self.request_bytes_max.min(REQUEST_BYTES_LIMIT);
        self.schedule_delay = self.schedule_delay.max(SCHEDULE_DELAY_MIN);
        self
    }
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self::new(&Bsp::default(), OTLP_TIMEOUT)
    }
}

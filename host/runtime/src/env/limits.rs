//! The batch processor's variables and the limits of a span.

use std::time::Duration;

use super::reader::{INTEGER, POSITIVE, Reader};
use crate::otlp::SCHEDULE_DELAY_MIN;
use crate::sink::QUEUE_SPANS_MAX;

/// Every count limit of the specification.
const COUNT_MAX: u32 = 128;

/// `OTEL_BSP_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bsp {
    /// Longest time a span waits for its batch to fill; 5 s.
    pub schedule_delay: Duration,
    /// Longest time one batch is tried; 30 s.
    pub export_timeout: Duration,
    /// Spans queued at most; `None` when unset, which means
    /// [`QUEUE_SPANS_MAX`].
    pub max_queue_size: Option<usize>,
    /// Spans of one request; 512.
    pub max_export_batch_size: usize,
}

impl Default for Bsp {
    fn default() -> Self {
        Self {
            schedule_delay: Duration::from_secs(5),
            export_timeout: Duration::from_secs(30),
            max_queue_size: None,
            max_export_batch_size: 512,
        }
    }
}

impl Bsp {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
        const BATCH: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let default = Self::default();
        // A 31-bit number fits a usize on every target that has threads.
        let max_queue_size = reader.integer(QUEUE, POSITIVE).map(|size| size as usize);
        let queue = max_queue_size.unwrap_or(QUEUE_SPANS_MAX);
        let mut max_export_batch_size = default.max_export_batch_size;
        if let Some(size) = reader.integer(BATCH, POSITIVE) {
            max_export_batch_size = size as usize;
            if max_export_batch_size > queue {
                let done = format!("lowered to {queue}, the size of the queue");
                reader.warn(BATCH, &size.to_string(), done);
            }
        }
        Self {
            schedule_delay: schedule_delay(reader).unwrap_or(default.schedule_delay),
            export_timeout: reader
                .timeout("OTEL_BSP_EXPORT_TIMEOUT")
                .unwrap_or(default.export_timeout),
            max_queue_size,
            max_export_batch_size: max_export_batch_size.min(queue),
        }
    }
}

fn schedule_delay(reader: &mut Reader<'_>) -> Option<Duration> {
    const NAME: &str = "OTEL_BSP_SCHEDULE_DELAY";
    let delay = reader.duration(NAME)?;
    if delay < SCHEDULE_DELAY_MIN {
        let done = format!("raised to {}", SCHEDULE_DELAY_MIN.as_millis());
        reader.warn(NAME, &delay.as_millis().to_string(), done);
    }
    Some(delay.max(SCHEDULE_DELAY_MIN))
}

/// Limits of what one span holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLimits {
    /// Characters of an attribute value; `None` for no limit.
    pub attribute_value_length: Option<u32>,
    /// Attributes of a span.
    pub attributes: u32,
    /// Events of a span.
    pub events: u32,
    /// Links of a span.
    pub links: u32,
    /// Attributes of an event.
    pub event_attributes: u32,
    /// Attributes of a link.
    pub link_attributes: u32,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attribute_value_length: None,
            attributes: COUNT_MAX,
            events: COUNT_MAX,
            links: COUNT_MAX,
            event_attributes: COUNT_MAX,
            link_attributes: COUNT_MAX,
        }
    }
}

impl SpanLimits {
    /// The span's own variable comes before the general one.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut limit = |name| reader.integer(name, INTEGER);
        let general_length = limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let general_count = limit("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let span_length = limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let span_count = limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT");
        Self {
            attribute_value_length: span_length.or(general_length),
            attributes: span_count.or(general_count).unwrap_or(COUNT_MAX),
            events: limit("OTEL_SPAN_EVENT_COUNT_LIMIT").unwrap_or(COUNT_MAX),
            links: limit("OTEL_SPAN_LINK_COUNT_LIMIT").unwrap_or(COUNT_MAX),
            event_attributes: limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT").unwrap_or(COUNT_MAX),
            link_attributes: limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT").unwrap_or(COUNT_MAX),
        }
    }
}

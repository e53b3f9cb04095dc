//! Batches: messages on their way into one call of the component.
//!
//! A batch is filled, handed to a tracer, read, cleared and filled again; its buffers stay, so
//! that a message allocates nothing. Names and values lie in one arena:
//!
//! ```text
//! arena   destination id headers attributes body │ destination id headers …
//!         └─ message 0 ──────────────────────────┘ └─ message 1
//! ```
//!
//! A batch keeps its own bounds. What goes past one is remembered as a message of no route, or not
//! at all, and is answered with zeros: it goes on untraced, and the tracer counts it. A batch that
//! is too large for one call is cut into several here; nobody else sees that.

use crate::bits::MessageBits;
use crate::limits::Limits;
use crate::record::{self, Head, SpanRef};
use crate::resource::ResourceId;
use crate::route::Route;

mod batch;
mod parts;

pub(crate) use batch::{Batch, Cut};
pub use parts::Parts;

/// A span that the caller knows of. All zero stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanContext {
    /// First eight bytes of the trace-id, as a big-endian number.
    pub trace_hi: u64,
    /// Last eight bytes of the trace-id.
    pub trace_lo: u64,
    /// The span-id.
    pub span_id: u64,
}

/// A message on its way from a producer to the broker. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    /// The route it belongs to.
    pub route: Route,
    /// What is known about it.
    pub bits: MessageBits,
    /// Whose span it becomes.
    pub resource: ResourceId,
    /// The destination's name. Bytes that are not UTF-8 are replaced in the span.
    pub destination: &'a [u8],
    /// `messaging.message.id`; empty: none.
    pub id: &'a [u8],
    /// The body, if the route has an envelope; else empty.
    pub body: &'a [u8],
    /// Size of the body on the wire, in bytes.
    pub body_size: u64,
    /// When the message was read from the producer.
    pub start: u64,
    /// When it was handed on. 0: an answer of the broker is to come, so the span stays open.
    pub end: u64,
    /// A span of the producer's, used when the message holds no context. Whether it is sampled
    /// and random is said in `bits`.
    pub parent: SpanContext,
}

/// A message on its way from the broker to a consumer. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The route it belongs to.
    pub route: Route,
    /// What is known about it.
    pub bits: MessageBits,
    /// Whose span it becomes.
    pub resource: ResourceId,
    /// The destination's name. Bytes that are not UTF-8 are replaced in the span.
    pub destination: &'a [u8],
    /// `messaging.message.id`; empty: none.
    pub id: &'a [u8],
    /// The body, if the route has an envelope; else empty.
    pub body: &'a [u8],
    /// Size of the body on the wire, in bytes.
    pub body_size: u64,
    /// Which attempt the broker says this is; 1: the first, 0: it does not say.
    pub attempt: u32,
    /// How many messages of this consumer were unsettled before this one.
    pub prefetched: u32,
    /// When the message was handed to the consumer.
    pub start: u64,
    /// When the consumer asked for it. 0: it did not.
    pub requested: u64,
    /// When the broker says that it was published. 0: it does not say.
    pub published: u64,
    /// The process span of the previous attempt.
    pub previous: SpanContext,
}

/// Messages for [`Tracer::publish`](crate::Tracer::publish).
#[derive(Debug, Default)]
pub struct PublishBatch(pub(crate) Batch<record::Message>);

/// Messages for [`Tracer::deliver`](crate::Tracer::deliver).
#[derive(Debug, Default)]
pub struct DeliverBatch(pub(crate) Batch<record::Delivery>);

macro_rules! batch {
    ($Batch:ident, $Item:ident) => {
        impl $Batch {
            /// Makes an empty batch. Only the bounds of a batch and of a call are used.
            pub fn new(limits: &Limits) -> Self {
                Self(Batch::new(limits))
            }

            /// Forgets everything but the buffers.
            pub fn clear(&mut self) {
                self.0.clear();
            }

            /// Messages added, those past a bound included.
            pub fn len(&self) -> usize {
                self.0.added
            }

            /// Answers whether nothing was added.
            pub fn is_empty(&self) -> bool {
                self.0.added == 0
            }

            /// Answers whether the next message would go past a bound of the batch.
            pub fn is_full(&self) -> bool {
                self.0.is_full()
            }

            /// Adds a message. Headers and attributes are added to what this answers, which
            /// completes the message when it is dropped.
            pub fn add<'b>(&'b mut self, item: &$Item<'b>) -> Parts<'b> {
                let record = item.record();
                self.0.add(record, item.resource, item.destination, item.id, item.body)
            }
        }
    };
}

batch!(PublishBatch, Publish);
batch!(DeliverBatch, Delivery);

impl<'a> Publish<'a> {
    /// A message of which only this is known.
    pub fn new(route: Route, resource: ResourceId, destination: &'a [u8]) -> Self {
        Self {
            route,
            bits: MessageBits::empty(),
            resource,
            destination,
            id: b"",
            body: b"",
            body_size: 0,
            start: 0,
            end: 0,
            parent: SpanContext::default(),
        }
    }

    fn record(&self) -> record::Message {
        record::Message {
            head: head(self.route, self.bits),
            body_size: self.body_size,
            start: self.start,
            end: self.end,
            parent: self.parent.into(),
        }
    }
}

impl<'a> Delivery<'a> {
    /// A message of which only this is known.
    pub fn new(route: Route, resource: ResourceId, destination: &'a [u8]) -> Self {
        Self {
            route,
            bits: MessageBits::empty(),
            resource,
            destination,
            id: b"",
            body: b"",
            body_size: 0,
            attempt: 0,
            prefetched: 0,
            start: 0,
            requested: 0,
            published: 0,
            previous: SpanContext::default(),
        }
    }

    fn record(&self) -> record::Delivery {
        record::Delivery {
            head: head(self.route, self.bits),
            attempt: self.attempt,
            prefetched: self.prefetched,
            body_size: self.body_size,
            start: self.start,
            requested: self.requested,
            published: self.published,
            previous: self.previous.into(),
        }
    }
}

fn head(route: Route, bits: MessageBits) -> Head {
    Head { route: route.0, bits: bits.bits(), ..Head::default() }
}

impl From<SpanContext> for SpanRef {
    fn from(span: SpanContext) -> Self {
        Self { hi: span.trace_hi, lo: span.trace_lo, span: span.span_id }
    }
}

#[cfg(test)]
mod tests;

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

use crate::answer::Buffers;
use crate::attribute::Attribute;
use crate::bits::MessageBits;
use crate::limits::{BATCH_KEPT_BYTES_MAX, Limits};
use crate::record::{self, Head, NO_ROUTE, Record, SpanRef};
use crate::resource::ResourceId;
use crate::route::Route;

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
                Self(Batch { limits: *limits, ..Batch::default() })
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

/// Where a call's share of a batch begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub records: usize,
    pub arena: usize,
}

/// What the two batches have in common.
#[derive(Debug, Default)]
pub(crate) struct Batch<R> {
    limits: Limits,
    pub records: Vec<R>,
    /// By message, as `records`.
    pub resources: Vec<ResourceId>,
    pub space: Space,
    /// Messages added, those that were not kept included.
    added: usize,
    /// Stands in for a record that is not kept.
    spare: R,
    /// What the component answered.
    pub out: Buffers,
}

/// The arena of a batch, and where it is cut.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub arena: Vec<u8>,
    /// Where each call but the first begins.
    pub cuts: Vec<Cut>,
    /// Attributes of the message being added; they follow its headers.
    attributes: Vec<u8>,
    /// Messages that went past a bound.
    pub overflowed: u64,
    /// Headers that are longer than an entry can say.
    pub skipped: u64,
}

impl<R: Record> Batch<R> {
    fn clear(&mut self) {
        let space = &mut self.space;
        for bytes in [&mut space.arena, &mut space.attributes] {
            bytes.clear();
            bytes.shrink_to(BATCH_KEPT_BYTES_MAX);
        }
        space.cuts.clear();
        space.overflowed = 0;
        space.skipped = 0;
        self.records.clear();
        self.resources.clear();
        self.added = 0;
        self.out.clear();
    }

    fn add<'b>(
        &'b mut self,
        record: R,
        resource: ResourceId,
        destination: &[u8],
        id: &[u8],
        body: &'b [u8],
    ) -> Parts<'b> {
        let index = self.added;
        self.added += 1;
        let space = &mut self.space;
        space.attributes.clear();
        // Neither bound can be passed and then met again, so what is kept has no holes.
        let kept = index < self.limits.batch_messages_max
            && space.arena.len() < self.limits.batch_bytes_max;
        let record = if kept {
            self.records.push(record);
            self.resources.push(resource);
            &mut self.records[index]
        } else {
            self.spare = record;
            &mut self.spare
        };
        let start = space.arena.len();
        let (head, limits) = (record.head_mut(), &self.limits);
        let mut parts = Parts { head, space, limits, index, start, body, kept, full: !kept };
        parts.head.destination = parts.text(destination);
        parts.head.id = parts.text(id);
        parts
    }
}

/// A message that is being added. Complete when this is dropped; the order in which headers and
/// attributes are added does not matter, that of the headers among themselves is kept.
#[derive(Debug)]
pub struct Parts<'b> {
    head: &'b mut Head,
    space: &'b mut Space,
    limits: &'b Limits,
    index: usize,
    /// Where the message begins in the arena.
    start: usize,
    body: &'b [u8],
    /// The batch has a record of the message.
    kept: bool,
    /// Past a bound: what is added is ignored, and the message goes on untraced.
    full: bool,
}

impl Parts<'_> {
    /// The message's number in the batch, by which the answer is asked.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Adds a header that carries context: `number` and `key` as
    /// [`Fields::find`](crate::Fields::find) answers them.
    ///
    /// A key above 255 bytes or a value above 65 535 cannot be handed in; the header is skipped
    /// and counted.
    pub fn header(&mut self, number: u8, key: &[u8], value: &[u8]) {
        let (Ok(key_length), Ok(length)) = (u8::try_from(key.len()), u16::try_from(value.len()))
        else {
            self.space.skipped += 1;
            return;
        };
        if self.is_full(4 + key.len() + value.len()) {
            return;
        }
        let arena = &mut self.space.arena;
        let before = arena.len();
        let [low, high] = length.to_le_bytes();
        arena.extend_from_slice(&[number, key_length, low, high]);
        arena.extend_from_slice(key);
        arena.extend_from_slice(value);
        self.head.headers += (arena.len() - before) as u32;
    }

    /// Adds an attribute with a text, which is cut at 65 535 bytes.
    pub fn text_attribute(&mut self, attribute: Attribute, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.attribute(attribute, 0, &text[..usize::from(length)], length);
    }

    /// Adds an attribute with a number.
    pub fn int_attribute(&mut self, attribute: Attribute, number: i64) {
        self.attribute(attribute, 1, &number.to_le_bytes(), 8);
    }

    fn attribute(&mut self, attribute: Attribute, kind: u8, value: &[u8], length: u16) {
        if self.is_full(4 + value.len()) {
            return;
        }
        let [low, high] = length.to_le_bytes();
        self.space.attributes.extend_from_slice(&[attribute as u8, kind, low, high]);
        self.space.attributes.extend_from_slice(value);
    }

    /// Appends a part and answers its length.
    fn text(&mut self, part: &[u8]) -> u32 {
        if self.is_full(part.len()) {
            return 0;
        }
        self.space.arena.extend_from_slice(part);
        // At most `arena_bytes_max`, which is a length in the component's 32-bit memory.
        part.len() as u32
    }

    /// Answers whether the message has no room for `more` bytes; then it has none from now on.
    fn is_full(&mut self, more: usize) -> bool {
        let used = self.space.arena.len() - self.start + self.space.attributes.len();
        self.full = self.full || more > self.limits.arena_bytes_max.saturating_sub(used);
        self.full
    }

    /// Gives the message a place in the current call, or begins the next one with it.
    fn place(&mut self) {
        let space = &mut *self.space;
        let mut call = space.cuts.last().copied().unwrap_or_default();
        let too_long = space.arena.len() - call.arena > self.limits.arena_bytes_max;
        let too_many = self.index - call.records >= self.limits.messages_per_call_max;
        if too_long || too_many {
            call = Cut { records: self.index, arena: self.start };
            space.cuts.push(call);
        }
        self.head.at = (self.start - call.arena) as u32;
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        if !self.is_full(self.body.len()) {
            let space = &mut *self.space;
            self.head.attributes = space.attributes.len() as u32;
            self.head.body = self.body.len() as u32;
            space.arena.extend_from_slice(&space.attributes);
            space.arena.extend_from_slice(self.body);
        }
        if self.full {
            self.space.arena.truncate(self.start);
            self.space.overflowed += 1;
            *self.head = Head { route: NO_ROUTE, ..Head::default() };
        }
        if self.kept {
            self.place();
        }
    }
}

#[cfg(test)]
mod tests;

//! What a message says of itself: its properties, the broker's marks, a job's name.

use spanbridge::{Attribute, Fields, Parts};
use spanbridge_wire::amqp::{BrokerMarks, ContentHeader, Properties};

use crate::timestamp::unix_nanos;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// A message whose properties and headers can all be read.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) properties: Properties<'a>,
    pub(super) marks: BrokerMarks<'a>,
    task: Option<&'a [u8]>,
    task_id: Option<&'a [u8]>,
    eta: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Reads what a header says. `bytes` begin where its frame does. `None`: not all of it can be
    /// read, so whether it holds a context cannot be known.
    pub(super) fn read(header: &ContentHeader, bytes: &'a [u8]) -> Option<Self> {
        let properties = header.properties(bytes)?;
        let (mut marks, mut task, mut task_id, mut eta) =
            (BrokerMarks::default(), None, None, None);
        if let Some(table) = properties.headers {
            let mut entries = table.iter();
            for entry in entries.by_ref() {
                match entry.name {
                    b"task" => task = entry.value.as_text(),
                    b"id" => task_id = entry.value.as_text(),
                    b"eta" => eta = entry.value.as_text(),
                    _ => drop(marks.note(&entry)),
                }
            }
            if !entries.is_complete() {
                return None;
            }
        }
        Some(Self { properties, marks, task, task_id, eta })
    }

    /// The name of a Celery task: the headers `task` and `id` are how its messages are known
    /// (Celery's message protocol, version 2).
    pub(super) fn job(&self) -> Option<&'a [u8]> {
        self.task.filter(|task| !task.is_empty() && self.task_id.is_some())
    }

    /// When a Celery task may begin at the earliest, while its worker waits with it: nanoseconds
    /// since the Unix epoch. 0: it does not say.
    pub(super) fn not_before(&self) -> u64 {
        let eta = self.job().and(self.eta).and_then(|eta| std::str::from_utf8(eta).ok());
        eta.and_then(unix_nanos).unwrap_or(0)
    }

    /// The property, else the id of a Celery task. Empty: there is none.
    pub(super) fn id(&self) -> &'a [u8] {
        let property = self.properties.message_id.unwrap_or_default();
        match (property, self.job()) {
            (b"", Some(_)) => self.task_id.unwrap_or_default(),
            (property, _) => property,
        }
    }

    /// What it is called when it is delivered again; empty: it will not be known, or, in a stream,
    /// is never delivered again.
    pub(super) fn lasting_id(&self) -> &'a [u8] {
        if self.is_from_stream() { b"" } else { self.id() }
    }

    /// When the broker took it, in nanoseconds since the Unix epoch; 0: it does not say.
    ///
    /// The property `timestamp` is not looked at: it counts seconds, and producers write it.
    pub(super) fn published(&self) -> u64 {
        let ms = self.marks.received_ms();
        ms.and_then(|ms| ms.checked_mul(NANOSECONDS_PER_MILLISECOND)).unwrap_or(0)
    }

    /// It was read from a stream, where reading again is no redelivery.
    pub(super) fn is_from_stream(&self) -> bool {
        self.marks.stream_offset.is_some()
    }

    /// How often it was dead-lettered, from this queue or from any.
    fn deaths(&self, queue: Option<&[u8]>) -> u64 {
        let here = self.marks.deaths().filter(|death| queue.is_none() || death.queue == queue);
        here.fold(0, |sum, death| sum.saturating_add(death.count.unwrap_or(1)))
    }

    /// It has died somewhere, and so has waited more than once.
    pub(super) fn has_died(&self) -> bool {
        self.deaths(None) > 0
    }

    /// Which attempt in this queue it is; 0: the broker does not say.
    pub(super) fn attempt(&self, redelivered: bool, queue: &[u8]) -> u32 {
        if self.is_from_stream() {
            return 0;
        }
        let died = self.deaths(Some(queue));
        let returned = self.marks.delivery_count.max(self.marks.acquired_count);
        let before = match returned {
            // A queue that does not count says only that it is not the first.
            None if redelivered => return 0,
            returned => died.saturating_add(returned.unwrap_or(0)),
        };
        u32::try_from(before.saturating_add(1)).unwrap_or(u32::MAX)
    }

    /// Hands in the headers that carry context, and the attributes of either direction.
    pub(super) fn add_to(&self, parts: &mut Parts<'_>, fields: &Fields, routing_key: &[u8]) {
        for entry in self.properties.headers.into_iter().flatten() {
            if let Some(field) = fields.find(entry.name)
                && let Some(text) = entry.value.as_text()
            {
                parts.header(field.number, field.key, text);
            }
        }
        let texts = [
            (Attribute::RoutingKey, Some(routing_key)),
            (Attribute::ConversationId, self.properties.correlation_id),
            (Attribute::JobName, self.job()),
        ];
        for (attribute, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                parts.text_attribute(attribute, text);
            }
        }
    }
}

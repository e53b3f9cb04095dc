//! What a publish says of itself, read from its encoded properties.

use spanbridge::{Attribute, Fields, Parts, Spelling};
use spanbridge_wire::amqp::{HeaderEdit, Properties};

/// Headers of one message that are looked through. With more of them it goes on untraced: whether
/// it has a context would take a tenth of a millisecond to know.
pub const HEADERS_MAX: usize = 1024;

/// Most bytes that an injected context takes with the names of its headers: seven formats and our
/// member of tracestate.
const ROOM: usize = 1024;

/// Bytes of a content header's frame besides the properties: frame, class, weight, size, end. The
/// flags are counted with the properties.
const FRAME_OVERHEAD: usize = 7 + 12 + 1;

/// Sizes of frames that every consumer takes (`frame-min-size` of the specification), and that
/// consumers of RabbitMQ take by default. A header frame cannot be split.
const FRAME_SIZES: [usize; 2] = [4096, 131_072];

/// A message on its way from a client into the broker, all of whose headers can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) properties: Properties<'a>,
    routing_key: &'a [u8],
    job: Job<'a>,
}

/// The headers that say what a Celery task is called: its messages are known by both of them
/// (Celery's message protocol, version 2).
#[derive(Clone, Copy, Debug, Default)]
struct Job<'a> {
    name: &'a [u8],
    id: &'a [u8],
}

/// Edits as the codec of AMQP has them.
#[derive(Debug)]
pub(crate) struct Amqp;

impl Spelling for Amqp {
    type Edit<'a> = HeaderEdit<'a>;

    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> HeaderEdit<'a> {
        HeaderEdit { name, value }
    }
}

impl<'a> Message<'a> {
    /// Reads it. `None`: there are too many headers to look through, or one that cannot be read, so
    /// whether it has a context is not known.
    pub(crate) fn read(routing_key: &'a [u8], properties: Properties<'a>) -> Option<Self> {
        let (mut job, mut count) = (Job::default(), 0);
        let mut headers = properties.headers.unwrap_or_default().iter();
        for entry in headers.by_ref() {
            count += 1;
            match entry.name {
                _ if count > HEADERS_MAX => return None,
                b"task" => job.name = entry.value.as_text().unwrap_or_default(),
                b"id" => job.id = entry.value.as_text().unwrap_or_default(),
                _ => {}
            }
        }
        if !headers.is_complete() {
            return None;
        }
        let is_task = !job.name.is_empty() && !job.id.is_empty();
        Some(Self { properties, routing_key, job: if is_task { job } else { Job::default() } })
    }

    /// The property, else the id of a Celery task. Empty: there is none.
    pub(crate) fn id(&self) -> &'a [u8] {
        self.properties.message_id.filter(|id| !id.is_empty()).unwrap_or(self.job.id)
    }

    /// Hands in the headers that carry context, and the attributes.
    pub(crate) fn add_to(&self, parts: &mut Parts<'_>, fields: &Fields) {
        for entry in self.properties.headers.into_iter().flatten() {
            if let Some(field) = fields.find(entry.name)
                && let Some(text) = entry.value.as_text()
            {
                parts.header(field.number, field.key, text);
            }
        }
        let texts = [
            (Attribute::RoutingKey, self.routing_key),
            (Attribute::ConversationId, self.properties.correlation_id.unwrap_or_default()),
            (Attribute::JobName, self.job.name),
        ];
        for (attribute, text) in texts {
            if !text.is_empty() {
                parts.text_attribute(attribute, text);
            }
        }
    }
}

/// Whether a message with a context still fits the frames that it fits without one.
pub(crate) fn has_room(properties_size: usize) -> bool {
    let frame = properties_size.saturating_add(FRAME_OVERHEAD);
    !FRAME_SIZES.iter().any(|&size| frame <= size && frame.saturating_add(ROOM) > size)
}

#[cfg(test)]
mod tests {
    use spanbridge_wire::amqp::ContentHeader;

    use super::*;

    /// Encoded properties with a table of texts, and a message id.
    fn properties(headers: &[(&str, &str)], message_id: &str) -> Vec<u8> {
        let mut table = Vec::new();
        for (name, value) in headers {
            table.push(name.len() as u8);
            table.extend_from_slice(name.as_bytes());
            table.push(b'S');
            table.extend_from_slice(&(value.len() as u32).to_be_bytes());
            table.extend_from_slice(value.as_bytes());
        }
        let mut encoded = vec![0x20, 0x80];
        encoded.extend_from_slice(&(table.len() as u32).to_be_bytes());
        encoded.extend_from_slice(&table);
        encoded.push(message_id.len() as u8);
        encoded.extend_from_slice(message_id.as_bytes());
        encoded
    }

    fn read<T>(encoded: &[u8], then: impl FnOnce(Option<Message<'_>>) -> T) -> T {
        let mut frame = Vec::new();
        let header = ContentHeader::around(encoded, &mut frame).unwrap();
        then(header.properties(&frame).and_then(|properties| Message::read(b"", properties)))
    }

    #[test]
    fn a_message_is_not_made_too_large_for_the_frames_of_its_consumers() {
        for (properties, expected) in [
            (0, true),
            (4096 - FRAME_OVERHEAD - ROOM, true),
            (4096 - FRAME_OVERHEAD - ROOM + 1, false),
            (4096 - FRAME_OVERHEAD, false),
            (4096 - FRAME_OVERHEAD + 1, true),
            (131_072 - FRAME_OVERHEAD, false),
            (131_072 - FRAME_OVERHEAD + 1, true),
            (usize::MAX, true),
        ] {
            assert_eq!(has_room(properties), expected, "{properties}");
        }
    }

    #[test]
    fn a_celery_task_is_known_by_two_headers_and_names_the_message() {
        let (task, id) = (("task", "app.add"), ("id", "7"));
        for (headers, message_id, name, expected) in [
            (&[task, id][..], "", "app.add", "7"),
            (&[task, id], "m1", "app.add", "m1"),
            (&[task], "", "", ""),
            (&[id], "", "", ""),
            (&[], "m1", "", "m1"),
        ] {
            read(&properties(headers, message_id), |message| {
                let message = message.unwrap();
                let found = (message.job.name, message.id());
                assert_eq!(found, (name.as_bytes(), expected.as_bytes()));
            });
        }
    }

    #[test]
    fn a_table_that_is_not_looked_through_is_not_taken_for_one_without_context() {
        for (count, expected) in [(HEADERS_MAX, true), (HEADERS_MAX + 1, false)] {
            let headers = vec![("a", "b"); count];
            let found = read(&properties(&headers, ""), |message| message.is_some());
            assert_eq!(found, expected, "{count} headers");
        }
        // A type that nobody knows, so what is behind it cannot be found.
        let mut encoded = properties(&[("a", "b")], "");
        encoded[8] = b'?';
        assert!(read(&encoded, |message| message.is_none()));
    }
}

//! What a publish says of itself, borrowed from the broker.

use spanbridge::{Attribute, Fields, Parts};

/// Headers of one message that are looked through. With more of them it goes on untraced: whether
/// it has a context would take a tenth of a millisecond to know.
pub const HEADERS_MAX: usize = 1024;

/// Most bytes that an injected context takes with the names of its headers: seven formats and our
/// member of tracestate.
const ROOM: usize = 1024;

/// Bytes of a content header's frame besides the properties: frame, class, weight, size, end.
const FRAME_OVERHEAD: usize = 7 + 12 + 1;

/// Sizes of frames that every consumer takes (`frame-min-size` of the specification), and that
/// consumers of RabbitMQ take by default. A header frame cannot be split.
const FRAME_SIZES: [usize; 2] = [4096, 131_072];

/// A message on its way from a client into the broker. `H` goes through those of its headers that
/// are texts.
#[derive(Clone, Debug)]
pub struct Message<'a, H> {
    /// Its routing key.
    pub routing_key: &'a [u8],
    /// Names and values.
    pub headers: H,
    /// The property `message_id`.
    pub message_id: &'a [u8],
    /// The property `correlation_id`.
    pub correlation_id: &'a [u8],
    /// Bytes of the encoded properties, about.
    pub properties_size: usize,
}

/// The headers that say what a Celery task is called: its messages are known by both of them
/// (Celery's message protocol, version 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job<'a> {
    name: &'a [u8],
    id: &'a [u8],
}

impl<'a, H: Iterator<Item = (&'a [u8], &'a [u8])> + Clone> Message<'a, H> {
    /// The Celery task, if it is one. `None`: there are too many headers to look through.
    pub fn job(&self) -> Option<Job<'a>> {
        let (mut job, mut count) = (Job::default(), 0);
        for (name, value) in self.headers.clone() {
            count += 1;
            match name {
                _ if count > HEADERS_MAX => return None,
                b"task" => job.name = value,
                b"id" => job.id = value,
                _ => {}
            }
        }
        let is_task = !job.name.is_empty() && !job.id.is_empty();
        Some(if is_task { job } else { Job::default() })
    }

    /// The property, else the id of a Celery task. Empty: there is none.
    pub fn id(&self, job: Job<'a>) -> &'a [u8] {
        if self.message_id.is_empty() { job.id } else { self.message_id }
    }

    /// Hands in the headers that carry context, and the attributes.
    pub fn add_to(&self, parts: &mut Parts<'_>, fields: &Fields, job: Job<'a>) {
        for (name, value) in self.headers.clone() {
            if let Some(field) = fields.find(name) {
                parts.header(field.number, field.key, value);
            }
        }
        let texts = [
            (Attribute::RoutingKey, self.routing_key),
            (Attribute::ConversationId, self.correlation_id),
            (Attribute::JobName, job.name),
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
    use super::*;

    type Header = (&'static [u8], &'static [u8]);

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
        let (task, id): (Header, Header) = ((b"task", b"app.add"), (b"id", b"7"));
        for (headers, message_id, name, expected) in [
            (&[task, id][..], "", "app.add", "7"),
            (&[task, id], "m1", "app.add", "m1"),
            (&[task], "", "", ""),
            (&[id], "", "", ""),
            (&[], "m1", "", "m1"),
        ] {
            let (headers, message_id) = (headers.iter().copied(), message_id.as_bytes());
            let message = message(headers, message_id);
            let job = message.job().unwrap();
            assert_eq!((job.name, message.id(job)), (name.as_bytes(), expected.as_bytes()));
        }
    }

    #[test]
    fn a_table_too_long_to_look_through_is_not_taken_for_one_without_context() {
        let header: Header = (b"a", b"b");
        for (count, expected) in [(HEADERS_MAX, true), (HEADERS_MAX + 1, false)] {
            let headers = std::iter::repeat_n(header, count);
            let message = message(headers, b"");
            assert_eq!(message.job().is_some(), expected);
        }
    }

    fn message<H>(headers: H, message_id: &[u8]) -> Message<'_, H> {
        let (routing_key, correlation_id) = (&b""[..], &b""[..]);
        Message { routing_key, headers, message_id, correlation_id, properties_size: 0 }
    }
}

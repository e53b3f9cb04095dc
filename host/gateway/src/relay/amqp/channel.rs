//! What is known of one channel.

use spanbridge::SpanContext;

use super::asked::Asked;
use super::attempts::Identity;
use super::consumers::{Consumers, Source};
use super::publishes::Publishes;
use super::tagged::Tagged;
use super::texts::Texts;

/// A channel.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// The message that the client is sending.
    pub(super) sending: Content,
    pub(super) publishing: Publishing,
    pub(super) publishes: Publishes,
    /// The message that the broker is sending.
    pub(super) receiving: Content,
    pub(super) delivering: Delivering,
    pub(super) consumers: Consumers,
    pub(super) unsettled: Tagged<Delivered>,
    /// Of each declaration of a queue, whether the queue goes away with its owner.
    pub(super) declared: Asked<bool>,
    /// The queue that an empty name means: the last that was declared.
    pub(super) last_queue: Box<[u8]>,
}

/// How far a message in one direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Content {
    /// Between two messages.
    #[default]
    None,
    /// Its method was there.
    Header,
    /// Its header was there, and this many bytes of its body are to come.
    Body { left: u64 },
}

impl Content {
    /// A method is there.
    pub(super) fn method(&mut self, carries_content: bool) {
        *self = if carries_content { Self::Header } else { Self::None };
    }

    /// A content header is there. Answers whether a method asked for it.
    pub(super) fn header(&mut self, body_size: u64) -> bool {
        let is_due = *self == Self::Header;
        *self = match (is_due, body_size) {
            (true, 1..) => Self::Body { left: body_size },
            _ => Self::None,
        };
        is_due
    }

    /// A content header went by unread: where its message ends, nobody knows.
    pub(super) fn unread(&mut self) {
        *self = Self::None;
    }

    /// So much of a body is there, or about to be.
    pub(super) fn body(&mut self, size: u32) {
        if let Self::Body { left } = *self {
            *self = match left.saturating_sub(size.into()) {
                0 => Self::None,
                left => Self::Body { left },
            };
        }
    }

    /// Answers whether a message is not whole.
    pub(super) fn is_open(self) -> bool {
        self != Self::None
    }
}

/// The publish that a content header is to come for.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    pub(super) texts: Texts,
    pub(super) mandatory: bool,
    /// `None`: nothing will be said of it.
    pub(super) number: Option<u64>,
}

/// The method from the broker that a content header is to come for.
#[derive(Debug, Default)]
pub(super) struct Delivering {
    pub(super) texts: Texts,
    pub(super) what: What,
}

/// What a broker sends content with.
#[derive(Debug, Default)]
pub(super) enum What {
    /// `basic.return`. The third text is why.
    #[default]
    Return,
    /// `basic.deliver`. The third text is the consumer's tag.
    Deliver { tag: u64, redelivered: bool },
    /// `basic.get-ok`. `None`: what was asked for is not known.
    Get { tag: u64, redelivered: bool, source: Option<Source> },
}

/// A delivery that is not settled.
#[derive(Debug)]
pub(super) struct Delivered {
    /// By what the message is known when it comes again.
    pub(super) identity: Option<Identity>,
    /// Its span. All zero: it has none, or none yet.
    pub(super) span: SpanContext,
    /// When it was delivered.
    pub(super) start: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_open_from_its_method_to_the_last_byte_of_its_body() {
        let mut content = Content::default();
        assert!(!content.header(5) && !content.is_open(), "no method asked for it");
        content.method(true);
        assert!(content.is_open() && content.header(5) && content.is_open());
        content.body(3);
        content.body(0);
        assert!(content.is_open());
        content.body(2);
        assert!(!content.is_open());
        content.method(true);
        assert!(content.header(0) && !content.is_open(), "an empty body is no frame");
    }

    #[test]
    fn a_message_that_is_broken_off_or_too_long_is_not_open() {
        let mut content = Content::default();
        content.method(true);
        content.method(false);
        assert!(!content.is_open());
        content.method(true);
        assert!(content.header(u64::MAX));
        content.body(u32::MAX);
        assert!(content.is_open());
        content.method(true);
        content.unread();
        content.body(1);
        assert!(!content.is_open());
        content.method(true);
        assert!(content.header(1));
        content.body(2);
        assert!(!content.is_open());
    }
}

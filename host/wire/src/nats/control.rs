//! Control lines: splitting them into arguments.
//!
//! ```text
//! HPUB  orders.new  _INBOX.x  12 17 ↵        operation, blanks, arguments
//!       ├────────┘  ├──────┘  ├┘ ├┘
//!       subject     reply     header length, message length
//! ```
//!
//! Arguments are separated by any number of spaces and tabs, and may hold every other byte but
//! carriage return and line feed: the server does not look at them either.

use super::arguments::Arguments;
use super::error::Error;
use super::message::{Message, Shape};
use super::operation::{Operation, is_blank};
use crate::Extent;
use crate::decimal::parse_size;
use crate::limits::NatsLimits;

/// A control line that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) operation: Operation,
    /// The line without its end.
    pub(super) text: &'a [u8],
    /// The offset behind the operation's name.
    pub(super) name_end: usize,
    /// Bytes up to and with the line feed.
    pub(super) len: usize,
}

/// A subscription of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The subject, wildcards included.
    pub subject: Extent,
    /// The queue group, if the subscription shares its messages with others.
    pub queue_group: Option<Extent>,
    /// The client's name for the subscription; deliveries repeat it.
    pub sid: Extent,
}

/// The end of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The subscription.
    pub sid: Extent,
    /// The number of deliveries, counted from the subscription's start, after which it ends.
    /// `None`: it ends at once, or the number cannot be read.
    pub deliveries_max: Option<u32>,
}

/// A message handed to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The subscription it is for.
    pub sid: Extent,
}

impl Line<'_> {
    /// `PUB subject [reply] length` and `HPUB subject [reply] header-length length`.
    #[inline(always)]
    pub(super) fn publish(&self, limits: &NatsLimits) -> Result<Message, Error> {
        let arguments = self.arguments()?;
        let (subject, reply, header_at, size_at) = match (self.operation, arguments.as_slice()) {
            (Operation::Hpub, &[subject, header, size]) => (subject, None, Some(header), size),
            (Operation::Hpub, &[subject, reply, header, size]) => {
                (subject, Some(reply), Some(header), size)
            }
            (Operation::Pub, &[subject, size]) => (subject, None, None, size),
            (Operation::Pub, &[subject, reply, size]) => (subject, Some(reply), None, size),
            _ => return Err(arguments.wrong_count()),
        };
        Message::new(self.text, self.len, Shape { subject, reply, header_at, size_at }, limits)
    }

    /// `MSG subject sid [reply] length` and `HMSG subject sid [reply] header-length length`.
    #[inline(always)]
    pub(super) fn delivery(&self, limits: &NatsLimits) -> Result<Delivery, Error> {
        let arguments = self.arguments()?;
        let (subject, sid, reply, header_at, size_at) = match (self.operation, arguments.as_slice())
        {
            (Operation::Hmsg, &[subject, sid, header, size]) => {
                (subject, sid, None, Some(header), size)
            }
            (Operation::Hmsg, &[subject, sid, reply, header, size]) => {
                (subject, sid, Some(reply), Some(header), size)
            }
            (Operation::Msg, &[subject, sid, size]) => (subject, sid, None, None, size),
            (Operation::Msg, &[subject, sid, reply, size]) => {
                (subject, sid, Some(reply), None, size)
            }
            _ => return Err(arguments.wrong_count()),
        };
        let message = Message::new(
            self.text,
            self.len,
            Shape { subject, reply, header_at, size_at },
            limits,
        )?;
        Ok(Delivery { message, sid })
    }

    /// `SUB subject [queue-group] sid`.
    #[inline(never)]
    pub(super) fn subscribe(&self) -> Result<Subscribe, Error> {
        let arguments = self.arguments()?;
        match *arguments.as_slice() {
            [subject, sid] => Ok(Subscribe { subject, queue_group: None, sid }),
            [subject, group, sid] => Ok(Subscribe { subject, queue_group: Some(group), sid }),
            _ => Err(arguments.wrong_count()),
        }
    }

    /// `UNSUB sid [max]`.
    #[inline(never)]
    pub(super) fn unsubscribe(&self) -> Result<Unsubscribe, Error> {
        let arguments = self.arguments()?;
        match *arguments.as_slice() {
            [sid] => Ok(Unsubscribe { sid, deliveries_max: None }),
            [sid, max] => Ok(Unsubscribe { sid, deliveries_max: parse_size(max.of(self.text)) }),
            _ => Err(arguments.wrong_count()),
        }
    }

    /// Everything behind the operation's name, without the blanks around it.
    ///
    /// An error when there is nothing: nats-server then takes the *next* line for the argument,
    /// which is nothing to imitate.
    #[inline(never)]
    pub(super) fn rest(&self) -> Result<Extent, Error> {
        let behind = self.text.get(self.name_end..).unwrap_or_default();
        let front = behind.iter().position(|&byte| !is_blank(byte));
        let back = behind.iter().rposition(|&byte| !is_blank(byte));
        match (front, back) {
            (Some(front), Some(back)) if !behind.contains(&b'\r') => Ok(Extent::between(
                self.name_end.saturating_add(front),
                self.name_end.saturating_add(back).saturating_add(1),
            )),
            (Some(_), Some(_)) => Err(Error::ControlLineReturn),
            _ => Err(Error::ArgumentCount { found: 0 }),
        }
    }

    #[inline(always)]
    fn arguments(&self) -> Result<Arguments, Error> {
        Arguments::split(self.text, self.name_end)
    }
}

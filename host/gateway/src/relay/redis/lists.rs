//! Messages on their way into a list or to a channel, of routes that have an envelope.
//!
//! | the reply to `LPUSH`, `RPUSH`, `LPUSHX`, `RPUSHX` | outcome |
//! |---|---|
//! | how long the list is now | confirmed |
//! | 0: there is no list, and the client wants none made | returned |
//! | an error | refused |
//!
//! Neither has a place for context beside the message, so one whose route says nothing of an
//! envelope is nobody's business here. One command may bring many messages; all of them end
//! together.

use spanbridge::{MessageBits, Publish, SpanContext};
use spanbridge_wire::Extent;
use spanbridge_wire::resp::{Command, Name, Push, ReplyMode};

use super::channels::is_publish;
use super::replies::Awaited;
use super::splice::{MarkedPublish, Place};
use super::state::{Call, Found, State};
use crate::relay::awaiting::Awaiting;
use crate::relay::bodies::{BODY_BYTES_MAX, Wish};
use crate::relay::{Tools, add_template};
use crate::routing::Choice;

/// What stands between a list's name and a priority: kombu's lists of one queue.
const PRIORITY: &[u8] = b"\x06\x16";

/// The queue that a list is one of several of.
pub(super) fn queue(list: &[u8]) -> &[u8] {
    let at = list.windows(PRIORITY.len()).position(|it| it == PRIORITY);
    at.and_then(|at| list.get(..at)).unwrap_or(list)
}

/// Answers whether a list carries no work: remote control of Celery workers, and its answers; ids
/// of jobs, which BullMQ 4 waits for before a script takes the job.
fn is_control(queue: &[u8]) -> bool {
    let is_of_ids = queue.starts_with(b"bull:") && queue.ends_with(b":wait");
    queue.ends_with(b".pidbox") || queue.starts_with(b"celeryev") || is_of_ids
}

/// Answers whether a command puts messages into a list or sends one to a channel.
pub(super) fn is_push(name: Name) -> bool {
    matches!(name, Name::Lpush | Name::Rpush | Name::Lpushx | Name::Rpushx) || is_publish(name)
}

/// The messages of one command.
#[derive(Clone, Copy)]
struct Pushed<'a> {
    destination: &'a [u8],
    choice: Choice,
    /// The place of the reply. `None`: nothing will be said.
    number: Option<u64>,
}

impl State {
    /// The route of a list's messages. `None`: they are not looked at.
    pub(super) fn list_route(&self, database: u64, list: &[u8]) -> Option<Choice> {
        let queue = queue(list);
        let choice = self.routes.choose_in(database, &[queue, list]);
        let traced = self.routes.get(choice);
        let is_looked_at = traced.route.is_some() && traced.has_envelope && !is_control(queue);
        is_looked_at.then_some(choice)
    }

    /// Answers whether the messages of a command are read once those before it have been written.
    pub(super) fn waits(&self, command: &Command, bytes: &[u8], call: &Call<'_>) -> bool {
        let messages = call.tools.publish.len();
        if messages == 0 || !is_push(command.name) {
            return false;
        }
        let Some(push) = Push::of(command, bytes) else { return false };
        if self.push_route(command.name, push.key.of(bytes)).is_none() {
            return false;
        }
        let mut values = push.values;
        let length = values.try_fold(0, |sum: usize, value| {
            let sum = sum.saturating_add(value.len() as usize);
            (sum < BODY_BYTES_MAX).then_some(sum)
        });
        let length = length.unwrap_or(BODY_BYTES_MAX);
        let counters = &call.tools.counters;
        call.tools.publish.is_full() || self.bodies.wish(length, messages, counters) == Wish::Waits
    }

    /// The route of messages that a command puts there. `None`: they are not looked at.
    fn push_route(&self, name: Name, key: &[u8]) -> Option<Choice> {
        if is_publish(name) { self.channel_route(key) } else { self.list_route(self.database, key) }
    }

    /// A client puts messages into a list, or sends one to a channel.
    pub(super) fn push(&mut self, command: &Command, found: Found<'_>, call: &mut Call<'_>) {
        let push = Push::of(command, found.bytes);
        let routed = push.and_then(|push| {
            let choice = self.push_route(command.name, push.key.of(found.bytes))?;
            Some((push, choice))
        });
        let Some((push, choice)) = routed else {
            self.expect(Awaited::Plain(1));
            return;
        };
        let number = self.expect_pushed(command.name, push.values.left(), call);
        let key = push.key.of(found.bytes);
        let destination = if is_publish(command.name) { key } else { queue(key) };
        let pushed = Pushed { destination, choice, number };
        for (part, value) in push.values.enumerate() {
            if call.tools.publish.is_full() {
                // One command cannot be written in parts: the rest of its messages go on untraced.
                call.tools.counters.messages_untraced.overflow.add(1);
                continue;
            }
            self.mark_pushed(&pushed, (part, value), found, call);
        }
    }

    /// Answers the number of the place where the reply is awaited. `None`: nothing will be said.
    pub(super) fn expect_pushed(
        &mut self,
        name: Name,
        messages: u32,
        call: &Call<'_>,
    ) -> Option<u64> {
        let count = messages as usize;
        if self.reply_mode == ReplyMode::On {
            if self.has_room(count.saturating_mul(size_of::<Awaiting>())) {
                let idle = || Awaiting { span: None, start: call.now, measures: None };
                return self.expect(match count {
                    _ if is_publish(name) => Awaited::Heard(idle()),
                    1 => Awaited::Publish(idle()),
                    _ => Awaited::Publishes((0..count).map(|_| idle()).collect()),
                });
            }
            call.tools.counters.publishes_unanswered.count.add(u64::from(messages));
        }
        self.expect(Awaited::Plain(1));
        None
    }

    fn mark_pushed(
        &mut self,
        pushed: &Pushed<'_>,
        (part, value): (usize, Extent),
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Self { routes, resource, published, bodies, .. } = self;
        let Pushed { destination, choice, number } = *pushed;
        let traced = routes.get(choice);
        let Some(route) = traced.route else { return };
        let Tools { publish, template, counters, .. } = &mut *call.tools;
        // Those of one command are not written one by one, so none of them waits.
        let wish = bodies.wish(value.len() as usize, publish.len(), counters);
        if wish == Wish::Waits {
            counters.bodies_left_alone.bytes.add(1);
        }
        let body = if wish == Wish::Read { value.of(found.bytes) } else { b"" };
        let template = traced.template(destination, template);
        let mut parts = publish.add(&Publish {
            route,
            bits: MessageBits::NO_HEADERS,
            resource: traced.producer.unwrap_or(*resource),
            destination,
            id: b"",
            body,
            body_size: value.len().into(),
            start: call.now,
            end: if number.is_some() { 0 } else { call.now },
            parent: SpanContext::default(),
        });
        bodies.hand_in(body);
        add_template(&mut parts, template);
        published.push(MarkedPublish {
            range: found.range(),
            place: if body.is_empty() { Place::Kept } else { Place::Value(value) },
            index: parts.index(),
            choice,
            measures: traced.measures(template),
            number,
            part,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_one_queue_have_its_name() {
        assert_eq!(queue(b"celery"), b"celery");
        assert_eq!(queue(b"celery\x06\x163"), b"celery");
        assert_eq!((queue(b"\x06\x163"), queue(b"")), (&b""[..], &b""[..]));
    }

    #[test]
    fn remote_control_and_ids_of_jobs_are_no_work() {
        assert!(is_control(b"6f2b.reply.celery.pidbox") && is_control(b"celeryev.7d"));
        assert!(!is_control(b"celery") && !is_control(b"pidbox.tasks"));
        assert!(is_control(b"bull:mail:wait"));
        assert!(!is_control(b"bull:mail") && !is_control(b"shop:wait"));
    }
}

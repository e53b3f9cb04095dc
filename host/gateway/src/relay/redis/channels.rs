//! Messages of Pub/Sub, of routes that have an envelope.
//!
//! | what | its span |
//! |---|---|
//! | `PUBLISH`, `SPUBLISH` | ends with the reply, however many subscribers that counts |
//! | a message that a subscriber gets | no length: nobody settles it, and others get it as well |
//!
//! A subscriber hears of its messages in lists like any reply, or in pushes where it speaks version
//! 3. Nobody looks into those of a listener without an envelope.

use spanbridge::{Delivery, MessageBits, SpanContext};
use spanbridge_wire::Extent;
use spanbridge_wire::resp::Name;

use super::splice::{MarkedEntry, Place};
use super::state::{Call, Found, State};
use crate::relay::bodies::Wish;
use crate::relay::{Tools, add_template};
use crate::routing::Choice;

/// Channels of which every message is about the server or its keys, by how they begin.
const CONTROL: [&[u8]; 4] =
    [b"__keyspace@", b"__keyevent@", b"__redis__:invalidate", b"__sentinel__:"];

/// How the channels begin on which Celery tells whoever waits that a result is there.
const RESULTS: &[u8] = b"celery-task-meta-";

/// Answers whether a command publishes to a channel.
pub(super) fn is_publish(name: Name) -> bool {
    matches!(name, Name::Publish | Name::Spublish)
}

/// Answers whether a channel carries no work.
fn is_control(channel: &[u8]) -> bool {
    let own = without_database(channel);
    own.ends_with(b".pidbox")
        || own.starts_with(b"celeryev")
        || channel.starts_with(RESULTS)
        || CONTROL.iter().any(|start| channel.starts_with(start))
        || is_event_of_sentinel(channel)
}

/// The name of an exchange, in front of which kombu puts the database: `/0.celeryev/worker.online`.
fn without_database(channel: &[u8]) -> &[u8] {
    let Some(rest) = channel.strip_prefix(b"/") else { return channel };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..).and_then(|rest| rest.strip_prefix(b".")).unwrap_or(channel)
}

/// `+sdown`, `-odown`, `+switch-master`: a sign and a word.
fn is_event_of_sentinel(channel: &[u8]) -> bool {
    matches!(channel, [b'+' | b'-', first, ..] if first.is_ascii_lowercase())
}

impl State {
    /// The route of a channel's messages. `None`: they are not looked at.
    pub(super) fn channel_route(&self, channel: &[u8]) -> Option<Choice> {
        let choice = self.routes.choose(&[channel]);
        let traced = self.routes.get(choice);
        let is_looked_at = traced.route.is_some() && traced.has_envelope && !is_control(channel);
        is_looked_at.then_some(choice)
    }

    /// Answers whether the client may get messages that are looked at.
    pub(super) fn is_listening(&self) -> bool {
        self.subscriber.is_subscribed() && self.routes.has_envelopes()
    }

    /// A subscriber gets a message.
    pub(super) fn mark_message(
        &mut self,
        (channel, payload): (Extent, Extent),
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let channel = channel.of(found.bytes);
        let Some(choice) = self.channel_route(channel) else { return };
        let Self { routes, resource, delivered, bodies, .. } = self;
        let traced = routes.get(choice);
        let Some(route) = traced.route else { return };
        let Tools { deliver, template, counters, .. } = &mut *call.tools;
        let is_read = bodies.wish(payload.len() as usize, deliver.len(), counters) == Wish::Read;
        let body = if is_read { payload.of(found.bytes) } else { b"" };
        let template = traced.template(channel, template);
        let mut parts = deliver.add(&Delivery {
            route,
            bits: MessageBits::NO_HEADERS | MessageBits::UNSEEN | MessageBits::FAN_OUT,
            resource: traced.consumer.unwrap_or(*resource),
            destination: channel,
            id: b"",
            body,
            body_size: payload.len().into(),
            attempt: 0,
            prefetched: 0,
            start: call.now,
            requested: 0,
            published: 0,
            previous: SpanContext::default(),
        });
        bodies.hand_in(body);
        add_template(&mut parts, template);
        delivered.push(MarkedEntry {
            range: found.range(),
            place: if body.is_empty() { Place::Kept } else { Place::Value(payload) },
            index: parts.index(),
            choice,
            measures: traced.measures(template),
            key: None,
            tagged_in: None,
            // What a subscriber does not get at once it never gets.
            is_first: true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_servers_and_of_remote_control_carry_no_work() {
        for channel in [
            "/0.celery.pidbox",
            "/0.celeryev/worker.heartbeat",
            "6f2b.reply.celery.pidbox",
            "celeryev",
            "celery-task-meta-43b6",
            "__keyspace@0__:orders",
            "__keyevent@0__:expired",
            "__redis__:invalidate",
            "__sentinel__:hello",
            "+switch-master",
            "-odown",
        ] {
            assert!(is_control(channel.as_bytes()), "{channel}");
        }
    }

    #[test]
    fn channels_that_only_resemble_those_carry_work() {
        for channel in
            ["celery", "pidbox", "/orders.celeryev", "orders.celeryev", "+49123", "-", "", "/0."]
        {
            assert!(!is_control(channel.as_bytes()), "{channel}");
        }
    }
}

//! Messages on their way out of a list, of routes that have an envelope.
//!
//! | taken by | its span |
//! |---|---|
//! | `BRPOP`, `LMOVE`, `LMPOP` and their like | no length: what is taken is gone |
//! | the same, where the route says `acks = "late"` | open until the message's tag is settled |
//!
//! Kombu notes what it has taken in a hash, by a tag that is in the message, and takes it out of
//! there when the message is done with ([`unacked`](super::unacked)). Celery does that before it
//! works, unless it is told otherwise, which nothing on the wire says.

use spanbridge::{Delivery, MessageBits, SpanContext};
use spanbridge_wire::Extent;
use spanbridge_wire::resp::{Command, Move, Name, Pop, Popped, Tokens};

use super::limits::NAME_BYTES_MAX;
use super::lists::queue;
use super::replies::Awaited;
use super::splice::{MarkedEntry, Place};
use super::state::{Call, Found, State};
use crate::config::Acks;
use crate::measure::Measured;
use crate::relay::bodies::Wish;
use crate::relay::{Tools, add_template};

/// A command that takes messages out of lists.
#[derive(Debug)]
pub(super) struct Popping {
    name: Name,
    /// The list, where the reply does not name it. Empty: it does.
    list: Box<[u8]>,
    database: u64,
    /// When it was sent, in nanoseconds since the Unix epoch.
    requested: u64,
    /// Its reply comes when something arrives.
    pub(super) is_blocking: bool,
}

impl Popping {
    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.list.len()
    }
}

/// Answers whether a command takes messages out of lists.
pub(super) fn is_pop(name: Name) -> bool {
    matches!(
        name,
        Name::Lpop
            | Name::Rpop
            | Name::Blpop
            | Name::Brpop
            | Name::Lmpop
            | Name::Blmpop
            | Name::Lmove
            | Name::Blmove
            | Name::Rpoplpush
            | Name::Brpoplpush
    )
}

impl State {
    /// A client takes messages out of lists.
    pub(super) fn pop(&mut self, command: &Command, bytes: &[u8], call: &Call<'_>) {
        let is_blocking = command.name.is_blocking() && !self.transaction;
        let plain = if is_blocking { Awaited::Blocking } else { Awaited::Plain(1) };
        let list = self.list_of_pop(command, bytes);
        let Some(list) = list.filter(|list| list.len() <= NAME_BYTES_MAX) else {
            self.expect(plain);
            return;
        };
        let (name, database, requested) = (command.name, self.database, call.now);
        let popping = Popping { name, list: list.into(), database, requested, is_blocking };
        let more = popping.bytes();
        if !self.has_room(more) {
            call.tools.counters.redis_unread.count.add(1);
            self.expect(plain);
            return;
        }
        if self.expect(Awaited::Pop(Box::new(popping))).is_some() {
            self.awaited_bytes += more;
        }
    }

    /// The list that a command takes from; empty: the reply says so. `None`: nobody looks at it.
    fn list_of_pop<'a>(&self, command: &Command, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(moved) = Move::of(command, bytes) {
            let list = moved.from.of(bytes);
            return self.list_route(self.database, list).map(|_| list);
        }
        let mut keys = Pop::of(command, bytes)?.keys;
        if matches!(command.name, Name::Lpop | Name::Rpop) {
            let list = keys.text()?;
            return self.list_route(self.database, list).map(|_| list);
        }
        keys.any(|list| self.list_route(self.database, list.of(bytes)).is_some())
            .then_some(&b""[..])
    }

    /// Hands in what was taken.
    pub(super) fn mark_popped(
        &mut self,
        popping: &Popping,
        reply: Tokens<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Some(popped) = Popped::of(popping.name, reply) else { return };
        let list = popped.key.map_or(&*popping.list, |key| key.of(found.bytes));
        for (number, value) in popped.enumerate() {
            self.mark_value(popping, list, (number == 0, value), found, call);
        }
    }

    fn mark_value(
        &mut self,
        popping: &Popping,
        list: &[u8],
        (is_first, value): (bool, Extent),
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Some(choice) = self.list_route(popping.database, list) else { return };
        let Self { routes, resource, delivered, bodies, popped, .. } = self;
        let (traced, queue, now) = (routes.get(choice), queue(list), call.now);
        let Some(route) = traced.route else { return };
        let Tools { deliver, template, counters, .. } = &mut *call.tools;
        let wish = bodies.wish(value.len() as usize, deliver.len(), counters);
        if wish == Wish::Waits {
            counters.bodies_left_alone.bytes.add(1);
        }
        let body = if wish == Wish::Read { value.of(found.bytes) } else { b"" };
        let is_late = traced.acks == Acks::Late && !body.is_empty();
        let template = traced.template(queue, template);
        let measures = traced.measures(template);
        if let Some(measures) = measures.as_ref().filter(|_| is_first) {
            let duration = now.saturating_sub(popping.requested);
            measures.received(&Measured { duration, span: SpanContext::default(), now });
        }
        let mut bits = MessageBits::NO_HEADERS;
        bits.set(MessageBits::UNSEEN, !is_late);
        let mut parts = deliver.add(&Delivery {
            route,
            bits,
            resource: traced.consumer.unwrap_or(*resource),
            destination: queue,
            id: b"",
            body,
            body_size: value.len().into(),
            attempt: 0,
            prefetched: if is_late { popped.count() } else { 0 },
            start: now,
            requested: if is_first { popping.requested } else { 0 },
            published: 0,
            previous: SpanContext::default(),
        });
        bodies.hand_in(body);
        add_template(&mut parts, template);
        delivered.push(MarkedEntry {
            range: found.range(),
            place: if body.is_empty() { Place::Kept } else { Place::Value(value) },
            index: parts.index(),
            choice,
            measures,
            key: None,
            tagged_in: is_late.then_some(popping.database),
            is_first: true,
        });
    }
}

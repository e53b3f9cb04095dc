//! Messages on their way to a consumer.
//!
//! | delivery | its span |
//! |---|---|
//! | to be settled | open until it is |
//! | `no_ack`, or to a program that settles before it works | no length |
//! | an answer, remote control, events | none |
//!
//! Celery's workers settle a task before they run it, unless they are told otherwise (`acks_late`),
//! which nothing on the wire says. So their deliveries are taken for such, unless the route knows
//! better (`acks`).

use spanbridge::metrics::Counters;
use spanbridge::{Attribute, Delivery, MessageBits, SpanContext};
use spanbridge_wire::amqp::ContentHeader;

use super::channel::{Channel, Delivered, Delivering, What};
use super::consumers::{Consumers, Source};
use super::ending::key;
use super::limits::UNSETTLED_MAX;
use super::message::Message;
use super::room::{Room, counted};
use super::splice::{Marked, edit};
use super::state::{Call, Found, State};
use super::tagged::Tagged;
use crate::config::Acks;
use crate::measure::queue_wait;
use crate::open_spans::{Starting, Unsettled, context};
use crate::relay::splicer::Splicer;
use crate::relay::{Tools, add_template};
use spanbridge_wire::amqp::destination::{FANOUT, is_control, is_server_named, of_delivery};

/// A delivery whose content header is there.
struct Arrived<'a> {
    tag: u64,
    redelivered: bool,
    source: &'a Source,
    /// Those of the same consumer.
    unsettled: &'a Unsettled,
    exchange: &'a [u8],
    routing_key: &'a [u8],
}

impl<'a> Arrived<'a> {
    /// `None`: to whom it goes, and so whether it will be settled, is not known.
    fn find(delivering: &'a Delivering, consumers: &'a Consumers) -> Option<Self> {
        let texts = &delivering.texts;
        let (tag, redelivered, source, unsettled) = match &delivering.what {
            What::Return | What::Get { source: None, .. } => return None,
            What::Deliver { tag, redelivered } => {
                let consumer = consumers.get(texts.third())?;
                (*tag, *redelivered, &consumer.source, &consumer.unsettled)
            }
            What::Get { tag, redelivered, source: Some(source) } => {
                (*tag, *redelivered, source, &consumers.polled)
            }
        };
        let (exchange, routing_key) = (texts.exchange(), texts.routing_key());
        Some(Self { tag, redelivered, source, unsettled, exchange, routing_key })
    }

    /// Reads its message. `None`: it makes no span.
    fn message<'m>(
        &self,
        vhost: &[u8],
        header: &ContentHeader,
        rest: &'m [u8],
        call: &Call<'_>,
    ) -> Option<Message<'m>> {
        let Self { exchange, routing_key, .. } = self;
        if is_control(exchange, routing_key) || call.is_reply(vhost, exchange, routing_key) {
            return None;
        }
        let message = Message::read(header, rest);
        if message.is_none() {
            call.tools.counters.messages_unreadable.add(1);
        }
        message
    }

    /// What stands for the destination. A private queue's name is none for a span; where its
    /// messages come from is.
    fn template<'n>(&self, publish: &'n [u8]) -> Option<&'n [u8]> {
        (self.source.is_temporary && !self.exchange.is_empty()).then_some(publish)
    }

    fn bits(&self, message: &Message<'_>, is_unseen: bool, estimated: bool) -> MessageBits {
        let Source { queue, is_temporary, .. } = self.source;
        // A private queue behind an exchange is one subscription of several.
        let is_subscription = *is_temporary && !self.exchange.is_empty();
        let (mut bits, from_stream) = (MessageBits::empty(), message.is_from_stream());
        bits.set(MessageBits::UNSEEN, is_unseen);
        // Where no work is seen, its beginning is none of ours.
        bits.set(MessageBits::ESTIMATED, estimated && !is_unseen);
        bits.set(MessageBits::TEMPORARY, *is_temporary);
        bits.set(MessageBits::ANONYMOUS, is_server_named(queue));
        let fan_out = from_stream || is_subscription || self.exchange == FANOUT;
        bits.set(MessageBits::FAN_OUT, fan_out);
        bits.set(MessageBits::REDELIVERED, self.redelivered && !from_stream);
        bits
    }
}

/// Answers whether a consumer settles before it works.
fn settles_early(acks: Acks, message: &Message<'_>) -> bool {
    match acks {
        Acks::Early => true,
        Acks::Late => false,
        Acks::Auto => message.job().is_some(),
    }
}

/// Adds a delivery to those that are to be settled. Past the bound the channel's oldest is
/// forgotten.
fn keep(
    list: &mut Tagged<Delivered>,
    tag: u64,
    delivered: Delivered,
    room: &mut Room,
    counters: &Counters,
) {
    if counted(&mut room.unsettled, list, |it| it.push(tag, delivered)).is_err() {
        counters.unsettled_forgotten.add(1);
    }
    while room.unsettled > UNSETTLED_MAX {
        if counted(&mut room.unsettled, list, |it| it.pop_through(u64::MAX)).is_none() {
            return;
        }
        counters.unsettled_forgotten.add(1);
    }
}

impl State {
    pub(super) fn mark_delivery(
        &mut self,
        header: &ContentHeader,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Self { channels, routes, resource, vhost, marked, name, room, session, .. } = self;
        let Some(channel) = channels.get_mut(&header.channel) else { return };
        let Channel { delivering, consumers, unsettled, .. } = &mut **channel;
        let Some(arrived) = Arrived::find(delivering, consumers) else { return };
        let Arrived { tag, redelivered, source, exchange, routing_key, .. } = arrived;
        let message = arrived.message(vhost, header, found.rest, call);
        let publish_len = of_delivery(exchange, routing_key, &source.queue, name);
        let choice = routes.choose(&[name, &name[..publish_len], &source.queue]);
        let traced = routes.get(choice);
        let message = message.filter(|_| traced.route.is_some());
        let (attempts, now) = (&call.shared.attempts, call.now);
        let Tools { deliver, settle, open_spans, counters, template, .. } = &mut *call.tools;
        let template = traced.template(name, template);
        let measures = message.as_ref().and_then(|_| traced.measures(template));
        let is_early = message.as_ref().is_some_and(|it| settles_early(traced.acks, it));
        let prefetched = arrived.unsettled.count();
        let lasting = message.as_ref().map(Message::lasting_id).unwrap_or_default();
        let identity = attempts.identity(vhost, &source.queue, lasting);
        let mut estimated = false;
        if !source.no_ack {
            // Known in any case, so that its settlement is not a stranger's.
            let (of, timed) = (arrived.unsettled, measures.as_ref().filter(|_| !is_early));
            let concurrency = traced.concurrency.filter(|_| !is_early);
            let not_before = message.as_ref().map_or(0, Message::not_before);
            let starting =
                Starting { unsettled: of, concurrency, measures: timed, not_before, now };
            let key = key(*session, header.channel, tag);
            estimated = open_spans.begin(&key, &starting, settle).estimated;
            let delivered = Delivered { identity, span: SpanContext::default(), start: now };
            keep(unsettled, tag, delivered, room, counters);
        }
        let (Some(message), Some(route)) = (message, traced.route) else { return };
        source.received(measures.as_deref(), now);
        let previous = identity.filter(|_| redelivered).map(|it| attempts.take(it));
        let attempt = message.attempt(redelivered, &source.queue);
        let mut parts = deliver.add(&Delivery {
            route,
            bits: arrived.bits(&message, source.no_ack || is_early, estimated),
            resource: traced.consumer.unwrap_or(*resource),
            destination: name,
            id: message.id(),
            body: b"",
            body_size: header.body_size,
            attempt,
            prefetched,
            start: now,
            requested: source.requested,
            published: message.published(),
            previous: previous.unwrap_or_default(),
        });
        message.add_to(&mut parts, &traced.fields, routing_key);
        parts.int_attribute(Attribute::DeliveryTag, i64::try_from(tag).unwrap_or(i64::MAX));
        add_template(&mut parts, template.or(arrived.template(&name[..publish_len])));
        marked.push(Marked {
            frame: found.frame(),
            header: *header,
            index: parts.index(),
            choice,
            measures,
            number: (!source.no_ack).then_some(tag),
            mandatory: None,
            is_first: !redelivered && attempt == 1 && !message.has_died(),
        });
    }

    /// Asks the component about the deliveries of a read, and changes them.
    pub(super) fn hand_on_deliveries(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        if self.marked.is_empty() {
            return;
        }
        let Self { marked, routes, channels, session, frame_max, .. } = self;
        let now = call.now;
        let Tools { tracer, deliver, settle, open_spans, counters, .. } = &mut *call.tools;
        counters.messages_seen.delivered.add(marked.len() as u64);
        let answer = tracer.deliver(deliver);
        for marked in &*marked {
            if let Some(measures) = &marked.measures {
                measures.consumed(1);
                if marked.is_first
                    && let Some(wait) = queue_wait(&answer.verdict(marked.index), now)
                {
                    measures.waited(&wait);
                }
            }
            let names = &routes.get(marked.choice).names;
            if edit(splicer, marked, answer.edits(marked.index), *frame_max, names).is_err() {
                counters.injections_skipped.refused.add(1);
            }
            let Some(tag) = marked.number else { continue };
            let Some(span) = answer.open(marked.index) else { continue };
            let number = marked.header.channel;
            let channel = channels.get_mut(&number);
            if let Some(delivered) = channel.and_then(|channel| channel.unsettled.get_mut(tag)) {
                delivered.span = context(&span);
            }
            open_spans.attach(&key(*session, number, tag), span, now, settle);
        }
        deliver.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_too_many_deliveries_is_forgotten_and_counted() {
        let (mut list, mut room, counters) =
            (Tagged::default(), Room::default(), Counters::default());
        let delivered = || Delivered { identity: None, span: SpanContext::default(), start: 1 };
        for tag in 1..=UNSETTLED_MAX as u64 + 2 {
            keep(&mut list, tag, delivered(), &mut room, &counters);
        }
        assert_eq!((room.unsettled, counters.unsettled_forgotten.get()), (UNSETTLED_MAX, 2));
        assert!(list.take(2).is_none() && list.take(3).is_some());
        // A tag that a broker would not give.
        keep(&mut list, 5, delivered(), &mut room, &counters);
        assert_eq!(counters.unsettled_forgotten.get(), 3);
    }
}

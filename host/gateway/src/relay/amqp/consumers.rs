//! Who reads on a channel: consumers, and single requests for a message.

use std::collections::HashMap;

use spanbridge::SpanContext;
use spanbridge::metrics::Counters;

use super::asked::Asked;
use super::limits::CONSUMERS_MAX;
use super::room::Room;
use crate::measure::{Measured, Measures};
use crate::open_spans::Unsettled;

/// Where deliveries come from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) queue: Box<[u8]>,
    /// Nobody settles.
    pub(super) no_ack: bool,
    /// The queue goes away with its owner.
    pub(super) is_temporary: bool,
    /// When a single message was asked for; 0: it was not.
    pub(super) requested: u64,
}

impl Source {
    /// Its message is there, if a single one was asked for.
    pub(super) fn received(&self, measures: Option<&Measures>, now: u64) {
        if let Some(measures) = measures.filter(|_| self.requested != 0) {
            let duration = now.saturating_sub(self.requested);
            measures.received(&Measured { duration, span: SpanContext::default(), now });
        }
    }
}

/// A consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) source: Source,
    pub(super) unsettled: Unsettled,
    /// It has been cancelled without an answer: what is under way still comes.
    is_over: bool,
}

/// Those of a channel.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    by_tag: HashMap<Box<[u8]>, Consumer>,
    /// Consumers whose tag the broker will say.
    unnamed: Asked<Source>,
    /// Requests for single messages.
    polls: Asked<Source>,
    /// Of the messages that were asked for singly.
    pub(super) polled: Unsettled,
}

impl Consumers {
    /// A consumer starts. An empty tag: the broker says which.
    pub(super) fn start(
        &mut self,
        tag: &[u8],
        source: Source,
        room: &mut Room,
        counters: &Counters,
    ) {
        match tag {
            b"" => self.unnamed.push(source, counters),
            tag => self.insert(tag, source, room, counters),
        }
    }

    /// The broker has started a consumer.
    pub(super) fn started(&mut self, tag: &[u8], room: &mut Room, counters: &Counters) {
        if !self.by_tag.contains_key(tag)
            && let Some(source) = self.unnamed.pop()
        {
            self.insert(tag, source, room, counters);
        }
    }

    fn insert(&mut self, tag: &[u8], source: Source, room: &mut Room, counters: &Counters) {
        if room.consumers >= CONSUMERS_MAX {
            let before = self.by_tag.len();
            self.by_tag.retain(|_, consumer| !consumer.is_over);
            room.consumers = room.consumers.saturating_sub(before - self.by_tag.len());
        }
        if room.consumers >= CONSUMERS_MAX {
            return counters.consumers_untracked.add(1);
        }
        let consumer = Consumer { source, unsettled: Unsettled::default(), is_over: false };
        if self.by_tag.insert(tag.into(), consumer).is_none() {
            room.consumers += 1;
        }
    }

    /// A consumer is told to stop, and nobody will say that it has.
    pub(super) fn stop(&mut self, tag: &[u8]) {
        if let Some(consumer) = self.by_tag.get_mut(tag) {
            consumer.is_over = true;
        }
    }

    /// A consumer has stopped. What it has not settled, it may still settle.
    pub(super) fn stopped(&mut self, tag: &[u8], room: &mut Room) {
        if self.by_tag.remove(tag).is_some() {
            room.consumers = room.consumers.saturating_sub(1);
        }
    }

    pub(super) fn get(&self, tag: &[u8]) -> Option<&Consumer> {
        self.by_tag.get(tag)
    }

    pub(super) fn len(&self) -> usize {
        self.by_tag.len()
    }

    /// A single message is asked for.
    pub(super) fn poll(&mut self, source: Source, counters: &Counters) {
        self.polls.push(source, counters);
    }

    /// The answer is there. `None`: to which request, is not known.
    pub(super) fn polled(&mut self) -> Option<Source> {
        self.polls.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source { queue: b"q"[..].into(), no_ack: false, is_temporary: false, requested: 0 }
    }

    #[test]
    fn consumers_are_bounded_and_those_that_are_over_make_room() {
        let (mut consumers, mut room) = (Consumers::default(), Room::default());
        let counters = Counters::default();
        for number in 0..=CONSUMERS_MAX as u32 {
            consumers.start(&number.to_le_bytes(), source(), &mut room, &counters);
        }
        assert_eq!((counters.consumers_untracked.get(), room.consumers), (1, CONSUMERS_MAX));
        consumers.stop(&7_u32.to_le_bytes());
        assert!(consumers.get(&7_u32.to_le_bytes()).is_some(), "what is under way still comes");
        consumers.start(b"one more", source(), &mut room, &counters);
        assert!(
            consumers.get(b"one more").is_some() && consumers.get(&7_u32.to_le_bytes()).is_none()
        );
        consumers.stopped(b"one more", &mut room);
        assert_eq!((room.consumers, consumers.len()), (CONSUMERS_MAX - 1, CONSUMERS_MAX - 1));
    }

    #[test]
    fn a_consumer_that_the_broker_names_is_the_one_that_was_asked_for() {
        let (mut consumers, mut room) = (Consumers::default(), Room::default());
        let counters = Counters::default();
        consumers.start(b"own", source(), &mut room, &counters);
        consumers.start(b"", Source { no_ack: true, ..source() }, &mut room, &counters);
        consumers.started(b"own", &mut room, &counters);
        consumers.started(b"amq.ctag-1", &mut room, &counters);
        consumers.started(b"amq.ctag-2", &mut room, &counters);
        assert!(consumers.get(b"amq.ctag-1").is_some_and(|it| it.source.no_ack));
        assert_eq!(consumers.len(), 2);
    }
}

//! Entries on their way to a consumer.
//!
//! | read by | its span |
//! |---|---|
//! | a consumer of a group | open until the entry is settled |
//! | a consumer of a group, with `NOACK` | no length |
//! | a reader without a group | no length; others get the entry as well |
//!
//! An entry that is taken over, or taken again, ends its former attempt; the new one is linked to
//! it.

use std::ops::Range;
use std::sync::Arc;

use spanbridge::metrics::Counters;
use spanbridge::{Attribute, Delivery, MessageBits, Outcome, Settlement, SpanContext, Verdict};
use spanbridge_wire::resp::{Entry, FieldList, StreamItem, Tokens};

use super::entry::{EntryId, Group, is_control};
use super::limits::{CONSUMERS_MAX, NAME_BYTES_MAX};
use super::reading::{Consumer, Reading};
use super::splice::{MarkedEntry, Place, edit, rewrite};
use super::state::{Call, Found, State};
use super::unacked::write_tag;
use crate::measure::{Measured, Measures, queue_wait};
use crate::open_spans::{Begun, Starting, Unsettled};
use crate::relay::bodies::count_unusable;
use crate::relay::splicer::Splicer;
use crate::relay::{Tools, add_template};
use crate::routing::Choice;

/// The entries of one stream in a reply.
struct Arriving<'a> {
    reading: &'a Reading,
    stream: &'a [u8],
    choice: Choice,
    /// Of its route and destination. `None`: nobody measures.
    measures: Option<Arc<Measures>>,
    /// What the same consumer has not settled.
    unsettled: Unsettled,
}

impl Arriving<'_> {
    fn group(&self, listener: u64) -> Group<'_> {
        let Self { reading, stream, .. } = self;
        let (database, name) = (reading.database, &reading.group);
        Group { listener, database, stream, name }
    }

    fn bits(&self, deliveries: Option<u64>, estimated: bool) -> MessageBits {
        let reading = self.reading;
        let is_again = deliveries.map_or(reading.taken.is_some(), |before| before > 0);
        let mut bits = MessageBits::empty();
        bits.set(MessageBits::UNSEEN, reading.consumer.is_none());
        bits.set(MessageBits::FAN_OUT, reading.is_fan_out);
        bits.set(MessageBits::REDELIVERED, is_again);
        bits.set(MessageBits::ESTIMATED, estimated);
        bits
    }
}

/// An entry that is there, with its fields.
#[derive(Clone, Copy)]
struct Arrived<'a> {
    id: EntryId,
    /// The id as the broker spells it.
    text: &'a [u8],
    fields: FieldList,
    /// How often it has been delivered before, where the broker says so.
    deliveries: Option<u64>,
    /// The first of its reply.
    is_first: bool,
}

impl<'a> Arrived<'a> {
    /// `None`: it is gone, or only its id was asked for.
    fn of(entry: &Entry, bytes: &'a [u8], is_first: bool) -> Option<Self> {
        let text = entry.id.of(bytes);
        let (id, fields) = (EntryId::parse(text)?, entry.fields?);
        Some(Self { id, text, fields, deliveries: entry.deliveries, is_first })
    }

    /// Which attempt it is; 0: the broker does not say.
    fn attempt(&self, reading: &Reading) -> u32 {
        match self.deliveries {
            Some(before) => u32::try_from(before.saturating_add(1)).unwrap_or(u32::MAX),
            None if reading.taken.is_some() || reading.is_fan_out => 0,
            None => 1,
        }
    }
}

impl State {
    /// Hands in the entries of a reply, or of a part of one.
    pub(super) fn mark_entries(
        &mut self,
        reading: &Reading,
        reply: Tokens<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Some(items) = reading.entries(reply) else { return };
        let mut arriving = None;
        if !reading.stream.is_empty() {
            arriving = self.arriving(reading, &reading.stream, call);
        }
        let mut is_first = true;
        for item in items {
            match item {
                StreamItem::Stream(key) => {
                    arriving = self.arriving(reading, key.of(found.bytes), call);
                }
                StreamItem::Entry(entry) => {
                    let arrived = Arrived::of(&entry, found.bytes, is_first);
                    let (Some(arriving), Some(arrived)) = (&arriving, arrived) else { continue };
                    self.mark_entry(arriving, &arrived, found, call);
                    is_first = false;
                }
            }
        }
    }

    /// `None`: the entries of this stream are not traced.
    fn arriving<'a>(
        &mut self,
        reading: &'a Reading,
        stream: &'a [u8],
        call: &mut Call<'_>,
    ) -> Option<Arriving<'a>> {
        let choice = self.routes.choose_in(reading.database, &[stream]);
        let traced = self.routes.get(choice);
        if traced.route.is_none() || is_control(stream) {
            return None;
        }
        let measures = traced.measures(traced.template(stream, &mut call.tools.template));
        let unsettled = Unsettled::default();
        let mut arriving = Arriving { reading, stream, choice, measures, unsettled };
        if let Some(Consumer(consumer)) = &reading.consumer
            && stream.len() <= NAME_BYTES_MAX
        {
            let Self { consumers, scratch, .. } = self;
            scratch.clear();
            arriving.group(call.shared.number).write_consumer(consumer, scratch);
            match consumers.get(&**scratch) {
                Some(unsettled) => arriving.unsettled = unsettled.clone(),
                None => {
                    if consumers.len() >= CONSUMERS_MAX {
                        call.tools.counters.redis_consumers_forgotten.add(consumers.len() as u64);
                        consumers.clear();
                    }
                    consumers.insert(scratch[..].into(), arriving.unsettled.clone());
                    let (groups, database) = (&call.shared.groups, reading.database);
                    if groups.note(database, stream, &reading.group, call.now) {
                        call.tools.counters.redis_groups_forgotten.add(1);
                    }
                }
            }
        }
        Some(arriving)
    }

    /// A delivery begins. Answers where its key is, and what is known of it.
    fn begin(
        &mut self,
        arriving: &Arriving<'_>,
        id: EntryId,
        call: &mut Call<'_>,
    ) -> (Range<usize>, Begun) {
        let start = self.keys.len();
        arriving.group(call.shared.number).write_key(id, &mut self.keys);
        let place = start..self.keys.len();
        let key = &self.keys[place.clone()];
        let now = call.now;
        let traced = self.routes.get(arriving.choice);
        let Tools { settle, open_spans, .. } = &mut *call.tools;
        if let Some(outcome) = arriving.reading.taken {
            open_spans.settle_as_well(key, &Settlement::new(outcome, now), settle);
        }
        let starting = Starting {
            unsettled: &arriving.unsettled,
            concurrency: traced.concurrency,
            measures: arriving.measures.as_ref(),
            not_before: 0,
            now,
        };
        (place, open_spans.begin(key, &starting, settle))
    }

    fn mark_entry(
        &mut self,
        arriving: &Arriving<'_>,
        arrived: &Arrived<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Arriving { reading, stream, choice, measures, unsettled } = arriving;
        let prefetched = unsettled.count();
        let begun = reading.consumer.as_ref().map(|_| self.begin(arriving, arrived.id, call));
        let (key, begun) = begun.unzip();
        let Begun { previous, estimated } = begun.unwrap_or_default();
        let Self { routes, resource, delivered, .. } = self;
        let traced = routes.get(*choice);
        let (Some(route), now) = (traced.route, call.now) else { return };
        let Tools { deliver, template, .. } = &mut *call.tools;
        let template = traced.template(stream, template);
        if let Some(measures) = measures.as_ref().filter(|_| arrived.is_first) {
            let duration = now.saturating_sub(reading.requested);
            measures.received(&Measured { duration, span: SpanContext::default(), now });
        }
        let fields = || arrived.fields.iter(found.bytes);
        let mut parts = deliver.add(&Delivery {
            route,
            bits: arriving.bits(arrived.deliveries, estimated),
            resource: traced.consumer.unwrap_or(*resource),
            destination: stream,
            id: arrived.text,
            body: b"",
            body_size: fields().map(|field| u64::from(field.name.len() + field.value.len())).sum(),
            attempt: arrived.attempt(reading),
            prefetched,
            start: now,
            // One reply is one pull, however many entries it brings.
            requested: if arrived.is_first { reading.requested } else { 0 },
            published: arrived.id.published(),
            previous,
        });
        for field in fields() {
            if let Some(known) = traced.fields.find(field.name.of(found.bytes)) {
                parts.header(known.number, known.key, field.value.of(found.bytes));
            }
        }
        if !reading.group.is_empty() {
            parts.text_attribute(Attribute::ConsumerGroup, &reading.group);
        }
        add_template(&mut parts, template);
        delivered.push(MarkedEntry {
            range: found.range(),
            place: Place::Fields(arrived.fields),
            index: parts.index(),
            choice: *choice,
            measures: measures.clone(),
            key,
            tagged_in: None,
            is_first: reading.taken.is_none() && !reading.is_fan_out,
        });
    }

    /// Asks the component about the deliveries of a read, and changes them.
    pub(super) fn hand_on_deliveries(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        if self.delivered.is_empty() {
            return;
        }
        let Self { delivered, routes, keys, popped, .. } = self;
        let (now, limits, listener) = (call.now, &call.shared.limits, call.shared.number);
        let Tools { tracer, deliver, settle, open_spans, counters, .. } = &mut *call.tools;
        counters.messages_seen.delivered.add(delivered.len() as u64);
        let answer = tracer.deliver(deliver);
        for reply in delivered.chunk_by(|one, other| one.range == other.range) {
            if reply.iter().all(|marked| answer.edits(marked.index).is_empty()) {
                continue;
            }
            rewrite(splicer, &reply[0].range, limits, |splicer| {
                for marked in reply {
                    let names = &routes.get(marked.choice).names;
                    if edit(splicer, &marked.place, answer.edits(marked.index), names).is_err() {
                        counters.injections_skipped.refused.add(1);
                    }
                }
            });
        }
        for marked in &*delivered {
            let verdict = answer.verdict(marked.index);
            measure(marked, &verdict, now, counters);
            let key = marked.key.clone().or_else(|| {
                let tag = answer.key(marked.index);
                let database = marked.tagged_in.filter(|_| !tag.is_empty())?;
                let place = write_tag(listener, database, tag, keys);
                let starting = Starting {
                    unsettled: popped,
                    concurrency: None,
                    measures: marked.measures.as_ref(),
                    not_before: verdict.not_before,
                    now,
                };
                open_spans.begin(&keys[place.clone()], &starting, settle);
                Some(place)
            });
            match (key, answer.open(marked.index)) {
                (Some(key), Some(span)) => open_spans.attach(&keys[key], span, now, settle),
                // By what it will be settled, its envelope does not say.
                (None, Some(span)) => {
                    settle.add(&span, &Settlement::new(Outcome::Abandoned, now));
                }
                (_, None) => {}
            }
        }
        deliver.clear();
    }
}

/// Counts and times a delivery.
fn measure(marked: &MarkedEntry, verdict: &Verdict, now: u64, counters: &Counters) {
    if marked.place.is_body() {
        count_unusable(verdict, counters);
    }
    let Some(measures) = &marked.measures else { return };
    measures.consumed(1);
    if marked.is_first
        && let Some(wait) = queue_wait(verdict, now)
    {
        measures.waited(&wait);
    }
}

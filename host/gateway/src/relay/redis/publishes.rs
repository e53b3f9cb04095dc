//! Entries on their way into a stream.
//!
//! | the reply to `XADD` | outcome | the span ends |
//! |---|---|---|
//! | the entry's id | confirmed | now |
//! | an error | refused | now |
//! | nothing, with `NOMKSTREAM` | returned | now |
//! | none: `CLIENT REPLY OFF` or `SKIP` | | when the entry was handed on |
//! | none: the session is over, the transaction was taken back | unanswered | likewise |

use spanbridge::{MessageBits, Publish, SpanContext};
use spanbridge_wire::resp::{Command, ReplyMode, Xadd};

use super::entry::{EntryId, is_control};
use super::replies::Awaited;
use super::splice::{MarkedPublish, Place, edit, rewrite};
use super::state::{Call, Found, State};
use crate::relay::awaiting::Awaiting;
use crate::relay::bodies::count_unusable;
use crate::relay::splicer::Splicer;
use crate::relay::{Tools, add_template};

impl State {
    /// A client adds an entry.
    pub(super) fn publish(&mut self, command: &Command, found: Found<'_>, call: &mut Call<'_>) {
        let Some(xadd) = Xadd::of(command, found.bytes) else {
            self.expect(Awaited::Plain(1));
            return;
        };
        let key = xadd.key.of(found.bytes);
        let choice = self.routes.choose_in(self.database, &[key]);
        let is_traced = self.routes.get(choice).route.is_some() && !is_control(key);
        let number = self.expect_published(is_traced, call);
        let Self { routes, resource, published, .. } = self;
        let traced = routes.get(choice);
        let Some(route) = traced.route.filter(|_| is_traced) else { return };
        let now = call.now;
        let fields = || xadd.fields().iter(found.bytes);
        let editable = xadd.editable_fields().is_ok();
        let mut bits = MessageBits::empty();
        bits.set(MessageBits::READ_ONLY, !editable);
        let id = xadd.id.of(found.bytes);
        let Tools { publish, template, counters, .. } = &mut *call.tools;
        if !editable {
            counters.injections_skipped.refused.add(1);
        }
        let template = traced.template(key, template);
        let mut parts = publish.add(&Publish {
            route,
            bits,
            resource: traced.producer.unwrap_or(*resource),
            destination: key,
            // One that the broker chooses is not known yet.
            id: if EntryId::parse(id).is_some() { id } else { b"" },
            body: b"",
            body_size: fields().map(|field| u64::from(field.name.len() + field.value.len())).sum(),
            start: now,
            end: if number.is_some() { 0 } else { now },
            parent: SpanContext::default(),
        });
        for field in fields() {
            if let Some(known) = traced.fields.find(field.name.of(found.bytes)) {
                parts.header(known.number, known.key, field.value.of(found.bytes));
            }
        }
        add_template(&mut parts, template);
        published.push(MarkedPublish {
            range: found.range(),
            place: if editable { Place::Fields(*xadd.fields()) } else { Place::Kept },
            index: parts.index(),
            choice,
            measures: traced.measures(template),
            number,
            part: 0,
        });
    }

    /// Answers the number of the place where the reply is awaited. `None`: nothing will be said.
    fn expect_published(&mut self, is_traced: bool, call: &Call<'_>) -> Option<u64> {
        if is_traced && self.reply_mode == ReplyMode::On {
            if self.has_room(size_of::<Awaiting>()) {
                let awaiting = Awaiting { span: None, start: call.now, measures: None };
                return self.expect(Awaited::Publish(awaiting));
            }
            call.tools.counters.publishes_unanswered.count.add(1);
        }
        self.expect(Awaited::Plain(1));
        None
    }

    /// Asks the component about the publishes of a read, and changes them.
    pub(super) fn hand_on_publishes(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        if self.published.is_empty() {
            return;
        }
        let Self { published, routes, replies, awaited_bytes, .. } = self;
        let (now, listener, limits) = (call.now, &call.shared.listener, &call.shared.limits);
        let Tools { tracer, publish, counters, .. } = &mut *call.tools;
        counters.messages_seen.published.add(published.len() as u64);
        let answer = tracer.publish(publish);
        for command in published.chunk_by(|one, other| one.range == other.range) {
            if command.iter().all(|marked| answer.edits(marked.index).is_empty()) {
                continue;
            }
            rewrite(splicer, &command[0].range, limits, |splicer| {
                for marked in command {
                    let names = &routes.get(marked.choice).names;
                    if edit(splicer, &marked.place, answer.edits(marked.index), names).is_err() {
                        counters.injections_skipped.refused.add(1);
                        listener.log_skipped("refused", &answer.verdict(marked.index), now);
                    }
                }
            });
        }
        for marked in published {
            if marked.place.is_body() {
                count_unusable(&answer.verdict(marked.index), counters);
            }
            let measures = marked.measures.take();
            let Some(number) = marked.number else {
                if let Some(measures) = measures {
                    measures.handed_on();
                }
                continue;
            };
            let awaiting = Awaiting { span: answer.open(marked.index), start: now, measures };
            let place = match replies.get_mut(number) {
                Some(Awaited::Queued(place)) => Some(&mut **place),
                place => place,
            };
            let place = match place {
                Some(Awaited::Publish(publish) | Awaited::Heard(publish)) => Some(publish),
                Some(Awaited::Publishes(publishes)) => publishes.get_mut(marked.part),
                _ => None,
            };
            if let Some(place) = place {
                // What is idle is not taken off either.
                *awaited_bytes += if awaiting.is_idle() { 0 } else { awaiting.bytes() };
                *place = awaiting;
            }
        }
        publish.clear();
    }
}

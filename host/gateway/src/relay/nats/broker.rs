//! What a broker sends: deliveries, answers to publishes, and what it says about itself.
//!
//! | message | what becomes of it |
//! |---|---|
//! | its reply subject is `$JS.ACK.>` | a process span, open until it is settled |
//! | its subject is one that a question about a consumer waits on | read |
//! | its subject is one that a publish waits on | read, as the end of the publish span |
//! | it has a status, or a subject of JetStream, the system or `_INBOX.>` | nothing |
//! | any other | a process span without length: nothing on the wire says when work ends |
//!
//! A responder's answer on a subject outside of `_INBOX.>` ends the publish and is a message like
//! any other, because its publisher's side is one as well.
//!
//! A consumer that acknowledges nothing (an ordered one) gets the reply subject as well. Where its
//! description has passed by ([`policies`](super::policies)) its deliveries have no length; else
//! they grow old and end as `abandoned`.

use spanbridge::{Attribute, Delivery, MessageBits, SpanContext};
use spanbridge_wire::Step;
use spanbridge_wire::nats::jetstream::{AckPolicy, AckSubject, PublishAnswer};
use spanbridge_wire::nats::{self, BrokerDecoder, BrokerFrame, ControlSubject, Error, Message};

use super::awaited::Answer;
use super::client::MESSAGE_ID;
use super::limits::{ANSWER_BYTES_MAX, CONSUMER_ANSWER_BYTES_MAX};
use super::payload::Payload;
use super::splice::{Marked, edit};
use super::state::{Block, Call, Seen, State, add_headers};
use super::subscriptions::Audience;
use super::walk::{Behind, PAYLOAD_PASSES, Stop, Walk};
use crate::measure::queue_wait;
use crate::open_spans::Starting;
use crate::relay::bodies::{self, Wish};
use crate::relay::splicer::Splicer;
use crate::relay::{Tools, add_template};

impl State {
    /// Reads what a broker sent, up to the last whole head.
    pub(super) fn read_broker(
        &mut self,
        decoder: &mut BrokerDecoder,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Walk {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let between = !rest.is_empty() && decoder.payload_left().is_none();
            let full = call.tools.deliver.is_full() || self.bodies.are_enough(self.marked.len());
            if between && full {
                return Walk::full(at);
            }
            let start = *decoder;
            let (frame, head) = match decoder.next(rest) {
                Ok(Step::Frame { frame, len }) => (frame, len),
                Ok(Step::Need) => return Walk::until(at),
                Err(error) => return Walk::stopped(input, error),
            };
            let payload = match frame {
                BrokerFrame::Deliver(delivery) => {
                    self.read_delivery(decoder, rest, at, &delivery, call)
                }
                BrokerFrame::Info(json) => {
                    let json_at = at + json.start() as usize;
                    self.info(json.of(rest), json_at, call);
                    if self.tls_follows {
                        return Walk::stopped(input, Stop::Tls);
                    }
                    Ok(PAYLOAD_PASSES)
                }
                BrokerFrame::Payload(_)
                | BrokerFrame::Ping
                | BrokerFrame::Pong
                | BrokerFrame::Ok => Ok(PAYLOAD_PASSES),
                BrokerFrame::Err(text) => {
                    self.error(text.of(rest), call);
                    Ok(PAYLOAD_PASSES)
                }
            };
            match payload {
                Ok(Behind::Read(len)) => at += head + len,
                Ok(Behind::Held(needed)) => {
                    *decoder = start;
                    return Walk::until_there_are(needed, at);
                }
                Ok(Behind::Waits) => {
                    *decoder = start;
                    return Walk::full(at);
                }
                Err(error) => return Walk::stopped(input, error),
            }
        }
    }

    /// Answers what becomes of the payload.
    fn read_delivery(
        &mut self,
        decoder: &mut BrokerDecoder,
        rest: &[u8],
        at: usize,
        delivery: &nats::Delivery,
        call: &mut Call<'_>,
    ) -> Result<Behind, Error> {
        let message = &delivery.message;
        let subject = message.subject.of(rest);
        let sid = delivery.sid.of(rest);
        let block = Block::of(message, rest);
        let reply = message.reply.map(|reply| reply.of(rest)).unwrap_or_default();
        let ack = AckSubject::parse(reply);
        let mut payload = Payload::new(decoder, message, rest);
        // Before anything is remembered of the message: where it has to be held, it is read again.
        let may_be_message = || !block.has_status() && ControlSubject::of(subject).is_none();
        let mut seen = None;
        if ack.is_some() || may_be_message() {
            let choice = self.routes.choose(&[subject]);
            let body = match self.body_wish(choice, message, block, &call.tools.counters) {
                Wish::Passes => &b""[..],
                Wish::Waits => return Ok(Behind::Waits),
                Wish::Read => match payload.whole()? {
                    Some(body) => body,
                    None => return Ok(Behind::held(message)),
                },
            };
            seen = Some(Seen { message, bytes: rest, at, block, choice, body });
        }
        if let (Some(ack), Some(seen)) = (&ack, &seen) {
            self.subscriptions.deliver(sid);
            self.mark_stream_delivery(seen, ack, call);
            self.subscriptions.delivered(sid);
            return Ok(payload.behind());
        }
        if self.awaited.contains(subject) {
            let Some(answer) = read_answer(&mut payload, message, block)? else {
                return Ok(Behind::held(message));
            };
            seen = seen.filter(|_| matches!(answer, Answer::Responder));
            let refusing = self.awaited.answer(subject, answer, call.now, &mut call.tools.settle);
            if let Some(destination) = refusing {
                call.size_refused(destination);
            }
        }
        if self.asked.contains(subject) {
            let Some(description) = read_description(&mut payload, message, call)? else {
                return Ok(Behind::held(message));
            };
            self.asked.answered(subject);
            self.learn(description, call);
        }
        match &seen {
            Some(seen) => self.mark_core_delivery(seen, sid, call),
            None => {
                self.subscriptions.deliver(sid);
            }
        }
        self.subscriptions.delivered(sid);
        Ok(payload.behind())
    }

    /// A message of a stream: its span stays open, if it is to be settled.
    fn mark_stream_delivery(&mut self, seen: &Seen<'_>, ack: &AckSubject<'_>, call: &mut Call<'_>) {
        let &Seen { message, bytes, at, block, choice, body } = seen;
        let mut range = self.push_key(ack);
        let key = &self.keys[range.clone()];
        let (name, policies) = (Self::consumer_of(key), &call.shared.policies);
        let consumer = self.consumers.deliver(name, call.now, policies);
        let subject = message.subject.of(bytes);
        let traced = self.routes.get(choice);
        let Tools { deliver, settle, open_spans, counters, template, .. } = &mut *call.tools;
        let template = traced.template(subject, template);
        let is_readable = !matches!(block, Block::Unreadable);
        let measures = is_readable.then(|| traced.measures(template)).flatten();
        if let Some(measures) = measures.as_ref().filter(|_| consumer.is_first_answer()) {
            measures.received(&consumer.waited(call.now));
        }
        let (mut bits, mut previous) = (self.header_bits(), SpanContext::default());
        if consumer.policy == Some(AckPolicy::None) {
            range = 0..0;
            bits |= MessageBits::UNSEEN;
        } else {
            if consumer.policy == Some(AckPolicy::All) {
                policies.delivered(name, ack.stream_sequence, ack.stored_unix_ns, counters);
            }
            let (unsettled, concurrency) = (&consumer.unsettled, traced.concurrency);
            let (measures, not_before, now) = (measures.as_ref(), 0, call.now);
            let starting = Starting { unsettled, concurrency, measures, not_before, now };
            let begun = open_spans.begin(key, &starting, settle);
            previous = begun.previous;
            bits.set(MessageBits::ESTIMATED, begun.estimated);
        }
        if !is_readable {
            return counters.messages_unreadable.add(1);
        }
        // Known all the same, so that its settlement is not a stranger's.
        let Some(route) = traced.route else { return };
        let headers = block.headers();
        let mut parts = deliver.add(&Delivery {
            route,
            bits,
            resource: traced.consumer.unwrap_or(self.resource),
            destination: subject,
            id: headers.and_then(|headers| headers.find(MESSAGE_ID)).unwrap_or_default(),
            body,
            body_size: message.payload_len.into(),
            attempt: u32::try_from(ack.delivered).unwrap_or(u32::MAX),
            // Without this one.
            prefetched: consumer.unsettled.count().saturating_sub(1),
            start: call.now,
            requested: consumer.requested,
            published: ack.stored_unix_ns,
            previous,
        });
        add_headers(&mut parts, headers, &traced.fields);
        add_template(&mut parts, template);
        parts.text_attribute(Attribute::ConsumerGroup, ack.consumer);
        parts.text_attribute(Attribute::NatsStream, ack.stream);
        let sequence = i64::try_from(ack.stream_sequence).unwrap_or(i64::MAX);
        parts.int_attribute(Attribute::NatsSequence, sequence);
        let (index, is_first) = (parts.index(), ack.delivered <= 1);
        drop(parts);
        self.bodies.hand_in(body);
        let (message, key, has_body) = (*message, range, !body.is_empty());
        let marked = Marked { at, message, has_body, index, choice, key, measures, is_first };
        self.marked.push(marked);
    }

    /// A message that nobody settles: its span has no length.
    fn mark_core_delivery(&mut self, seen: &Seen<'_>, sid: &[u8], call: &mut Call<'_>) {
        let &Seen { message, bytes, at, block, choice, body } = seen;
        let bits = self.header_bits() | MessageBits::UNSEEN;
        let audience = self.subscriptions.deliver(sid);
        if matches!(block, Block::Unreadable) {
            return call.tools.counters.messages_unreadable.add(1);
        }
        let subject = message.subject.of(bytes);
        let traced = self.routes.get(choice);
        let Some(route) = traced.route else { return };
        let headers = block.headers();
        let fan_out = audience == Audience::Everybody;
        let Tools { deliver, template, .. } = &mut *call.tools;
        let template = traced.template(subject, template);
        let mut parts = deliver.add(&Delivery {
            route,
            bits: if fan_out { bits | MessageBits::FAN_OUT } else { bits },
            resource: traced.consumer.unwrap_or(self.resource),
            destination: subject,
            id: headers.and_then(|headers| headers.find(MESSAGE_ID)).unwrap_or_default(),
            body,
            body_size: message.payload_len.into(),
            attempt: 0,
            prefetched: 0,
            start: call.now,
            requested: 0,
            published: 0,
            previous: SpanContext::default(),
        });
        add_headers(&mut parts, headers, &traced.fields);
        add_template(&mut parts, template);
        if let Audience::Group(group) = audience {
            parts.text_attribute(Attribute::ConsumerGroup, group);
        }
        let (index, measures) = (parts.index(), traced.measures(template));
        drop(parts);
        self.bodies.hand_in(body);
        let (message, key, has_body, is_first) = (*message, 0..0, !body.is_empty(), true);
        let marked = Marked { at, message, has_body, index, choice, key, measures, is_first };
        self.marked.push(marked);
    }

    /// Asks the component about the deliveries of a read, and changes them.
    pub(super) fn hand_on_deliveries(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        let mut said = std::mem::take(&mut self.said).into_iter().peekable();
        if self.marked.is_empty() {
            return said.for_each(|(range, with)| splicer.replace(range, with));
        }
        let now = call.now;
        let Tools { tracer, deliver, settle, open_spans, counters, .. } = &mut *call.tools;
        counters.messages_seen.delivered.add(self.marked.len() as u64);
        let answer = tracer.deliver(deliver);
        for marked in &self.marked {
            while let Some((range, with)) = said.next_if(|(range, _)| range.start < marked.at) {
                splicer.replace(range, with);
            }
            if let Some(measures) = &marked.measures {
                measures.consumed(1);
                if marked.is_first
                    && let Some(wait) = queue_wait(&answer.verdict(marked.index), now)
                {
                    measures.waited(&wait);
                }
            }
            if marked.has_body {
                bodies::count_unusable(&answer.verdict(marked.index), counters);
            }
            // A client sets no limit to what it takes.
            let names = &self.routes.get(marked.choice).names;
            let (edits, limits) = (answer.edits(marked.index), &call.shared.limits);
            match edit(splicer, marked, edits, u64::MAX, names, limits) {
                Ok(_) => {}
                Err(_) => counters.injections_skipped.refused.add(1),
            }
            if !marked.key.is_empty()
                && let Some(span) = answer.open(marked.index)
            {
                open_spans.attach(&self.keys[marked.key.clone()], span, now, settle);
            }
        }
        said.for_each(|(range, with)| splicer.replace(range, with));
        deliver.clear();
    }
}

/// Reads what came on a subject that a publish waits on. `None`: it is not whole.
fn read_answer<'a>(
    payload: &mut Payload<'_, 'a>,
    message: &Message,
    block: Block<'a>,
) -> Result<Option<Answer<'a>>, Error> {
    if let Some(status) = block.headers().and_then(|headers| headers.status()) {
        return Ok(Some(Answer::Status(status)));
    }
    let may_be_stream = (1..=ANSWER_BYTES_MAX).contains(&message.payload_len);
    if !may_be_stream || !message.header_seen() {
        return Ok(Some(Answer::Responder));
    }
    let answer = |payload| PublishAnswer::parse(payload).map_or(Answer::Responder, Answer::Stream);
    Ok(payload.whole()?.map(answer))
}

/// Reads the answer to a question about a consumer; one that cannot be read is empty. `None`: it is
/// not whole.
fn read_description<'a>(
    payload: &mut Payload<'_, 'a>,
    message: &Message,
    call: &Call<'_>,
) -> Result<Option<&'a [u8]>, Error> {
    if message.payload_len > CONSUMER_ANSWER_BYTES_MAX {
        call.tools.counters.consumer_answers_unread.bytes.add(1);
        return Ok(Some(b""));
    }
    if !message.header_seen() {
        return Ok(Some(b""));
    }
    payload.whole()
}

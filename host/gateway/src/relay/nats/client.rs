//! What a client sends: publishes, settlements, requests for messages, subscriptions.
//!
//! | subject | what becomes of it |
//! |---|---|
//! | ordinary | a publish span; a context, if it has none |
//! | `$JS.ACK.>` | read, as the end of a process span |
//! | `$JS.API.CONSUMER.MSG.NEXT.>` | read, as a pull |
//! | `$JS.API.CONSUMER.CREATE.>`, `.INFO.>` | its answer is read: what the consumer acknowledges |
//! | others of JetStream and the system, `_INBOX.>` | nothing |
//!
//! A payload is read where it settles a delivery, and where its route has an envelope and no header
//! names a span; it streams through everywhere else.

use spanbridge::metrics::Counters;
use spanbridge::{Publish, SpanContext, Verdict, VerdictBits};
use spanbridge_wire::Step;
use spanbridge_wire::nats::jetstream::{ConsumerRequest, PullSubject};
use spanbridge_wire::nats::{ClientDecoder, ClientFrame, ControlSubject, Error, Message};
use tracing::warn;

use super::awaited::Waiting;
use super::limits::ACK_BYTES_MAX;
use super::shared::NatsShared;
use super::splice::{Marked, Skipped, Splicer};
use super::state::{Block, Call, Seen, State, add_headers, add_template};
use super::walk::{Behind, PAYLOAD_PASSES, Walk};
use crate::relay::Tools;
use crate::relay::bodies::{self, Wish};

/// The header by which a stream knows a message again.
pub(super) const MESSAGE_ID: &[u8] = b"Nats-Msg-Id";

impl State {
    /// Reads what a client sent, up to the last whole head.
    pub(super) fn read_client(
        &mut self,
        decoder: &mut ClientDecoder,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Walk {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let between = !rest.is_empty() && decoder.payload_left().is_none();
            let full = call.tools.publish.is_full() || self.bodies.are_enough(self.marked.len());
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
                ClientFrame::Publish(message) => {
                    self.read_publish(decoder, rest, at, &message, call)
                }
                frame => {
                    self.read_control(frame, rest, call);
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

    fn read_control(&mut self, frame: ClientFrame, rest: &[u8], call: &Call<'_>) {
        match frame {
            ClientFrame::Connect(json) => self.connect(json.of(rest), call.shared),
            ClientFrame::Subscribe(subscribe) => {
                let group = subscribe.queue_group.map(|group| group.of(rest));
                self.subscriptions.subscribe(subscribe.sid.of(rest), group, &call.tools.counters);
            }
            ClientFrame::Unsubscribe(unsubscribe) => {
                self.subscriptions
                    .unsubscribe(unsubscribe.sid.of(rest), unsubscribe.deliveries_max);
            }
            ClientFrame::Publish(_)
            | ClientFrame::Payload(_)
            | ClientFrame::Ping
            | ClientFrame::Pong => {}
        }
    }

    /// Answers what becomes of the payload.
    fn read_publish(
        &mut self,
        decoder: &mut ClientDecoder,
        rest: &[u8],
        at: usize,
        message: &Message,
        call: &mut Call<'_>,
    ) -> Result<Behind, Error> {
        let subject = message.subject.of(rest);
        match ControlSubject::of(subject) {
            None => return self.read_message(decoder, rest, at, message, call),
            Some(ControlSubject::JetStreamAck) => {
                if message.payload_len > ACK_BYTES_MAX || !message.header_seen() {
                    call.tools.counters.settle_unmatched.add(1);
                    return Ok(PAYLOAD_PASSES);
                }
                let body = rest.get(message.head_len()..).unwrap_or_default();
                let Step::Frame { frame: payload, len } = decoder.payload(body)? else {
                    return Ok(Behind::held(message));
                };
                self.acknowledge(subject, payload.of(body), call);
                return Ok(Behind::Read(len));
            }
            Some(ControlSubject::JetStreamApi) => {
                if let Some(pull) = PullSubject::parse(subject) {
                    self.pull(&pull, call.now);
                } else if let Some(request) = ConsumerRequest::parse(subject) {
                    let reply = message.reply.map(|reply| reply.of(rest)).unwrap_or_default();
                    self.ask(&request, reply, call);
                }
            }
            Some(_) => {}
        }
        Ok(PAYLOAD_PASSES)
    }

    /// A message for consumers.
    fn read_message(
        &mut self,
        decoder: &mut ClientDecoder,
        rest: &[u8],
        at: usize,
        message: &Message,
        call: &mut Call<'_>,
    ) -> Result<Behind, Error> {
        let block = Block::of(message, rest);
        if matches!(block, Block::Unreadable) {
            call.tools.counters.messages_unreadable.add(1);
            return Ok(PAYLOAD_PASSES);
        }
        if block.has_status() {
            return Ok(PAYLOAD_PASSES);
        }
        let choice = self.routes.choose(message.subject.of(rest));
        let mut seen = Seen { message, bytes: rest, at, block, choice, body: b"" };
        let mut behind = PAYLOAD_PASSES;
        match self.body_wish(choice, message, block, &call.tools.counters) {
            Wish::Passes => {}
            Wish::Waits => return Ok(Behind::Waits),
            Wish::Read => {
                let payload = rest.get(message.head_len()..).unwrap_or_default();
                let Step::Frame { frame: body, len } = decoder.payload(payload)? else {
                    return Ok(Behind::held(message));
                };
                (seen.body, behind) = (body.of(payload), Behind::Read(len));
            }
        }
        self.mark_publish(&seen, call);
        Ok(behind)
    }

    fn mark_publish(&mut self, seen: &Seen<'_>, call: &mut Call<'_>) {
        let &Seen { message, bytes, at, block, choice, body } = seen;
        let traced = self.routes.get(choice);
        let Some(route) = traced.route else { return };
        let subject = message.subject.of(bytes);
        let headers = block.headers();
        // Whoever names a subject for the answer is told by it how the publish ended.
        let end = if message.reply.is_some() { 0 } else { call.now };
        let Tools { publish, template, .. } = &mut *call.tools;
        let template = traced.template(subject, template);
        let mut parts = publish.add(&Publish {
            route,
            bits: self.header_bits(),
            resource: traced.producer.unwrap_or(self.resource),
            destination: subject,
            id: headers.and_then(|headers| headers.find(MESSAGE_ID)).unwrap_or_default(),
            body,
            body_size: message.payload_len.into(),
            start: call.now,
            end,
            parent: SpanContext::default(),
        });
        add_headers(&mut parts, headers, &traced.fields);
        add_template(&mut parts, template);
        let (index, measures) = (parts.index(), traced.measures(template));
        self.bodies.hand_in(body);
        self.marked.push(Marked {
            at,
            message: *message,
            has_body: !body.is_empty(),
            index,
            choice,
            key: 0..0,
            measures,
            is_first: true,
        });
    }

    /// Asks the component about the publishes of a read, and changes them.
    pub(super) fn hand_on_publishes(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        if self.marked.is_empty() {
            return;
        }
        let now = call.now;
        let Tools { tracer, publish, settle, counters, .. } = &mut *call.tools;
        counters.messages_seen.published.add(self.marked.len() as u64);
        let takes_headers = self.has_headers();
        let refusing = &call.shared.refusing;
        let answer = tracer.publish(publish);
        for marked in &self.marked {
            let (edits, bytes) = (answer.edits(marked.index), splicer.bytes_of(marked));
            let subject = marked.message.subject.of(bytes);
            let verdict = answer.verdict(marked.index);
            if marked.has_body {
                bodies::count_unusable(&verdict, counters);
            }
            let has_own = marked.has_body && verdict.bits.contains(VerdictBits::FOUND);
            if !takes_headers && edits.is_empty() && !has_own {
                counters.injections_skipped.no_headers.add(1);
            }
            let (names, limits) = (&self.routes.get(marked.choice).names, &call.shared.limits);
            let edited = if !edits.is_empty() && refusing.contains(subject, now) {
                Err(Skipped::SizeRefused)
            } else {
                splicer.edit(marked, edits, self.size_max, names, limits)
            };
            let injected = match edited {
                Ok(size) => size.map(|size| (size, refusing.destination(subject))),
                Err(skipped) => {
                    goes_on_without(skipped, &verdict, now, call.shared, counters);
                    None
                }
            };
            if let Some(largest) = injected.filter(|(size, _)| *size > self.largest_injected()) {
                self.largest = Some(largest);
            }
            let measures = marked.measures.clone();
            let Some(reply) = marked.message.reply else {
                if let Some(measures) = measures {
                    measures.handed_on();
                }
                continue;
            };
            let injected = injected.map(|(_, destination)| destination);
            let waiting =
                Waiting { span: answer.open(marked.index), start: now, injected, measures };
            if !waiting.is_idle() {
                self.awaited.insert(reply.of(bytes), waiting, now, counters, settle);
            }
        }
        publish.clear();
    }
}

/// A publish gets no context, for a reason that is the message's own.
fn goes_on_without(
    skipped: Skipped,
    verdict: &Verdict,
    now: u64,
    shared: &NatsShared,
    counters: &Counters,
) {
    let injections = &counters.injections_skipped;
    let (counter, reason) = match skipped {
        Skipped::TooLarge => (&injections.max_payload, "max_payload"),
        Skipped::SizeRefused => (&injections.size_refused, "size_refused"),
        Skipped::Refused => (&injections.refused, "refused"),
    };
    counter.add(1);
    if shared.may_log(now) {
        let Verdict { trace_hi, trace_lo, span_id, .. } = verdict;
        let trace_id = format_args!("{trace_hi:016x}{trace_lo:016x}");
        let span_id = format_args!("{span_id:016x}");
        warn!(%trace_id, %span_id, reason, "message goes on without its context");
    }
}

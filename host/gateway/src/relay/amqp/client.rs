//! What a client sends: publishes, settlements, requests for messages.

use spanbridge::{MessageBits, Outcome, Publish, SpanContext};
use spanbridge_wire::amqp::{
    Acknowledge, Consume, ContentHeader, Frame, FrameKind, Get, Method, QueueDeclare, Refusal,
};

use super::channel::Channel;
use super::consumers::Source;
use super::ending::{Ending, How, key, settle};
use super::limits::CHANNELS_MAX;
use super::message::Message;
use super::publishes::{Fingerprint, Waiting};
use super::room::counted;
use super::splice::{Marked, edit};
use super::state::{Call, Found, State};
use crate::relay::awaiting::Awaiting;
use crate::relay::splicer::Splicer;
use crate::relay::{Side, Tools, add_template};
use spanbridge_wire::amqp::destination::{is_control, is_server_named, of_publish};

impl State {
    pub(super) fn client_frame(&mut self, frame: Frame, found: Found<'_>, call: &mut Call<'_>) {
        match frame {
            Frame::Method { channel, method } => {
                if !self.connection_method(&method, found.rest, call) {
                    self.client_method(channel, &method, found.rest, call);
                }
            }
            Frame::Header(header) => self.publish_header(&header, found, call),
            Frame::Body { channel, size } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.sending.body(size);
                }
            }
            Frame::Unread { channel, kind, .. } => {
                if kind == FrameKind::Header {
                    call.tools.counters.messages_unreadable.add(1);
                }
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.sending.unread();
                }
            }
            Frame::ProtocolHeader | Frame::Payload(_) | Frame::Heartbeat => {}
        }
    }

    fn client_method(&mut self, number: u16, method: &Method, rest: &[u8], call: &mut Call<'_>) {
        if matches!(method, Method::ChannelOpen) {
            return self.open_channel(number, call);
        }
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.sending.method(method.carries_content());
        let counters = &call.tools.counters;
        match method {
            Method::BasicPublish(publish) => {
                let publishing = &mut channel.publishing;
                let (exchange, key) = (publish.exchange.of(rest), publish.routing_key.of(rest));
                publishing.texts.set(exchange, key, b"");
                publishing.mandatory = publish.mandatory;
                publishing.number = channel.publishes.next();
            }
            Method::BasicAck(ack) => self.settled(number, ack, Outcome::Ack, call),
            Method::BasicNack(nack) | Method::BasicReject(nack) => {
                let outcome = if nack.requeue { Outcome::Requeue } else { Outcome::Reject };
                self.settled(number, nack, outcome, call);
            }
            Method::BasicRecover { requeue: true }
            | Method::BasicRecoverAsync { requeue: true } => {
                let (through, outcome, is_many) = (u64::MAX, Outcome::Requeue, true);
                let ending = Ending::Deliveries { channel: number, through, outcome, is_many };
                self.end(Side::Client, ending);
            }
            Method::QueueDeclare(declare) => self.declare(number, declare, rest, call),
            Method::BasicConsume(consume) => self.consume(number, consume, rest, call),
            Method::BasicGet(get) => self.get(number, get, rest, call),
            Method::BasicCancel { consumer_tag, no_wait: true } => {
                channel.consumers.stop(consumer_tag.of(rest));
            }
            Method::ConfirmSelect { .. } => channel.publishes.confirm(),
            Method::TxSelect => channel.publishes.transact(),
            Method::TxCommit | Method::TxRollback => channel.publishes.end_transaction(counters),
            _ => {}
        }
    }

    fn open_channel(&mut self, number: u16, call: &Call<'_>) {
        if let Some(channel) = self.channels.remove(&number) {
            self.end(Side::Client, Ending::Channel { number, channel });
        }
        if self.channels.len() >= CHANNELS_MAX {
            return call.tools.counters.channels_untracked.add(1);
        }
        self.channels.insert(number, Box::<Channel>::default());
    }

    /// The client says something about one delivery, or all up to it.
    fn settled(&mut self, number: u16, ack: &Acknowledge, outcome: Outcome, call: &mut Call<'_>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let tag = ack.delivery_tag;
        if ack.multiple {
            let through = if tag == 0 { u64::MAX } else { tag };
            if channel.unsettled.first().is_none_or(|first| first > through) {
                return call.tools.counters.settle_unmatched.add(1);
            }
            let is_many = false;
            let ending = Ending::Deliveries { channel: number, through, outcome, is_many };
            return self.end(Side::Client, ending);
        }
        let list = &mut channel.unsettled;
        let Some(delivered) = counted(&mut self.room.unsettled, list, |it| it.take(tag)) else {
            return call.tools.counters.settle_unmatched.add(1);
        };
        let how = How { outcome, with_others: false };
        settle(key(self.session, number, tag), &delivered, how, call);
    }

    fn declare(&mut self, number: u16, declare: &QueueDeclare, rest: &[u8], call: &Call<'_>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let is_temporary = !declare.passive && (declare.exclusive || declare.auto_delete);
        if !declare.no_wait {
            return channel.declared.push(is_temporary, &call.tools.counters);
        }
        channel.last_queue = declare.queue.of(rest).into();
        if is_temporary {
            let temporary = &call.shared.temporary;
            let queue = temporary.hash((&*self.vhost, &*channel.last_queue));
            call.note_forgotten(temporary.insert(queue, call.now));
        }
    }

    /// What a consumer reads from, or a request for a single message.
    fn source(&self, queue: &[u8], no_ack: bool, requested: u64, call: &Call<'_>) -> Source {
        let is_temporary = is_server_named(queue)
            || call.shared.temporary.contains((&*self.vhost, queue), call.now);
        Source { queue: queue.into(), no_ack, is_temporary, requested }
    }

    fn consume(&mut self, number: u16, consume: &Consume, rest: &[u8], call: &Call<'_>) {
        let queue = self.named(number, consume.queue.of(rest));
        let source = self.source(&queue, consume.no_ack, 0, call);
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let (tag, counters) = (consume.consumer_tag.of(rest), &call.tools.counters);
        channel.consumers.start(tag, source, &mut self.room, counters);
    }

    fn get(&mut self, number: u16, get: &Get, rest: &[u8], call: &Call<'_>) {
        let queue = self.named(number, get.queue.of(rest));
        let source = self.source(&queue, get.no_ack, call.now, call);
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.consumers.poll(source, &call.tools.counters);
    }

    /// The queue of that name; an empty one means the last that was declared on the channel.
    fn named(&self, number: u16, queue: &[u8]) -> Box<[u8]> {
        match self.channels.get(&number) {
            Some(channel) if queue.is_empty() => channel.last_queue.clone(),
            _ => queue.into(),
        }
    }

    fn publish_header(&mut self, header: &ContentHeader, found: Found<'_>, call: &mut Call<'_>) {
        let Self { channels, routes, resource, vhost, marked, name, .. } = self;
        let Some(channel) = channels.get_mut(&header.channel) else { return };
        if !channel.sending.header(header.body_size) {
            return;
        }
        let publishing = &channel.publishing;
        let (exchange, routing_key) = (publishing.texts.exchange(), publishing.texts.routing_key());
        if is_control(exchange, routing_key) || call.is_reply(vhost, exchange, routing_key) {
            return;
        }
        let Some(message) = Message::read(header, found.rest) else {
            return call.tools.counters.messages_unreadable.add(1);
        };
        if let Some(reply_to) = message.properties.reply_to {
            call.note_reply_to(vhost, reply_to);
        }
        of_publish(exchange, routing_key, name);
        let choice = routes.choose(&[name]);
        let traced = routes.get(choice);
        let Some(route) = traced.route else { return };
        let (id, now) = (message.id(), call.now);
        let Tools { publish, template, .. } = &mut *call.tools;
        let template = traced.template(name, template);
        let mut parts = publish.add(&Publish {
            route,
            bits: MessageBits::empty(),
            resource: traced.producer.unwrap_or(*resource),
            destination: name,
            id,
            body: b"",
            body_size: header.body_size,
            start: now,
            end: if publishing.number.is_some() { 0 } else { now },
            parent: SpanContext::default(),
        });
        message.add_to(&mut parts, &traced.fields, routing_key);
        add_template(&mut parts, template);
        let comes_back = publishing.mandatory && publishing.number.is_some();
        marked.push(Marked {
            frame: found.frame(),
            header: *header,
            index: parts.index(),
            choice,
            measures: traced.measures(template),
            number: publishing.number,
            mandatory: comes_back
                .then(|| Fingerprint::new(exchange, routing_key, id, header.body_size)),
            is_first: true,
        });
    }

    /// Asks the component about the publishes of a read, and changes them.
    pub(super) fn hand_on_publishes(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_>) {
        if self.marked.is_empty() {
            return;
        }
        let Self { marked, routes, channels, room, frame_max, .. } = self;
        let (now, listener) = (call.now, &call.shared.listener);
        let Tools { tracer, publish, settle, counters, .. } = &mut *call.tools;
        counters.messages_seen.published.add(marked.len() as u64);
        let answer = tracer.publish(publish);
        for marked in marked {
            let names = &routes.get(marked.choice).names;
            let edits = answer.edits(marked.index);
            if let Err(why) = edit(splicer, marked, edits, *frame_max, names) {
                let skipped = &counters.injections_skipped;
                let (counter, reason) = match why {
                    Refusal::FrameMax => (&skipped.frame_max, "frame_max"),
                    _ => (&skipped.refused, "refused"),
                };
                counter.add(1);
                listener.log_skipped(reason, &answer.verdict(marked.index), now);
            }
            let measures = marked.measures.take();
            let Some(number) = marked.number else {
                if let Some(measures) = measures {
                    measures.handed_on();
                }
                continue;
            };
            let publish = Awaiting { span: answer.open(marked.index), start: now, measures };
            let waiting = Waiting { publish, mandatory: marked.mandatory };
            if waiting.publish.is_idle() {
                continue;
            }
            match channels.get_mut(&marked.header.channel) {
                Some(channel) => {
                    channel.publishes.insert(number, waiting, room, counters, settle);
                }
                None => waiting.publish.give_up(settle),
            }
        }
        publish.clear();
    }
}

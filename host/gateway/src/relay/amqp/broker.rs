//! What a broker sends: answers to publishes, what comes back, and the methods of deliveries.

use spanbridge::Outcome;
use spanbridge_wire::amqp::{Acknowledge, ContentHeader, Frame, FrameKind, Method};

use super::channel::{Channel, What};
use super::ending::Ending;
use super::message::Message;
use super::publishes::Fingerprint;
use super::room::Room;
use super::state::{Call, Found, State};
use crate::relay::Side;
use spanbridge_wire::amqp::destination::is_server_named;

impl State {
    pub(super) fn broker_frame(&mut self, frame: Frame, found: Found<'_>, call: &mut Call<'_>) {
        match frame {
            Frame::Method { channel, method } => {
                if !self.connection_method(&method, found.rest, call) {
                    self.broker_method(channel, &method, found.rest, call);
                }
            }
            Frame::Header(header) => self.broker_header(&header, found, call),
            Frame::Body { channel, size } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.receiving.body(size);
                }
            }
            Frame::Unread { channel, kind, .. } => {
                if kind == FrameKind::Header {
                    call.tools.counters.messages_unreadable.add(1);
                }
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.receiving.unread();
                }
            }
            Frame::ProtocolHeader | Frame::Payload(_) | Frame::Heartbeat => {}
        }
    }

    fn broker_method(&mut self, number: u16, method: &Method, rest: &[u8], call: &mut Call<'_>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.receiving.method(method.carries_content());
        match method {
            Method::BasicDeliver(deliver) => {
                let (tag, redelivered) = (deliver.delivery_tag, deliver.redelivered);
                let (exchange, key) = (deliver.exchange.of(rest), deliver.routing_key.of(rest));
                channel.delivering.texts.set(exchange, key, deliver.consumer_tag.of(rest));
                channel.delivering.what = What::Deliver { tag, redelivered };
            }
            Method::BasicGetOk(got) => {
                let (tag, redelivered) = (got.delivery_tag, got.redelivered);
                let source = channel.consumers.polled();
                let (exchange, key) = (got.exchange.of(rest), got.routing_key.of(rest));
                channel.delivering.texts.set(exchange, key, b"");
                channel.delivering.what = What::Get { tag, redelivered, source };
            }
            Method::BasicGetEmpty => drop(channel.consumers.polled()),
            Method::BasicReturn(back) => {
                let (exchange, key) = (back.exchange.of(rest), back.routing_key.of(rest));
                let code = back.reply_code.to_string();
                let why = [code.as_bytes(), back.reply_text.of(rest)].join(&b' ');
                channel.delivering.texts.set(exchange, key, &why);
                channel.delivering.what = What::Return;
            }
            Method::BasicAck(ack) => self.answered(number, ack, Outcome::Confirmed, call),
            Method::BasicNack(nack) => self.answered(number, nack, Outcome::Refused, call),
            Method::TxCommitOk => self.transaction_ended(number, Outcome::Confirmed),
            Method::TxRollbackOk => self.transaction_ended(number, Outcome::Unanswered),
            Method::QueueDeclareOk(declared) => {
                self.declared(number, declared.queue.of(rest), call)
            }
            Method::BasicConsumeOk { consumer_tag } => {
                let (tag, counters) = (consumer_tag.of(rest), &call.tools.counters);
                channel.consumers.started(tag, &mut self.room, counters);
            }
            // The queue is gone; or the client's own wish is fulfilled.
            Method::BasicCancel { consumer_tag, .. } | Method::BasicCancelOk { consumer_tag } => {
                channel.consumers.stopped(consumer_tag.of(rest), &mut self.room);
            }
            Method::ChannelClose(_) | Method::ChannelCloseOk => {
                if let Some(channel) = self.channels.remove(&number) {
                    self.end(Side::Broker, Ending::Channel { number, channel });
                }
            }
            _ => {}
        }
    }

    /// The broker says something about one publish, or all up to it.
    fn answered(&mut self, number: u16, ack: &Acknowledge, outcome: Outcome, call: &mut Call<'_>) {
        if ack.multiple {
            let through = if ack.delivery_tag == 0 { u64::MAX } else { ack.delivery_tag };
            return self.end(Side::Broker, Ending::Publishes { channel: number, through, outcome });
        }
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let (room, settle) = (&mut self.room, &mut call.tools.settle);
        channel.publishes.answered(ack.delivery_tag, outcome, call.now, room, settle);
    }

    fn transaction_ended(&mut self, number: u16, outcome: Outcome) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        if let Some(through) = channel.publishes.transaction_ended() {
            self.end(Side::Broker, Ending::Publishes { channel: number, through, outcome });
        }
    }

    fn declared(&mut self, number: u16, queue: &[u8], call: &Call<'_>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.last_queue = queue.into();
        // A name of the broker's says as much by itself.
        if channel.declared.pop() == Some(true) && !is_server_named(queue) {
            let temporary = &call.shared.temporary;
            let queue = temporary.hash((&*self.vhost, queue));
            call.note_forgotten(temporary.insert(queue, call.now));
        }
    }

    fn broker_header(&mut self, header: &ContentHeader, found: Found<'_>, call: &mut Call<'_>) {
        let Some(channel) = self.channels.get_mut(&header.channel) else { return };
        if !channel.receiving.header(header.body_size) {
            return;
        }
        if matches!(channel.delivering.what, What::Return) {
            let room = &mut self.room;
            return returned(channel, header, found.rest, room, call);
        }
        self.mark_delivery(header, found, call);
    }
}

/// A message came back: no queue takes it. Its own context is not looked at, nor is it a delivery.
fn returned(
    channel: &mut Channel,
    header: &ContentHeader,
    rest: &[u8],
    room: &mut Room,
    call: &mut Call<'_>,
) {
    let Some(message) = Message::read(header, rest) else {
        return call.tools.counters.messages_unreadable.add(1);
    };
    let texts = &channel.delivering.texts;
    let (exchange, key) = (texts.exchange(), texts.routing_key());
    let what = Fingerprint::new(exchange, key, message.id(), header.body_size);
    let settle = &mut call.tools.settle;
    channel.publishes.returned(what, texts.third(), call.now, room, settle);
}

//! What a session knows of its two peers, and what both directions use.

use std::ops::Range;

use spanbridge::metrics::Counters;
use spanbridge::resource::ResourceId;
use spanbridge::{Fields, MessageBits, Outcome, Parts, Settlement};
use spanbridge_wire::json::Value;
use spanbridge_wire::nats::jetstream::{
    Ack, AckPolicy, AckSubject, ConsumerAnswer, ConsumerRequest, PullSubject,
};
use spanbridge_wire::nats::{Connect, Headers, Info, Message};
use tracing::warn;

use super::asked::{self, Asked};
use super::awaited::Awaited;
use super::consumers::Consumers;
use super::limits::{KEY_BYTES_KEPT_MAX, MARKED_KEPT_MAX, NAME_BYTES_MAX};
use super::refusing::Destination;
use super::shared::NatsShared;
use super::splice::Marked;
use super::subscriptions::Subscriptions;
use crate::relay::Tools;
use crate::relay::bodies::{Bodies, Wish};
use crate::relay::session_routes::SessionRoutes;
use crate::routing::Choice;

/// What INFO says of the addresses of a cluster in place of them.
const NO_ADDRESSES: &[u8] = b"[]";

/// Bytes of the numbers at the end of a delivery's key.
const KEY_NUMBERS: usize = 16;

/// What one call of the relay works with.
pub(in crate::relay) type Call<'a> = crate::relay::protocol::Call<'a, NatsShared>;

impl Call<'_> {
    /// A message that we made larger was refused for its size.
    pub(super) fn size_refused(&self, destination: Destination) {
        let counters = &self.tools.counters;
        counters.messages_refused_for_size.add(1);
        self.shared.refusing.insert(destination, self.now, counters);
        if self.shared.listener.may_log(self.now) {
            warn!("a message was refused for its size; its subject gets no context any more");
        }
    }
}

/// A message that was read, as far as both directions read it alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) message: &'a Message,
    /// The bytes from its control line on.
    pub(super) bytes: &'a [u8],
    /// Where they begin in the input.
    pub(super) at: usize,
    pub(super) block: Block<'a>,
    pub(super) choice: Choice,
    /// What the component is to see of its payload: all of it, or nothing.
    pub(super) body: &'a [u8],
}

/// A message's header block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Block<'a> {
    /// There is none.
    None,
    Readable(Headers<'a>),
    /// It is longer than its limit, or malformed: whether it holds a context cannot be known.
    Unreadable,
}

impl<'a> Block<'a> {
    pub(super) fn of(message: &Message, bytes: &'a [u8]) -> Self {
        match message.header(bytes).map(Headers::parse) {
            None if message.has_header() => Self::Unreadable,
            None => Self::None,
            Some(Some(headers)) => Self::Readable(headers),
            Some(None) => Self::Unreadable,
        }
    }

    pub(super) fn headers(self) -> Option<Headers<'a>> {
        match self {
            Self::Readable(headers) => Some(headers),
            Self::None | Self::Unreadable => None,
        }
    }

    /// Answers whether the message speaks for a broker or a service, and has no producer.
    pub(super) fn has_status(self) -> bool {
        self.headers().is_some_and(|headers| headers.status().is_some())
    }
}

/// What a session knows.
#[derive(Debug)]
pub(super) struct State {
    /// How messages are traced, and which routes may be theirs.
    pub(super) routes: SessionRoutes,
    /// The client's program.
    pub(super) resource: ResourceId,
    /// The client said that it takes header blocks.
    client_headers: bool,
    /// The broker did.
    broker_headers: bool,
    /// The largest message that the broker takes, header block included.
    pub(super) size_max: u64,
    /// The broker asks for a TLS handshake.
    pub(super) tls_follows: bool,
    pub(super) subscriptions: Subscriptions,
    pub(super) consumers: Consumers,
    pub(super) awaited: Awaited,
    pub(super) asked: Asked,
    /// The largest message so far that we made larger: its size and its destination.
    pub(super) largest: Option<(u32, Destination)>,
    /// What this read's INFO lines say instead, in the order of the input.
    pub(super) said: Vec<(Range<usize>, &'static [u8])>,
    /// The traced messages of this read.
    pub(super) marked: Vec<Marked>,
    /// What of bodies was handed in with them.
    pub(super) bodies: Bodies,
    /// The keys of its deliveries.
    pub(super) keys: Vec<u8>,
}

impl State {
    pub(super) fn new(shared: &NatsShared) -> Self {
        Self {
            routes: SessionRoutes::new(&shared.listener),
            resource: shared.listener.unnamed,
            client_headers: false,
            broker_headers: false,
            size_max: u64::MAX,
            tls_follows: false,
            subscriptions: Subscriptions::default(),
            consumers: Consumers::default(),
            awaited: Awaited::default(),
            asked: Asked::default(),
            largest: None,
            said: Vec::new(),
            marked: Vec::new(),
            bodies: Bodies::default(),
            keys: Vec::new(),
        }
    }

    /// `CONNECT`. What cannot be read changes nothing.
    pub(super) fn connect<'json>(&mut self, json: &'json [u8], shared: &NatsShared) {
        let Some(connect) = Connect::parse(json) else { return };
        let text = |value: Value<'json>| value.as_text(NAME_BYTES_MAX);
        let (name, user) = (connect.name.and_then(text), connect.user.and_then(text));
        self.resource = shared.listener.resource(name.as_deref(), user.as_deref());
        self.routes.set_user(user.as_deref());
        self.client_headers = connect.headers;
    }

    /// `INFO`: at the start, and whenever something of it changes. What cannot be read changes
    /// nothing. `at` is where it begins in the input.
    ///
    /// The addresses of a cluster's other servers are left out: a client that goes there by itself
    /// would leave the gateway, unnoticed, at its next reconnect. Where the gateway ends TLS, what
    /// is said about TLS becomes true for the client's connection.
    pub(super) fn info(&mut self, json: &[u8], at: usize, call: &Call<'_>) {
        let Some(info) = Info::parse(json) else { return };
        let before = self.said.len();
        if let Some(urls) = info.connect_urls {
            let urls = urls.range_in(json);
            self.said.push((at + urls.start..at + urls.end, NO_ADDRESSES));
            call.tools.counters.connect_urls_hidden.add(1);
        }
        if let Some(said) = call.shared.tls_said {
            for patch in said.plan(json).unwrap_or_default().as_slice() {
                let Range { start, end } = patch.at.range();
                self.said.push((at + start..at + end, patch.with));
            }
            // Stable: what is inserted at one place keeps its order.
            self.said[before..].sort_by_key(|(range, _)| range.start);
        }
        self.broker_headers = info.headers;
        self.size_max = info.max_payload.unwrap_or(u64::MAX);
        self.tls_follows = info.tls_required && call.shared.tls_said.is_none();
    }

    /// `-ERR`. Where it is the end of a session whose messages we made larger, the largest of them
    /// is the one that the broker means, if it is one of them.
    pub(super) fn error(&mut self, text: &[u8], call: &Call<'_>) {
        if text == b"'Maximum Payload Violation'"
            && let Some((_, destination)) = self.largest.take()
        {
            call.size_refused(destination);
        }
    }

    pub(super) fn largest_injected(&self) -> u32 {
        self.largest.map_or(0, |(size, _)| size)
    }

    /// Answers whether a message of this session may have a header block. A broker refuses one from
    /// a client that did not ask for them, and such a client does not understand one.
    pub(super) fn has_headers(&self) -> bool {
        self.client_headers && self.broker_headers
    }

    pub(super) fn header_bits(&self) -> MessageBits {
        if self.has_headers() { MessageBits::empty() } else { MessageBits::NO_HEADERS }
    }

    /// Decides about a message's body: it is read where its route has an envelope and no header
    /// says that the component can do without.
    pub(super) fn body_wish(
        &self,
        choice: Choice,
        message: &Message,
        block: Block<'_>,
        counters: &Counters,
    ) -> Wish {
        let traced = self.routes.get(choice);
        if !traced.has_envelope || matches!(block, Block::Unreadable) {
            return Wish::Passes;
        }
        let spares = |name| traced.fields.find(name).is_some_and(|field| field.spares_body);
        let mut headers = block.headers().into_iter().flatten();
        if self.has_headers() && headers.any(|header| spares(header.name)) {
            return Wish::Passes;
        }
        self.bodies.wish(message.payload_len as usize, self.marked.len(), counters)
    }

    /// Appends the key of a delivery to the keys and answers where it is.
    ///
    /// Which stream, which message of it, which consumer: not which attempt. The time at which the
    /// message was stored is part of it because two accounts may name their streams alike.
    pub(super) fn push_key(&mut self, ack: &AckSubject<'_>) -> Range<usize> {
        let start = self.push_consumer(ack.stream, ack.consumer).start;
        self.keys.extend_from_slice(&ack.stream_sequence.to_le_bytes());
        self.keys.extend_from_slice(&ack.stored_unix_ns.to_le_bytes());
        start..self.keys.len()
    }

    /// Appends the key of a consumer.
    fn push_consumer(&mut self, stream: &[u8], consumer: &[u8]) -> Range<usize> {
        let start = self.keys.len();
        self.keys.extend_from_slice(stream);
        // No name of a stream or a consumer holds a dot.
        self.keys.push(b'.');
        self.keys.extend_from_slice(consumer);
        start..self.keys.len()
    }

    /// The consumer's part of a delivery's key.
    pub(super) fn consumer_of(key: &[u8]) -> &[u8] {
        key.get(..key.len().saturating_sub(KEY_NUMBERS)).unwrap_or_default()
    }

    /// The client asks a consumer for messages.
    pub(super) fn pull(&mut self, pull: &PullSubject<'_>, now: u64) {
        let key = self.push_consumer(pull.stream, pull.consumer);
        self.consumers.pull(&self.keys[key], now);
    }

    /// The client asks something about a consumer, and is answered on the reply subject.
    pub(super) fn ask(&mut self, request: &ConsumerRequest<'_>, reply: &[u8], call: &Call<'_>) {
        match *request {
            ConsumerRequest::Describe if !reply.is_empty() => {
                self.asked.ask(reply, call.now, &call.tools.counters);
            }
            ConsumerRequest::Describe => {}
            ConsumerRequest::Delete { stream, consumer } => {
                let key = self.push_consumer(stream, consumer);
                call.shared.policies.forget(&self.keys[key]);
            }
        }
    }

    /// The broker describes a consumer, or says why not.
    pub(super) fn learn(&mut self, answer: &[u8], call: &Call<'_>) {
        let Some(answer) = ConsumerAnswer::parse(answer) else { return };
        let Some((stream, consumer)) = asked::names(&answer) else { return };
        let key = self.push_consumer(stream.as_bytes(), consumer.as_bytes());
        let counters = &call.tools.counters;
        call.shared.policies.learn(&self.keys[key], answer.ack_policy, call.now, counters);
    }

    /// The client says something about a delivery, wherever it came from.
    pub(super) fn acknowledge(&mut self, subject: &[u8], payload: &[u8], call: &mut Call<'_>) {
        let (Some(subject), Some(ack)) = (AckSubject::parse(subject), Ack::parse(payload)) else {
            // The broker ignores it as well.
            return;
        };
        let now = call.now;
        let range = self.push_key(&subject);
        let key = &self.keys[range.clone()];
        let consumer = Self::consumer_of(key);
        let policies = &call.shared.policies;
        let policy = self.consumers.policy(consumer, now, policies);
        if policy == Some(AckPolicy::None) {
            // The broker ignores it; or this is another account's consumer of that name.
            policies.forget(consumer);
        }
        let end = match ack {
            Ack::InProgress => return call.tools.open_spans.touch(key, now),
            Ack::Done | Ack::DoneAndNext => Settlement::new(Outcome::Ack, now),
            Ack::Retry { delay_ns } => {
                let delay = delay_ns.unwrap_or(0);
                Settlement { delay, ..Settlement::new(Outcome::Nack, now) }
            }
            Ack::Terminated { reason } => {
                Settlement { detail: reason, ..Settlement::new(Outcome::Term, now) }
            }
        };
        call.tools.open_spans.settle(key, &end, &mut call.tools.settle);
        if matches!(ack, Ack::DoneAndNext) {
            self.consumers.pull(consumer, now);
        }
        if policy == Some(AckPolicy::All) && !matches!(ack, Ack::Retry { .. }) {
            self.settle_earlier(range, subject.stream_sequence, call);
        }
    }

    /// Ends the deliveries for which an acknowledgement stands as well. A message that its consumer
    /// gives up (`+TERM`) is one for the broker.
    fn settle_earlier(&mut self, key: Range<usize>, sequence: u64, call: &mut Call<'_>) {
        let end = Settlement::new(Outcome::Ack, call.now);
        let consumer = Self::consumer_of(&self.keys[key.clone()]).len();
        for (sequence, stored) in
            call.shared.policies.settled(&self.keys[key.start..key.start + consumer], sequence)
        {
            let numbers = &mut self.keys[key.start + consumer..key.end];
            numbers[..8].copy_from_slice(&sequence.to_le_bytes());
            numbers[8..].copy_from_slice(&stored.to_le_bytes());
            let Tools { open_spans, settle, .. } = &mut *call.tools;
            open_spans.settle_as_well(&self.keys[key.clone()], &end, settle);
        }
    }

    /// Forgets the messages of a read, and buffers that a large one left behind.
    pub(super) fn forget_read(&mut self) {
        self.said = Vec::new();
        self.marked.clear();
        self.marked.shrink_to(MARKED_KEPT_MAX);
        self.bodies.clear();
        self.keys.clear();
        self.keys.shrink_to(KEY_BYTES_KEPT_MAX);
    }
}

/// Hands in the headers that carry context.
pub(super) fn add_headers(parts: &mut Parts<'_>, headers: Option<Headers<'_>>, fields: &Fields) {
    for header in headers.into_iter().flatten() {
        if let Some(field) = fields.find(header.name) {
            parts.header(field.number, field.key, header.value);
        }
    }
}

//! What a session knows of its two peers, and how what they send is read.

use std::collections::HashMap;
use std::ops::Range;

use spanbridge::resource::ResourceId;
use spanbridge_wire::Step;
use spanbridge_wire::resp::{
    CommandDecoder, CommandFrame, Error, Name, ReplyDecoder, ReplyMode, Want,
};

use super::limits::{
    DELIVERED_PER_READ_MAX, ENDED_PER_READ_MAX, KEYS_KEPT_MAX, MARKED_KEPT_MAX, PLACES_MAX,
};
use super::reading::Reading;
use super::replies::{Awaited, Replies};
use super::settling::Ending;
use super::shared::RedisShared;
use super::splice::{MarkedEntry, MarkedPublish};
use super::subscriber::Subscriber;
use super::topology::Topology;
use crate::open_spans::Unsettled;
use crate::relay::Tools;
use crate::relay::bodies::{BODY_BYTES_MAX, Bodies, Wish};
use crate::relay::session_routes::SessionRoutes;

/// What one call of the relay works with.
pub(in crate::relay) type Call<'a> = crate::relay::protocol::Call<'a, RedisShared>;

/// How far one read was understood.
pub(super) type Walk = crate::relay::walk::Walk<Stop>;

/// Why a session is not read any more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// A TLS handshake follows.
    Tls,
    /// What follows is not a reply for each command, or cannot be counted.
    Mode(Name),
    /// More replies are awaited than can be told apart.
    Awaited,
    /// The bytes are not the protocol.
    Protocol(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        /// The first byte of a TLS record that carries a handshake: RFC 8446, section 5.1.
        const HANDSHAKE: u8 = 0x16;
        match error {
            Error::Command { found: HANDSHAKE } => Self::Tls,
            error => Self::Protocol(error),
        }
    }
}

/// One command or reply, or a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// It, and nothing behind it.
    pub(super) bytes: &'a [u8],
    /// Where it begins in the input.
    pub(super) at: usize,
}

impl Found<'_> {
    /// Its place in the input.
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.bytes.len()
    }
}

/// What a session knows.
#[derive(Debug)]
pub(super) struct State {
    /// How messages are traced, and which routes may be theirs.
    pub(super) routes: SessionRoutes,
    /// The client's program.
    pub(super) resource: ResourceId,
    /// What it calls its connection.
    pub(super) name: Option<Box<str>>,
    pub(super) user: Option<Box<str>>,
    /// The selected database, as far as the client has sent what selects it.
    pub(super) database: u64,
    /// The one that the broker has said to be selected.
    pub(super) database_confirmed: u64,
    /// Databases that are selected, or are not, with a reply that is to come.
    pub(super) selects: usize,
    /// Which commands are answered.
    pub(super) reply_mode: ReplyMode,
    /// The client has begun a transaction.
    pub(super) transaction: bool,
    /// Version 3 is spoken.
    pub(super) is_resp3: bool,
    /// The broker sends clients to other servers, and the session ends for it.
    pub(super) refused: Option<Topology>,
    /// The client has said goodbye.
    pub(super) is_over: bool,
    pub(super) subscriber: Subscriber,
    pub(super) replies: Replies,
    /// Commands of a transaction that the broker has queued.
    pub(super) queued: Replies,
    /// Bytes that awaited replies take, beside their places.
    pub(super) awaited_bytes: usize,
    /// What has not been settled yet of what one command settles.
    pub(super) ending: Option<Box<Ending>>,
    pub(super) consumers: HashMap<Box<[u8]>, Unsettled>,
    /// The publishes of this read.
    pub(super) published: Vec<MarkedPublish>,
    /// The deliveries of this read.
    pub(super) delivered: Vec<MarkedEntry>,
    /// Their keys, one behind the other.
    pub(super) keys: Vec<u8>,
    /// A key, while it is looked up.
    pub(super) scratch: Vec<u8>,
    /// How much of bodies this read still has.
    pub(super) bodies: Bodies,
    /// What was taken out of lists and is not settled.
    pub(super) popped: Unsettled,
    /// The tag of a message that is about to be put back.
    pub(super) restoring: Option<Box<[u8]>>,
}

impl State {
    pub(super) fn new(shared: &RedisShared) -> Self {
        Self {
            routes: SessionRoutes::new(&shared.listener),
            resource: shared.listener.unnamed,
            name: None,
            user: None,
            database: 0,
            database_confirmed: 0,
            selects: 0,
            reply_mode: ReplyMode::On,
            transaction: false,
            is_resp3: false,
            refused: None,
            is_over: false,
            subscriber: Subscriber::default(),
            replies: Replies::default(),
            queued: Replies::default(),
            awaited_bytes: 0,
            ending: None,
            consumers: HashMap::new(),
            published: Vec::new(),
            delivered: Vec::new(),
            keys: Vec::new(),
            scratch: Vec::new(),
            bodies: Bodies::default(),
            popped: Unsettled::default(),
            restoring: None,
        }
    }

    /// The client is called something else, or is another user.
    pub(super) fn identify(&mut self, call: &Call<'_>) {
        let (name, user) = (self.name.as_deref(), self.user.as_deref());
        self.resource = call.shared.listener.resource(name, user);
        self.routes.set_user(user);
    }

    /// Reads what the client sent, up to the last whole command or part of one.
    pub(super) fn read_client(
        &mut self,
        decoder: &mut CommandDecoder,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Walk {
        if !self.go_on_ending(call) {
            return Walk::full(0);
        }
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let start = *decoder;
            let (frame, len) = match decoder.next(rest) {
                Ok(Step::Frame { frame, len }) => (frame, len),
                Ok(Step::Need) => return Walk::until(at),
                Err(error) => return Walk::stopped(input, error),
            };
            if finds_no_room(&frame, call.tools) || self.has_to_wait(&frame, rest, call) {
                *decoder = start;
                return Walk::full(at);
            }
            if self.replies.len() + self.queued.len() >= PLACES_MAX {
                return Walk::stopped(input, Stop::Awaited);
            }
            let found = Found { bytes: rest.get(..len).unwrap_or_default(), at };
            if let Err(stop) = self.command_frame(&frame, found, call) {
                return Walk::stopped(input, stop);
            }
            at += len;
            if self.ending.is_some() {
                return Walk::full(at);
            }
        }
    }

    /// Reads what the broker sent, likewise.
    pub(super) fn read_broker(
        &mut self,
        decoder: &mut ReplyDecoder,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Walk {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let (reply, push) = self.wants();
            // It is larger than most replies, and hardly ever one has to wait.
            let back = if self.may_have_to_wait(call.tools) { Some(*decoder) } else { None };
            let (frame, len) = match decoder.next(rest, reply, push) {
                Ok(Step::Frame { frame, len }) => (frame, len),
                Ok(Step::Need) => return Walk::until(at),
                Err(error) => return Walk::stopped(input, error),
            };
            if let Some(start) = back
                && (reply, push) != (Want::Pass, Want::Pass)
                && (self.has_enough(call.tools) || self.bodies_are_enough(len, call.tools))
            {
                *decoder = start;
                return Walk::full(at);
            }
            let found = Found { bytes: rest.get(..len).unwrap_or_default(), at };
            self.reply_frame(&frame, found, call);
            if self.refused.is_some() {
                return Walk::until(at);
            }
            at += len;
        }
    }

    /// Answers whether a command is read once those before it have been written.
    fn has_to_wait(&self, frame: &CommandFrame, bytes: &[u8], call: &Call<'_>) -> bool {
        let CommandFrame::Command(command) = frame else { return false };
        self.waits(command, bytes, call) || self.script_waits(command, bytes, call)
    }

    /// Answers whether the next reply may be one that is read once those before it are written.
    fn may_have_to_wait(&self, tools: &Tools) -> bool {
        self.may_have_bodies() || self.has_enough(tools)
    }

    /// Answers whether nothing more is looked into before what was read has been written.
    fn has_enough(&self, tools: &Tools) -> bool {
        tools.settle.len() >= ENDED_PER_READ_MAX
            || tools.settle.is_full()
            || tools.deliver.len() >= DELIVERED_PER_READ_MAX
            || tools.deliver.is_full()
            || self.takes_again(tools)
    }

    /// Answers whether the next reply ends attempts that may have begun in this read, and whose
    /// spans are not there yet.
    fn takes_again(&self, tools: &Tools) -> bool {
        let front = self.replies.front();
        let is_taken = |reading: &Reading| reading.taken.is_some();
        !tools.deliver.is_empty() && matches!(front, Some(Awaited::Read(it)) if is_taken(it))
    }

    fn may_have_bodies(&self) -> bool {
        let front = self.replies.front();
        matches!(front, Some(Awaited::Pop(_) | Awaited::Job(_))) || self.is_listening()
    }

    /// Answers whether a reply of this length has to wait for what it may carry.
    fn bodies_are_enough(&self, length: usize, tools: &Tools) -> bool {
        let (length, messages) = (length.min(BODY_BYTES_MAX), tools.deliver.len());
        self.may_have_bodies() && self.bodies.wish(length, messages, &tools.counters) == Wish::Waits
    }

    /// Whether the next reply is looked into, and whether the next push is.
    fn wants(&self) -> (Want, Want) {
        let is_subscription = matches!(self.replies.front(), Some(Awaited::Subscription { .. }));
        let push = if is_subscription || self.is_listening() { Want::Hold } else { Want::Pass };
        // In version 2, what a subscriber gets looks like a reply.
        if !self.is_resp3 && self.subscriber.is_subscribed() {
            return (Want::Hold, push);
        }
        let reply = match self.replies.front() {
            None | Some(Awaited::Plain(_) | Awaited::Blocking) => Want::Pass,
            Some(Awaited::Publish(publish) | Awaited::Heard(publish)) if publish.is_idle() => {
                Want::Pass
            }
            Some(_) => Want::Hold,
        };
        (reply, push)
    }

    /// Answers whether nothing is awaited that will come soon.
    pub(super) fn is_answered(&self) -> bool {
        match self.replies.front() {
            None | Some(Awaited::Blocking) => true,
            Some(Awaited::Read(reading)) => reading.is_blocking,
            Some(Awaited::Pop(popping)) => popping.is_blocking,
            Some(_) => false,
        }
    }

    /// Forgets the messages of a read, and buffers that a large one left behind.
    pub(super) fn forget_read(&mut self) {
        self.published.clear();
        self.published.shrink_to(MARKED_KEPT_MAX);
        self.delivered.clear();
        self.delivered.shrink_to(MARKED_KEPT_MAX);
        self.bodies.clear();
        self.keys.clear();
        self.keys.shrink_to(KEYS_KEPT_MAX);
    }
}

/// Answers whether what was read before a command has to be written before the command is read.
fn finds_no_room(frame: &CommandFrame, tools: &Tools) -> bool {
    let CommandFrame::Command(command) = frame else { return false };
    match command.name {
        Name::Xadd => tools.publish.is_full(),
        Name::Xack | Name::Xackdel | Name::Xdel | Name::Xdelex => {
            tools.settle.len() >= ENDED_PER_READ_MAX || tools.settle.is_full()
        }
        _ => false,
    }
}

//! What a session knows of its two peers, and how what they send is read.

use std::collections::BTreeMap;
use std::ops::Range;

use spanbridge::resource::ResourceId;
use spanbridge_wire::Step;
use spanbridge_wire::amqp::{Decoder, Error, Frame, Method};

use super::channel::Channel;
use super::ending::Ending;
use super::limits::{ENDED_PER_READ_MAX, FRAME_MIN, MARKED_KEPT_MAX};
use super::room::Room;
use super::shared::AmqpShared;
use super::splice::Marked;
use crate::relay::session_routes::SessionRoutes;
use crate::relay::{Side, Tools};

/// What one call of the relay works with.
pub(in crate::relay) type Call<'a> = crate::relay::protocol::Call<'a, AmqpShared>;

impl Call<'_> {
    /// Answers whether a message goes straight to a queue that somebody waits for an answer on.
    pub(super) fn is_reply(&self, vhost: &[u8], exchange: &[u8], routing_key: &[u8]) -> bool {
        exchange.is_empty() && self.shared.replies.contains((vhost, routing_key), self.now)
    }

    /// A message names the queue for its answer. One that outlives its owner is for work as well.
    pub(super) fn note_reply_to(&self, vhost: &[u8], queue: &[u8]) {
        if self.shared.temporary.contains((vhost, queue), self.now) {
            let queue = self.shared.replies.hash((vhost, queue));
            self.note_forgotten(self.shared.replies.insert(queue, self.now));
        }
    }

    /// A temporary queue was noted, and perhaps another forgotten for it.
    pub(super) fn note_forgotten(&self, is_forgotten: bool) {
        if is_forgotten {
            self.tools.counters.temporary_queues_forgotten.add(1);
        }
    }
}

/// How far one read was understood.
pub(super) type Walk = crate::relay::walk::Walk<Stop>;

/// Why a session is not read any more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// A TLS handshake follows.
    Tls,
    /// It is AMQP of another version.
    Version,
    /// The bytes are not the protocol.
    Protocol(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        /// The first byte of a TLS record that carries a handshake: RFC 8446, section 5.1.
        const HANDSHAKE: u8 = 0x16;
        /// Bytes of a protocol header before those that say which version it is.
        const NAME_LEN: u8 = 4;
        match error {
            Error::Protocol { at: 0, found: HANDSHAKE } => Self::Tls,
            Error::Protocol { at: NAME_LEN.., .. } => Self::Version,
            // The broker answers with the header of the version that it speaks.
            Error::FrameType { found: b'A' } => Self::Version,
            error => Self::Protocol(error),
        }
    }
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client is not in yet.
    Opening,
    Open,
    /// One side has said that the connection ends.
    Closing,
}

/// One frame of one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// The input from the frame on.
    pub(super) rest: &'a [u8],
    /// Where that begins in the input.
    pub(super) at: usize,
    /// How long the frame is.
    pub(super) len: usize,
}

impl Found<'_> {
    /// Its place in the input.
    pub(super) fn frame(&self) -> Range<usize> {
        self.at..self.at + self.len
    }
}

/// What a session knows.
#[derive(Debug)]
pub(super) struct State {
    /// In the process.
    pub(super) session: u64,
    /// How messages are traced, and which routes may be theirs.
    pub(super) routes: SessionRoutes,
    /// The client's program.
    pub(super) resource: ResourceId,
    pub(super) vhost: Box<[u8]>,
    pub(super) phase: Phase,
    /// The longest frame that either side takes; 0: any.
    pub(super) frame_max: u32,
    pub(super) channels: BTreeMap<u16, Box<Channel>>,
    pub(super) room: Room,
    /// What has not ended yet of what each side ends.
    endings: [Option<Ending>; 2],
    /// The traced messages of this read.
    pub(super) marked: Vec<Marked>,
    /// The name of a destination, while it is needed.
    pub(super) name: Vec<u8>,
}

impl State {
    pub(super) fn new(shared: &AmqpShared, session: u64) -> Self {
        Self {
            session,
            routes: SessionRoutes::new(&shared.listener),
            resource: shared.listener.unnamed,
            vhost: Box::default(),
            phase: Phase::Opening,
            frame_max: FRAME_MIN,
            channels: BTreeMap::new(),
            room: Room::default(),
            endings: [None, None],
            marked: Vec::new(),
            name: Vec::new(),
        }
    }

    pub(super) fn ending(&mut self, from: Side) -> &mut Option<Ending> {
        &mut self.endings[usize::from(from == Side::Broker)]
    }

    /// Answers whether every message of one side is whole, and what it has ended has ended.
    pub(super) fn is_between_messages(&self, from: Side) -> bool {
        let is_open = |channel: &Channel| match from {
            Side::Client => channel.sending.is_open(),
            Side::Broker => channel.receiving.is_open(),
        };
        self.endings[usize::from(from == Side::Broker)].is_none()
            && !self.channels.values().any(|channel| is_open(channel))
    }

    /// Reads what one side sent, up to the last whole frame that may be more than bytes.
    pub(super) fn read(
        &mut self,
        from: Side,
        decoder: &mut Decoder,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Walk {
        if !self.go_on_ending(from, call) {
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
            // What is to end must have begun.
            let is_early = !self.marked.is_empty() && ends_channel(&frame);
            if is_early || finds_no_room(&frame, from, call.tools) {
                *decoder = start;
                return Walk::full(at);
            }
            let found = Found { rest, at, len };
            match from {
                Side::Client => self.client_frame(frame, found, call),
                Side::Broker => self.broker_frame(frame, found, call),
            }
            at += len;
            if !self.go_on_ending(from, call) {
                return Walk::full(at);
            }
        }
    }

    /// Forgets the messages of a read, and buffers that a large one left behind.
    pub(super) fn forget_read(&mut self) {
        self.marked.clear();
        self.marked.shrink_to(MARKED_KEPT_MAX);
    }
}

/// Answers whether what was read before a frame has to be written before the frame is read.
fn finds_no_room(frame: &Frame, from: Side, tools: &Tools) -> bool {
    match (frame, from) {
        (Frame::Header(_), Side::Client) => tools.publish.is_full(),
        (Frame::Header(_), Side::Broker) => tools.deliver.is_full(),
        (Frame::Method { .. }, _) => {
            tools.settle.len() >= ENDED_PER_READ_MAX || tools.settle.is_full()
        }
        _ => false,
    }
}

/// Answers whether what is open on a channel ends with this frame.
fn ends_channel(frame: &Frame) -> bool {
    let Frame::Method { method, .. } = frame else { return false };
    matches!(method, Method::ChannelOpen | Method::ChannelClose(_) | Method::ChannelCloseOk)
}

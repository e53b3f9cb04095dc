//! One protocol's logic between a client and a broker, without a socket and without a clock.
//!
//! ```text
//! client ──bytes──▶ feed(Client) ──▶ unchanged, or rewritten ──▶ broker
//! client ◀── unchanged, or rewritten ◀── feed(Broker) ◀──bytes── broker
//! ```
//!
//! A relay is fed what was read and says what to write to the other side. It looks at the ends of
//! frames, collects all complete messages of one read into one call of the component, and splices.
//! Messages past what one call takes wait until those before them have been written.
//! What it does not understand goes on as it came: after the first byte that it cannot read, a
//! relay stops looking at the session and forwards everything.

use std::sync::Arc;

use spanbridge::metrics::Counters;
use spanbridge::{Attribute, DeliverBatch, Parts, PublishBatch, Runtime, SettleBatch, Tracer};

use crate::open_spans::OpenSpans;

pub mod amqp;
mod awaiting;
pub mod bodies;
mod held;
pub mod nats;
mod protocol;
mod protocols;
pub mod redis;
mod remembered;
mod session_routes;
mod shared;
mod splicer;
mod walk;

pub(crate) use protocols::Sessions;
pub use shared::Shared;

/// One of the two peers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The program that connected to us.
    Client,
    /// The broker that we connected to.
    Broker,
}

impl Side {
    /// The peer that gets what this one sends.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Broker,
            Self::Broker => Self::Client,
        }
    }
}

/// What to write to the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// Exactly the bytes that were fed.
    Unchanged,
    /// What was appended to the output; nothing, if a frame's beginning is being held.
    Rewritten,
    /// What was appended to the output, and more of what was fed is to come: write it, then feed
    /// again, with no bytes. So no message waits for more than one call of the component.
    Partly,
}

/// What a calling thread owns and lends to its relays, one call at a time.
#[derive(Debug)]
pub struct Tools {
    /// Calls the component.
    pub tracer: Tracer,
    /// Emptied by whoever fills it.
    pub publish: PublishBatch,
    /// Emptied by whoever fills it.
    pub deliver: DeliverBatch,
    /// Spans that have ended; emptied by [`Tools::settle_ended`].
    pub settle: SettleBatch,
    /// Space for the template of a destination.
    pub template: Vec<u8>,
    /// The open spans of the process.
    pub open_spans: Arc<OpenSpans>,
    /// The counters of the process.
    pub counters: Arc<Counters>,
}

impl Tools {
    /// What a new thread needs.
    pub fn new(runtime: &Runtime, open_spans: &Arc<OpenSpans>) -> Self {
        Self {
            tracer: runtime.tracer(),
            publish: runtime.publish_batch(),
            deliver: runtime.deliver_batch(),
            settle: runtime.settle_batch(),
            template: Vec::new(),
            open_spans: Arc::clone(open_spans),
            counters: Arc::clone(runtime.counters()),
        }
    }

    /// Hands the spans that have ended to the component. Called when no message waits: after what
    /// ended them has been written.
    ///
    /// One call takes as many as one message's batch could, each under a deadline of its own; when
    /// one fails, the rest are lost and counted. So a component that loops costs a read one
    /// deadline before its bytes are written and one behind that.
    pub fn settle_ended(&mut self) {
        self.tracer.settle(&self.settle);
        self.settle.clear();
    }

    /// Makes sure that one more span can be ended, where no message waits.
    pub(crate) fn make_room(&mut self) {
        if self.settle.is_full() {
            self.settle_ended();
        }
    }
}

/// One protocol's logic for one session.
pub trait Relay: std::fmt::Debug {
    /// Takes bytes that were read from one side.
    ///
    /// Appends to `out` what is to be written to the other side, unless that is exactly `bytes`.
    /// Every byte that is fed goes on, in order, at the latest with `end`; a byte that need not
    /// change goes on as it came. `now` is nanoseconds since the Unix epoch.
    ///
    /// Spans that end with these bytes are left in `tools` for [`Tools::settle_ended`], which is
    /// called once the output is written.
    fn feed(
        &mut self,
        from: Side,
        bytes: &[u8],
        now: u64,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> Fed;

    /// One side sends nothing more. Appends what was held of it.
    fn end(&mut self, from: Side, now: u64, tools: &mut Tools, out: &mut Vec<u8>);

    /// The session is over: spans that nobody can end any more are ended.
    fn close(&mut self, now: u64, tools: &mut Tools);

    /// Answers whether everything that this side sent has gone on, up to the end of a frame: a
    /// drain may stop here.
    fn is_at_boundary(&self, from: Side) -> bool;

    /// Why the session ends once what was written is gone. Nothing is read of it any more.
    fn refusal(&self) -> Option<&'static str> {
        None
    }

    /// Answers whether the peers have said goodbye. How their connections end then is no trouble.
    fn has_parted(&self) -> bool;

    /// The gateway ends the session, at a boundary of both sides. Appends what one side is told
    /// behind everything else; nothing, where the protocol has no word for it.
    fn farewell(&self, to: Side, out: &mut Vec<u8>);
}

/// Hands in what is left of a destination without its ids.
fn add_template(parts: &mut Parts<'_>, template: Option<&[u8]>) {
    if let Some(template) = template {
        parts.text_attribute(Attribute::DestinationTemplate, template);
    }
}

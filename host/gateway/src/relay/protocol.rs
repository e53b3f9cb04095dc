//! What every protocol's relay does alike, around what only the protocol knows.
//!
//! ```text
//! feed ─▶ held ─▶ read ─▶ hand on ─▶ forget ─▶ stopped? ─▶ written
//!         here    Protocol  Protocol  Protocol   Protocol    here
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use super::held::{Held, Relayed};
use super::session_routes::SessionRoutes;
use super::splicer::Splicer;
use super::walk::Walk;
use super::{Fed, Relay, Shared, Side, Tools};

/// What one call of a relay works with.
#[derive(Debug)]
pub(super) struct Call<'a, S> {
    /// What the sessions of the listener share.
    pub(super) shared: &'a S,
    pub(super) tools: &'a mut Tools,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: u64,
}

/// What a protocol knows of one session.
pub(super) trait Protocol: Debug + Sized {
    /// What the sessions of one listener share.
    type Shared: AsRef<Shared> + Debug;
    /// Why a session is not read any more.
    type Stop;

    /// A session that has just been connected.
    fn new(shared: &Self::Shared) -> Self;

    /// The routes of the session.
    fn routes(&mut self) -> &mut SessionRoutes;

    /// Reads what one side sent, as far as it can be read.
    fn read(
        &mut self,
        from: Side,
        input: &[u8],
        call: &mut Call<'_, Self::Shared>,
    ) -> Walk<Self::Stop>;

    /// Asks the component about the publishes of a read, and changes them.
    fn hand_on_publishes(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_, Self::Shared>);

    /// The same for deliveries.
    fn hand_on_deliveries(&mut self, splicer: &mut Splicer<'_>, call: &mut Call<'_, Self::Shared>);

    /// What was read has gone on.
    fn forget_read(&mut self);

    /// Nothing is read any more, because of what this side sent: counts it and says so.
    fn stopped(&mut self, from: Side, stop: Self::Stop, call: &mut Call<'_, Self::Shared>);

    /// The session is over: ends what nobody can end any more.
    fn close(&mut self, call: &mut Call<'_, Self::Shared>);

    /// Answers whether no frame of this side has begun to go on that is not whole, and nothing
    /// is to come that belongs to what has.
    fn is_between(&self, from: Side) -> bool;

    /// Why the session ends with this read, if it does: see [`Relay::refusal`].
    fn refusal(&self) -> Option<&'static str> {
        None
    }

    /// The session ends with this read of the broker: counts it and says so. Appends what the
    /// client gets in place of the rest.
    fn refuse(&mut self, _: &mut Call<'_, Self::Shared>, _: &mut Vec<u8>) {}

    /// Answers whether the peers have said goodbye.
    fn has_parted(&self) -> bool;

    /// Appends what a side is told when the gateway ends the session.
    fn farewell(&self, out: &mut Vec<u8>);
}

/// One session of a protocol.
#[derive(Debug)]
pub(super) struct ProtocolRelay<P: Protocol> {
    shared: Arc<P::Shared>,
    protocol: P,
    held_of_client: Held,
    held_of_broker: Held,
    /// Nothing is read any more.
    raw: bool,
}

impl<P: Protocol> ProtocolRelay<P> {
    /// A session that has just been connected.
    pub(super) fn new(shared: Arc<P::Shared>) -> Self {
        Self {
            protocol: P::new(&shared),
            held_of_client: Held::default(),
            held_of_broker: Held::default(),
            raw: false,
            shared,
        }
    }

    fn held(&mut self, of: Side) -> &mut Held {
        match of {
            Side::Client => &mut self.held_of_client,
            Side::Broker => &mut self.held_of_broker,
        }
    }

    /// Reads `input` and writes what it becomes.
    fn relay(
        &mut self,
        from: Side,
        input: &[u8],
        always_write: bool,
        call: &mut Call<'_, P::Shared>,
        out: &mut Vec<u8>,
    ) -> Relayed {
        let mut splicer = Splicer::new(input, out);
        let mut walk = self.protocol.read(from, input, call);
        match from {
            Side::Client => self.protocol.hand_on_publishes(&mut splicer, call),
            Side::Broker => self.protocol.hand_on_deliveries(&mut splicer, call),
        }
        self.protocol.forget_read();
        if let Some(stop) = walk.stop.take() {
            self.raw = true;
            self.protocol.stopped(from, stop, call);
        }
        let relayed = splicer.relayed(walk, always_write);
        if self.protocol.refusal().is_some() {
            self.protocol.refuse(call, out);
            return Relayed { fed: Fed::Rewritten, ..relayed };
        }
        relayed
    }
}

impl<P: Protocol> Relay for ProtocolRelay<P> {
    fn feed(
        &mut self,
        from: Side,
        bytes: &[u8],
        now: u64,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> Fed {
        if self.refusal().is_some() {
            return Fed::Rewritten;
        }
        let mut held = std::mem::take(self.held(from));
        let fed = if self.raw {
            held.pass(bytes, out)
        } else {
            let shared = Arc::clone(&self.shared);
            self.protocol.routes().refresh((*shared).as_ref());
            let mut call = Call { shared: &*shared, tools, now };
            held.feed(bytes, |input, always_write| {
                self.relay(from, input, always_write, &mut call, out)
            })
        };
        *self.held(from) = held;
        fed
    }

    fn end(&mut self, from: Side, _: u64, _: &mut Tools, out: &mut Vec<u8>) {
        // What was held is the beginning of something that never comes.
        if self.refusal().is_none() {
            self.held(from).release(out);
        }
    }

    fn close(&mut self, now: u64, tools: &mut Tools) {
        self.protocol.close(&mut Call { shared: &*self.shared, tools, now });
        tools.settle_ended();
    }

    fn is_at_boundary(&self, from: Side) -> bool {
        let held = match from {
            Side::Client => &self.held_of_client,
            Side::Broker => &self.held_of_broker,
        };
        // Where frames end in a session that is not read, nobody knows.
        self.raw || (held.is_empty() && self.protocol.is_between(from))
    }

    fn refusal(&self) -> Option<&'static str> {
        self.protocol.refusal()
    }

    fn has_parted(&self) -> bool {
        self.protocol.has_parted()
    }

    fn farewell(&self, _: Side, out: &mut Vec<u8>) {
        if !self.raw {
            self.protocol.farewell(out);
        }
    }
}

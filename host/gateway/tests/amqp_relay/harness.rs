//! What the sessions of these tests share: a runtime, its open spans, a listener of AMQP.

use std::sync::Arc;

use spanbridge::{Route, RouteSettings, Runtime};
use spanbridge_gateway::relay::amqp::{self, AmqpShared};
use spanbridge_gateway::relay::{Relay, Side};
use spanbridge_gateway::service::Services;

use crate::frames::{consume, consume_ok, opened, opening};

pub(crate) use crate::bed::{Listen, Options};
pub(crate) use crate::session_rig::{SECOND, START, Session};
pub(crate) use crate::spans::{CLIENT, CONSUMER, PRODUCER, Span};

/// What the sessions of a process share.
pub(crate) type Bed = crate::bed::Bed<AmqpShared>;

impl Listen for AmqpShared {
    const SYSTEM: &'static str = "rabbitmq";

    fn new(runtime: &Runtime, route: Route, services: Arc<Services>, options: &Options) -> Self {
        Self::new(runtime, route, services, options.header_case)
    }

    fn relay(shared: &Arc<Self>) -> impl Relay + 'static {
        amqp::session(Arc::clone(shared))
    }
}

/// The options of a bed, with these settings changed.
pub(crate) fn options(change: impl FnOnce(&mut RouteSettings)) -> Options {
    let mut settings = RouteSettings::new("rabbitmq");
    change(&mut settings);
    Options { settings, ..Options::default() }
}

impl Bed {
    /// A session whose client is in, with channel 1 open.
    pub(crate) fn connected(&self) -> Session {
        self.connected_as("billing", 131_072)
    }

    pub(crate) fn connected_as(&self, name: &str, frame_max: u32) -> Session {
        let mut session = self.session();
        for (client, broker) in opening(name, frame_max) {
            session.client(&client);
            session.broker(&broker);
            assert_eq!((session.take_to_broker(), session.take_to_client()), (client, broker));
        }
        session.open_channel(1);
        session
    }

    /// A session that consumes from a queue, with acknowledgements.
    pub(crate) fn consuming(&self, queue: &str) -> Session {
        let mut session = self.connected();
        session.consume(1, queue, "tag", false);
        session
    }
}

impl Session {
    pub(crate) fn open_channel(&mut self, channel: u16) {
        let (open, ok) = opened(channel);
        self.client(open);
        self.broker(ok);
        self.forget();
    }

    pub(crate) fn consume(&mut self, channel: u16, queue: &str, tag: &str, no_ack: bool) {
        self.client(consume(channel, queue, tag, no_ack));
        self.broker(consume_ok(channel, tag));
        self.forget();
    }

    /// What was written so far is of no interest.
    pub(crate) fn forget(&mut self) {
        self.to_broker.clear();
        self.to_client.clear();
        self.unchanged = true;
    }

    /// What the broker got since it was last asked.
    pub(crate) fn take_to_broker(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_broker)
    }

    /// What the client got since it was last asked.
    pub(crate) fn take_to_client(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_client)
    }

    /// What one side is told when the gateway ends the session.
    pub(crate) fn farewell(&self, to: Side) -> Vec<u8> {
        let mut out = Vec::new();
        self.relay.farewell(to, &mut out);
        out
    }
}

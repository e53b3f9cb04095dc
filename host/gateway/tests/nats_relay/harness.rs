//! What the sessions of these tests share: a runtime, its open spans, a listener of NATS.

use std::sync::Arc;

use spanbridge::{Route, Runtime};
use spanbridge_gateway::relay::Relay;
use spanbridge_gateway::relay::nats::{self, NatsShared};
use spanbridge_gateway::service::Services;
use spanbridge_wire::nats::TlsSaid;

pub(crate) use crate::bed::{Listen, Options};
pub(crate) use crate::session_rig::{SECOND, START, Session};
pub(crate) use crate::spans::{CLIENT, CONSUMER, PRODUCER};

pub(crate) const INFO: &str = "INFO {\"headers\":true,\"max_payload\":1048576} \r\n";
pub(crate) const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"headers\":true,\"name\":\"billing\"}\r\n";
pub(crate) const OLD_CONNECT: &str = "CONNECT {\"verbose\":false,\"name\":\"old\"}\r\n";

/// What the sessions of a process share.
pub(crate) type Bed = crate::bed::Bed<NatsShared>;

impl Listen for NatsShared {
    const SYSTEM: &'static str = "nats";

    fn new(runtime: &Runtime, route: Route, services: Arc<Services>, options: &Options) -> Self {
        Self::new(runtime, route, services, options.header_case)
    }

    fn relay(shared: &Arc<Self>) -> impl Relay + 'static {
        nats::session(Arc::clone(shared))
    }
}

impl Bed {
    /// One whose gateway has a part in TLS.
    pub(crate) fn with_tls(seed: u64, tls_said: TlsSaid) -> Self {
        let bed = Self::new(seed);
        let shared = Arc::into_inner(bed.shared).expect("no session has it yet");
        Self { shared: Arc::new(shared.with_tls(Some(tls_said))), ..bed }
    }

    /// A session whose peers have said who they are.
    pub(crate) fn connected(&self) -> Session {
        let mut session = self.session();
        session.broker(INFO);
        session.client(CONNECT);
        assert_eq!(session.take_to_client(), INFO);
        assert_eq!(session.take_to_broker(), CONNECT);
        session
    }
}

impl Session {
    /// What the broker got since it was last asked.
    pub(crate) fn take_to_broker(&mut self) -> String {
        text(std::mem::take(&mut self.to_broker))
    }

    /// What the client got since it was last asked.
    pub(crate) fn take_to_client(&mut self) -> String {
        text(std::mem::take(&mut self.to_client))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("these tests send text")
}

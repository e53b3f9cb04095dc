//! Two peers and a clock in memory, around one relay.

use spanbridge_gateway::relay::{Fed, Relay, Side, Tools};

/// When the tests begin, in nanoseconds since the Unix epoch. Whole milliseconds, as in tracestate.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A session and its two peers.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) relay: Box<dyn Relay>,
    pub(crate) tools: Tools,
    pub(crate) now: u64,
    pub(crate) to_broker: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    /// Every read so far went on as it came.
    pub(crate) unchanged: bool,
    /// Writes so far.
    pub(crate) writes: usize,
}

impl Session {
    /// A session that has just been connected.
    pub(crate) fn new(relay: impl Relay + 'static, tools: Tools) -> Self {
        Self {
            relay: Box::new(relay),
            tools,
            now: START,
            to_broker: Vec::new(),
            to_client: Vec::new(),
            unchanged: true,
            writes: 0,
        }
    }

    /// The client sends this, in one read.
    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) {
        self.feed(Side::Client, bytes.as_ref());
    }

    /// The broker sends this, in one read.
    pub(crate) fn broker(&mut self, bytes: impl AsRef<[u8]>) {
        self.feed(Side::Broker, bytes.as_ref());
    }

    /// One read, and what a session does behind its write.
    pub(crate) fn feed(&mut self, from: Side, bytes: &[u8]) {
        self.feed_only(from, bytes);
        self.tools.settle_ended();
    }

    /// One read; the spans that it ends are not handed to the component yet.
    pub(crate) fn feed_only(&mut self, from: Side, bytes: &[u8]) {
        let mut bytes = bytes;
        loop {
            let mut out = Vec::new();
            let fed = self.relay.feed(from, bytes, self.now, &mut self.tools, &mut out);
            if fed == Fed::Unchanged {
                assert!(out.is_empty(), "nothing is written of what is unchanged");
                out.extend_from_slice(bytes);
            }
            self.unchanged &= fed == Fed::Unchanged;
            self.other_end(from).extend_from_slice(&out);
            self.writes += 1;
            assert!(self.tools.publish.is_empty() && self.tools.deliver.is_empty());
            if fed != Fed::Partly {
                return;
            }
            assert!(!self.relay.is_at_boundary(from), "more is held");
            // Behind each write but the last, which is the caller's.
            self.tools.settle_ended();
            bytes = b"";
        }
    }

    /// The session ends.
    pub(crate) fn close(&mut self) {
        for side in [Side::Client, Side::Broker] {
            let mut out = Vec::new();
            self.relay.end(side, self.now, &mut self.tools, &mut out);
            self.other_end(side).extend_from_slice(&out);
        }
        self.relay.close(self.now, &mut self.tools);
        assert!(self.tools.settle.is_empty());
    }

    pub(crate) fn is_at_boundary(&self, side: Side) -> bool {
        self.relay.is_at_boundary(side)
    }

    fn other_end(&mut self, from: Side) -> &mut Vec<u8> {
        match from {
            Side::Client => &mut self.to_broker,
            Side::Broker => &mut self.to_client,
        }
    }
}

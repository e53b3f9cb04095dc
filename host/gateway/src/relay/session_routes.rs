//! The routes of a session: those of its listener that may be its client's.

use std::sync::Arc;

use super::shared::Shared;
use crate::routing::{Candidates, Choice, RouteTable, Traced};

/// The listener's routes as of the last read, and what decides which of them are this session's.
#[derive(Debug)]
pub(super) struct SessionRoutes {
    table: Arc<RouteTable>,
    version: u64,
    candidates: Candidates,
    /// Kept because routes that a reload brings may ask for it.
    user: Option<Box<str>>,
    /// Likewise.
    vhost: Option<Box<str>>,
}

impl SessionRoutes {
    pub(super) fn new(shared: &Shared) -> Self {
        let mut version = 0;
        let table = shared.routes(&mut version);
        Self { candidates: table.candidates(None, None), table, version, user: None, vhost: None }
    }

    /// Takes the listener's routes if they have changed.
    pub(super) fn refresh(&mut self, shared: &Shared) {
        if shared.has_newer_routes(self.version) {
            self.table = shared.routes(&mut self.version);
            self.decide();
        }
    }

    /// The client has said which user it is.
    pub(super) fn set_user(&mut self, user: Option<&str>) {
        self.user = user.map(Into::into);
        self.decide();
    }

    /// The client has said which virtual host it wants.
    pub(super) fn set_vhost(&mut self, vhost: Option<&str>) {
        self.vhost = vhost.map(Into::into);
        self.decide();
    }

    fn decide(&mut self) {
        self.candidates = self.table.candidates(self.user.as_deref(), self.vhost.as_deref());
    }

    /// Answers whether the listener has a route whose bodies are looked at.
    pub(super) fn has_envelopes(&self) -> bool {
        self.table.has_envelopes()
    }

    /// The route of a message, by the names of its destination.
    pub(super) fn choose(&self, names: &[&[u8]]) -> Choice {
        self.table.choose(self.candidates, names)
    }

    /// How a chosen route's messages are traced.
    pub(super) fn get(&self, choice: Choice) -> &Traced {
        self.table.get(choice)
    }
}

//! The routes of a session: those of its listener that may be its client's.

use std::sync::Arc;

use super::shared::NatsShared;
use crate::routing::{Candidates, Choice, RouteTable, Traced};

/// The listener's routes as of the last read, and what decides which of them are this session's.
#[derive(Debug)]
pub(super) struct SessionRoutes {
    table: Arc<RouteTable>,
    version: u64,
    candidates: Candidates,
    /// Kept because routes that a reload brings may ask for it.
    user: Option<Box<str>>,
}

impl SessionRoutes {
    pub(super) fn new(shared: &NatsShared) -> Self {
        let mut version = 0;
        let table = shared.routes(&mut version);
        Self { candidates: table.candidates(None), table, version, user: None }
    }

    /// Takes the listener's routes if they have changed.
    pub(super) fn refresh(&mut self, shared: &NatsShared) {
        if shared.has_newer_routes(self.version) {
            self.table = shared.routes(&mut self.version);
            self.candidates = self.table.candidates(self.user.as_deref());
        }
    }

    /// The client has said which user it is.
    pub(super) fn set_user(&mut self, user: Option<&str>) {
        self.candidates = self.table.candidates(user);
        self.user = user.map(Into::into);
    }

    /// The route of a message.
    pub(super) fn choose(&self, subject: &[u8]) -> Choice {
        self.table.choose(self.candidates, subject)
    }

    /// How a chosen route's messages are traced.
    pub(super) fn get(&self, choice: Choice) -> &Traced {
        self.table.get(choice)
    }
}

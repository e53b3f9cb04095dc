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
    /// The database that was selected with the last read, and the candidates there.
    database: (u64, Candidates),
    /// Kept because routes that a reload brings may ask for it.
    user: Option<Box<str>>,
    /// Likewise.
    vhost: Option<Box<str>>,
}

impl SessionRoutes {
    pub(super) fn new(shared: &Shared) -> Self {
        let mut version = 0;
        let table = shared.routes(&mut version);
        let candidates = table.candidates(None, None, None);
        let database = (0, table.candidates(None, None, Some(0)));
        Self { candidates, database, table, version, user: None, vhost: None }
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
        self.candidates = self.candidates_in(None);
        self.database.1 = self.candidates_in(Some(self.database.0));
    }

    fn candidates_in(&self, database: Option<u64>) -> Candidates {
        self.table.candidates(self.user.as_deref(), self.vhost.as_deref(), database)
    }

    /// The client is likely to go on in this database.
    pub(super) fn expect_database(&mut self, database: u64) {
        if self.database.0 != database {
            self.database = (database, self.candidates_in(Some(database)));
        }
    }

    /// The route of a message in a database, by the names of its destination.
    pub(super) fn choose_in(&self, database: u64, names: &[&[u8]]) -> Choice {
        let (expected, candidates) = self.database;
        let is_expected = database == expected;
        let candidates = if is_expected { candidates } else { self.candidates_in(Some(database)) };
        self.table.choose(candidates, names)
    }

    /// Answers whether the listener has a route whose bodies are looked at.
    pub(super) fn has_envelopes(&self) -> bool {
        self.table.has_envelopes()
    }

    /// The route of a message that is in no database, by the names of its destination.
    pub(super) fn choose(&self, names: &[&[u8]]) -> Choice {
        self.table.choose(self.candidates, names)
    }

    /// How a chosen route's messages are traced.
    pub(super) fn get(&self, choice: Choice) -> &Traced {
        self.table.get(choice)
    }
}

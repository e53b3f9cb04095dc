//! Which messages a route is for: the keys that are conditions.

use toml::de::DeValue;

use super::section::{Found, Value, section};
use super::value::{Count, text};
use spanbridge::pattern::{PATTERN_TOKENS_MAX, Pattern};

/// Redis keeps the number of databases in an `int`.
const DATABASE_MAX: u64 = i32::MAX as u64;

type Database = Count<0, DATABASE_MAX>;

/// Databases of Redis, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Databases(Box<[u64]>);

impl Databases {
    /// Answers whether a database is one of these.
    pub fn contain(&self, database: u64) -> bool {
        self.0.contains(&database)
    }
}

impl Value for Databases {
    fn kind() -> &'static str {
        "integer or list of integers"
    }

    fn allowed() -> String {
        Database::allowed()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let databases = match found.get_ref() {
            DeValue::Array(_) => Vec::<Database>::read(found)?,
            _ => vec![Database::read(found)?],
        };
        Ok(Self(databases.into_iter().map(|database| database.get() as u64).collect()))
    }
}

section! {
    /// Which messages a route is for.
    pub(super) struct RouteMatch {
        /// The listener, by its name. Unset: every one.
        live [listener]: String = "";
        /// The user that the client says it is. Unset: every one, and those who say none.
        live [user]: String = "";
        /// The virtual host that an AMQP client opens. Unset: every one.
        live [vhost]: String = "";
        /// The number of the database that a Redis client has selected, or a list of such. Channels
        /// belong to no database, so that such a route is none of theirs. Unset: every one.
        live [database]: Databases = "";
        /// Pattern of the destination: `*` is any one token, `>` any number of them at the end,
        /// `{name}` any one token, and then the pattern is the destination's template. On AMQP it
        /// is held against `exchange:routing key`, and for a delivery against that with `:queue`
        /// and against the queue alone as well. Unset: every destination.
        live [destination]: Pattern = "";
    }
}

impl Value for Pattern {
    fn kind() -> &'static str {
        "string"
    }

    fn allowed() -> String {
        format!("1 to {PATTERN_TOKENS_MAX} tokens between dots")
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        Self::parse(text(found)?)
    }
}

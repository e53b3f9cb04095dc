//! Which messages a route is for: the keys that are conditions.

use super::section::{Found, Value, section};
use super::value::text;
use crate::pattern::{PATTERN_TOKENS_MAX, Pattern};

section! {
    /// Which messages a route is for.
    pub(super) struct RouteMatch {
        /// The listener, by its name. Unset: every one.
        live [listener]: String = "";
        /// The user that the client says it is. Unset: every one, and those who say none.
        live [user]: String = "";
        /// The virtual host that an AMQP client opens. Unset: every one.
        live [vhost]: String = "";
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

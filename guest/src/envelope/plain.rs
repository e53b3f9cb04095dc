//! The kind `json`: a JSON object of any shape, with one member that is ours.
//!
//! ```text
//! {"id": 1, "_otel": {"traceparent": "00-…-01", "baggage": "tenant=7"}}
//!            └─┬─┘   └────────────────── entries ────────────────────┘
//!            field
//! ```
//!
//! All members of the field are entries. A body without the field is given one when context is
//! written. Says nothing about the message: an object of any shape has no names to rely on.

use super::context::{ContextObject, Owner};
use super::json::{Cursor, Members};
use super::{Found, Said, object};

/// The name of the field where a route does not configure another.
pub const FIELD: &str = "_otel";

/// Looks for the context field in `body`.
///
/// Answers `None` when the body has to be left alone (see the [module](super)); bodies longer than
/// `body_bytes_max` are not looked at. An object without the field is an answer: it can be given
/// one. Reads every byte of the body once; allocates for entries alone.
pub fn scan<'a>(body: &'a [u8], field: &'a str, body_bytes_max: usize) -> Option<Found<'a>> {
    if body.len() > body_bytes_max {
        return None;
    }
    let mut cursor = Cursor::new(body);
    let mut members = Members::open(&mut cursor)?;
    let mut found = None;
    while let Some(name) = members.name()? {
        let name = object::text(body, name);
        if object::place(name.as_deref(), &[field]).is_none() {
            members.value()?;
            continue;
        }
        let context = ContextObject::read(&mut members.enter()?, Owner::Ours)?;
        if found.replace(context).is_some() {
            return None;
        }
    }
    let (insert_at, len) = (members.insert_at(), members.len());
    let object = found.unwrap_or_else(|| ContextObject::absent(field, insert_at, len));
    members.ends_text().then(|| Found::in_body(body, object, Said::default()))
}

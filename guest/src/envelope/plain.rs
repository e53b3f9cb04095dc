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
use super::object::Object;
use super::{Found, Said};

/// The name of the field where a route does not configure another.
pub const FIELD: &str = "_otel";

/// Looks for the context field in `body`.
///
/// Answers `None` when the body has to be left alone (see the [module](super)); bodies longer than
/// `body_bytes_max` are not looked at. An object without the field is an answer: it can be given
/// one. Reads every byte of the body once, and those of the field twice; allocates nothing, unless
/// the name of an entry has escapes.
pub fn scan<'a>(body: &'a [u8], field: &'a str, body_bytes_max: usize) -> Option<Found<'a>> {
    let Object { values: [value], insert_at, members } =
        Object::of_body(body, body_bytes_max, [field])?;
    let object = match value {
        Some(value) => ContextObject::read(body, value.start, 1, Owner::Ours)?,
        None => ContextObject::absent(field, insert_at, members),
    };
    Some(Found::in_body(body, object, Said::default()))
}

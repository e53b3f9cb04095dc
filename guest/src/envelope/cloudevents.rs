//! The kind `cloudevents`: a CloudEvent in the JSON event format.
//!
//! ```text
//! {"specversion":"1.0","id":"a234-1234","source":"/shop","type":"order.placed",
//!  "data":{"n":1},"traceparent":"00-…-01","tracestate":"a=b"}
//! ```
//!
//! So that no other JSON is taken for one, [`DEMANDED`] is: `specversion` is `1.0`; `id`, `source`
//! and `type` are strings that are not empty (CloudEvents 1.0.2, "REQUIRED Attributes"). A batch,
//! which is an array, is left alone.
//!
//! Entries are the attributes `traceparent` and `tracestate` of the Distributed Tracing extension,
//! and nothing else: names of attributes have no hyphens, and no extension defines one for baggage.
//! An attribute `baggage` is its producer's own: it is neither read nor written nor removed. Where
//! a route writes other formats as well, these two are written and the others are not.
//!
//! The message's id is `id`. An event is no job, so there is no name of one.

use super::context::{ContextObject, Owner};
use super::object::{self, Object};
use super::{Found, Said};

#[cfg(test)]
mod tests;

/// The attributes that an event has to have.
pub(super) const DEMANDED: [&str; 4] = ["specversion", "id", "source", "type"];

/// Looks for an event in `body`; `None`: it is none, or has to be left alone.
///
/// Reads every byte of the body once.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    let mut object = ContextObject::new(Owner::SharedW3c);
    let [version, id, source, kind] =
        Object::of_body(body, body_bytes_max, DEMANDED, Some(&mut object))?.values;
    if *object::filled_text(body, version?)? != *b"1.0" {
        return None;
    }
    let message_id = object::filled_text(body, id?)?;
    object::filled_text(body, source?)?;
    object::filled_text(body, kind?)?;
    Some(Found::in_body(body, object, Said { message_id, ..Said::default() }))
}

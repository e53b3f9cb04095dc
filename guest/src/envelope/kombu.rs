//! The kind `kombu`: the message that kombu, and Celery with it, sends over brokers whose messages
//! have no headers, such as Redis.
//!
//! ```text
//! {"body": "W1syLCAz…", "content-encoding": "utf-8", "content-type": "application/json",
//!  "headers": {"task": "tasks.add", "id": "43b6…", "traceparent": "00-…-01", …},
//!  "properties": {"correlation_id": "43b6…", "delivery_info": {…}, "delivery_tag": "89f0…", …}}
//! ```
//!
//! So that no other JSON is taken for one, the members shown are demanded, with these types: all
//! but `task`, `id` and `correlation_id`, which only tasks have; and the two named `content-` may
//! be null. Entries are the members of `headers` that have the name of a context field:
//! instrumented clients read and write them there. Everything else in `headers` is somebody else's.
//!
//! `eta` is when a task may begin: its worker waits with the message in its hands.
//!
//! The content is not read. Tasks of Celery's first message protocol have their name in it, so
//! their spans go without.

use alloc::borrow::Cow;

use super::context::{ContextObject, Owner};
use super::json::Extent;
use super::object::{self, Object};
use super::{Found, Said};
use crate::rfc3339;

#[cfg(test)]
mod tests;

/// The members that a message has to have.
pub(super) const DEMANDED: [&str; 5] =
    ["body", "content-type", "content-encoding", "headers", "properties"];

/// Looks for a kombu message in `body`; `None`: it is none, or has to be left alone.
///
/// Reads every byte of the body once, those of `properties` twice and of `headers` three times.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    let [content, content_type, content_encoding, headers, properties] =
        Object::of_body(body, body_bytes_max, DEMANDED)?.values;
    let is_string_or_null = |value: Extent| value.is_string(body) || value.is_null(body);
    let is_message = content?.is_string(body)
        && is_string_or_null(content_type?)
        && is_string_or_null(content_encoding?);
    if !is_message {
        return None;
    }
    let (headers, properties) = (headers?, properties?);
    let object = ContextObject::read(body, headers.start, 1, Owner::Shared)?;
    Some(Found::in_body(body, object, said(body, headers, properties)?))
}

/// What the message says about itself; `None` where something that is demanded is missing.
fn said(body: &[u8], headers: Extent, properties: Extent) -> Option<Said<'_>> {
    let text = |value: Option<Extent>| -> Cow<'_, [u8]> {
        value.and_then(|value| object::text(body, value)).unwrap_or_default()
    };
    let [delivery_tag, delivery_info, correlation_id] =
        Object::of_member(body, properties, ["delivery_tag", "delivery_info", "correlation_id"])?
            .values;
    let [task, id, eta] = Object::of_member(body, headers, ["task", "id", "eta"])?.values;
    if !delivery_info?.is_object(body) {
        return None;
    }
    let (id, conversation_id, job_name) = (text(id), text(correlation_id), text(task));
    let not_before = rfc3339::unix_nanos(&text(eta)).filter(|_| !job_name.is_empty());
    Some(Said {
        key: object::text(body, delivery_tag?)?,
        // Celery writes a task's id to both; its first message protocol, and answers to a task,
        // have it in the properties alone.
        message_id: if id.is_empty() { conversation_id.clone() } else { id },
        conversation_id,
        job_name,
        not_before: not_before.unwrap_or(0),
    })
}

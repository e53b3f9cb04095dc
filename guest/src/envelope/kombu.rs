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
use super::json::{Cursor, Members, Value};
use super::object::{self, Object};
use super::{Found, Said};
use crate::rfc3339;

#[cfg(test)]
mod tests;

/// The members that a message has to have.
pub(super) const DEMANDED: [&str; 5] =
    ["body", "content-type", "content-encoding", "headers", "properties"];

/// Where these two stand among the demanded: they are entered.
const HEADERS: usize = 3;
const PROPERTIES: usize = 4;

/// Looks for a kombu message in `body`; `None`: it is none, or has to be left alone.
///
/// Reads every byte of the body once.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    if body.len() > body_bytes_max {
        return None;
    }
    let mut cursor = Cursor::new(body);
    let mut members = Members::open(&mut cursor)?;
    let (mut content, mut headers, mut properties) = ([None; 3], None, None);
    while let Some(name) = members.name()? {
        let name = object::text(body, name);
        let is_repeated = match object::place(name.as_deref(), &DEMANDED) {
            Some(HEADERS) => headers.replace(Headers::read(&mut members.enter()?)?).is_some(),
            Some(PROPERTIES) => {
                let names = ["delivery_tag", "delivery_info", "correlation_id"];
                let read = Object::read(&mut members.enter()?, names, None)?;
                properties.replace(read.values).is_some()
            }
            Some(which) => content[which].replace(members.value()?).is_some(),
            None => members.value().map(|_| false)?,
        };
        if is_repeated {
            return None;
        }
    }
    if !members.ends_text() {
        return None;
    }
    let [content, content_type, content_encoding] = content;
    let is_string_or_null = |value: Value| value.is_string() || value.is_null();
    let is_message = content?.is_string()
        && is_string_or_null(content_type?)
        && is_string_or_null(content_encoding?);
    if !is_message {
        return None;
    }
    let headers = headers?;
    let said = said(body, headers.values, properties?)?;
    Some(Found::in_body(body, headers.context, said))
}

/// The member `headers`.
struct Headers<'a> {
    context: ContextObject<'a>,
    /// `task`, `id` and `eta`.
    values: [Option<Value>; 3],
}

impl Headers<'_> {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let mut context = ContextObject::new(Owner::Shared);
        let Object { values, .. } =
            Object::read(members, ["task", "id", "eta"], Some(&mut context))?;
        Some(Self { context, values })
    }
}

/// What the message says about itself; `None` where something that is demanded is missing.
fn said(
    body: &[u8],
    [task, id, eta]: [Option<Value>; 3],
    [delivery_tag, delivery_info, correlation_id]: [Option<Value>; 3],
) -> Option<Said<'_>> {
    let text = |value: Option<Value>| -> Cow<'_, [u8]> {
        value.and_then(|value| object::text(body, value)).unwrap_or_default()
    };
    if !delivery_info?.is_object() {
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

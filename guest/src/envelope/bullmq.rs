//! The kind `bullmq`: the options of a BullMQ job.
//!
//! ```text
//! as a job is read     {"attempts":0,"tm":"{\"traceparent\":\"00-…-01\"}"}
//! as one is created    9A  A9 bull:shop:  A0  A7 welcome  CB 42 7A 6C …  C0 …   arguments
//!                          prefix         id  name        timestamp
//!                      DE 00 02  A8 attempts 00  A2 tm D9 49 {"traceparent":"00-…-01"}   options
//! ```
//!
//! A job lies in a hash whose field `opts` is JSON; that field is the first shape. Jobs are created
//! by scripts with three arguments: a MessagePack array, the job's data, and the options as a
//! MessagePack map. The second shape is the first and the third of these, one behind the other;
//! the data is not needed. Changes lie in the map.
//!
//! What is demanded:
//!
//! - of JSON: an object; `tm` is a string that holds a JSON object, or null, or not there;
//! - of arguments: an array of 9 to 16, which begins with a prefix that ends in `:`, an id (a
//!   string, or a number), a name, a timestamp (a number), and the key of a parent (a string or
//!   nil); then a map to the end, with strings for keys, and `tm` as in JSON.
//!
//! To [`detect`] JSON options, `attempts` has to be a number and `tm` a string that holds a
//! `traceparent`: an object without them could be anybody's.
//!
//! Entries are those members of the object in `tm` that have the name of a context field. BullMQ's
//! own telemetry writes and reads them there. Options that say `omc` (omit context), with anything
//! but false, are given no context and theirs is not read. Arguments say the job's name, and its id
//! where the program chose one; options say that id alone.
//!
//! Checked against BullMQ 4.17, 5.20 and 6.7 (`addStandardJob`, `addDelayedJob`,
//! `addPrioritizedJob`, `addParentJob`). Scripts of other arguments, such as those of job
//! schedulers, are none of these.

use alloc::borrow::Cow;

use super::context::{ContextObject, Owner};
use super::holder::{EMPTY, Holder};
use super::json::{Extent, Value as JsonValue};
use super::msgpack::{self, Reader, Value};
use super::object::{self, Object};
use super::{Found, Said};

#[cfg(test)]
mod tests;

/// What JSON options have to have to be detected.
pub(super) const DEMANDED: [&str; 2] = ["attempts", "tm"];

/// The option that holds context.
const CONTEXT: &str = "tm";
/// The option that asks for none.
const OMIT: &str = "omc";
/// The option in which a program chose the job's id.
const ID: &str = "jobId";

/// Arguments of the scripts that create jobs: 9 in BullMQ 4, 10 since 5; the rest is room.
const ARGUMENTS: core::ops::RangeInclusive<u32> = 9..=16;

/// Looks for a job in `body`; `None`: it is none, or has to be left alone.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    if body.len() > body_bytes_max {
        return None;
    }
    if msgpack::is_array(body) {
        return script(body);
    }
    options(body, body_bytes_max, [CONTEXT, OMIT, ID]).map(|(found, _)| found)
}

/// As [`scan`], for a body that nobody said to be a job.
pub(super) fn detect(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    if msgpack::is_array(body) {
        return scan(body, body_bytes_max);
    }
    let names = [CONTEXT, OMIT, ID, "attempts"];
    let (found, attempts) = options(body, body_bytes_max, names)?;
    let has_context = found.entries().any(|(name, _)| name.eq_ignore_ascii_case(b"traceparent"));
    (attempts?.is_number() && has_context).then_some(found)
}

/// Options as JSON. The names are [`CONTEXT`], [`OMIT`], [`ID`], and perhaps one more, whose value
/// is answered.
fn options<'a, const N: usize>(
    body: &'a [u8],
    body_bytes_max: usize,
    names: [&str; N],
) -> Option<(Found<'a>, Option<JsonValue>)> {
    let object = Object::of_body(body, body_bytes_max, names, None)?;
    let [context, omit, id, more @ ..] = &object.values[..] else { return None };
    let (insert_at, members) = (object.insert_at, object.members);
    let omits = omit.is_some_and(|omit| !omit.is_null() && !omit.is_false());
    let absent = (Holder::JsonMember { name: CONTEXT, insert_at, members }, Cow::Borrowed(EMPTY));
    let place = match *context {
        None => absent,
        Some(value) if value.is_null() => (Holder::JsonNull(value.at), absent.1),
        Some(value) => (Holder::JsonString(value.at), object::text(body, value)?),
    };
    let message_id = id.and_then(|id| object::text(body, id)).unwrap_or_default();
    let found = found(body, place, omits, Said { message_id, ..Said::default() })?;
    Some((found, more.first().copied().flatten()))
}

/// The first and the third argument of a script.
fn script(body: &[u8]) -> Option<Found<'_>> {
    let mut reader = Reader::new(body);
    let said = arguments(&mut reader, body)?;
    let start = reader.at();
    let Value::Map(len) = reader.next()? else { return None };
    let head = Extent { start, end: reader.at() };
    let (mut context, mut omit) = (None, None);
    for _ in 0..len {
        let Value::Text(key) = reader.next()? else { return None };
        let start = reader.at();
        let value = reader.next()?;
        reader.skip(value)?;
        let kept = match key.of(body) {
            key if key == CONTEXT.as_bytes() => &mut context,
            key if key == OMIT.as_bytes() => &mut omit,
            _ => continue,
        };
        if kept.replace((value, Extent { start, end: reader.at() })).is_some() {
            return None;
        }
    }
    if !reader.is_at_end() {
        return None;
    }
    let omits = omit.is_some_and(|(value, _)| !matches!(value, Value::Nil | Value::Bool(false)));
    let place = match context {
        None => {
            let insert_at = body.len();
            (Holder::PackEntry { name: CONTEXT, head, len, insert_at }, EMPTY)
        }
        Some((Value::Nil, at)) => (Holder::PackValue(at), EMPTY),
        Some((Value::Text(text), at)) => (Holder::PackValue(at), text.of(body)),
        Some(_) => return None,
    };
    found(body, (place.0, Cow::Borrowed(place.1)), omits, said)
}

/// The arguments before the options, as far as they say something.
fn arguments<'a>(reader: &mut Reader<'_>, body: &'a [u8]) -> Option<Said<'a>> {
    let Value::Array(len) = reader.next()? else { return None };
    if !ARGUMENTS.contains(&len) {
        return None;
    }
    let (prefix, id, name) = (reader.next()?, reader.next()?, reader.next()?);
    let (timestamp, parent_key) = (reader.next()?, reader.next()?);
    let Value::Text(prefix) = prefix else { return None };
    let Value::Text(name) = name else { return None };
    let id = match id {
        Value::Text(id) => id.of(body),
        Value::Number => b"",
        _ => return None,
    };
    let is_job = prefix.of(body).ends_with(b":")
        && timestamp == Value::Number
        && matches!(parent_key, Value::Nil | Value::Text(_));
    if !is_job {
        return None;
    }
    for _ in 5..len {
        let value = reader.next()?;
        reader.skip(value)?;
    }
    let (message_id, job_name) = (Cow::Borrowed(id), Cow::Borrowed(name.of(body)));
    Some(Said { message_id, job_name, ..Said::default() })
}

/// The job, with its context where the options do not omit it.
fn found<'a>(
    body: &'a [u8],
    (holder, text): (Holder, Cow<'a, [u8]>),
    omits: bool,
    said: Said<'a>,
) -> Option<Found<'a>> {
    let (holder, text) = if omits { (Holder::Closed, EMPTY.into()) } else { (holder, text) };
    let object = ContextObject::whole(&text, Owner::Shared)?;
    Some(Found { body, text, object, holder, said })
}

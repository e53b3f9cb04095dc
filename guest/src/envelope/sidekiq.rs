//! The kind `sidekiq`: a job of Sidekiq.
//!
//! ```text
//! {"retry":5,"queue":"default","args":[1,2],"class":"MailJob","jid":"663691ef83be78750b44231d",
//!  "created_at":1795767515.26,"enqueued_at":1795767515.26,"traceparent":"00-…-01"}
//! ```
//!
//! So that no other JSON is taken for one, [`DEMANDED`] is: `class`, `jid` and `queue` are strings
//! that are not empty, `args` is an array, `created_at` is a number (seconds until Sidekiq 7,
//! milliseconds since 8). A scheduled job has them as well. Jobs of other libraries that only
//! resemble one, such as Resque's and Faktory's, lack some of it.
//!
//! Entries are those members of the job itself that have the name of a context field:
//! OpenTelemetry's instrumentation writes and reads them there, beside Sidekiq's own. The message's
//! id is `jid`; the job's name is `wrapped` where Active Job says there whom it wrapped, else
//! `class`.

use super::context::{ContextObject, Owner};
use super::object::{self, Object};
use super::{Found, Said};

#[cfg(test)]
mod tests;

/// The members that a job has to have.
pub(super) const DEMANDED: [&str; 5] = ["class", "jid", "queue", "args", "created_at"];

/// Looks for a job in `body`; `None`: it is none, or has to be left alone.
///
/// Reads every byte of the body once.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    let [class, jid, queue, args, created_at] = DEMANDED;
    let mut object = ContextObject::new(Owner::Shared);
    let names = [class, jid, queue, args, created_at, "wrapped"];
    let [class, jid, queue, args, created_at, wrapped] =
        Object::of_body(body, body_bytes_max, names, Some(&mut object))?.values;
    let class = object::filled_text(body, class?)?;
    let jid = object::filled_text(body, jid?)?;
    object::filled_text(body, queue?)?;
    if !args?.is_array() || !created_at?.is_number() {
        return None;
    }
    let wrapped = wrapped.and_then(|wrapped| object::filled_text(body, wrapped));
    let job_name = wrapped.unwrap_or(class);
    Some(Found::in_body(body, object, Said { message_id: jid, job_name, ..Said::default() }))
}

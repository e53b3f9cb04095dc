//! The kind `auto`: whichever of the envelopes that can be told a body is.
//!
//! | order | kind | told by |
//! |---|---|---|
//! | 1 | `bullmq`, as a job is created | its arguments: no JSON begins like them |
//! | 2 | `kombu` | its members |
//! | 3 | `sidekiq` | its members |
//! | 4 | `cloudevents` | its members |
//! | 5 | `bullmq`, as a job is read | its members |
//!
//! The first of which all demanded names are there is the one: then it looks at the types, and
//! where it finds something else the body is left alone. What is demanded stands in the kind's own
//! file. `json` is not among them: any object would do.

use super::json::{Cursor, Members};
use super::{Found, bullmq, cloudevents, kombu, msgpack, object, sidekiq};

#[cfg(test)]
mod tests;

/// Top-level members that are looked at: the names of those behind them tell nothing.
///
/// Jobs and events have some 20. Each name is compared with all that are demanded, so that this
/// bounds the time as the body's length does that of reading it. Context is added at the end, so
/// that a body is told the same after it was.
pub const MEMBERS_MAX: usize = 64;

type Scan = for<'a> fn(&'a [u8], usize) -> Option<Found<'a>>;

/// The kinds that are told by their members, in order.
const KINDS: [(&[&str], Scan); 4] = [
    (&kombu::DEMANDED, kombu::scan),
    (&sidekiq::DEMANDED, sidekiq::scan),
    (&cloudevents::DEMANDED, cloudevents::scan),
    (&bullmq::DEMANDED, bullmq::detect),
];

/// Looks for any of them in `body`; `None`: it is none, or has to be left alone.
pub(super) fn scan(body: &[u8], body_bytes_max: usize) -> Option<Found<'_>> {
    if body.len() > body_bytes_max {
        return None;
    }
    if msgpack::is_array(body) {
        return bullmq::detect(body, body_bytes_max);
    }
    let mut seen = [0_u8; KINDS.len()];
    let all_seen = |seen: u8, names: &[&str]| u32::from(seen).count_ones() as usize == names.len();
    let mut cursor = Cursor::new(body);
    let mut members = Members::open(&mut cursor)?;
    while members.len() < MEMBERS_MAX {
        let Some(name) = members.name()? else { break };
        let name = object::text(body, name);
        for (seen, (names, _)) in seen.iter_mut().zip(KINDS) {
            *seen |= object::place(name.as_deref(), names).map_or(0, |place| 1 << place);
        }
        // Whatever else there is: nothing goes before the first kind.
        let [(names, _), ..] = KINDS;
        if all_seen(seen[0], names) {
            break;
        }
        members.value()?;
    }
    let mut kinds = seen.into_iter().zip(KINDS);
    let (_, (_, scan)) = kinds.find(|(seen, (names, _))| all_seen(*seen, names))?;
    scan(body, body_bytes_max)
}

//! One publish that is traced: the component is asked, and what it wants changed is handed back.
//!
//! ```text
//! AMQP 0-9-1        encoded properties ─▶ headers ─▶ component ─▶ edits ─▶ encoded properties
//! other protocols             headers as terms ────▶ component ─▶ edits, a name and a value each
//! ```

use std::sync::MutexGuard;

use spanbridge::resource::ResourceId;
use spanbridge::{
    Edits, Fields, MessageBits, Publish, PublishBatch, Spelling, Tracer, VerdictBits,
    with_header_edits,
};
use spanbridge_wire::amqp::{ContentHeader, HeaderEdit, Properties, Rewrite};

use crate::message::{HEADERS_MAX, Message, has_room};
use crate::rules::Traced;
use crate::slot::{Slot, Working};

/// Bytes of encoded properties that are looked at. Those of a client fit a frame, which has 128 KiB
/// unless the operator says otherwise; a connection from inside the broker has no such bound.
const PROPERTIES_BYTES_MAX: usize = 256 << 10;

/// What a buffer keeps between two messages.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// A publish that a rule is about, and what its scheduler has for it.
#[derive(Debug)]
pub struct Call<'c> {
    pub(crate) slot: &'c Slot,
    /// Never empty.
    pub(crate) working: MutexGuard<'c, Option<Working>>,
    pub(crate) traced: &'c Traced,
    pub(crate) resource: ResourceId,
}

/// Edits as the codec of AMQP 0-9-1 has them.
#[derive(Debug)]
struct Amqp;

impl Spelling for Amqp {
    type Edit<'a> = HeaderEdit<'a>;

    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> HeaderEdit<'a> {
        HeaderEdit { name, value }
    }
}

impl Call<'_> {
    /// A message of AMQP 0-9-1. `properties` are encoded, and begin with their flags; `now` is in
    /// nanoseconds since the Unix epoch. Hands the properties that it is to have to `then`, and
    /// answers what that answers; `None`: the message is left as it is.
    pub fn encoded<T>(
        mut self,
        routing_key: &[u8],
        properties: &[u8],
        now: u64,
        then: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let Working { tracer, batch, destination, frame, rewritten, .. } = self.working.as_mut()?;
        frame.shrink_to(KEPT_BYTES_MAX);
        rewritten.shrink_to(KEPT_BYTES_MAX);
        let Some(found) = read(properties, frame) else {
            self.slot.unreadable.add(1);
            return None;
        };
        let table = found.headers.unwrap_or_default();
        let message = Message {
            routing_key,
            headers: table.iter().filter_map(|entry| Some((entry.name, entry.value.as_text()?))),
            message_id: found.message_id.unwrap_or_default(),
            correlation_id: found.correlation_id.unwrap_or_default(),
            properties_size: properties.len(),
        };
        let asked = Asked { slot: self.slot, traced: self.traced, resource: self.resource, now };
        let edits = asked.of(&message, destination, tracer, batch)?;
        if !rewrite(&found, edits, &self.traced.fields, rewritten) {
            self.slot.refused.add(1);
            return None;
        }
        self.slot.injected.add(1);
        Some(then(rewritten))
    }

    /// A message of any protocol. Hands each edit to `apply`, with the name of the header; none:
    /// the message is left as it is.
    pub fn terms<'a>(
        mut self,
        message: &Message<'a, impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone>,
        now: u64,
        mut apply: impl FnMut(&[u8], Option<&[u8]>),
    ) {
        let Some(working) = self.working.as_mut() else { return };
        let Working { tracer, batch, destination, .. } = working;
        let asked = Asked { slot: self.slot, traced: self.traced, resource: self.resource, now };
        let Some(edits) = asked.of(message, destination, tracer, batch) else { return };
        self.slot.injected.add(1);
        let name = |field| self.traced.fields.name(field).map(str::as_bytes);
        with_header_edits::<Amqp, _>(edits, name, |edits| {
            edits.iter().for_each(|edit| apply(edit.name, edit.value));
        });
    }
}

/// What the component is told besides the message.
struct Asked<'c> {
    slot: &'c Slot,
    traced: &'c Traced,
    resource: ResourceId,
    now: u64,
}

impl Asked<'_> {
    /// What the component wants changed in a message. `None`: nothing.
    fn of<'a, 'b>(
        &self,
        message: &Message<'a, impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone>,
        destination: &[u8],
        tracer: &mut Tracer,
        batch: &'b mut PublishBatch,
    ) -> Option<Edits<'b>> {
        let &Self { slot, traced, resource, now } = self;
        let Some(job) = message.job() else {
            slot.unreadable.add(1);
            return None;
        };
        let mut bits = MessageBits::RELAYED;
        if !has_room(message.properties_size) {
            slot.skipped.add(1);
            bits |= MessageBits::NO_HEADERS;
        }
        batch.clear();
        let publish = Publish {
            bits,
            id: message.id(job),
            start: now,
            // Confirms are not seen here: the span is the moment at which the message came by.
            end: now,
            ..Publish::new(traced.route, resource, destination)
        };
        message.add_to(&mut batch.add(&publish), &traced.fields, job);
        let answer = tracer.publish(batch);
        let verdict = answer.verdict(0);
        if verdict.bits.contains(VerdictBits::FOUND) && verdict.span_id == 0 {
            slot.passed_on.add(1);
        }
        let edits = answer.edits(0);
        (!edits.is_empty()).then_some(edits)
    }
}

/// Reads encoded properties, by way of a frame around them. `None`: not all of them can be read, or
/// they are more than is looked at, so whether there is a context is not known.
fn read<'f>(properties: &[u8], frame: &'f mut Vec<u8>) -> Option<Properties<'f>> {
    if properties.len() > PROPERTIES_BYTES_MAX {
        return None;
    }
    let found = ContentHeader::around(properties, frame)?.properties(frame)?;
    let mut headers = found.headers.unwrap_or_default().iter();
    let count = headers.by_ref().take(HEADERS_MAX + 1).count();
    (count <= HEADERS_MAX && headers.is_complete()).then_some(found)
}

/// Puts the edited properties into `out`. Answers `false` when they stay what they are: an edit
/// that no table can hold, or none that changes anything.
fn rewrite(
    properties: &Properties<'_>,
    edits: Edits<'_>,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> bool {
    let name = |field| fields.name(field).map(str::as_bytes);
    with_header_edits::<Amqp, _>(edits, name, |edits| {
        // Whether it fits frames was looked at before.
        let Ok(rewrite) = Rewrite::plan(properties, edits, 0) else { return false };
        out.clear();
        rewrite.write_properties(out);
        !rewrite.is_unchanged()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encoded properties with a table of these entries alone.
    fn properties(entries: &[u8]) -> Vec<u8> {
        let length = (entries.len() as u32).to_be_bytes();
        [&[0x20, 0][..], &length, entries].concat()
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_not_read_at_all() {
        let nothing = |count| b"\x01aV".repeat(count);
        // Flags, the table's length, and of its entry all but the text.
        let text = PROPERTIES_BYTES_MAX - 2 - 4 - 7;
        let long = |bytes: usize| {
            [&b"\x01aS"[..], &(bytes as u32).to_be_bytes(), &vec![b'x'; bytes]].concat()
        };
        for (entries, is_read) in [
            (vec![], true),
            (nothing(HEADERS_MAX), true),
            (nothing(HEADERS_MAX + 1), false),
            (b"\x01a?".to_vec(), false),
            (long(text), true),
            (long(text + 1), false),
        ] {
            let mut frame = Vec::new();
            let found = read(&properties(&entries), &mut frame);
            assert_eq!(found.is_some(), is_read, "{} bytes", entries.len());
        }
        assert!(read(b"\0", &mut Vec::new()).is_none(), "flags are two bytes");
    }
}

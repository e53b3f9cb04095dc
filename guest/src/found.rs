//! The context that a message brings, and what else its headers say about it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::{Attribute, Relation};
use crate::block::Parts;
use crate::carrier::{Carrier, Entry, field_of_name};
use crate::context::RemoteSpan;
use crate::envelope::{self, Envelope};
use crate::field::Field;
use crate::member;
use crate::route::Route;

/// What was found in a message.
pub(crate) struct Found<'a> {
    pub remote: Option<RemoteSpan<'a>>,
    /// The context was in the body.
    pub in_body: bool,
    /// Something looked like a context and could not be read.
    pub invalid: bool,
    /// Header and body hold different contexts.
    pub disagreed: bool,
    /// Milliseconds since the Unix epoch, if our own member vouches for the context.
    pub own_time_ms: Option<u64>,
}

impl<'a> Found<'a> {
    /// Reads a carrier. A context in `body` counts only where no header has one.
    pub(crate) fn read(route: &Route, headers: &'a [Entry<'a>], body: &'a [Entry<'a>]) -> Self {
        if headers.is_empty() && body.is_empty() {
            let (remote, own_time_ms) = (None, None);
            return Self { remote, in_body: false, invalid: false, disagreed: false, own_time_ms };
        }
        let extract = |entries: &'a [Entry<'a>]| {
            if entries.is_empty() {
                return None;
            }
            route.propagators.extract_span(Carrier::new(entries))
        };
        let in_headers = extract(headers);
        let in_body = extract(body);
        let disagreed = matches!((&in_headers, &in_body),
            (Some(header), Some(body)) if header.parts != body.parts);
        let from_body = in_headers.is_none() && in_body.is_some();
        let remote = in_headers.or(in_body);
        let own_time_ms = remote.as_ref().and_then(|remote| {
            member::time_ms(remote.tracestate.get(member::KEY)?, remote.parts.span_id)
        });
        let invalid = remote.is_none() && headers.iter().chain(body).any(|e| names_a_span(e.field));
        Self { remote, in_body: from_body, invalid, disagreed, own_time_ms }
    }
}

/// Answers whether a field says which span a message comes from.
pub(crate) fn names_a_span(field: Field) -> bool {
    matches!(
        field,
        Field::Traceparent
            | Field::B3
            | Field::XB3TraceId
            | Field::UberTraceId
            | Field::XAmznTraceId
            | Field::OtTracerTraceid
    )
}

/// Borrowed from the body unless it was written with escapes.
type Text<'a> = Cow<'a, [u8]>;

/// A body's envelope: the scan, and its entries as a carrier wants them.
pub(crate) struct Body<'a> {
    /// Boxed: most routes have none, and what is not there should not be moved about.
    pub scan: Option<Box<envelope::Found<'a>>>,
    entries: Vec<(Text<'a>, Text<'a>)>,
}

impl<'a> Body<'a> {
    /// Reads a body if the route asks for it and the host handed one in.
    pub(crate) fn read(envelope: Option<&'a Envelope>, body: &'a [u8]) -> Self {
        if envelope.is_none() {
            return Self { scan: None, entries: Vec::new() };
        }
        let scan = envelope
            .filter(|_| !body.is_empty())
            .and_then(|envelope| envelope.scan(body, envelope::BODY_BYTES_MAX))
            .map(Box::new);
        let entries = scan.as_ref().map(|found| found.entries().collect()).unwrap_or_default();
        Self { scan, entries }
    }

    /// What the envelope calls the message; empty where it does not say.
    pub(crate) fn key(&self) -> &[u8] {
        self.scan.as_deref().map(envelope::Found::key).unwrap_or_default()
    }

    /// Before then the message is not worked on, in nanoseconds; 0: the envelope does not say.
    pub(crate) fn not_before(&self) -> u64 {
        self.scan.as_deref().map_or(0, envelope::Found::not_before)
    }

    /// Fills in what the host could not know: the message's id.
    pub(crate) fn complete<'b>(&'b self, parts: Parts<'b>) -> Parts<'b> {
        match &self.scan {
            Some(scan) if parts.id.is_empty() => Parts { id: scan.message_id(), ..parts },
            _ => parts,
        }
    }

    /// What the envelope says of the message in attributes of the contract; empty values among it.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (Attribute, &[u8])> {
        self.scan.iter().flat_map(|scan| {
            [
                (Attribute::ConversationId, scan.conversation_id()),
                (Attribute::JobName, scan.job_name()),
            ]
        })
    }

    /// The entries whose names are fields.
    pub(crate) fn carrier(&self) -> Vec<Entry<'_>> {
        let fields = self.entries.iter().filter_map(|(name, value)| {
            let (field, key) = field_of_name(name)?;
            Some(Entry { field, key, value })
        });
        fields.collect()
    }
}

/// What the producer asks of the consumer's relation: `MT-Activity-Propagation` of MassTransit
/// (`Child`, `Link`, `New`), `NServiceBus.OpenTelemetry.StartNewTrace` (`True`, `False`).
pub(crate) fn hint(headers: &[Entry<'_>]) -> Option<Relation> {
    headers.iter().find_map(|entry| match entry.field {
        Field::MtActivityPropagation => match entry.value {
            value if value.eq_ignore_ascii_case(b"link") => Some(Relation::Link),
            value if value.eq_ignore_ascii_case(b"new") => Some(Relation::Root),
            value if value.eq_ignore_ascii_case(b"child") => Some(Relation::ParentAndLink),
            _ => None,
        },
        Field::StartNewTrace if entry.value.eq_ignore_ascii_case(b"true") => Some(Relation::Link),
        _ => None,
    })
}

//! From the bytes of an event to a span in the pipeline, with a counter for each way it can go.
//!
//! Which trace a message belongs to is read from its headers by the component, as everywhere: this
//! module hands headers in and gets ids out. A component that fails costs one event.

use std::sync::Arc;

use prost::Message as _;
use spanbridge::metrics::Counters;
use spanbridge::resource::ResourceId;
use spanbridge::{Propagation, RemoteSpan};
use spanbridge_wire::nats::ControlSubject;

use super::event::{Event, EventError, Server};
use super::hop::{Place, Recent};
use super::span::span;
use crate::gateway::Output;
use crate::scrub::Scrub;

/// Service name of the spans: what sort of program they are of. Which one it is, is in
/// `service.instance.id`.
const SERVICE_NAME: &str = "nats-server";

/// Protobuf tag of `ScopeSpans.spans`: field 2, length-delimited.
const SPANS_TAG: u8 = 0x12;

/// W3C trace-flags: the trace is recorded.
const SAMPLED: u8 = 0b01;

/// Turns events into spans.
#[derive(Debug)]
pub(super) struct Converter {
    propagation: Propagation,
    output: Output,
    scrub: Scrub,
    recent: Recent,
}

impl Converter {
    pub(super) fn new(propagation: Propagation, output: Output, scrub: Scrub) -> Self {
        Self { propagation, output, scrub, recent: Recent::default() }
    }

    /// Takes one message of the trace subject. `encoded`: it says that its bytes are compressed,
    /// as a server does when the traced message accepts that.
    pub(super) fn take(&mut self, bytes: &[u8], encoded: bool) {
        let counters = Arc::clone(&self.output.counters);
        let events = &counters.server_events;
        if encoded {
            return events.compressed.add(1);
        }
        let event = match Event::read(bytes) {
            Ok(event) => event,
            Err(EventError::TooLarge) => return events.too_large.add(1),
            Err(EventError::Shape | EventError::NoIngress) => return events.unread.add(1),
        };
        let left_out = &counters.server_event_entries_left_out;
        left_out.unknown.add(event.left_out.unknown);
        left_out.count.add(event.left_out.count);
        if ControlSubject::of(event.ingress.subj.as_bytes()).is_some() {
            return events.control.add(1);
        }
        match self.propagation.extract(&event.headers) {
            Err(_) => events.failed.add(1),
            Ok(context) => match context.and_then(|context| context.trace) {
                None => events.no_context.add(1),
                Some(context) if context.trace_flags & SAMPLED == 0 => events.unsampled.add(1),
                Some(context) => self.record(&event, &context, &counters),
            },
        }
    }

    fn record(&mut self, event: &Event, context: &RemoteSpan, counters: &Counters) {
        let mut place = Place::of(event, context);
        if place.has_children && !self.recent.insert(place.span_id) {
            counters.server_events_alike.add(1);
            place = place.apart(event);
        }
        let mut run = vec![SPANS_TAG];
        run.extend(span(event, context, place, self.scrub).encode_length_delimited_to_vec());
        let resource = self.resource(&event.server);
        // A full queue drops the span and counts it among the dropped ones.
        if self.output.sink.push(resource, &run, 1) {
            counters.server_events.traced.add(1);
        } else {
            counters.server_events.dropped.add(1);
        }
    }

    fn resource(&self, server: &Server) -> ResourceId {
        let Server { name, id, ver, cluster } = server;
        // A name outlives a restart; servers without one have their id as their name.
        let instance = if name.is_empty() { id } else { name };
        let all = [
            ("service.instance.id", instance),
            ("service.version", ver),
            ("spanbridge.nats.server.id", id),
            ("spanbridge.nats.cluster", cluster),
        ];
        let all = all.into_iter().filter(|(_, value)| !value.is_empty());
        let attributes: Vec<_> = all.map(|(key, value)| (key, value.as_str())).collect();
        self.output.resources.register(SERVICE_NAME, &attributes)
    }
}

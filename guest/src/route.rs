//! A route: what many messages have in common, worked out once when it is opened.
//!
//! Attributes that repeat are encoded here; a message only appends to a copy of them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::attributes::{Attributes, Limits};
use crate::bindings::exports::spanbridge::tracing::messaging::{
    DeliveryMode, Relation, Settings, Trust,
};
use crate::carry;
use crate::envelope::Envelope;
use crate::propagator::{Propagator, Propagators};
use crate::sampler::Sampler;
use crate::semconv::{self, Operation};
use crate::span::{self, Kind};

/// Attributes that `settle` may add, for which the beginning of a span leaves room:
/// outcome, `error.type`, delay.
const SETTLE_ATTRIBUTES: u32 = 3;

/// What all spans of one operation begin with.
#[derive(Debug)]
pub(crate) struct Template {
    /// The first word of a span's name, and the space behind it where a destination follows.
    pub spaced: &'static str,
    /// The span's fixed fields with holes, and behind them its attributes, encoded.
    pub beginning: Vec<u8>,
    /// How many attributes there are.
    pub count: u32,
    pub dropped: u32,
}

/// An open route.
#[derive(Debug)]
pub(crate) struct Route {
    pub propagators: Propagators,
    /// One of the propagators writes a span context.
    pub injects: bool,
    /// It is W3C Trace Context, and no other one does.
    pub injects_w3c_alone: bool,
    pub relation: Relation,
    /// Nanoseconds.
    pub relation_wait_max: u64,
    pub delivery: DeliveryMode,
    pub restart: bool,
    pub sampler: Sampler,
    pub parent_based: bool,
    pub producer_spans: bool,
    pub consumer_spans: bool,
    pub receive_spans: bool,
    pub queue_wait_spans: bool,
    pub body_size: bool,
    pub old_names: bool,
    pub envelope: Option<Envelope>,
    /// Stands for the destination in span names.
    pub template: Option<String>,
    pub limits: Limits,
    pub link_count_max: u32,
    pub publish: Template,
    pub process: Template,
    pub receive: Template,
    pub wait: Template,
}

impl Route {
    /// Works out a route. The error says which setting cannot be had and why.
    pub(crate) fn open(settings: Settings) -> Result<Self, String> {
        let value_bytes_max = match settings.attribute_value_length_max {
            0 => usize::MAX,
            length => length as usize,
        };
        let attributes_max = settings.attribute_count_max.saturating_sub(SETTLE_ATTRIBUTES);
        let limits = Limits { value_bytes_max, attributes_max };
        let propagators = carry::propagators(&settings.propagators);
        let formats =
            || propagators.as_slice().iter().copied().filter(|p| *p != Propagator::Baggage);
        let template = |kind, operation| template(&settings, kind, operation, limits);
        Ok(Self {
            publish: template(Kind::Producer, Some(semconv::PUBLISH)),
            process: template(Kind::Consumer, Some(semconv::PROCESS)),
            receive: template(Kind::Client, Some(semconv::RECEIVE)),
            wait: template(Kind::Internal, None),
            injects: formats().next().is_some(),
            injects_w3c_alone: formats().eq([Propagator::TraceContext]),
            propagators,
            relation: settings.relation,
            relation_wait_max: settings.relation_wait_max,
            delivery: settings.delivery,
            restart: settings.trust == Trust::Restart,
            sampler: Sampler::new(settings.sampler)?,
            parent_based: settings.parent_based,
            producer_spans: settings.producer_spans,
            consumer_spans: settings.consumer_spans,
            receive_spans: settings.receive_spans,
            queue_wait_spans: settings.queue_wait_spans,
            body_size: settings.body_size,
            old_names: settings.old_names,
            envelope: settings.envelope.map(Envelope::new).transpose()?,
            template: settings.destination_template.filter(|template| !template.is_empty()),
            limits,
            link_count_max: settings.link_count_max,
        })
    }
}

/// Encodes what all spans of an operation carry; `None` for the wait, which is no operation.
fn template(
    settings: &Settings,
    kind: Kind,
    operation: Option<Operation>,
    limits: Limits,
) -> Template {
    let mut beginning = span::fixed_fields(kind).to_vec();
    let mut to = Attributes::new(&mut beginning, limits, 0, 0);
    to.text(&semconv::SYSTEM, &settings.system);
    if let Some(operation) = operation {
        to.text(&semconv::OPERATION_NAME, operation.name());
        to.text(&semconv::OPERATION_TYPE, operation.kind);
        if settings.old_names {
            to.text(&semconv::old::OPERATION, operation.old);
        }
        if kind != Kind::Producer && !settings.consumer_group.is_empty() {
            to.text(&semconv::CONSUMER_GROUP, &settings.consumer_group);
        }
    }
    if let Some(template) = &settings.destination_template {
        to.text(&semconv::DESTINATION_TEMPLATE, template);
    }
    if !settings.server_address.is_empty() {
        to.text(&semconv::SERVER_ADDRESS, &settings.server_address);
        if settings.server_port != 0 {
            to.int(&semconv::SERVER_PORT, settings.server_port.into());
        }
    }
    let (count, dropped, _) = to.end();
    let spaced = operation.map_or("wait ", |operation| operation.spaced);
    Template { spaced, beginning, count, dropped }
}

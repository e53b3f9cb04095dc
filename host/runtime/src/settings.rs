//! What all messages of a route have in common, typed, with the defaults of the specifications.
//!
//! These are the settings of `wit/messaging.wit`; what each does to a trace is decided in the
//! component. Nothing here reads files or variables.

use std::time::Duration;

pub use crate::env::Propagator as PropagatorKind;
pub use crate::env::RootSampler;

/// How a consumer span relates to the context in its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relation {
    /// Child of it.
    Parent,
    /// Root of a new trace, linked to it.
    Link,
    /// Child of it and linked to it.
    #[default]
    ParentAndLink,
    /// Root of a new trace, no link.
    Root,
    /// `Link` for redelivered messages, batches, fan-out and long waits; else `ParentAndLink`.
    Auto,
}

/// What a consumer finds in its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryMode {
    /// The context that came.
    #[default]
    Keep,
    /// The context of our process span, so that the consumer's spans nest under it.
    Continue,
}

/// Whether a client's context is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// It is.
    #[default]
    Accept,
    /// A new trace starts; the old context is linked, baggage is removed.
    Restart,
}

/// A shape of message bodies that has a place for context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// `json`, `kombu`, or another that the component knows. An unknown one is an error of
    /// `open_route`, which names those it knows.
    pub kind: String,
    /// For `json`: the member of the body that holds headers; the empty string means `_otel`.
    pub field: String,
}

/// Settings of a route. The defaults are those of the specifications.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSettings {
    /// `messaging.system`, such as `nats`, `rabbitmq` or `redis`.
    pub system: String,
    /// `server.address`; the empty string leaves it out.
    pub server_address: String,
    /// `server.port`; 0 leaves it out.
    pub server_port: u16,
    /// `messaging.consumer.group.name`; the empty string leaves it out.
    pub consumer_group: String,
    /// `messaging.destination.template`, also used in span names. `None`: the destination's name.
    pub destination_template: Option<String>,
    /// Formats of context, in the order in which they are read. All of them are written. An empty
    /// list reads and writes nothing.
    pub propagators: Vec<PropagatorKind>,
    /// How consumer spans relate to the context in their messages.
    pub relation: Relation,
    /// The wait from which `Relation::Auto` links. An hour: longer traces than that are cut into
    /// pieces by most backends.
    pub relation_wait_max: Duration,
    /// What a consumer finds in its message.
    pub delivery: DeliveryMode,
    /// Whether a client's context is believed.
    pub trust: Trust,
    /// Whether a trace that starts here is sampled. A ratio is one of consistent probability, from
    /// 0 to 1; another one is an error of `open_route`.
    pub sampler: RootSampler,
    /// Follow the sampled flag of a parent. `false`: `sampler` decides for every span.
    pub parent_based: bool,
    /// Emit publish spans. Context is injected either way.
    pub producer_spans: bool,
    /// Emit process spans.
    pub consumer_spans: bool,
    /// Emit a `receive` span for a delivery that says when it was asked for.
    pub receive_spans: bool,
    /// Emit a span of its own for the time between publish and delivery.
    pub queue_wait_spans: bool,
    /// Emit `messaging.message.body.size`, which is opt-in in the conventions.
    pub body_size: bool,
    /// Also emit the attribute names of before v1.25 of the conventions (`messaging/dup`).
    pub old_names: bool,
    /// Where a body holds context. Looked at when no header has any, and written to when headers
    /// cannot be had. `None`: bodies are not looked at, and need not be handed in.
    pub envelope: Option<Envelope>,
    /// Longest attribute value, in bytes; 0: no limit, as is `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`
    /// unset.
    pub attribute_value_length_max: u32,
    /// Most attributes of a span: 128, as `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` unset.
    pub attribute_count_max: u32,
    /// Most links of a span: 128, as `OTEL_SPAN_LINK_COUNT_LIMIT` unset.
    pub link_count_max: u32,
}

impl RouteSettings {
    /// The defaults for a messaging system.
    pub fn new(system: impl Into<String>) -> Self {
        Self { system: system.into(), ..Self::default() }
    }
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            system: String::new(),
            server_address: String::new(),
            server_port: 0,
            consumer_group: String::new(),
            destination_template: None,
            propagators: vec![PropagatorKind::TraceContext, PropagatorKind::Baggage],
            relation: Relation::default(),
            relation_wait_max: Duration::from_secs(3600),
            delivery: DeliveryMode::default(),
            trust: Trust::default(),
            sampler: RootSampler::AlwaysOn,
            parent_based: true,
            producer_spans: true,
            consumer_spans: true,
            receive_spans: true,
            queue_wait_spans: false,
            body_size: false,
            old_names: false,
            envelope: None,
            attribute_value_length_max: 0,
            attribute_count_max: 128,
            link_count_max: 128,
        }
    }
}

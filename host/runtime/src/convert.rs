//! Settings as the contract has them. One line for each word; a word that is missing on either
//! side does not compile.

use crate::bindings::exports::spanbridge::tracing::messaging as wit;
use crate::bindings::spanbridge::tracing::types;
use crate::settings::{DeliveryMode, PropagatorKind, Relation, RootSampler, RouteSettings, Trust};

/// The contract's word for a format.
pub(crate) fn propagator(kind: PropagatorKind) -> types::Propagator {
    match kind {
        PropagatorKind::TraceContext => types::Propagator::Tracecontext,
        PropagatorKind::Baggage => types::Propagator::Baggage,
        PropagatorKind::B3 => types::Propagator::B3,
        PropagatorKind::B3Multi => types::Propagator::B3multi,
        PropagatorKind::Jaeger => types::Propagator::Jaeger,
        PropagatorKind::XRay => types::Propagator::Xray,
        PropagatorKind::OtTrace => types::Propagator::Ottrace,
    }
}

/// The contract's settings of a route.
pub(crate) fn settings(settings: &RouteSettings) -> wit::Settings {
    wit::Settings {
        system: settings.system.clone(),
        server_address: settings.server_address.clone(),
        server_port: settings.server_port,
        consumer_group: settings.consumer_group.clone(),
        destination_template: settings.destination_template.clone(),
        propagators: settings.propagators.iter().copied().map(propagator).collect(),
        relation: match settings.relation {
            Relation::Parent => wit::Relation::Parent,
            Relation::Link => wit::Relation::Link,
            Relation::ParentAndLink => wit::Relation::ParentAndLink,
            Relation::Root => wit::Relation::Root,
            Relation::Auto => wit::Relation::Auto,
        },
        // A wait of more than 584 years is as good as none.
        relation_wait_max: settings.relation_wait_max.as_nanos().try_into().unwrap_or(u64::MAX),
        delivery: match settings.delivery {
            DeliveryMode::Keep => wit::DeliveryMode::Keep,
            DeliveryMode::Continue => wit::DeliveryMode::Continue,
        },
        trust: match settings.trust {
            Trust::Accept => wit::Trust::Accept,
            Trust::Restart => wit::Trust::Restart,
        },
        sampler: match settings.sampler {
            RootSampler::AlwaysOn => wit::Sampler::AlwaysOn,
            RootSampler::AlwaysOff => wit::Sampler::AlwaysOff,
            RootSampler::TraceIdRatio(ratio) => wit::Sampler::Ratio(ratio),
        },
        parent_based: settings.parent_based,
        producer_spans: settings.producer_spans,
        consumer_spans: settings.consumer_spans,
        receive_spans: settings.receive_spans,
        queue_wait_spans: settings.queue_wait_spans,
        body_size: settings.body_size,
        old_names: settings.old_names,
        envelope: settings.envelope.as_ref().map(|envelope| wit::Envelope {
            kind: envelope.kind.clone(),
            field: envelope.field.clone(),
        }),
        attribute_value_length_max: settings.attribute_value_length_max,
        attribute_count_max: settings.attribute_count_max,
        link_count_max: settings.link_count_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Attribute;
    use crate::bits::{MessageBits, VerdictBits};
    use crate::settlement::Outcome;

    #[test]
    fn numbers_that_cross_in_records_are_the_contracts() {
        for (ours, contract) in [
            (Attribute::ClientId as u8, wit::Attribute::ClientId as u8),
            (Attribute::ConsumerGroup as u8, wit::Attribute::ConsumerGroup as u8),
            (Attribute::RoutingKey as u8, wit::Attribute::RoutingKey as u8),
            (Attribute::NatsSequence as u8, wit::Attribute::NatsSequence as u8),
            (Attribute::NetworkPeerPort as u8, wit::Attribute::NetworkPeerPort as u8),
            (Attribute::DestinationTemplate as u8, wit::Attribute::DestinationTemplate as u8),
            (Outcome::Confirmed as u8, wit::Outcome::Confirmed as u8),
            (Outcome::Ack as u8, wit::Outcome::Ack as u8),
            (Outcome::Expired as u8, wit::Outcome::Expired as u8),
            (Outcome::Abandoned as u8, wit::Outcome::Abandoned as u8),
        ] {
            assert_eq!(ours, contract);
        }
        let message = |flags: wit::MessageBits| u32::from(flags.as_array()[0] as u16);
        assert_eq!(MessageBits::ESTIMATED.bits(), message(wit::MessageBits::ESTIMATED));
        assert_eq!(MessageBits::REDELIVERED.bits(), message(wit::MessageBits::REDELIVERED));
        assert_eq!(MessageBits::RELAYED.bits(), message(wit::MessageBits::RELAYED));
        let by_producer = message(wit::MessageBits::PUBLISHED_BY_PRODUCER);
        assert_eq!(MessageBits::PUBLISHED_BY_PRODUCER.bits(), by_producer);
        assert_eq!(MessageBits::READ_ONLY.bits(), message(wit::MessageBits::READ_ONLY));
        let verdict = |flags: wit::VerdictBits| u32::from(flags.as_array()[0] as u16);
        assert_eq!(VerdictBits::TRUNCATED.bits(), verdict(wit::VerdictBits::TRUNCATED));
        assert_eq!(VerdictBits::INJECTED.bits(), verdict(wit::VerdictBits::INJECTED));
    }
}

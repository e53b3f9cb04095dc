//! A span's name and attributes, from a route's template and what the message adds.

use alloc::vec::Vec;

use crate::attributes::{Attributes, Key};
use crate::bindings::exports::spanbridge::tracing::messaging::{Attribute, MessageBits};
use crate::block::{Parts, Value, attributes};
use crate::found::Body;
use crate::route::{Route, Template};
use crate::semconv;
use crate::span::{self, Head};
use crate::text;

/// What a span tells of its message.
#[derive(Clone, Copy)]
pub(crate) struct Described<'a> {
    pub bits: MessageBits,
    pub parts: &'a Parts<'a>,
    pub body_size: u64,
}

/// The template of one message's destination, as an attribute's number.
const TEMPLATE: u8 = Attribute::DestinationTemplate as u8;

/// What attributes did to a span.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub dropped: u32,
    pub cut: bool,
}

/// The destination as a span's name shows it: the template, else the name unless it is temporary or
/// anonymous ("Span name"). The empty string leaves it out.
fn destination<'a>(
    route: &'a Route,
    bits: MessageBits,
    parts: &Parts<'a>,
    name: &'a [u8],
) -> &'a [u8] {
    if let Some(template) = &route.template {
        return template.as_bytes();
    }
    for (attribute, value) in attributes(parts.attributes) {
        if let (TEMPLATE, Value::Text(template)) = (attribute, value) {
            return if core::str::from_utf8(template).is_ok() { template } else { b"" };
        }
    }
    if bits.intersects(MessageBits::TEMPORARY | MessageBits::ANONYMOUS) { b"" } else { name }
}

/// Writes a span's fixed fields, its name and its attributes: the template's, the message's, and
/// those that `more` writes.
pub(crate) fn describe(
    out: &mut Vec<u8>,
    route: &Route,
    template: &Template,
    head: &Head<'_>,
    message: &Described<'_>,
    more: impl FnOnce(&mut Attributes<'_>),
) -> Written {
    let Described { bits, parts, body_size } = *message;
    let name = text::utf8(parts.destination);
    span::head(out, &template.beginning, head);
    span::name(out, template.spaced, destination(route, bits, parts, &name));
    let mut to = Attributes::new(out, route.limits, template.count, template.dropped);
    if !name.is_empty() {
        to.utf8(&semconv::DESTINATION_NAME, &name);
    }
    if bits.contains(MessageBits::TEMPORARY) {
        to.bool(&semconv::DESTINATION_TEMPORARY, true);
    }
    if bits.contains(MessageBits::ANONYMOUS) {
        to.bool(&semconv::DESTINATION_ANONYMOUS, true);
    }
    if !parts.id.is_empty() {
        to.bytes(&semconv::MESSAGE_ID, parts.id);
    }
    if route.body_size {
        to.count(&semconv::BODY_SIZE, body_size);
    }
    more(&mut to);
    for (attribute, value) in attributes(parts.attributes) {
        if attribute == TEMPLATE && route.template.is_some() {
            continue;
        }
        write(&mut to, route.old_names, attribute, value);
    }
    if route.old_names {
        to.utf8(&semconv::old::DESTINATION, &name);
        if !parts.id.is_empty() {
            to.bytes(&semconv::old::MESSAGE_ID, parts.id);
        }
        if route.body_size {
            to.count(&semconv::old::BODY_SIZE, body_size);
        }
    }
    let (_, dropped, cut) = to.end();
    Written { dropped, cut }
}

/// Writes what the envelope says of the message, where the host does not say it itself.
pub(crate) fn envelope(to: &mut Attributes<'_>, route: &Route, parts: &Parts<'_>, body: &Body<'_>) {
    if body.scan.is_none() {
        return;
    }
    for (attribute, value) in body.attributes().filter(|(_, value)| !value.is_empty()) {
        let attribute = attribute as u8;
        if attributes(parts.attributes).all(|(told, _)| told != attribute) {
            write(to, route.old_names, attribute, Value::Text(value));
        }
    }
}

fn write(to: &mut Attributes<'_>, old_names: bool, attribute: u8, value: Value<'_>) {
    let Some((name, old)) = names(attribute) else { return };
    for name in [Some(name), old.filter(|_| old_names)].into_iter().flatten() {
        match value {
            Value::Text(text) => to.bytes(name, text),
            Value::Int(number) => to.int(name, number),
        }
    }
}

/// The name of an attribute of the contract and its old one; `None` for a newer host's attribute.
fn names(attribute: u8) -> Option<(&'static Key, Option<&'static Key>)> {
    use semconv::old;
    static NAMES: [(Attribute, &Key, Option<&Key>); 13] = [
        (Attribute::ClientId, &semconv::CLIENT_ID, Some(&old::CLIENT_ID)),
        (Attribute::ConversationId, &semconv::CONVERSATION_ID, Some(&old::CONVERSATION_ID)),
        (Attribute::PartitionId, &semconv::PARTITION_ID, None),
        (Attribute::ConsumerGroup, &semconv::CONSUMER_GROUP, None),
        (Attribute::SubscriptionName, &semconv::SUBSCRIPTION_NAME, None),
        (Attribute::RoutingKey, &semconv::ROUTING_KEY, Some(&old::ROUTING_KEY)),
        (Attribute::DeliveryTag, &semconv::DELIVERY_TAG, None),
        (Attribute::NatsStream, &semconv::NATS_STREAM, None),
        (Attribute::NatsSequence, &semconv::NATS_SEQUENCE, None),
        (Attribute::JobName, &semconv::JOB_NAME, None),
        (Attribute::NetworkPeerAddress, &semconv::NETWORK_PEER_ADDRESS, None),
        (Attribute::NetworkPeerPort, &semconv::NETWORK_PEER_PORT, None),
        (Attribute::DestinationTemplate, &semconv::DESTINATION_TEMPLATE, None),
    ];
    let (of, name, old) = NAMES.get(usize::from(attribute))?;
    debug_assert!(*of as u8 == attribute, "the table follows the order of the contract");
    Some((name, *old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_of_the_contract_has_its_name() {
        for attribute in 0..=Attribute::DestinationTemplate as u8 {
            assert!(names(attribute).is_some(), "{attribute}");
        }
        assert!(names(Attribute::DestinationTemplate as u8 + 1).is_none());
    }
}

//! The component's state and its calls, without the bindings: what the benchmarks run natively.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging as contract;
use crate::bindings::spanbridge::tracing::types::Propagator as Kind;
use crate::block::{self, Parts};
use crate::carry;
use crate::deliver;
use crate::field::Field;
use crate::output::Output;
use crate::propagator::Propagators;
use crate::publish;
use crate::random::Random;
use crate::route::Route;
use crate::settle;

/// An instance of the component.
#[derive(Debug)]
pub struct Component {
    routes: BTreeMap<u32, Route>,
    random: Random,
    /// Those of the `propagation` interface.
    pub propagators: Propagators,
}

impl Component {
    /// An instance without routes. The same seed gives the same ids.
    pub fn new(seed: [u64; 4]) -> Self {
        Self {
            routes: BTreeMap::new(),
            random: Random::new(seed),
            propagators: carry::propagators(&[Kind::Tracecontext, Kind::Baggage]),
        }
    }

    /// See `open` in `wit/messaging.wit`.
    pub fn open(&mut self, number: u32, settings: contract::Settings) -> Result<(), String> {
        let route = Route::open(settings)?;
        self.routes.insert(number, route);
        Ok(())
    }

    /// See `close` in `wit/messaging.wit`.
    pub fn close(&mut self, number: u32) {
        self.routes.remove(&number);
    }

    /// See `fields` in `wit/messaging.wit`.
    pub fn fields(&self, number: u32) -> Vec<contract::Field> {
        let Some(route) = self.routes.get(&number) else { return Vec::new() };
        let hints = [Field::MtActivityPropagation, Field::StartNewTrace];
        let read = route.propagators.reads().chain(hints);
        read.map(|field| contract::Field {
            number: field as u8,
            name: field.name().to_string(),
            family: field.is_family(),
        })
        .collect()
    }

    /// See `publish` in `wit/messaging.wit`.
    pub fn publish(&mut self, messages: &[contract::Message], arena: &[u8]) -> contract::Answer {
        let mut out = Output::new(messages.len());
        let mut headers = Vec::with_capacity(HEADERS_EXPECTED);
        for message in messages {
            let Some(route) = self.routes.get(&message.route) else {
                out.leave_alone();
                continue;
            };
            let parts = Parts::of_message(message, arena);
            block::headers(parts.headers, &mut headers);
            let random = &mut self.random;
            out.decide(|out| publish::publish(out, route, random, message, parts, &headers));
        }
        out.end()
    }

    /// See `deliver` in `wit/messaging.wit`.
    pub fn deliver(&mut self, deliveries: &[contract::Delivery], arena: &[u8]) -> contract::Answer {
        let mut out = Output::new(deliveries.len());
        let mut headers = Vec::with_capacity(HEADERS_EXPECTED);
        for delivery in deliveries {
            let Some(route) = self.routes.get(&delivery.route) else {
                out.leave_alone();
                continue;
            };
            let parts = Parts::of_delivery(delivery, arena);
            block::headers(parts.headers, &mut headers);
            let random = &mut self.random;
            out.decide(|out| deliver::deliver(out, route, random, delivery, parts, &headers));
        }
        out.end()
    }

    /// See `settle` in `wit/messaging.wit`.
    pub fn settle(&mut self, settlements: &[contract::Settlement], arena: &[u8]) -> Vec<u8> {
        settle::settle(settlements, arena)
    }
}

/// `traceparent`, `tracestate`, `baggage` and one more; a message with more makes the list grow.
const HEADERS_EXPECTED: usize = 4;

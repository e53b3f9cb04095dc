//! The component's state and its calls, without the bindings: what the benchmarks run natively.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging as contract;
use crate::bindings::spanbridge::tracing::types::Propagator as Kind;
use crate::block::{self, Parts};
use crate::carry;
use crate::deliver;
use crate::envelope::Envelope;
use crate::field::Field;
use crate::found;
use crate::output::Output;
use crate::propagator::Propagators;
use crate::publish;
use crate::random::Random;
use crate::route::Route;
use crate::settle;

/// An instance of the component.
#[derive(Debug)]
pub struct Component {
    /// By number, ascending.
    routes: Vec<(u32, Route)>,
    random: Random,
    /// Those of the `propagation` interface.
    pub propagators: Propagators,
}

impl Component {
    /// An instance without routes. The same seed gives the same ids.
    pub fn new(seed: [u64; 4]) -> Self {
        Self {
            routes: Vec::new(),
            random: Random::new(seed),
            propagators: carry::propagators(&[Kind::Tracecontext, Kind::Baggage]),
        }
    }

    /// See `open` in `wit/messaging.wit`.
    pub fn open(&mut self, number: u32, settings: contract::Settings) -> Result<(), String> {
        let route = Route::open(settings)?;
        match self.place(number) {
            Ok(at) => self.routes[at].1 = route,
            Err(at) => self.routes.insert(at, (number, route)),
        }
        Ok(())
    }

    /// See `close` in `wit/messaging.wit`.
    pub fn close(&mut self, number: u32) {
        if let Ok(at) = self.place(number) {
            self.routes.remove(at);
        }
    }

    /// Where a route is, or where it would have to be.
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.routes.binary_search_by_key(&number, |(number, _)| *number)
    }

    /// See `fields` in `wit/messaging.wit`.
    pub fn fields(&self, number: u32) -> Vec<contract::Field> {
        let Some(route) = find(&self.routes, number) else { return Vec::new() };
        let hints = [Field::MtActivityPropagation, Field::StartNewTrace];
        let read = route.propagators.reads().chain(hints);
        // What else such a body says goes onto the span, whatever the headers have.
        let body_says_more = route.envelope.as_ref().is_some_and(Envelope::says_more);
        read.map(|field| contract::Field {
            number: field as u8,
            name: field.name().to_string(),
            family: field.is_family(),
            spares_body: found::names_a_span(field) && !body_says_more,
        })
        .collect()
    }

    /// See `publish` in `wit/messaging.wit`.
    pub fn publish(&mut self, messages: &[contract::Message], arena: &[u8]) -> contract::Answer {
        let mut out = Output::new(messages.len());
        let mut headers = Vec::with_capacity(HEADERS_EXPECTED);
        for message in messages {
            let Some(route) = find(&self.routes, message.route) else {
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
            let Some(route) = find(&self.routes, delivery.route) else {
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

/// The route of a number. Hosts count from 0, so that it is nearly always where its number says.
fn find(routes: &[(u32, Route)], number: u32) -> Option<&Route> {
    match routes.get(number as usize) {
        Some((found, route)) if *found == number => Some(route),
        _ => {
            let at = routes.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            routes.get(at).map(|(_, route)| route)
        }
    }
}

/// `traceparent`, `tracestate`, `baggage` and one more; a message with more makes the list grow.
const HEADERS_EXPECTED: usize = 4;

//! The exports of the component: the contract on one side, the modules on the other.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::UnsafeCell;

use crate::arena;
use crate::bindings::exports::spanbridge::tracing::{messaging, propagation};
use crate::bindings::spanbridge::tracing::types::{Propagator, Splice};
use crate::bindings::wasi::random::random::get_random_u64;
use crate::carry;
use crate::component::Component;

// The target leaves comparing and copying memory to its C library.
#[link(name = "c")]
unsafe extern "C" {}

struct Exports;

#[expect(unreachable_pub, reason = "generated")]
mod glue {
    use super::Exports;

    crate::bindings::export!(Exports with_types_in crate::bindings);
}

struct Instance(UnsafeCell<Option<Component>>);

// SAFETY: a component has one thread.
unsafe impl Sync for Instance {}

static INSTANCE: Instance = Instance(UnsafeCell::new(None));

/// Runs `call` on the instance, which is made on first use.
fn with<T>(call: impl FnOnce(&mut Component) -> T) -> T {
    // SAFETY: one thread, and no export calls another.
    let instance = unsafe { &mut *INSTANCE.0.get() };
    let component =
        instance.get_or_insert_with(|| Component::new(core::array::from_fn(|_| get_random_u64())));
    call(component)
}

impl messaging::Guest for Exports {
    fn fields(route: messaging::Route) -> Vec<messaging::Field> {
        arena::begin_call();
        with(|component| component.fields(route))
    }

    fn open(route: messaging::Route, settings: messaging::Settings) -> Result<(), String> {
        arena::begin_call();
        with(|component| arena::keep(|| component.open(route, settings.clone())))
    }

    fn close(route: messaging::Route) {
        arena::begin_call();
        with(|component| component.close(route));
    }

    fn publish(messages: Vec<messaging::Message>, arena: Vec<u8>) -> messaging::Answer {
        arena::begin_call();
        with(|component| component.publish(&messages, &arena))
    }

    fn deliver(deliveries: Vec<messaging::Delivery>, arena: Vec<u8>) -> messaging::Answer {
        arena::begin_call();
        with(|component| component.deliver(&deliveries, &arena))
    }

    fn settle(settlements: Vec<messaging::Settlement>, arena: Vec<u8>) -> Vec<u8> {
        arena::begin_call();
        with(|component| component.settle(&settlements, &arena))
    }
}

impl propagation::Guest for Exports {
    fn configure(propagators: Vec<Propagator>) {
        arena::begin_call();
        with(|component| component.propagators = carry::propagators(&propagators));
    }

    fn fields() -> Vec<String> {
        arena::begin_call();
        with(|component| {
            component.propagators.writes().map(|field| field.name().to_string()).collect()
        })
    }

    fn extract(carrier: Vec<(String, String)>) -> Option<propagation::Context> {
        arena::begin_call();
        with(|component| carry::extract(component.propagators, &carrier))
    }

    fn inject(context: propagation::Context) -> Vec<(String, String)> {
        arena::begin_call();
        with(|component| carry::inject(component.propagators, context))
    }

    fn extract_body(field: String, body: Vec<u8>) -> Option<propagation::Context> {
        arena::begin_call();
        with(|component| carry::extract_body(component.propagators, &field, &body))
    }

    fn inject_body(
        field: String,
        body: Vec<u8>,
        context: propagation::Context,
    ) -> Option<Vec<Splice>> {
        arena::begin_call();
        with(|component| carry::inject_body(component.propagators, &field, &body, context))
    }
}

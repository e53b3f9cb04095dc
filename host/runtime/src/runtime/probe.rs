//! Calls of a component that no message waits for, and those that show whether it is fit for use.

use crate::answer::Buffers;
use crate::bits::MessageBits;
use crate::check;
use crate::error::Error;
use crate::instance::{Failure, Instance};
use crate::limits::CONTROL_CPU_MAX;
use crate::pool::Factory;
use crate::record::{Head, Message};
use crate::resource::ResourceId;
use crate::settings::RouteSettings;
use crate::sink::Sink;

/// Calls a fresh instance for something that no message waits for.
pub(crate) fn control<T>(
    factory: &Factory,
    calls: impl FnOnce(&mut Instance) -> Result<T, Failure>,
) -> Result<T, Error> {
    let caller = factory.engine.caller();
    let running = caller.as_ref().map(|caller| caller.begin());
    let mut instance =
        factory.make().map_err(|error| Error::probe("it cannot be instantiated").because(error))?;
    instance.begin(CONTROL_CPU_MAX);
    let result = calls(&mut instance).map_err(|failure| Error::probe(failure.text()));
    drop(running);
    result
}

/// Calls a component once before it is accepted: a route, and a message of it.
pub(super) fn probe(factory: &Factory) -> Result<(), Error> {
    control(factory, |instance| {
        if instance.open(0, &RouteSettings::new("spanbridge"))?.is_err() {
            return Err(Failure::Answer);
        }
        instance.fields(0)?;
        send(instance)
    })
}

/// Hands in a message of route 0 that may not be changed, so that any edit is a flaw.
pub(super) fn send(instance: &mut Instance) -> Result<(), Failure> {
    let arena = b"spanbridge.probe";
    let bits = MessageBits::READ_ONLY.bits();
    let head = Head { bits, destination: arena.len() as u32, ..Head::default() };
    let record = Message { head, start: 1, end: 2, ..Message::default() };
    let raw = instance.publish(&[record], arena)?;
    let (mut out, sink) = (Buffers::default(), Sink::discarding());
    let taken = check::take(raw, &[record], &[ResourceId::DEFAULT], &[], &mut out, &sink);
    taken.map_err(|_| Failure::Answer)
}

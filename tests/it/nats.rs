//! NATS through the gateway: untouched clients, real brokers, spans at a foreign receiver.

mod bytes;
mod cluster;
mod consumers;
mod core;
mod edges;
mod envelopes;
mod events;
mod jetstream;

use spanbridge_tests::Span;

/// Runs a scenario, a function of the broker's flavour, once on each broker.
macro_rules! on_both_brokers {
    ($($name:ident => $scenario:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn debian() -> Result<()> {
                $scenario(spanbridge_tests::Flavour::Debian)
            }

            #[test]
            fn current() -> Result<()> {
                $scenario(spanbridge_tests::Flavour::Current)
            }
        }
    )+};
}

pub(crate) use on_both_brokers;

/// The spans of a name, in the order of their start.
fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    let mut found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    found.sort_by_key(|span| span.start);
    found
}

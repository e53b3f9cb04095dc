//! Laws of the component, run natively.

mod carrier;
mod component;
mod envelope;
mod input;
mod protobuf;

pub use carrier::carrier;
pub use component::component;
pub use envelope::envelope;

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::Envelope as Named;
use spanbridge_guest::envelope::Envelope;

/// Kinds of envelopes, by number.
const KINDS: [&str; 8] =
    ["json", "kombu", "bullmq", "sidekiq", "cloudevents", "auto", "json", "kombu"];

/// An envelope as a route names it; the lowest three bits of `choice` say which.
fn named(choice: u8) -> Named {
    let kind = KINDS[usize::from(choice & 7)];
    Named { kind: kind.to_owned(), field: String::new() }
}

fn known(choice: u8) -> Envelope {
    Envelope::new(named(choice)).expect("all kinds are known")
}

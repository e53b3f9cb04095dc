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

/// An envelope as a route names it; bit 0 of `choice` says which.
fn named(choice: u8) -> Named {
    let kind = if choice & 1 == 0 { "json" } else { "kombu" };
    Named { kind: kind.to_owned(), field: String::new() }
}

fn known(choice: u8) -> Envelope {
    Envelope::new(named(choice)).expect("both kinds are known")
}

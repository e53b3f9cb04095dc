//! The NATS relay with the component in it, between two peers in memory.

mod behaviour;
mod capture;
mod chaos;
mod envelopes;
mod faults;
mod frames;
mod harness;
mod policies;
mod refusals;
mod routes;
mod session;
mod settlements;
mod simulation;

#[path = "../rig/bed.rs"]
mod bed;
#[path = "../rig/expected.rs"]
mod expected;
#[path = "../rig/faulty.rs"]
mod faulty;
#[path = "../rig/random.rs"]
mod random;
#[path = "../rig/session.rs"]
mod session_rig;
#[path = "../rig/spans.rs"]
mod spans;

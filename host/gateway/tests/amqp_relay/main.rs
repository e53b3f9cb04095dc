//! The AMQP relay with the component in it, between two peers in memory.

mod bytes;
mod connection;
mod consuming;
mod faults;
mod frames;
mod harness;
mod publishing;
mod routes;
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

//! The Redis relay with the component in it, between two peers in memory.

mod bytes;
mod channels;
mod faults;
mod harness;
mod lists;
mod reading;
mod replies;
mod routes;
mod settling;
mod sidekiq;
mod streams;
mod topology;

#[path = "../rig/bed.rs"]
mod bed;
#[path = "../rig/faulty.rs"]
mod faulty;
#[path = "../rig/random.rs"]
mod random;
#[path = "../rig/session.rs"]
mod session_rig;
#[path = "../rig/spans.rs"]
mod spans;

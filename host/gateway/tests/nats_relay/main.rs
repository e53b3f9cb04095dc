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

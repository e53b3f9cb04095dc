//! The runtime with its own component, and with one that fails on demand.
//!
//! One program, because linking a compiler takes longer than all of these tests.

mod cache;
mod faults;
mod faulty;
mod load;
mod propagator;
mod spans;
mod swap;
mod threads;
mod tracer;

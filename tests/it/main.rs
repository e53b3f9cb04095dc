//! Integration tests: the program, real brokers, unmodified clients, a receiver that is not ours.
//!
//! `cargo build -p spanbridge-gateway` first; the tests run what lies beside them. Each test has
//! its own broker and gateway on ports of their own, so all of them run at the same time.

#![expect(
    clippy::panic_in_result_fn,
    clippy::unwrap_in_result,
    reason = "a test's assertion is a panic, and so is its surprise"
)]

mod admin;
mod amqp;
mod cli;
mod config;
mod demo;
mod faults;
mod harness;
mod nats;
mod net;
mod rabbitmq_plugin;
mod readme;
mod redis;
mod redis_module;
mod soak;
mod tidy;
mod traffic;

//! The component: everything Spanbridge decides about a trace crossing a queue.
//!
//! This file names the modules and decides nothing. They also compile natively, for unit tests,
//! the conformance vectors, fuzzing and the benchmarks.
//!
//! ```text
//! exports ── the contract in wit/, bound           (wasm only, with arena)
//!    │
//! component ─ publish · deliver · settle           decide about a message
//!    │            │
//!    │         found · lineage · sampler · member  what context means
//!    │         inject · edit                       what changes in the message
//!    │         span · describe · attributes        what is recorded
//!    └─ propagator ─ traceparent · tracestate · baggage · b3 · jaeger · xray · ottrace
//! ```
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod b3;
pub mod baggage;
pub mod bindings;
pub mod carrier;
pub mod carry;
pub mod component;
pub mod context;
pub mod env_carrier;
pub mod envelope;
pub mod field;
pub mod id;
pub mod jaeger;
pub mod ot_sampling;
pub mod ottrace;
pub mod propagator;
pub mod random;
pub mod traceparent;
pub mod tracestate;
pub mod xray;

#[cfg(target_arch = "wasm32")]
mod arena;
mod attributes;
mod block;
mod decimal;
mod deliver;
mod describe;
mod edit;
#[cfg(target_arch = "wasm32")]
mod exports;
mod found;
mod fresh;
mod hex;
mod inject;
mod lineage;
mod member;
mod output;
mod percent;
mod protobuf;
mod publish;
mod rfc3339;
mod route;
mod sampler;
mod semconv;
mod settle;
mod span;
mod text;

//! The gateway as a library: what the `spanbridge` program runs, and its tests drive.
//!
//! ```text
//! serve ── environment, signals, summary                         admin ── metrics, health
//! gateway ── routes, threads, drain
//!    │ listener ── accepts; brokers ── finds one                 measure ── messages, timed
//!    │    net ── what comes before a session: TLS, PROXY headers, limits
//!    │    session ── one client connection and its broker connection
//!    │       relay ── one protocol's logic, no sockets          open_spans ── one table a process
//!    └ config                                                   service ── whose spans they are
//! reload ── another configuration meanwhile       routing ── which route a message belongs to
//! ```
//!
//! Sockets and clocks end at `session`; what a frame is, is known from `relay` down; what trace
//! context is, is known to the component alone.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod address;
pub mod admin;
mod brokers;
pub mod carrier_json;
pub mod check_config;
pub mod cli;
pub mod close;
pub mod config;
pub mod demo;
pub mod failure;
pub mod gateway;
pub mod header_names;
mod listener;
mod live;
pub mod log;
pub mod measure;
pub mod nats_events;
pub mod net;
mod notify;
pub mod open_spans;
pub mod precompile;
pub mod relay;
pub mod reload;
pub mod routes;
pub mod routing;
pub mod scrub;
pub mod serve;
pub mod service;
mod session;
mod threads;
mod timestamp;
mod worker;

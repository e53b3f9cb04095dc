//! The gateway as a library: what the `spanbridge` program runs, and its tests drive.
//!
//! ```text
//! serve ── environment, signals, summary                         admin ── metrics, health
//! gateway ── routes, threads, drain
//!    │ listener ── accepts; brokers ── finds one                 measure ── messages, timed
//!    │    session ── one client connection and its broker connection
//!    │       relay ── one protocol's logic, no sockets          open_spans ── one table a process
//!    └ config                                                   service ── whose spans they are
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
pub mod cli;
pub mod close;
pub mod config;
pub mod demo;
pub mod failure;
pub mod gateway;
mod listener;
pub mod log;
pub mod measure;
pub mod open_spans;
pub mod relay;
pub mod serve;
pub mod service;
mod session;
mod threads;
mod worker;

//! The Redis module: traces what is added to streams and lists, inside the server.
//!
//! ```text
//! client ─▶ redis-server ─▶ command filter ─▶ component ─▶ more arguments ─▶ the command runs
//!                               │                 └── span ─▶ exporter thread ─▶ OTLP
//!                               └── any other command, any trouble: as it came
//! ```
//!
//! It sees publishes and not deliveries: a filter gets no replies. Consumers' spans come from an
//! instrumented worker or from a gateway.
//!
//! It is a guest. Nothing here blocks the server's thread, handles a signal, or lets a panic out;
//! every entry from C catches what is thrown. See "Redis modules API".
#![deny(unsafe_code)]

mod arguments;
mod changes;
mod config;
mod entry;
#[expect(unsafe_code, reason = "the server speaks C")]
mod ffi;
mod glob;
mod info;
mod job;
mod log;
mod module;
mod options;
mod pattern;
mod rules;
mod variable;
mod xadd;

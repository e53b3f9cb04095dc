//! The native half of the RabbitMQ plugin: what traces publishes, and what exports their spans.
//!
//! ```text
//! a channel's process ─▶ nif ─▶ node ─▶ runtime ─▶ component
//!                                │ spans
//!                                ▼
//!                              queue ─▶ a process of the broker's ─▶ pipe ─▶ export (a program)
//! ```
//!
//! `nif/` is the library around it that the broker loads, `erl/` holds the other half. Nothing here
//! opens a socket in the broker, or a file.
#![deny(unsafe_code)]

mod call;
pub mod export;
pub mod frame;
pub mod log;
mod message;
mod node;
mod queue;
mod rules;
mod slot;

pub use call::Call;
pub use message::{HEADERS_MAX, Job, Message};
pub use node::{Channel, Node, NodeConfig};
pub use queue::{Frame, Queue};
pub use rules::{RULES_MAX, RuleConfig};

//! Faults: whatever fails beside a message, the message arrives whole, once, and in order.

mod broker;
mod component;
mod gateway;
mod receiver;

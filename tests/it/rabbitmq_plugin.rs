//! The plugin inside a real RabbitMQ: untouched clients, spans at a foreign receiver.

use anyhow::Result;
use serde_json::Value;
use spanbridge_tests::Client;

mod bytes;
mod clients;
mod current;
mod faults;
mod lifecycle;
mod settings;
mod together;

/// Publishes with a client program and takes the messages out again. Answers what the worker said
/// of each.
fn send_and_take(script: &str, url: &str, queue: &str, count: usize) -> Result<Vec<Value>> {
    let count = count.to_string();
    let common = ["--url", url, "--queue", queue, "--count", &count];
    Client::run(script, &[&["produce"], &common[..]].concat())?;
    let mut said = Client::run(script, &[&["work"], &common[..]].concat())?;
    said.retain(|said| said["event"] == "message");
    Ok(said)
}

/// The trace-id and the span-id of the context that a worker found in a message; none.
fn context(message: &Value) -> Option<(&str, &str)> {
    let value = message["headers"]["traceparent"].as_str()?;
    Some((value.get(3..35)?, value.get(36..52)?))
}

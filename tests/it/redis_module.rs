//! The Redis module in a real redis-server, with what an operator does to such a server.

use anyhow::Result;
use spanbridge_tests::{RedisModule, Span};

mod bullmq;
mod celery;
mod faults;
mod lifecycle;
mod persistence;
mod publishes;
mod together;

/// Starts a server, or leaves the test where there is none and may be none.
macro_rules! start {
    ($($argument:expr),+) => {
        match super::begin($($argument),+)? {
            Some(module) => module,
            None => return Ok(()),
        }
    };
}
use start;

fn begin(words: &str, arguments: &[&str]) -> Result<Option<RedisModule>> {
    RedisModule::start_with("default", words, arguments)
}

/// The value behind a name in an entry.
fn field<'e>(entry: &'e [String], name: &str) -> Option<&'e str> {
    let fields = entry.get(1..)?;
    let mut pairs = fields.chunks_exact(2);
    pairs.find(|pair| pair[0].eq_ignore_ascii_case(name)).map(|pair| pair[1].as_str())
}

/// The span that wrote a traceparent.
fn writer<'s>(spans: &'s [Span], traceparent: &str) -> Option<&'s Span> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace, parent) = (parts.next()?, parts.next()?);
    spans.iter().find(|span| span.trace_id == trace && span.span_id == parent)
}

//! The Redis module in a real server, with what an operator does to such a server.

use anyhow::Result;
use spanbridge_tests::{Make, RedisModule, Setup, Span};

mod bullmq;
mod celery;
mod clients;
mod faults;
mod lifecycle;
mod load;
mod loadex;
mod persistence;
mod publishes;
mod settings;
mod together;

/// Starts a server, or leaves the test where there is none and may be none.
macro_rules! start {
    ($make:expr, $words:expr $(, $argument:expr)*) => {
        match super::begin($make, $words, &[$($argument),*])? {
            Some(module) => module,
            None => return Ok(()),
        }
    };
}
use start;

/// Makes tests of functions, for each make of server.
macro_rules! with_each_server {
    ($($test:ident),+ $(,)?) => {
        mod in_redis {
            $(#[test]
            fn $test() -> anyhow::Result<()> {
                super::$test(spanbridge_tests::Make::Redis)
            })+
        }
        mod in_valkey {
            $(#[test]
            fn $test() -> anyhow::Result<()> {
                super::$test(spanbridge_tests::Make::Valkey)
            })+
        }
    };
}
use with_each_server;

fn begin(make: Make, words: &str, arguments: &[&str]) -> Result<Option<RedisModule>> {
    RedisModule::start(&Setup { make, words, arguments, ..Setup::default() })
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

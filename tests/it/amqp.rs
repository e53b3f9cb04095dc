//! RabbitMQ through the gateway: untouched clients, a real broker, spans at a foreign receiver.

use anyhow::Result;
use serde_json::Value;
use spanbridge_tests::gateway::Exit;
use spanbridge_tests::{AmqpBed, Client, Span};

use crate::nats::named;

mod broker;
mod bytes;
mod celery;
mod clients;
mod consume;
mod drain;
mod edges;
mod faults;
mod prefetch;
mod publish;
mod tls;

/// Counters that nothing moves while all goes well.
const ODD: [&str; 8] = [
    "settle_unmatched",
    "sessions_raw",
    "messages_untraced",
    "messages_unreadable",
    "settlements_lost",
    "component_failures",
    "injections_skipped",
    "spans_dropped",
];

/// What came of a role of a client program.
struct Played {
    /// What the client said.
    said: Vec<Value>,
    spans: Vec<Span>,
}

/// Runs a role of a client program through a gateway, in a vhost of its own.
fn play(script: &str, role: &str) -> Result<Option<Played>> {
    let Some(bed) = AmqpBed::start()? else { return Ok(None) };
    let said = Client::run(script, &[role, "--url", &bed.url()])?;
    let (exit, spans) = bed.finish()?;
    check_exit(&exit);
    Ok(Some(Played { said, spans }))
}

/// The gateway ended well, and nothing odd came by.
fn check_exit(exit: &Exit) {
    assert!(exit.status.success(), "{:?}", exit.status);
    for name in ODD {
        assert_eq!(exit.counted(&[name]), 0.0, "{name}: {:#?}", exit.summary);
    }
}

/// The `spanbridge.outcome` of each span of a name, in the order of their start.
fn outcomes<'a>(spans: &'a [Span], name: &str) -> Vec<&'a str> {
    let spans = named(spans, name).into_iter();
    spans.map(|span| span.text("spanbridge.outcome").unwrap_or("none")).collect()
}

/// How often each outcome is among the spans of a name.
fn count(spans: &[Span], name: &str, outcome: &str) -> usize {
    outcomes(spans, name).into_iter().filter(|found| *found == outcome).count()
}

/// The publish span that a process span is a child of.
fn parent<'a>(process: &Span, publishes: &[&'a Span]) -> Option<&'a Span> {
    publishes.iter().copied().find(|publish| process.is_child_of(publish))
}

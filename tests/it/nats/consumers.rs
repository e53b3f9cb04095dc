//! JetStream consumers of every kind, and what the server says beside messages.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use spanbridge_tests::{Bed, Client, Flavour, Kind, Span};

use super::{named, on_both_brokers};

/// The name of every process span here.
const PROCESS: &str = "process items.new";

on_both_brokers! {
    everything_that_can_be_said_of_a_delivery_ends_its_span => settle;
    nothing_is_claimed_where_nothing_is_acknowledged => none;
    ordered_consumer_shows_deliveries_only => ordered;
    one_acknowledgement_ends_all_before_it => all;
    status_of_the_server_is_no_message => statuses;
    stream_that_refuses_our_size_is_left_alone => size;
}

/// What came of a role.
struct Played {
    /// What the client said.
    said: Vec<Value>,
    spans: Vec<Span>,
    /// The sum of counters that nothing of this should move.
    odd: f64,
}

/// Runs a client's role through a gateway.
fn run(flavour: Flavour, role: &str) -> Result<Option<Played>> {
    let Some(bed) = Bed::start(flavour)? else { return Ok(None) };
    let url = bed.gateway.url();
    let said = Client::run("nats_consumers.py", &[role, "--server", &url])?;
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    let odd = ["settle_unmatched", "sessions_raw", "messages_untraced", "settlements_lost"];
    let odd = odd.iter().map(|name| exit.counted(&[name])).sum();
    Ok(Some(Played { said, spans, odd }))
}

/// How the process spans of each message ended, by its number in the stream.
fn outcomes(spans: &[Span]) -> BTreeMap<u64, Vec<String>> {
    let mut outcomes = BTreeMap::<u64, Vec<String>>::new();
    for span in named(spans, PROCESS) {
        let sequence = span.number("messaging.nats.sequence").unwrap_or(0.0) as u64;
        let outcome = span.text("spanbridge.outcome").unwrap_or("none");
        outcomes.entry(sequence).or_default().push(outcome.to_owned());
    }
    outcomes
}

fn expected(of: &[&[&str]]) -> BTreeMap<u64, Vec<String>> {
    let owned = |outcomes: &&[&str]| outcomes.iter().map(|&name| name.to_owned()).collect();
    (1..).zip(of.iter().map(owned)).collect()
}

fn settle(flavour: Flavour) -> Result<()> {
    let Some(Played { said, spans, odd }) = run(flavour, "settle")? else { return Ok(()) };
    assert_eq!(odd, 0.0, "every settlement was of a known delivery");
    assert_eq!(said.len(), 6, "{said:?}");
    assert_eq!(said[0]["answer"], "", "the server's answer to a double acknowledgement");
    let ended = expected(&[&["ack"], &["term"], &["nack", "ack"], &["ack"], &["ack"]]);
    assert_eq!(outcomes(&spans), ended, "{spans:#?}");
    let [first, second] = named(&spans, PROCESS)
        .into_iter()
        .filter(|span| span.number("messaging.nats.sequence") == Some(3.0))
        .collect::<Vec<_>>()[..]
    else {
        panic!("two attempts: {spans:#?}");
    };
    assert!(second.is_linked_to(first), "{second:#?}");
    assert_eq!(first.number("spanbridge.redelivery_delay"), Some(0.3));
    assert_eq!(second.number("spanbridge.attempt"), Some(2.0));
    assert_eq!(spans.len(), 5 + 6, "no spans of settlements and answers: {spans:#?}");
    Ok(())
}

fn none(flavour: Flavour) -> Result<()> {
    deliveries_only(flavour, "none")
}

fn ordered(flavour: Flavour) -> Result<()> {
    deliveries_only(flavour, "ordered")
}

fn deliveries_only(flavour: Flavour, role: &str) -> Result<()> {
    let Some(Played { said, spans, odd }) = run(flavour, role)? else { return Ok(()) };
    assert_eq!((said.len(), odd), (5, 0.0), "{said:?}");
    let (publishes, processes) = (named(&spans, "publish items.new"), named(&spans, PROCESS));
    assert_eq!((publishes.len(), processes.len(), spans.len()), (5, 5, 10), "{spans:#?}");
    for (publish, process) in publishes.iter().zip(&processes) {
        assert!(process.is_child_of(publish) && process.kind == Kind::Consumer, "{process:#?}");
        assert_eq!(process.text("spanbridge.execution"), Some("unseen"), "{process:#?}");
        assert_eq!(process.text("spanbridge.outcome"), None, "{process:#?}");
        assert_eq!(process.start, process.end, "{process:#?}");
        assert!(process.number("spanbridge.queue_wait").is_some(), "{process:#?}");
    }
    Ok(())
}

fn all(flavour: Flavour) -> Result<()> {
    let Some(Played { said, spans, odd }) = run(flavour, "all")? else { return Ok(()) };
    assert_eq!((said.len(), odd), (5, 0.0), "{said:?}");
    assert_eq!(outcomes(&spans), expected(&[&["ack"][..]; 5]), "{spans:#?}");
    let ends: Vec<u64> = named(&spans, PROCESS).iter().map(|span| span.end).collect();
    assert_eq!((ends[0], ends[1], ends[3]), (ends[2], ends[2], ends[4]), "{ends:?}");
    assert!(ends[2] < ends[4], "{ends:?}");
    Ok(())
}

fn statuses(flavour: Flavour) -> Result<()> {
    let Some(Played { said, spans, odd }) = run(flavour, "statuses")? else { return Ok(()) };
    assert_eq!(odd, 0.0);
    let codes: Vec<u64> = said.iter().filter_map(|status| status["code"].as_u64()).collect();
    assert_eq!(codes, [503, 404, 408, 100, 409]);
    // All that is left is the request that nobody listened to.
    let [request] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert_eq!(request.name, "publish nobody.listens");
    assert_eq!(request.text("spanbridge.outcome"), Some("returned"), "{request:#?}");
    Ok(())
}

fn size(flavour: Flavour) -> Result<()> {
    let Some(Played { said, spans, odd }) = run(flavour, "size")? else { return Ok(()) };
    assert_eq!(odd, 0.0);
    let events: Vec<_> = said.iter().map(|said| said["event"].as_str().unwrap_or("")).collect();
    assert_eq!(events, ["refused", "stored", "stored"], "the first one teaches: {said:?}");
    assert_eq!(said[0]["err_code"], 10054);
    let outcomes: Vec<_> = spans.iter().filter_map(|s| s.text("spanbridge.outcome")).collect();
    assert_eq!(outcomes, ["refused", "confirmed", "confirmed"], "{spans:#?}");
    Ok(())
}

#[test]
fn messages_of_an_atomic_batch_are_stored_together_with_their_context() -> Result<()> {
    let Some(Played { said, spans, odd }) = run(Flavour::Current, "batch")? else { return Ok(()) };
    assert_eq!(odd, 0.0);
    assert_eq!((&said[0]["batch"], &said[0]["count"]), (&"one".into(), &3.into()), "{said:?}");
    let publishes = named(&spans, "publish items.new");
    assert_eq!((publishes.len(), spans.len()), (3, 3), "{spans:#?}");
    // Only the one that commits is answered; what nobody answers has no outcome.
    let outcomes: Vec<_> = publishes.iter().map(|s| s.text("spanbridge.outcome")).collect();
    assert_eq!(outcomes, [None, None, Some("confirmed")], "{spans:#?}");
    Ok(())
}

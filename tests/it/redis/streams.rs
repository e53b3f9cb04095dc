//! Streams with redis-py, in both versions of the protocol.

use anyhow::Result;
use serde_json::Value;
use spanbridge_tests::{Client, Kind, RedisBed, Span};

use super::check_exit;
use crate::nats::named;

/// What came of a few roles of the client program, one after the other.
struct Played {
    said: Vec<Value>,
    spans: Vec<Span>,
}

/// Runs roles of the client program through one gateway.
fn play(lines: &str, protocol: &str, roles: &[&[&str]]) -> Result<Option<Played>> {
    let Some(bed) = RedisBed::start(lines)? else { return Ok(None) };
    let (url, mut said) = (bed.gateway.url(), Vec::new());
    for role in roles {
        let arguments = [*role, &["--url", &url, "--protocol", protocol]].concat();
        said.extend(Client::run("redis_streams.py", &arguments)?);
    }
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    Ok(Some(Played { said, spans }))
}

fn ids(said: &[Value], event: &str) -> Vec<String> {
    let said = said.iter().filter(|said| said["event"] == event);
    said.map(|said| said["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn producer_and_worker_are_one_trace_for_each_entry() -> Result<()> {
    for protocol in ["2", "3"] {
        let roles: [&[&str]; 2] = [&["produce"], &["work", "--count", "9", "--work", "0.02"]];
        let Some(Played { said, spans }) = play("", protocol, &roles)? else { return Ok(()) };
        let publishes = named(&spans, "publish orders");
        let processes = named(&spans, "process orders");
        assert_eq!((publishes.len(), processes.len(), spans.len()), (9, 9, 18), "{spans:#?}");
        assert_eq!(ids(&said, "added"), ids(&said, "done"));
        for process in &processes {
            let parent = publishes.iter().find(|publish| process.is_child_of(publish));
            let parent = parent.unwrap_or_else(|| panic!("no publish: {process:#?}"));
            assert_eq!((parent.service.as_str(), parent.kind), ("shop", Kind::Producer));
            assert_eq!((process.service.as_str(), process.kind), ("billing", Kind::Consumer));
            assert_eq!(parent.text("spanbridge.outcome"), Some("confirmed"));
            assert_eq!(process.text("spanbridge.outcome"), Some("ack"));
            assert_eq!(process.text("messaging.consumer.group.name"), Some("workers"));
            assert!(process.duration().as_millis() >= 20, "{process:#?}");
            let wait = process.number("spanbridge.queue_wait");
            assert!(wait.is_some_and(|wait| (0.0..60.0).contains(&wait)), "{process:#?}");
        }
        let mut found: Vec<_> =
            processes.iter().map(|it| it.text("messaging.message.id")).collect();
        let done = ids(&said, "done");
        let mut expected: Vec<_> = done.iter().map(|id| Some(id.as_str())).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let done = said.iter().find(|said| said["event"] == "done").map(|said| &said["fields"]);
        let traceparent = done.and_then(|fields| fields["traceparent"].as_str()).unwrap_or("");
        assert!(publishes.iter().any(|it| traceparent.contains(&it.span_id)), "{said:?}");
    }
    Ok(())
}

#[test]
fn entry_that_another_consumer_takes_over_has_two_attempts() -> Result<()> {
    for protocol in ["2", "3"] {
        let roles: [&[&str]; 2] = [&["produce", "--count", "1"], &["claim", "--work", "0.05"]];
        let Some(Played { spans, .. }) = play("", protocol, &roles)? else { return Ok(()) };
        let mut attempts = named(&spans, "process orders");
        attempts.sort_unstable_by_key(|span| span.start);
        let [first, second] = attempts[..] else { panic!("two attempts: {spans:#?}") };
        assert_eq!(first.text("spanbridge.outcome"), Some("claimed"));
        assert_eq!(second.text("spanbridge.outcome"), Some("ack"));
        assert!(second.is_linked_to(first) && first.trace_id == second.trace_id, "{second:#?}");
        assert!(first.duration().as_millis() >= 50 && first.status == 0, "{first:#?}");
    }
    Ok(())
}

#[test]
fn reader_without_a_group_is_not_seen_working() -> Result<()> {
    let roles: [&[&str]; 2] = [&["produce"], &["tail", "--count", "9"]];
    let Some(Played { spans, .. }) = play("", "3", &roles)? else { return Ok(()) };
    let processes = named(&spans, "process orders");
    assert_eq!(processes.len(), 9, "{spans:#?}");
    for span in processes {
        assert_eq!(span.text("spanbridge.execution"), Some("unseen"), "{span:#?}");
        assert_eq!((span.service.as_str(), span.start), ("audit", span.end));
    }
    Ok(())
}

#[test]
fn entry_that_is_refused_is_an_error() -> Result<()> {
    let Some(Played { spans, .. }) = play("", "2", &[&["fail"]])? else { return Ok(()) };
    let [span] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert_eq!((span.name.as_str(), span.status), ("publish text", 2));
    assert_eq!(span.text("spanbridge.outcome"), Some("refused"), "{span:#?}");
    Ok(())
}

#[test]
fn other_commands_pass_and_replies_stay_matched() -> Result<()> {
    for protocol in ["2", "3"] {
        let Some(Played { said, spans }) = play("", protocol, &[&["commands"]])? else {
            return Ok(());
        };
        assert_eq!(said.len(), 2);
        let outcomes: Vec<_> = spans.iter().map(|it| it.text("spanbridge.outcome")).collect();
        assert_eq!(outcomes, [Some("unanswered"), Some("confirmed")], "{spans:#?}");
    }
    Ok(())
}

#[test]
fn route_that_is_off_changes_and_shows_nothing() -> Result<()> {
    let off = "[[route]]\ndestination = \"orders\"\noff = true";
    let roles: [&[&str]; 2] = [&["produce"], &["work", "--count", "9"]];
    let Some(Played { said, spans }) = play(off, "2", &roles)? else { return Ok(()) };
    assert_eq!(spans, []);
    let done: Vec<_> = said.iter().filter(|said| said["event"] == "done").collect();
    assert_eq!(done.len(), 9);
    assert!(done.iter().all(|said| said["fields"]["traceparent"].is_null()), "{done:?}");
    Ok(())
}

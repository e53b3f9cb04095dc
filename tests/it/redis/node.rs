//! ioredis, unmodified, in both versions of the protocol.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;
use spanbridge_tests::{Client, RedisBed, Span, tool};

use super::check_exit;
use crate::nats::named;

/// What came of a few roles of the client program, one after the other.
fn play(protocol: &str, roles: &[&[&str]]) -> Result<Option<(Vec<Value>, Vec<Span>)>> {
    if tool::node()?.is_none() {
        return Ok(None);
    }
    let Some(bed) = RedisBed::start("")? else { return Ok(None) };
    let (url, mut said) = (bed.gateway.url(), Vec::new());
    for role in roles {
        let arguments = [*role, &["--url", &url, "--protocol", protocol]].concat();
        said.extend(Client::run("redis_ioredis.js", &arguments)?);
    }
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    Ok(Some((said, spans)))
}

fn ids<'a>(said: &'a [Value], event: &str) -> BTreeSet<&'a str> {
    let said = said.iter().filter(|said| said["event"] == event);
    said.filter_map(|said| said["id"].as_str()).collect()
}

#[test]
fn entries_of_ioredis_are_one_trace_each_however_they_are_sent() -> Result<()> {
    for protocol in ["2", "3"] {
        let roles: [&[&str]; 2] = [&["produce"], &["work", "--count", "12"]];
        let Some((said, spans)) = play(protocol, &roles)? else { return Ok(()) };
        let publishes = named(&spans, "publish orders");
        let processes = named(&spans, "process orders");
        assert_eq!((publishes.len(), processes.len(), spans.len()), (12, 12, 24), "{spans:#?}");
        assert_eq!((ids(&said, "added"), ids(&said, "done").len()), (ids(&said, "done"), 12));
        for process in processes {
            let parents = publishes.iter().filter(|publish| process.is_child_of(publish));
            assert_eq!(parents.count(), 1, "{process:#?}");
            assert_eq!(process.text("spanbridge.outcome"), Some("ack"), "{process:#?}");
            assert_eq!(process.service, "billing", "{process:#?}");
        }
        for publish in publishes {
            assert_eq!(publish.text("spanbridge.outcome"), Some("confirmed"), "{publish:#?}");
            assert_eq!(publish.service, "shop", "{publish:#?}");
        }
    }
    Ok(())
}

#[test]
fn what_else_ioredis_says_passes_and_replies_stay_matched() -> Result<()> {
    for protocol in ["2", "3"] {
        let Some((said, spans)) = play(protocol, &[&["commands"]])? else { return Ok(()) };
        assert_eq!(said[0]["protocol"], protocol, "{said:?}");
        let outcome = |name: &str| {
            let span = named(&spans, name)[0];
            span.text("spanbridge.outcome").unwrap_or("none").to_owned()
        };
        let outcomes = ["publish after", "publish never", "publish large"].map(outcome);
        assert_eq!(outcomes, ["confirmed", "unanswered", "refused"], "{spans:#?}");
        assert_eq!(spans.len(), 3, "{spans:#?}");
    }
    Ok(())
}

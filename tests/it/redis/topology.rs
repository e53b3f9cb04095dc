//! Real servers that send clients elsewhere, and redis-py's clients that would go there.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Client, RedisBed, RedisServer};

/// What the clients of this role were told, and how many sessions were refused.
fn play(role: &str, server: Option<RedisServer>, lines: &str) -> Result<Option<(Vec<Value>, f64)>> {
    let Some(server) = server else { return Ok(None) };
    let direct = server.url();
    let Some(bed) = RedisBed::in_front_of(server, lines)? else { return Ok(None) };
    let arguments = [role, "--url", &bed.gateway.url(), "--direct", &direct];
    let said = Client::run("redis_topology.py", &arguments)?;
    let (exit, _) = bed.finish()?;
    anyhow::ensure!(exit.status.success(), "{:?}", exit.status);
    Ok(Some((said, exit.counted(&["sessions_refused"]))))
}

/// What one client was told.
fn told<'a>(said: &'a [Value], event: &str) -> Result<&'a Value> {
    said.iter().find(|said| said["event"] == event).context("nothing was said")
}

#[test]
fn clients_of_a_cluster_and_of_sentinel_are_told_why_they_are_refused() -> Result<()> {
    for (role, server, name, asked) in [
        ("cluster", RedisServer::start_node()?, "Redis Cluster", "slots"),
        ("sentinel", RedisServer::start_sentinel()?, "Sentinel", "sentinel"),
    ] {
        let Some((said, refused)) = play(role, server, "")? else { return Ok(()) };
        // The program ends, though redis-py keeps a cluster's own words from it.
        assert!(told(&said, role)?["error"].is_string(), "{said:#?}");
        for event in ["hello", asked] {
            let error = told(&said, event)?["error"].as_str().unwrap_or_default();
            assert!(error.contains("spanbridge: the broker is a"), "{said:#?}");
            assert!(error.contains(name) && error.contains("announced"), "{said:#?}");
        }
        // Who is told of no other server does not leave.
        assert_eq!(told(&said, "plain")?["answer"], true, "{said:#?}");
        assert!(refused >= 2.0, "{refused}");
    }
    Ok(())
}

#[test]
fn nodes_that_are_said_to_announce_listeners_are_not_refused() -> Result<()> {
    let server = RedisServer::start_node()?;
    let lines = "cluster = \"announced\"\n";
    let Some((said, refused)) = play("cluster", server, lines)? else { return Ok(()) };
    for event in ["hello", "plain", "cluster"] {
        assert_eq!(told(&said, event)?["answer"], true, "{said:#?}");
    }
    assert_eq!(refused, 0.0);
    Ok(())
}

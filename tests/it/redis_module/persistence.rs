//! What lasts: the log of commands, replicas, and children that write snapshots.

use anyhow::Result;
use spanbridge_tests::{
    BOUND, Make, RedisClient, RedisModule, RedisServer, Reply, Setup, eventually,
};

use super::{field, start, with_each_server};

/// Adds entries of all kinds.
fn add(client: &mut RedisClient, count: usize) -> Result<()> {
    for number in 0..count {
        client.say(&format!("XADD orders * number {number}"))?;
        client.call(&["LPUSH", "jobs", r#"{"a":1}"#])?;
        client.call(&["EVAL", "return redis.call('XADD', 'orders', '*', 'a', 1)", "0"])?;
    }
    Ok(())
}

const WORDS: &str = "streams orders lists jobs envelope json";

with_each_server!(
    a_log_of_commands_gives_the_same_data_again,
    a_replica_has_what_its_master_has_with_the_module_on_either_or_both,
    snapshots_are_written_while_messages_are_traced,
);

fn a_log_of_commands_gives_the_same_data_again(make: Make) -> Result<()> {
    let mut module = start!(make, WORDS, "--enable-debug-command", "yes");
    let mut client = module.server.client()?;
    add(&mut client, 50)?;
    for rewrite in [false, true] {
        if rewrite {
            client.say("BGREWRITEAOF")?;
            eventually("the log to be written anew", BOUND, || {
                let info = client.say("INFO persistence")?;
                Ok(info.text().contains("aof_rewrite_in_progress:0").then_some(()))
            })?;
            add(&mut client, 10)?;
        }
        let before = (client.say("DEBUG DIGEST")?, client.entries("orders")?);
        module.server.restart()?;
        client = module.server.client()?;
        eventually("the data to be loaded", BOUND, || {
            Ok(matches!(client.say("PING")?, Reply::Text(_)).then_some(()))
        })?;
        assert_eq!((client.say("DEBUG DIGEST")?, client.entries("orders")?), before);
        assert_eq!(module.number("messages_seen_published")?, 0, "loading is no publish");
    }
    Ok(())
}

fn digest(client: &mut RedisClient) -> Result<Reply> {
    client.say("DEBUG DIGEST")
}

fn a_replica_has_what_its_master_has_with_the_module_on_either_or_both(make: Make) -> Result<()> {
    for (on_master, on_replica) in [(true, true), (true, false), (false, true)] {
        let debug = ["--enable-debug-command", "yes"];
        let plain = || RedisServer::start_of(make, "", &debug, &[]);
        let setup = Setup { make, words: WORDS, arguments: &debug, ..Setup::default() };
        let traced = || RedisModule::start(&setup);
        let (Some(one), Some(other)) = (traced()?, traced()?) else { return Ok(()) };
        let (Some(master), Some(replica)) = (
            if on_master { Some(one.server) } else { plain()? },
            if on_replica { Some(other.server) } else { plain()? },
        ) else {
            return Ok(());
        };
        let (mut at_master, mut at_replica) = (master.client()?, replica.client()?);
        add(&mut at_master, 5)?;
        at_replica.say(&format!("REPLICAOF 127.0.0.1 {}", master.address().port()))?;
        eventually("the replica to be one", BOUND, || {
            let info = at_replica.say("INFO replication")?;
            Ok(info.text().contains("master_link_status:up").then_some(()))
        })?;
        add(&mut at_master, 50)?;
        at_master.say("WAIT 1 20000")?;
        let case = format!("on the master: {on_master}, on the replica: {on_replica}");
        assert_eq!(at_master.entries("orders")?, at_replica.entries("orders")?, "{case}");
        assert_eq!(digest(&mut at_master)?, digest(&mut at_replica)?, "{case}");
        let entries = at_replica.entries("orders")?;
        assert_eq!(entries.len(), 110, "{case}");
        let traced = entries.iter().filter(|entry| field(entry, "traceparent").is_some()).count();
        // Half of them are of a script, which cannot get more arguments in Valkey 9.
        let of_master = if make == Make::Redis { 110 } else { 55 };
        assert_eq!(traced, if on_master { of_master } else { 0 }, "{case}");
        // A replica that becomes a master traces what its clients add.
        at_replica.say("REPLICAOF NO ONE")?;
        at_replica.say("XADD orders * last 1")?;
        let entries = at_replica.entries("orders")?;
        let last = entries.last().map(|entry| field(entry, "traceparent").is_some());
        assert_eq!(last, Some(on_replica), "{case}");
    }
    Ok(())
}

fn snapshots_are_written_while_messages_are_traced(make: Make) -> Result<()> {
    let module = start!(make, "streams orders");
    let mut client = module.server.client()?;
    for round in 0..5 {
        client.say("BGSAVE")?;
        for number in 0..200 {
            client.say(&format!("XADD orders * round {round} number {number}"))?;
        }
        eventually("the snapshot to be written", BOUND, || {
            let info = client.say("INFO persistence")?;
            let is_done = info.text().contains("rdb_bgsave_in_progress:0")
                && info.text().contains("rdb_last_bgsave_status:ok");
            Ok(is_done.then_some(()))
        })?;
    }
    let spans = module.finish()?;
    assert_eq!(spans.len(), 1000, "each span is exported once, by nobody but the server");
    Ok(())
}

//! Unmodified clients of a server with the module: what they send is traced, what they are
//! answered is what they expect.

use std::process::Command;

use anyhow::{Context, Result};
use redis::{Commands, cmd, pipe};
use spanbridge_tests::process::{Process, Stream};
use spanbridge_tests::{BOUND, Client, Make, RedisModule, tool};

use super::{field, start, with_each_server};

with_each_server!(
    ioredis_gets_what_it_expects,
    node_redis_gets_what_it_expects,
    the_crate_redis_gets_what_it_expects,
    redis_cli_gets_what_it_expects,
    redis_benchmark_finds_no_error,
);

/// Checks that a stream has so many entries, each with a context of its own, and answers them.
fn check(module: &RedisModule, stream: &str, count: usize) -> Result<Vec<Vec<String>>> {
    let entries = module.server.client()?.entries(stream)?;
    assert_eq!(entries.len(), count, "{stream}");
    let contexts: Option<Vec<_>> =
        entries.iter().map(|entry| field(entry, "traceparent")).collect();
    let mut contexts = contexts.with_context(|| format!("not all have a context: {entries:?}"))?;
    contexts.sort_unstable();
    contexts.dedup();
    assert_eq!(contexts.len(), count, "{stream}: no context twice");
    Ok(entries)
}

/// Runs a program to its good end, and answers what it said.
fn run(name: &str, command: &mut Command, input: &[&str]) -> Result<Vec<String>> {
    let mut process = Process::spawn(name, command)?;
    for line in input {
        process.say(line)?;
    }
    process.close_stdin();
    let status = process.wait(4 * BOUND)?;
    let (out, err) = (process.lines(Stream::Out), process.lines(Stream::Err));
    assert!(status.success(), "{name}: {status}: {out:#?} {err:#?}");
    let is_bad = |line: &&String| line.to_lowercase().contains("error");
    let found = out.iter().chain(&err).find(is_bad).filter(|line| !line.starts_with("errors: 0,"));
    assert_eq!(found, None, "{out:#?} {err:#?}");
    Ok(out)
}

/// Roles of both programs for Node.js; what they add is checked by their number.
fn node(make: Make, script: &str) -> Result<()> {
    if tool::node()?.is_none() {
        return Ok(());
    }
    for protocol in ["2", "3"] {
        let module = start!(make, "streams * service-name shop");
        let url = module.server.url();
        for role in [&["produce"][..], &["work", "--count", "12"], &["commands"]] {
            let arguments = [role, &["--url", &url, "--protocol", protocol]].concat();
            Client::run(script, &arguments)?;
        }
        check(&module, "orders", 12)?;
        check(&module, "after", 1)?;
        assert_eq!(module.number("panics")?, 0);
        // Besides those, one whose transaction was taken back and one that was refused.
        let spans = module.finish()?;
        let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
        let counts = ["publish orders", "publish after", "publish never", "publish large"];
        assert_eq!(counts.map(count), [12, 1, 1, 1], "{spans:#?}");
        assert_eq!(spans.len(), 15, "{spans:#?}");
    }
    Ok(())
}

fn ioredis_gets_what_it_expects(make: Make) -> Result<()> {
    node(make, "redis_ioredis.js")
}

fn node_redis_gets_what_it_expects(make: Make) -> Result<()> {
    node(make, "redis_node_redis.js")
}

fn the_crate_redis_gets_what_it_expects(make: Make) -> Result<()> {
    for protocol in ["2", "3"] {
        let module = start!(make, "streams orders streams scripts channels news envelope json");
        let url = format!("{}/?protocol={protocol}", module.server.url());
        let client = redis::Client::open(url)?;
        let mut connection = client.get_connection_with_timeout(BOUND)?;
        let mut ids: Vec<String> = vec![connection.xadd("orders", "*", &[("number", 0)])?];
        for is_atomic in [false, true] {
            let mut pipe = pipe();
            if is_atomic {
                pipe.atomic();
            }
            for number in 1..=2 {
                pipe.set("last", number).ignore();
                pipe.xadd("orders", "*", &[("number", number)]);
            }
            ids.extend(pipe.query::<Vec<String>>(&mut connection)?);
        }
        let heard: u64 = connection.publish("news", r#"{"a":1}"#)?;
        let script = "return redis.call('XADD', KEYS[1], '*', 'number', 3)";
        // Of another stream, because in Valkey 9 such an entry gets no context.
        let id: String = cmd("EVAL").arg((script, 1, "scripts")).query(&mut connection)?;
        let refused = cmd("XADD").arg(("last", "*", "a", 1)).query::<String>(&mut connection);
        let entries = check(&module, "orders", 5)?;
        let found: Vec<_> = entries.iter().map(|entry| entry[0].clone()).collect();
        assert_eq!((found, heard, refused.is_err()), (ids, 0, true));
        assert_eq!(
            module.server.client()?.entries("scripts")?[0][..3],
            [id.as_str(), "number", "3"]
        );
        assert_eq!(module.finish()?.len(), 7);
    }
    Ok(())
}

fn redis_cli_gets_what_it_expects(make: Make) -> Result<()> {
    let Some(program) = tool::redis_cli()? else { return Ok(()) };
    let module = start!(make, "streams orders");
    let port = module.server.address().port().to_string();
    let cli = || {
        let mut command = Command::new(&program);
        command.args(["-p", &port, "--no-raw", "-e"]);
        command
    };
    let said = run("redis-cli", cli().args(["XADD", "orders", "1-1", "number", "0"]), &[])?;
    assert_eq!(said, [r#""1-1""#]);
    let lines = ["MULTI", "XADD orders 1-2 number 1", "EXEC", "XADD orders 1-3 number 2"];
    let said = run("redis-cli", &mut cli(), &lines)?;
    assert_eq!(said, ["OK", "QUEUED", r#"1) "1-2""#, r#""1-3""#]);
    // Mass insertion, in inline commands.
    let many: Vec<_> = (0..500).map(|number| format!("XADD orders * number {number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let said = run("redis-cli", Command::new(&program).args(["-p", &port, "--pipe"]), &many)?;
    assert!(said.iter().any(|line| line == "errors: 0, replies: 500"), "{said:?}");
    check(&module, "orders", 503)?;
    assert_eq!(module.finish()?.len(), 503);
    Ok(())
}

fn redis_benchmark_finds_no_error(make: Make) -> Result<()> {
    let Some(program) = tool::redis_benchmark()? else { return Ok(()) };
    let module = start!(make, "streams orders lists other envelope json");
    let port = module.server.address().port().to_string();
    let benchmark = || {
        let mut command = Command::new(&program);
        command.args(["-p", &port, "-c", "20", "-P", "16", "-n", "20000", "--csv"]);
        command
    };
    run("redis-benchmark", benchmark().args(["XADD", "orders", "*", "field", "__data__"]), &[])?;
    check(&module, "orders", 20_000)?;
    // Of what else it measures, nothing is looked at.
    let tests = "ping,set,get,lpush,rpush,lpop,sadd,hset,zadd,mset";
    run("redis-benchmark", benchmark().args(["-t", tests]), &[])?;
    assert_eq!(module.number("messages_seen_published")?, 20_000);
    Ok(())
}

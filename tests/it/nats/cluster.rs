//! Brokers that come, go, and speak of others: clusters, lame duck mode, restarts.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{BOUND, Bed, Client, Flavour, NatsServer, RawNats, eventually, port};

use super::{named, on_both_brokers};

/// CONNECT of a client that takes INFO at any time.
const CONNECT: &str = r#"{"verbose":false,"headers":true,"protocol":1}"#;

on_both_brokers! {
    addresses_of_a_cluster_do_not_lead_clients_past_the_gateway => addresses;
    lame_duck_mode_is_announced_to_clients => lame_duck;
    unmodified_client_comes_back_after_a_restart => restart;
}

/// INFO, as an object.
fn info(line: &[u8]) -> Result<Value> {
    Ok(serde_json::from_slice(line.strip_prefix(b"INFO ").context("INFO")?)?)
}

/// The member of an INFO that comes to a session that has begun: the first one that has it.
fn told_later(client: &mut RawNats, member: &str) -> Result<Value> {
    loop {
        let line = client.line()?;
        if line.starts_with(b"INFO ")
            && let Some(value) = info(&line)?.get(member)
        {
            return Ok(value.clone());
        }
    }
}

fn addresses(flavour: Flavour) -> Result<()> {
    let (one, two) = (port::free()?, port::free()?);
    let member = |own: u16, other: u16| {
        format!(
            "server_name: s{own}\ncluster {{ name: c, host: 127.0.0.1, port: {own}, \
             routes: [nats://127.0.0.1:{other}] }}"
        )
    };
    // JetStream in a cluster of two has no leader for long; core NATS is what is asked for here.
    let Some(bed) = Bed::start_with(flavour, &member(one, two), |same| same)? else {
        return Ok(());
    };
    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    let Some(second) = NatsServer::start_with(flavour, &member(two, one))? else { return Ok(()) };

    // The server tells its clients of the other one, sooner or later.
    let told = eventually("the cluster's addresses", BOUND, || {
        let direct = info(RawNats::connect(bed.server.address())?.info())?;
        let urls = direct["connect_urls"].as_array().map_or(0, Vec::len);
        Ok((urls == 2).then_some(direct))
    })?;
    let through = RawNats::connect(bed.gateway.address())?;
    let through = info(through.info())?;
    assert_eq!(through["connect_urls"], Value::Array(vec![]), "{through}");
    assert_eq!(through["server_name"], told["server_name"]);
    // The client that was there before heard of it as well.
    assert_eq!(told_later(&mut client, "connect_urls")?, Value::Array(vec![]));

    // What goes through the other server is one trace all the same.
    let mut far = RawNats::open(second.address(), CONNECT)?;
    far.send(b"SUB far 1\r\n")?;
    far.round_trip()?;
    let message = eventually("a message from the other server", BOUND, || {
        client.publish("far", b"x")?;
        client.send(b"PING\r\n")?;
        far.send(b"PING\r\n")?;
        let line = far.line()?;
        Ok(line.starts_with(b"HMSG").then_some(line))
    })?;
    assert!(!message.is_empty());
    let (exit, _) = bed.finish()?;
    assert!(exit.counted(&["connect_urls_hidden"]) >= 2.0, "{:?}", exit.summary);
    Ok(())
}

fn lame_duck(flavour: Flavour) -> Result<()> {
    let quick = "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"";
    let Some(mut bed) = Bed::start_with(flavour, quick, |same| same)? else { return Ok(()) };
    let mut client = RawNats::open(bed.gateway.address(), CONNECT)?;
    bed.server.enter_lame_duck_mode()?;
    assert_eq!(told_later(&mut client, "ldm")?, true);
    // It is still served until the server ends the connection.
    client.send(b"SUB duck 1\r\n")?;
    client.publish("duck", b"quack")?;
    assert_eq!(client.message()?.payload, b"quack");
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    Ok(())
}

fn restart(flavour: Flavour) -> Result<()> {
    let Some(mut bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    let client = Client::start("nats_restart.py", &["--server", &url])?;
    // One delivery is unsettled and one publish unanswered when the server goes.
    client.wait_for("delivered")?;
    bed.server.kill()?;
    client.wait_for("disconnected")?;
    std::thread::sleep(Duration::from_millis(100));
    bed.server.restart()?;
    client.wait_for("reconnected")?;
    client.wait_for("again")?;
    client.finish()?;
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    let outcomes = |name: &str| -> Vec<String> {
        let outcome =
            |span: &&spanbridge_tests::Span| span.text("spanbridge.outcome").map(str::to_owned);
        named(&spans, name).iter().filter_map(outcome).collect()
    };
    // The server gave the message to the same client again, and that settled it.
    assert_eq!(outcomes("process restarts.new"), ["expired", "ack"], "{spans:#?}");
    assert_eq!(outcomes("publish restarts.asked"), ["unanswered"], "{spans:#?}");
    assert_eq!(outcomes("publish restarts.new"), ["confirmed"], "{spans:#?}");
    Ok(())
}

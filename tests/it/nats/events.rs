//! `spanbridge nats-events`: what a real server says of its messages, in the trace of the message.

use std::fs;

use anyhow::{Context, Result};
use spanbridge_tests::{
    BOUND, Bed, Client, Flavour, Kind, NatsEvents, NatsServer, RawNats, Receiver, Span, eventually,
    port,
};

use super::named;

/// An account whose sampled messages are traced, and which is everybody's who does not log in.
const TRACED: &str = "accounts { APP {
    users: [
        { user: app, password: app },
        { user: blind, password: secret, permissions: { subscribe: { deny: trace.events } } },
    ]
    jetstream: enabled
    msg_trace { dest: trace.events, sampling: \"100%\" }
    mappings { \"mapped.*\": \"orders.{{wildcard(1)}}\" }
} }
no_auth_user: app";

const SUBJECT: &str = "trace.events";

/// CONNECT of a client that knows headers.
const HEADERS: &str = r#"{"verbose":false,"headers":true,"name":"raw"}"#;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// The spans of servers.
fn of_servers(spans: &[Span]) -> Vec<&Span> {
    spans.iter().filter(|span| span.service == "nats-server").collect()
}

fn publish(client: &mut RawNats, subject: &str, parent: &str, flags: &str) -> Result<()> {
    let block = format!("NATS/1.0\r\ntraceparent: 00-{TRACE_ID}-{parent}-{flags}\r\n\r\n");
    client.publish_with_headers(subject, block.as_bytes(), b"body")
}

#[test]
fn the_server_stands_in_the_trace_between_publish_and_process() -> Result<()> {
    let Some(bed) = Bed::start_with(Flavour::Current, TRACED, |same| same)? else {
        return Ok(());
    };
    let events = NatsEvents::start(&bed.server.url(), SUBJECT, &[], bed.tap.grpc())?;
    let url = bed.gateway.url();
    let core = ["--server", &url, "--subject", "news.today"];
    let reader = [&["subscribe", "--name", "reader"], &core[..]].concat();
    let reader = Client::start("nats_core.py", &reader)?;
    reader.wait_for("ready")?;
    Client::run("nats_producer.py", &[&core[..], &["--name", "writer"]].concat())?;
    reader.finish()?;
    let jobs = ["--server", &url, "--subject", "jobs.new", "--stream", "JOBS"];
    Client::run("nats_producer.py", &[&jobs[..], &["--name", "writer"]].concat())?;

    bed.tap.wait_for_spans("two of the server", |spans| of_servers(spans).len() == 2)?;
    let exit = events.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(exit.counted(&["server_events", "traced"]), 2.0, "{exit:?}");
    let (_, spans) = bed.finish()?;
    let (publish, process) =
        (named(&spans, "publish news.today"), named(&spans, "process news.today"));
    let route = named(&spans, "route news.today")[0];
    assert!(route.is_child_of(publish[0]) && process[0].is_child_of(publish[0]), "{spans:#?}");
    assert_eq!((route.kind, route.status), (Kind::Internal, 0));
    assert_eq!(route.text("messaging.system"), Some("nats"));
    assert_eq!(route.text("spanbridge.nats.account"), Some("APP"));
    assert_eq!(route.number("spanbridge.nats.egresses"), Some(1.0));
    assert_eq!(route.resource["service.version"].as_str().map(|v| v.starts_with("2.")), Some(true));
    assert!(
        route.start > publish[0].start && route.start <= route.end,
        "one clock, on one machine"
    );

    let stored = named(&spans, "route jobs.new")[0];
    assert!(stored.is_child_of(named(&spans, "publish jobs.new")[0]), "{spans:#?}");
    Ok(())
}

#[test]
fn a_second_server_stands_below_the_first() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let (one, two) = (port::free()?, port::free()?);
    let member = |own: u16, other: u16| {
        format!(
            "{TRACED}\nserver_name: s{own}\ncluster {{ name: c, host: 127.0.0.1, port: {own}, \
             routes: [\"nats://127.0.0.1:{other}\"] }}"
        )
    };
    let Some(first) = NatsServer::start_with(Flavour::Current, &member(one, two))? else {
        return Ok(());
    };
    let Some(second) = NatsServer::start_with(Flavour::Current, &member(two, one))? else {
        return Ok(());
    };
    let tap = receiver.tap();
    // Two of them share the events, as in a deployment with a spare.
    let readers = [&first, &second].map(|server| {
        NatsEvents::start(&server.url(), SUBJECT, &["--scrub", "number"], tap.grpc())
    });
    let mut far = RawNats::open(second.address(), HEADERS)?;
    far.send(b"SUB orders.7 1\r\n")?;
    far.round_trip()?;
    let mut near = RawNats::open(first.address(), HEADERS)?;
    // The first messages may come before the servers know of each other's subscriptions.
    let mut number = 0_u64;
    eventually("a message that crosses both servers", BOUND, || {
        number += 1;
        publish(&mut near, "mapped.7", &format!("{number:016x}"), "01")?;
        near.round_trip()?;
        let spans = tap.spans()?;
        Ok(spans.iter().any(|span| span.name == "route orders.{id}").then_some(()))
    })?;
    tap.wait_for_spans("both servers of it", |spans| crossing(spans).is_some())?;
    for reader in readers {
        let exit = reader?.stop()?;
        assert!(exit.status.success(), "{:?}", exit.status);
    }
    let spans = tap.spans()?;
    let (above, below) = crossing(&spans).context("a crossing")?;
    assert_eq!(above.trace_id, TRACE_ID);
    assert_eq!(above.parent.len(), 16);
    assert_ne!(above.resource["service.instance.id"], below.resource["service.instance.id"]);
    assert_eq!(below.text("spanbridge.nats.connection.kind"), Some("route"));
    let name = above.resource["service.instance.id"].as_str();
    assert_eq!(below.text("spanbridge.nats.connection.name"), name, "it came from there");
    Ok(())
}

/// Two spans of which one is the first server's and the other that of the one behind it.
fn crossing(spans: &[Span]) -> Option<(&Span, &Span)> {
    let of = |name: &'static str| spans.iter().filter(move |span| span.name == name);
    of("route mapped.{id}").find_map(|above| {
        let below = of("route orders.{id}").find(|below| below.is_child_of(above))?;
        Some((above, below))
    })
}

#[test]
fn what_anybody_sends_to_the_subject_is_counted_and_harms_nothing() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = NatsServer::start_with(Flavour::Current, TRACED)? else { return Ok(()) };
    let tap = receiver.tap();
    let events = NatsEvents::start(&server.url(), SUBJECT, &[], tap.grpc())?;
    let mut client = RawNats::open(server.address(), HEADERS)?;
    for bytes in [&b"no JSON"[..], b"{}", b"", &[0xff; 64], &b"[".repeat(500_000)] {
        client.publish(SUBJECT, bytes)?;
    }
    let encoded = b"NATS/1.0\r\nContent-Encoding: gzip\r\n\r\n";
    client.publish_with_headers(SUBJECT, encoded, &[0x1f, 0x8b])?;
    // The server asks nobody's leave for these: it traces what asks for it by a header of its own.
    let asked = format!("NATS/1.0\r\nNats-Trace-Dest: {SUBJECT}\r\n\r\n");
    client.publish_with_headers("mine", asked.as_bytes(), b"body")?;
    publish(&mut client, "_INBOX.a.b", "b7ad6b7169203331", "01")?;
    publish(&mut client, "unsampled", "b7ad6b7169203331", "00")?;
    publish(&mut client, "mine", "b7ad6b7169203331", "01")?;
    client.round_trip()?;
    tap.wait_for_spans("the good one, at the end", |spans| spans.len() == 1)?;
    let exit = events.stop()?;
    for (result, count) in [
        ("unread", 5.0),
        ("compressed", 1.0),
        ("no_context", 1.0),
        ("control", 1.0),
        ("unsampled", 0.0),
        ("traced", 1.0),
    ] {
        assert_eq!(exit.counted(&["server_events", result]), count, "{result}: {exit:?}");
    }
    let spans = tap.spans()?;
    assert_eq!((spans[0].name.as_str(), spans[0].trace_id.as_str()), ("route mine", TRACE_ID));
    assert_eq!(spans[0].parent, "b7ad6b7169203331");
    assert_eq!(spans[0].number("spanbridge.nats.egresses"), Some(0.0), "nobody wanted it");
    Ok(())
}

#[test]
fn a_server_that_comes_back_is_read_again() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(mut server) = NatsServer::start_with(Flavour::Current, TRACED)? else {
        return Ok(());
    };
    let tap = receiver.tap();
    let events = NatsEvents::start(&server.url(), SUBJECT, &[], tap.grpc())?;
    server.restart()?;
    let mut client = RawNats::open(server.address(), HEADERS)?;
    eventually("a span after the restart", BOUND, || {
        publish(&mut client, "mine", "b7ad6b7169203331", "01")?;
        client.round_trip()?;
        Ok((!tap.spans()?.is_empty()).then_some(()))
    })?;
    assert!(events.stop()?.status.success());
    Ok(())
}

#[test]
fn it_says_why_it_cannot_start() -> Result<()> {
    let Some(server) = NatsServer::start_with(Flavour::Current, TRACED)? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (right, wrong) = (folder.path().join("right"), folder.path().join("wrong"));
    fs::write(&right, "secret\n")?;
    fs::write(&wrong, "wrong-password\n")?;
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let (right, wrong) = (path(&right), path(&wrong));
    let nowhere = format!("nats://127.0.0.1:{}", port::free()?);
    let url = server.url();
    for (broker, arguments, status, expected) in [
        (&url, &["--user", "blind", "--password-file", &right][..], 1, "ermissions Violation"),
        (&url, &["--user", "blind", "--password-file", &wrong], 1, "authorization violation"),
        (&url, &["--user", "blind", "--password-file", "/nowhere"], 2, "/nowhere"),
        (&url, &["--creds", &right], 2, "no JWT and nkey seed in"),
        (&url, &["--tls"], 1, "cannot connect to nats://127.0.0.1:"),
        (&nowhere, &[], 1, "cannot connect to nats://127.0.0.1:"),
    ] {
        let ended = NatsEvents::run(broker, SUBJECT, arguments)?;
        let said = ended.errors.join("\n");
        assert_eq!(ended.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("wrong-password"), "{said}");
    }
    Ok(())
}

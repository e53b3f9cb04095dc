//! Core NATS: publish and subscribe, request and reply, queue groups, and clients of all kinds.

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use spanbridge_tests::{Bed, Client, Flavour, Kind, RawNats, Span};

use super::{named, on_both_brokers};
use crate::traffic;

/// CONNECT of a client that knows headers.
const HEADERS: &str = r#"{"verbose":false,"headers":true,"name":"raw"}"#;
/// CONNECT of one that does not.
const NO_HEADERS: &str = r#"{"verbose":false,"headers":false,"name":"old"}"#;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID: &str = "b7ad6b7169203331";

on_both_brokers! {
    message_gains_a_context_and_keeps_its_payload => gains_a_context;
    request_and_reply_make_spans_of_the_request_only => request_and_reply;
}

fn gains_a_context(flavour: Flavour) -> Result<()> {
    let Some(bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    let core = ["--server", &url, "--subject", "news.today"];
    let reader = [&["subscribe", "--name", "reader"], &core[..]].concat();
    let reader = Client::start("nats_core.py", &reader)?;
    reader.wait_for("ready")?;
    let writer = ["--name", "writer", "--payload", "extra, extra", "--header", "Color=red"];
    Client::run("nats_producer.py", &[&core[..], &writer].concat())?;
    let message = reader.wait_for("message")?;
    reader.finish()?;
    assert_eq!(message["payload"], "extra, extra");
    assert_eq!(message["headers"]["Color"], "red");

    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let publish = named(&spans, "publish news.today")[0];
    let process = named(&spans, "process news.today")[0];
    assert_eq!((publish.service.as_str(), publish.kind), ("writer", Kind::Producer));
    assert_eq!((process.service.as_str(), process.kind), ("reader", Kind::Consumer));
    assert!(process.is_child_of(publish) && process.is_linked_to(publish), "{process:#?}");
    check_unseen(process);
    let expected = format!("00-{}-{}-", publish.trace_id, publish.span_id);
    let traceparent = message["headers"]["traceparent"].as_str().context("no traceparent")?;
    assert!(traceparent.starts_with(&expected) && traceparent.len() == 55, "{traceparent}");
    Ok(())
}

fn request_and_reply(flavour: Flavour) -> Result<()> {
    let Some(bed) = Bed::start(flavour)? else { return Ok(()) };
    let url = bed.gateway.url();
    let core = ["--server", &url, "--subject", "shop.price", "--count", "2"];
    let shop = Client::start("nats_core.py", &[&["reply", "--name", "shop"], &core[..]].concat())?;
    shop.wait_for("ready")?;
    let customer = [&["request", "--name", "customer"], &core[..]].concat();
    let answers = Client::run("nats_core.py", &customer)?;
    shop.finish()?;
    assert_eq!(answers[0]["payload"], "QUESTION 0");
    assert_eq!(answers[1]["payload"], "QUESTION 1");

    let (_, spans) = bed.finish()?;
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["process shop.price", "publish shop.price"]));
    assert_eq!(spans.len(), 4, "no spans of inboxes: {spans:#?}");
    Ok(())
}

#[test]
fn context_of_the_producer_is_left_alone() -> Result<()> {
    let Some(bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let mut client = RawNats::open(bed.gateway.address(), HEADERS)?;
    client.send(b"SUB mine 1\r\n")?;
    // Casing, spacing, order and neighbours are the producer's.
    let blocks = [
        format!("NATS/1.0\r\ntraceparent: 00-{TRACE_ID}-{PARENT_ID}-01\r\n\r\n"),
        format!("NATS/1.0\r\nB:  2\r\nTraceparent:00-{TRACE_ID}-{PARENT_ID}-01\r\nb:\r\n\r\n"),
    ];
    for block in &blocks {
        client.publish_with_headers("mine", block.as_bytes(), b"body")?;
        let message = client.message()?;
        assert_eq!(String::from_utf8_lossy(&message.headers), *block);
        assert_eq!(message.payload, b"body");
    }

    let (_, spans) = bed.finish()?;
    let publishes = named(&spans, "publish mine");
    let processes = named(&spans, "process mine");
    assert_eq!((publishes.len(), processes.len()), (2, 2), "{spans:#?}");
    for span in publishes.iter().chain(&processes) {
        let ids = (span.trace_id.as_str(), span.parent.as_str());
        assert_eq!(ids, (TRACE_ID, PARENT_ID), "{span:#?}");
        assert!(span.is_linked_to_ids(TRACE_ID, PARENT_ID), "{span:#?}");
    }
    assert!(publishes.iter().all(|span| span.kind == Kind::Client), "{publishes:#?}");
    assert!(processes.iter().all(|span| span.kind == Kind::Consumer), "{processes:#?}");
    Ok(())
}

#[test]
fn client_without_headers_never_sees_one() -> Result<()> {
    let Some(bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let address = bed.gateway.address();
    let mut old = RawNats::open(address, NO_HEADERS)?;
    let mut new = RawNats::open(address, HEADERS)?;
    old.send(b"SUB talk 1\r\n")?;
    assert_eq!(old.round_trip()?, b"");
    new.publish("talk", b"hello")?;
    let message = old.message()?;
    assert_eq!((message.control.as_str(), &message.payload[..]), ("MSG talk 1 5", &b"hello"[..]));

    // And what it publishes arrives, with or without a context.
    new.send(b"SUB back 2\r\n")?;
    assert_eq!(new.round_trip()?, b"");
    old.publish("back", b"hello too")?;
    assert_eq!(new.message()?.payload, b"hello too");
    assert_eq!(old.round_trip()?, b"", "the broker had nothing to complain about");
    bed.finish()?;
    Ok(())
}

#[test]
fn queue_group_shares_the_messages_and_each_is_one_trace() -> Result<()> {
    const MESSAGES: usize = 20;
    let Some(bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let mut writer = RawNats::open(bed.gateway.address(), HEADERS)?;
    let mut members = Vec::new();
    for _ in 0..2 {
        let mut member = RawNats::open(bed.gateway.address(), HEADERS)?;
        member.send(b"SUB jobs workers 1\r\n")?;
        member.round_trip()?;
        members.push(member);
    }
    for number in 0..MESSAGES {
        writer.publish("jobs", number.to_string().as_bytes())?;
    }
    writer.round_trip()?;
    bed.tap
        .wait_for_spans("all deliveries", |spans| named(spans, "process jobs").len() == MESSAGES)?;
    let (_, spans) = bed.finish()?;
    let parents: BTreeSet<&str> =
        named(&spans, "process jobs").iter().map(|span| span.parent.as_str()).collect();
    let publishes: BTreeSet<&str> =
        named(&spans, "publish jobs").iter().map(|span| span.span_id.as_str()).collect();
    assert_eq!((parents.len(), &parents), (MESSAGES, &publishes));
    Ok(())
}

#[test]
fn async_nats_sees_its_own_headers_and_a_context() -> Result<()> {
    let Some(bed) = Bed::start(Flavour::Current)? else { return Ok(()) };
    let url = bed.gateway.url();
    let message = traffic::run(async {
        let client = traffic::connect(&url, "rust").await?;
        let mut subscription = client.subscribe("rust.*").await?;
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Shape", "round");
        client.publish_with_headers("rust.news", headers, "body".into()).await?;
        client.flush().await?;
        let message = subscription.next().await.context("no message")?;
        client.drain().await?;
        Ok(message)
    })?;
    assert_eq!(&message.payload[..], b"body");
    let headers = message.headers.context("no headers")?;
    assert_eq!(headers.get("Shape").map(|value| value.as_str()), Some("round"));
    let traceparent = headers.get("traceparent").context("no traceparent")?;

    let (_, spans) = bed.finish()?;
    let publish = named(&spans, "publish rust.news")[0];
    assert_eq!(publish.service, "rust");
    assert!(traceparent.as_str().contains(&publish.trace_id), "{traceparent}");
    assert!(named(&spans, "process rust.news")[0].is_child_of(publish));
    Ok(())
}

#[test]
fn many_connections_keep_their_messages_apart() -> Result<()> {
    const CLIENTS: usize = 50;
    const MESSAGES: usize = 20;
    let Some(bed) = Bed::start(Flavour::Debian)? else { return Ok(()) };
    let address = bed.gateway.address();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            thread::spawn(move || -> Result<()> {
                let mut client = RawNats::open(address, HEADERS)?;
                let subject = format!("many.{number}");
                client.send(format!("SUB {subject} 1\r\n").as_bytes())?;
                for message in 0..MESSAGES {
                    client.publish(&subject, format!("{number}-{message}").as_bytes())?;
                }
                for message in 0..MESSAGES {
                    let expected = format!("{number}-{message}");
                    assert_eq!(client.message()?.payload, expected.as_bytes());
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no client fails")?;
    }
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(spans.len(), 2 * CLIENTS * MESSAGES);
    let traces: BTreeSet<&str> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces.len(), CLIENTS * MESSAGES);
    Ok(())
}

/// Nothing on the wire of core NATS says when the work is done.
fn check_unseen(process: &Span) {
    assert_eq!(process.text("spanbridge.execution"), Some("unseen"), "{process:#?}");
    assert_eq!(process.start, process.end, "no work is claimed");
}

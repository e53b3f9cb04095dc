//! Programs that have no headers, and send JSON: their traces go through the bodies.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::receiver::Receiver;
use spanbridge_tests::{Bed, Client, Flavour, Kind, NatsServer};
use tempfile::TempDir;

use super::{named, on_both_brokers};

/// A server of before headers; nats-py takes none from it, and sends none to it.
const NO_HEADERS: &str = "no_header_support: true";

/// A producer's payload: `{}` becomes the message's number. A program that reads and writes JSON
/// would lose the blanks, a zero, and the key that occurs twice.
const PAYLOAD: &str = r#"{{ "n" : {}.50, "n": [ ] }}"#;

on_both_brokers! {
    context_of_programs_without_headers_goes_through_json_bodies => through_bodies;
    worker_without_headers_finds_the_process_span_in_its_body => continued;
}

/// A server without headers and a gateway, whose route says this.
fn start(flavour: Flavour, route: &str, folder: &TempDir) -> Result<Option<Bed>> {
    let Some(receiver) = Receiver::shared()? else { return Ok(None) };
    let Some(server) = NatsServer::start_with(flavour, NO_HEADERS)? else { return Ok(None) };
    let lines = format!("[listener.route]\nenvelope = \"json\"\n{route}");
    let tap = receiver.tap();
    let settings = Settings::listener(folder.path(), &server.url(), &lines)?;
    let gateway = settings.variables(tap.grpc()).start()?;
    Ok(Some(Bed { gateway, server, tap }))
}

/// Sends messages from one program to another, and answers the bodies that came.
fn send(url: &str, payload: &str) -> Result<Vec<String>> {
    let core = ["--server", url, "--subject", "orders.created", "--count", "3"];
    let reader = [&["subscribe", "--name", "reader"], &core[..]].concat();
    let reader = Client::start("nats_core.py", &reader)?;
    reader.wait_for("ready")?;
    Client::run("nats_producer.py", &[&core[..], &["--payload", payload]].concat())?;
    let mut messages = reader.finish()?;
    messages.retain(|event| event["event"] == "message");
    let body = |message: &Value| {
        assert_eq!(message["headers"], serde_json::json!({}), "there are no headers");
        message["payload"].as_str().map(str::to_owned).context("a payload")
    };
    messages.iter().map(body).collect()
}

/// The traceparent in a body.
fn traceparent(body: &str) -> Result<String> {
    let json: Value = serde_json::from_str(body)?;
    json["_otel"]["traceparent"].as_str().map(str::to_owned).context("no context in the body")
}

fn through_bodies(flavour: Flavour) -> Result<()> {
    let folder = TempDir::new()?;
    let Some(bed) = start(flavour, "", &folder)? else { return Ok(()) };
    let bodies = send(&bed.gateway.url(), PAYLOAD)?;
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    let publishes = named(&spans, "publish orders.created");
    let processes = named(&spans, "process orders.created");
    assert_eq!((bodies.len(), publishes.len(), processes.len()), (3, 3, 3), "{spans:#?}");
    for (number, body) in bodies.iter().enumerate() {
        let expected = format!("{{ \"n\" : {number}.50, \"n\": [ ],\"_otel\":{{");
        assert!(body.starts_with(&expected) && body.ends_with("\"} }"), "{body}");
        let found = traceparent(body)?;
        let is_named = |ids: &str, id: &str| ids.contains(id);
        let publish = publishes.iter().find(|span| is_named(&found, &span.span_id));
        let publish = publish.context("a publish span")?;
        assert_eq!((publish.service.as_str(), publish.kind), ("checkout", Kind::Producer));
        let process = processes.iter().find(|span| span.is_child_of(publish));
        let process = process.context("a process span")?;
        assert_eq!((process.service.as_str(), process.kind), ("reader", Kind::Consumer));
    }
    assert_eq!(exit.counted(&["injections_skipped"]), 0.0, "{:?}", exit.summary);
    Ok(())
}

fn continued(flavour: Flavour) -> Result<()> {
    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let folder = TempDir::new()?;
    let Some(bed) = start(flavour, "delivery = \"continue\"\n", &folder)? else { return Ok(()) };
    // The producer is instrumented: by hand, because its library has no headers.
    let context = r#"{{"traceparent": "00-TRACE-b7ad6b7169203331-01"}}"#.replace("TRACE", TRACE_ID);
    let payload = r#"{{"_otel": CONTEXT, "n": {}}}"#.replace("CONTEXT", &context);
    let bodies = send(&bed.gateway.url(), &payload)?;
    let (_, spans) = bed.finish()?;
    let processes = named(&spans, "process orders.created");
    assert_eq!((bodies.len(), processes.len()), (3, 3), "{spans:#?}");
    for (number, body) in bodies.iter().enumerate() {
        assert!(body.ends_with(&format!("}}, \"n\": {number}}}")), "{body}");
        let found = traceparent(body)?;
        assert!(found.starts_with(&format!("00-{TRACE_ID}-")), "{found}");
        assert!(processes.iter().any(|span| found.contains(&span.span_id)), "{found}");
    }
    assert!(named(&spans, "publish orders.created").iter().all(|span| span.kind == Kind::Client));
    Ok(())
}

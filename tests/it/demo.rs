//! `spanbridge demo`: one trace across a queue, and two without propagation.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Deserializer, Value};
use spanbridge_tests::program::Program;
use spanbridge_tests::{Bed, Flavour, Receiver};

/// The rows that every waterfall has, whatever it calls them beside.
const ROWS: [&str; 5] = ["request", "publish", "queue wait", "process", "db.query"];

/// Runs the demo and answers what it printed.
fn demo(arguments: &[&str]) -> Result<String> {
    let ended = Program::run(&[&["demo"], arguments].concat())?;
    ensure!(ended.status.success(), "{}: {:?}", ended.status, ended.errors);
    Ok(ended.output.join("\n"))
}

/// Reads OTLP JSON, one document or several, as spans.
fn spans(text: &str) -> Result<Vec<Value>> {
    let mut spans = Vec::new();
    for document in Deserializer::from_str(text).into_iter::<Value>() {
        let document = document?;
        let resources = document["resourceSpans"].as_array().context("no resourceSpans")?;
        let scopes = resources.iter().filter_map(|resource| resource["scopeSpans"].as_array());
        for scope in scopes.flatten() {
            spans.extend(scope["spans"].as_array().context("no spans")?.iter().cloned());
        }
    }
    Ok(spans)
}

fn traces(spans: &[Value]) -> BTreeSet<&str> {
    spans.iter().filter_map(|span| span["traceId"].as_str()).collect()
}

#[test]
fn waterfall_shows_every_row() -> Result<()> {
    let text = demo(&[])?.to_lowercase();
    for row in ROWS {
        assert!(text.contains(row), "no {row:?} in\n{text}");
    }
    Ok(())
}

#[test]
fn demo_is_one_trace() -> Result<()> {
    let spans = spans(&demo(&["--json"])?)?;
    assert_eq!(traces(&spans).len(), 1, "{spans:#?}");
    let ids: BTreeSet<&str> = spans.iter().filter_map(|span| span["spanId"].as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "no span is printed twice");
    let parent = |span: &Value| span["parentSpanId"].as_str().unwrap_or_default().to_owned();
    let (roots, rest): (Vec<_>, Vec<_>) = spans.iter().map(parent).partition(String::is_empty);
    assert_eq!(roots.len(), 1, "one root: {spans:#?}");
    assert!(rest.iter().all(|parent| ids.contains(parent.as_str())), "no span hangs loose");
    assert!(spans.iter().any(|span| span["name"].as_str().is_some_and(|n| n.contains("db.query"))));
    Ok(())
}

#[test]
fn demo_without_propagation_is_two_traces() -> Result<()> {
    let spans = spans(&demo(&["--json", "--propagators", "none"])?)?;
    assert_eq!(traces(&spans).len(), 2, "{spans:#?}");
    Ok(())
}

#[test]
fn demo_with_other_formats_is_one_trace() -> Result<()> {
    for format in ["b3", "b3multi", "jaeger", "xray", "ottrace", "tracecontext,baggage"] {
        let spans = spans(&demo(&["--json", "--propagators", format])?)?;
        assert_eq!(traces(&spans).len(), 1, "{format}: {spans:#?}");
    }
    Ok(())
}

#[test]
fn demo_through_a_real_broker_is_one_trace() -> Result<()> {
    // The bed's own gateway is not used: the demo brings one.
    let Some(bed) = Bed::start(Flavour::Current)? else { return Ok(()) };
    let spans = spans(&demo(&["--json", "--broker", &bed.server.url()])?)?;
    assert_eq!(traces(&spans).len(), 1, "{spans:#?}");
    Ok(())
}

#[test]
fn demo_exports_what_it_shows() -> Result<()> {
    let Some(receiver) = Receiver::http()? else { return Ok(()) };
    let endpoint = receiver.http_endpoint();
    let shown = spans(&demo(&["--json", "--otlp", &endpoint])?)?;
    let received = receiver.requests()?;
    let received: BTreeSet<String> = received
        .iter()
        .flat_map(|request| &request.spans)
        .map(|span| span.span_id.clone())
        .collect();
    let shown: BTreeSet<String> =
        shown.iter().filter_map(|span| span["spanId"].as_str()).map(str::to_owned).collect();
    assert_eq!(received, shown);
    Ok(())
}

#[test]
fn unreachable_broker_and_unknown_format_are_refused() -> Result<()> {
    let refused: [&[&str]; 3] = [
        &["demo", "--broker", "nats://127.0.0.1:1"],
        &["demo", "--propagators", "smoke-signals"],
        &["demo", "--colour-blind"],
    ];
    for arguments in refused {
        let ended = Program::run(arguments)?;
        assert!(!ended.status.success(), "{arguments:?}");
        assert!(!ended.errors.is_empty(), "{arguments:?} was refused without a word");
    }
    Ok(())
}

//! Every library as its users write it: each publish gets a context, and a span of its own.

use anyhow::{Context as _, Result};
use spanbridge_tests::{Client, Kind, PluginBed, Release, tool};
use tempfile::TempDir;

use super::{context, current, send_and_take};

const COUNT: usize = 3;

#[test]
fn plugin_traces_pika() -> Result<()> {
    traces(Release::Installed, "amqp_pika.py")
}

#[test]
fn plugin_traces_aio_pika() -> Result<()> {
    traces(Release::Installed, "amqp_aio_pika.py")
}

#[test]
fn plugin_traces_kombu() -> Result<()> {
    traces(Release::Installed, "amqp_kombu.py")
}

#[test]
fn plugin_traces_amqplib() -> Result<()> {
    if tool::node()?.is_none() {
        return Ok(());
    }
    traces(Release::Installed, "amqp_amqplib.js")
}

/// Publishes with a client program, and looks at what its worker gets and at the spans.
pub(super) fn traces(release: Release, script: &str) -> Result<()> {
    let Some(bed) = PluginBed::shared(release)? else { return Ok(()) };
    let messages = send_and_take(script, &bed.url(&bed.server.vhost()?), "orders", COUNT)?;
    assert_eq!(messages.len(), COUNT);
    for (number, message) in messages.iter().enumerate() {
        let (trace, span) = context(message).with_context(|| format!("untraced: {message}"))?;
        let spans = bed.tap.wait_for_spans("the publish span", |spans| {
            spans.iter().any(|found| found.span_id == span)
        })?;
        let of_trace: Vec<_> = spans.iter().filter(|found| found.trace_id == trace).collect();
        assert_eq!(of_trace.len(), 1, "{of_trace:#?}");
        let publish = of_trace[0];
        assert_eq!((publish.name.as_str(), publish.kind), ("publish orders", Kind::Producer));
        assert_eq!((publish.span_id.as_str(), publish.parent.as_str()), (span, ""));
        assert_eq!(publish.service, "checkout", "the connection's name");
        assert_eq!(publish.text("messaging.destination.name"), Some("orders"));
        // All else is as it was sent.
        assert_eq!(message["payload"], format!("order {number}"));
        assert_eq!(message["headers"]["Color"], "red", "{message}");
    }
    Ok(())
}

#[test]
fn plugin_leaves_all_other_properties_as_they_were() -> Result<()> {
    leaves_the_rest(Release::Installed)
}

/// Publishes a message with all there is, and looks for differences.
pub(super) fn leaves_the_rest(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::shared(release)? else { return Ok(()) };
    let url = bed.url(&bed.server.vhost()?);
    let said = Client::run("amqp_publish.py", &["headers", "--url", &url])?;
    assert_eq!(said.len(), 2, "an empty body and a large one");
    for got in said {
        assert_eq!(got["same"], true, "{got}");
        let mut added: Vec<_> = got["added"].as_object().context("no object")?.keys().collect();
        added.sort();
        assert_eq!(added, ["traceparent", "tracestate"], "{got}");
    }
    Ok(())
}

#[test]
fn celery_task_joins_the_trace_of_its_instrumented_worker() -> Result<()> {
    let Some(bed) = PluginBed::shared(Release::Installed)? else { return Ok(()) };
    let (url, results) = (bed.url(&bed.server.vhost()?), TempDir::new()?);
    let results = results.path().to_string_lossy().into_owned();
    let common = ["--url", &url, "--results", &results];
    let worker = [&["work", "--instrument", "--name", "worker"], &common[..]].concat();
    let worker = Client::start_with("amqp_celery.py", &worker, bed.tap.http())?;
    worker.wait_for("ready")?;
    Client::run("amqp_celery.py", &[&["send", "--kind", "add"], &common[..]].concat())?;
    worker.stop()?;
    let spans = bed.tap.wait_for_spans("the worker's span", |spans| {
        spans.iter().any(|span| span.name.starts_with("run/"))
    })?;
    let run = spans.iter().find(|span| span.name.starts_with("run/")).context("no run span")?;
    let publish = spans.iter().find(|span| run.is_child_of(span)).context("no parent")?;
    assert_eq!((publish.name.as_str(), publish.kind), ("publish celery", Kind::Producer));
    assert!(publish.text("spanbridge.job.name").is_some_and(|name| name.ends_with("add")));
    let control = spans.iter().find(|span| {
        let name = span.text("messaging.destination.name").unwrap_or_default();
        name.contains("pidbox") || name.starts_with("celeryev")
    });
    assert!(control.is_none(), "control traffic is no work: {control:#?}");
    Ok(())
}

#[test]
fn context_of_an_instrumented_sender_stays_and_has_a_span_beside() -> Result<()> {
    keeps_a_context(Release::Installed)
}

/// Sends a task with context, and looks at what arrives and at the spans.
pub(super) fn keeps_a_context(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::shared(release)? else { return Ok(()) };
    let (url, results) = (bed.url(&bed.server.vhost()?), TempDir::new()?);
    let results = results.path().to_string_lossy().into_owned();
    let common = ["--url", &url, "--results", &results];
    let worker =
        Client::start("amqp_celery.py", &[&["work", "--name", "worker"], &common[..]].concat())?;
    worker.wait_for("ready")?;
    let sender = [&["send", "--kind", "add", "--instrument"], &common[..]].concat();
    Client::start_with("amqp_celery.py", &sender, bed.tap.http())?.finish()?;
    let said = worker.stop()?;
    let task = said.iter().find(|said| said["event"] == "task").context("no task")?;
    let traceparent = task["traceparent"].as_str().context("no context")?;
    let (trace, parent) = (&traceparent[3..35], &traceparent[36..52]);
    let spans = bed.tap.wait_for_spans("both spans", |spans| {
        spans.iter().filter(|span| span.trace_id == trace).count() == 2
    })?;
    let of_trace = |name: &str| {
        spans.iter().find(|span| span.trace_id == trace && span.name.starts_with(name))
    };
    let sent = of_trace("apply_async/").context("the sender's span")?;
    let publish = of_trace("publish celery").context("the plugin's span")?;
    assert_eq!((sent.span_id.as_str(), publish.kind), (parent, Kind::Client));
    assert!(publish.is_child_of(sent) && publish.is_linked_to(sent), "{publish:#?}");
    Ok(())
}

#[test]
fn publish_of_a_connection_inside_the_broker_goes_on() -> Result<()> {
    let Some(bed) = PluginBed::start(Release::Installed, false, "[]")? else { return Ok(()) };
    // Before 4.0 it publishes through a channel, without encoded properties.
    let (is_good, said) = bed.server.tool("rabbitmq-plugins", &["enable", "rabbitmq_mqtt"])?;
    assert!(is_good, "{said:?}");
    bed.enable()?;
    assert_eq!(current::over_mqtt(&bed, "3")?["payload"], "order 0");
    assert_eq!(bed.counted("contexts_written")?, 1);
    assert_eq!(bed.counted("messages_untraced")?, 0);
    let spans = bed.tap.wait_for_spans("its span", |spans| !spans.is_empty())?;
    assert_eq!(spans[0].name, "publish amq.topic:sensors.1");
    bed.disable()
}

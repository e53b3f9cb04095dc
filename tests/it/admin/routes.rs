//! Measures of routes: which labels they have, what a reload leaves of them, and what is not
//! claimed of messages whose end was not seen.

use std::fs;

use anyhow::{Context, Result};
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::{Bed, Client, Flavour, NatsServer, RawNats};
use tempfile::TempDir;

use super::{get, value};

const CONNECT: &str = r#"{"verbose":false,"headers":true}"#;
const SENT: &str = "messaging_client_sent_messages_total";
const CONSUMED: &str = "messaging_client_consumed_messages_total";
const WORK: &str = "messaging_process_duration_seconds_count";
const WAIT: &str = "spanbridge_queue_wait_seconds_count";

/// Fails unless the samples that hold these words add up to that.
fn is(gateway: &Gateway, words: &[&str], expected: f64) -> Result<()> {
    let found = value(gateway, words)?;
    assert_eq!(found, expected, "{words:?} in {}", get(gateway, "/metrics")?.body);
    Ok(())
}

#[test]
fn series_have_the_templates_of_routes_and_survive_a_reload() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    let broker = server.url();
    let write = |admin: &str, brokers: &str, more: &str| {
        let text = format!(
            "admin = \"{admin}\"\n[[listener]]\nname = \"front\"\nlisten = \"nats://127.0.0.1:0\"\n\
             brokers = [{brokers}]\nroute.scrub = [\"number\"]\n\
             [[route]]\ndestination = \"quiet.>\"\noff = true\n\
             [[route]]\ndestination = \"users.{{id}}.seen\"\n{more}"
        );
        fs::write(&file, text)
    };
    let known = format!("{broker:?}");
    write("127.0.0.1:0", &known, "")?;
    let path = file.to_str().context("a path in UTF-8")?;
    let settings = Settings::of(&["--config", path]).variable("OTEL_TRACES_EXPORTER", "none");
    let mut gateway = settings.start()?;
    let mut client = RawNats::open(gateway.address(), CONNECT)?;
    client.send(b"SUB *.*.* 1\r\n")?;
    let mut send = || -> Result<()> {
        for subject in ["quiet.4.x", "users.ab.seen", "orders.17.new", "orders.18.new", "a.b.c"] {
            client.publish(subject, b"body")?;
            client.message()?;
        }
        Ok(())
    };
    let check = |gateway: &Gateway, rounds: f64| -> Result<()> {
        for metric in [SENT, CONSUMED] {
            let of = |template| format!("messaging_destination_template=\"{template}\"");
            let front = "spanbridge_listener=\"front\"";
            is(gateway, &[metric, front, &of("orders.{id}.new")], 2.0 * rounds)?;
            is(gateway, &[metric, front, &of("users.{id}.seen")], rounds)?;
            is(gateway, &[metric, front], 4.0 * rounds)?;
        }
        let page = get(gateway, "/metrics")?.body;
        for absent in ["quiet", "a.b.c", "orders.1", "users.ab"] {
            assert!(!page.contains(absent), "{absent} in {page}");
        }
        Ok(())
    };
    send()?;
    check(&gateway, 1.0)?;
    // Other settings of the routes, the same labels; and what cannot change.
    write("127.0.0.1:1", &format!("\"nats://127.0.0.1:1\", {known}"), "body_size = true\n")?;
    assert_eq!(gateway.reload(1)?, "reloaded: 2 changes wait for a restart");
    send()?;
    check(&gateway, 2.0)?;
    let log = gateway.log().join("\n");
    assert!(log.contains("admin") && log.contains("listener front: brokers"), "{log}");
    // Readiness is about the brokers in force.
    assert_eq!(get(&gateway, "/readyz")?.status, 200);
    drop(server);
    assert!(RawNats::open(gateway.address(), CONNECT).is_err());
    let ready = get(&gateway, "/readyz")?;
    assert_eq!(ready.status, 503, "{ready:?}");
    let (place, other) = (broker.trim_start_matches("nats://"), "127.0.0.1:1:");
    assert!(ready.body.contains("listener front") && ready.body.contains(place), "{ready:?}");
    assert!(!ready.body.contains(other), "{ready:?}");
    assert!(gateway.stop()?.status.success());
    Ok(())
}

/// A gateway with an endpoint through which a client has played a role of JetStream.
fn played(role: &str, sampler: &str) -> Result<Option<Bed>> {
    let bed = Bed::start_with(Flavour::Current, "", |settings| {
        let settings = settings.argument("--admin").argument("127.0.0.1:0");
        settings.variable("OTEL_TRACES_SAMPLER", sampler)
    })?;
    if let Some(bed) = &bed {
        Client::run("nats_consumers.py", &[role, "--server", &bed.gateway.url()])?;
    }
    Ok(bed)
}

#[test]
fn work_is_timed_as_far_as_consumers_acknowledge() -> Result<()> {
    for sampler in ["always_on", "always_off"] {
        let Some(bed) = played("none", sampler)? else { return Ok(()) };
        is(&bed.gateway, &[SENT, "\"confirmed\""], 5.0)?;
        is(&bed.gateway, &[CONSUMED], 5.0)?;
        is(&bed.gateway, &[WAIT], 5.0)?;
        is(&bed.gateway, &[WORK], 0.0)?;
        is(&bed.gateway, &["spanbridge_deliveries_unsettled"], 0.0)?;
        let Some(bed) = played("all", sampler)? else { return Ok(()) };
        is(&bed.gateway, &[CONSUMED], 5.0)?;
        // The third settles the first two, the fifth the fourth: each holds another's work.
        is(&bed.gateway, &[WORK, "\"ack\"", "spanbridge_prefetched=\"true\""], 5.0)?;
        is(&bed.gateway, &[WORK], 5.0)?;
        is(&bed.gateway, &["spanbridge_deliveries_unsettled"], 0.0)?;
    }
    Ok(())
}

#[test]
fn publish_refused_for_its_size_is_an_error_that_took_time() -> Result<()> {
    for sampler in ["always_on", "always_off"] {
        let Some(bed) = played("size", sampler)? else { return Ok(()) };
        is(&bed.gateway, &[SENT, "\"refused\"", "error_type=\"refused\""], 1.0)?;
        is(&bed.gateway, &[SENT, "\"confirmed\""], 2.0)?;
        let took = "messaging_client_operation_duration_seconds_count";
        is(&bed.gateway, &[took, "error_type=\"refused\""], 1.0)?;
        is(&bed.gateway, &["messages_refused_for_size_total"], 1.0)?;
        is(&bed.gateway, &["injections_skipped_total", "size_refused"], 2.0)?;
        is(&bed.gateway, &["publishes_unanswered_total"], 0.0)?;
    }
    Ok(())
}

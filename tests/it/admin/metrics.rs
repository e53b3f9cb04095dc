//! What the page says about messages that a real client sent through a real server.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, ensure};
use spanbridge_tests::{BOUND, Bed, Flavour, RawNats, eventually, http};

use super::{OPEN, address, get, value};
use crate::traffic;

const MESSAGES: u32 = 20;

/// A bed whose gateway has an endpoint.
fn bed(sampler: &str) -> Result<Option<Bed>> {
    Bed::start_with(Flavour::Debian, "", |settings| {
        let settings = settings.argument("--admin").argument("127.0.0.1:0");
        settings.variable("OTEL_TRACES_SAMPLER", sampler)
    })
}

#[test]
fn messages_are_counted_and_timed_whether_they_are_sampled_or_not() -> Result<()> {
    for (sampler, spans_expected) in [("always_off", false), ("always_on", true)] {
        let Some(bed) = bed(sampler)? else { return Ok(()) };
        traffic::send_and_take(&bed.gateway.url(), 0..MESSAGES)?;
        let mut client =
            RawNats::open(bed.gateway.address(), r#"{"verbose":false,"headers":true}"#)?;
        client.publish("nobody.listens", b"one")?;
        client.round_trip()?;
        let count = f64::from(MESSAGES);
        let is = |words: &[&str], expected: f64| -> Result<()> {
            let found = value(&bed.gateway, words)?;
            ensure!(found == expected, "{sampler} {words:?}: expected {expected}, found {found}");
            Ok(())
        };
        let sent = "messaging_client_sent_messages_total";
        is(&[sent, "spanbridge_outcome=\"confirmed\""], count)?;
        is(&[sent, "spanbridge_outcome=\"handed_on\""], 1.0)?;
        is(&["messaging_client_consumed_messages_total"], count)?;
        let took = "messaging_client_operation_duration_seconds_count";
        is(&[took, "messaging_operation_name=\"publish\"", "confirmed"], count)?;
        ensure!(value(&bed.gateway, &[took, "\"receive\""])? >= 1.0, "{sampler}: no pull");
        let work = "messaging_process_duration_seconds_count";
        is(&[work, "spanbridge_outcome=\"ack\""], count)?;
        is(&["spanbridge_queue_wait_seconds_count"], count)?;
        is(&["spanbridge_sessions_open "], 1.0)?;
        let subjects = get(&bed.gateway, "/metrics")?.body.contains(traffic::SUBJECT);
        ensure!(!subjects, "a subject is a label");
        let (_, spans) = bed.finish()?;
        assert_eq!(!spans.is_empty(), spans_expected, "{sampler}");
    }
    Ok(())
}

#[test]
fn exemplars_are_spans_that_were_exported() -> Result<()> {
    let Some(bed) = bed("always_on")? else { return Ok(()) };
    traffic::send_and_take(&bed.gateway.url(), 0..MESSAGES)?;
    let answer = http::get(address(&bed.gateway)?, "/metrics", OPEN)?;
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.iter().any(|line| line == kind), "{:?}", answer.head);
    let ids: HashSet<(String, String)> = answer
        .body
        .lines()
        .filter_map(|line| {
            let (_, labels) = line.split_once(" # {trace_id=\"")?;
            let (trace, rest) = labels.split_once("\",span_id=\"")?;
            Some((trace.to_owned(), rest.split_once('"')?.0.to_owned()))
        })
        .collect();
    let plain = get(&bed.gateway, "/metrics")?.body;
    assert!(!plain.contains("trace_id"), "the older format has no exemplars");
    let (_, spans) = bed.finish()?;
    let exported: HashSet<(String, String)> =
        spans.into_iter().map(|span| (span.trace_id, span.span_id)).collect();
    assert!(ids.len() >= 3, "of a publish, of work, of a wait: {ids:?}");
    assert!(ids.is_subset(&exported), "{ids:?} of {exported:?}");
    Ok(())
}

#[test]
fn page_is_well_formed() -> Result<()> {
    let Some(bed) = bed("always_on")? else { return Ok(()) };
    traffic::send_and_take(&bed.gateway.url(), 0..MESSAGES)?;
    let page = http::get(address(&bed.gateway)?, "/metrics", OPEN)?.body;
    well_formed(&page)?;
    assert!(page.ends_with("# EOF\n"));
    Ok(())
}

/// Checks what a scraper would trip over: samples outside of their family, series that occur
/// twice, buckets that shrink, a count that is not the last bucket.
fn well_formed(page: &str) -> Result<()> {
    let (mut family, mut families) = (String::new(), HashSet::new());
    let mut series = HashSet::new();
    let mut last_bucket: BTreeMap<String, u64> = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().context("a family's name")?.to_owned();
            ensure!(families.insert(family.clone()), "{family} occurs twice");
        }
        if line.starts_with('#') {
            continue;
        }
        let sample = line.split(" # ").next().unwrap_or(line);
        let (name, number) = sample.rsplit_once(' ').context("a value")?;
        ensure!(name.starts_with(&family), "{line} is not of {family}");
        ensure!(series.insert(name.to_owned()), "{name} occurs twice");
        let number: f64 = number.parse()?;
        // Labels without the bucket's bound tell one histogram from another.
        if let Some((labels, _)) = name.rsplit_once("le=\"") {
            let histogram = labels.replacen("_bucket", "", 1);
            let histogram = histogram.trim_end_matches([',', '{']).to_owned();
            let before = last_bucket.insert(histogram, number as u64).unwrap_or(0);
            ensure!(number as u64 >= before, "{line} after {before}");
        } else if name.contains("_seconds_count") {
            let histogram = name.replacen("_count", "", 1);
            let histogram = histogram.trim_end_matches('}');
            let last = last_bucket.get(histogram).with_context(|| format!("no {histogram}"))?;
            ensure!(*last == number as u64, "{line} after {last}");
        }
    }
    ensure!(families.len() > 30, "{} families", families.len());
    Ok(())
}

#[test]
fn requests_that_are_not_understood_are_refused_and_do_not_end_the_endpoint() -> Result<()> {
    let Some(bed) = bed("always_on")? else { return Ok(()) };
    let admin = address(&bed.gateway)?;
    let close = "Host: test\r\nConnection: close\r\n";
    let long = "x".repeat(64 * 1024);
    for (request, expected) in [
        (format!("GET /nothing HTTP/1.1\r\n{close}\r\n"), 404),
        (format!("DELETE /metrics HTTP/1.1\r\n{close}\r\n"), 405),
        (format!("POST /component HTTP/1.1\r\n{close}Content-Length: 0\r\n\r\n"), 403),
        (format!("GET /metrics HTTP/1.1\r\n{close}X: {long}\r\n\r\n"), 431),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ] {
        let answer = http::raw(admin, &request)?;
        assert_eq!(answer.status, expected, "{request:.40}: {answer:?}");
    }
    // More than it serves at once, and all of them silent.
    let silent: Vec<_> = (0..40).map(|_| std::net::TcpStream::connect(admin)).collect();
    traffic::send_and_take(&bed.gateway.url(), 0..MESSAGES)?;
    drop(silent);
    eventually("a page", BOUND, || Ok(get(&bed.gateway, "/metrics").ok()))?;
    ensure!(value(&bed.gateway, &["admin_requests_total", "refused"])? >= 3.0, "counted");
    Ok(())
}

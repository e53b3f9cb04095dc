//! A job of Sidekiq, as it was captured, on its way through a real server, and again.

use anyhow::{Context, Result};
use spanbridge_tests::{Client, RedisBed};

use super::check_exit;
use crate::nats::named;

const JOB: &str = include_str!("../../../guest/tests/data/sidekiq.json");

#[test]
fn a_job_and_its_retry_are_one_trace() -> Result<()> {
    let lines = "[listener.route]\nenvelope = \"sidekiq\"\n";
    let Some(bed) = RedisBed::start(lines)? else { return Ok(()) };
    let arguments = ["--url", &bed.gateway.url(), "--job", JOB.trim_end()];
    let said = Client::run("redis_sidekiq.py", &arguments)?;
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    let publishes = named(&spans, "publish queue:default");
    let processes = named(&spans, "process queue:default");
    assert_eq!((publishes.len(), processes.len(), spans.len()), (2, 2, 4), "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id), "{spans:#?}");
    let found = |at: usize| said[at]["job"]["traceparent"].as_str().context("no context");
    for (at, service) in [(0, "web"), (1, "sidekiq")] {
        let publish =
            publishes.iter().find(|span| found(at).is_ok_and(|it| it.contains(&span.span_id)));
        let publish = publish.with_context(|| format!("no publish of job {at}: {spans:#?}"))?;
        assert_eq!(publish.service, service);
        let followed = processes.iter().filter(|process| process.is_child_of(publish));
        assert_eq!(followed.count(), 1, "{spans:#?}");
    }
    Ok(())
}

//! Celery over a server with the module: nothing but the worker knows of tracing, or not even that.

use anyhow::{Context, Result};
use spanbridge_tests::{Client, Kind, Make};
use tempfile::TempDir;

use super::{start, with_each_server, writer};

const WORDS: &str = "lists celery* envelope kombu channels * envelope kombu service-name redis";

with_each_server!(a_task_and_an_instrumented_worker_are_one_trace);

fn a_task_and_an_instrumented_worker_are_one_trace(make: Make) -> Result<()> {
    for instrument in [&[][..], &["--instrument"]] {
        let module = start!(make, WORDS);
        let results = TempDir::new()?;
        let (url, folder) =
            (format!("{}/0", module.server.url()), results.path().display().to_string());
        let common = ["--url", &url, "--results", &folder];
        let work = ["work", "--name", "worker", "--tasks-per-child", "1"];
        let arguments = [&work, &common[..], instrument].concat();
        let worker = Client::start_with("amqp_celery.py", &arguments, module.tap.http())?;
        worker.wait_for("ready")?;
        let send = ["send", "--kind", "add"];
        let said = Client::run("amqp_celery.py", &[&send, &common[..]].concat())?;
        assert_eq!(said.last().context("a result")?["value"], 5);
        let tasks = worker.stop()?;
        let task = tasks.iter().find(|said| said["event"] == "task").context("a task")?;
        let traceparent = task["traceparent"].as_str().context("no context in the worker")?;
        let spans = module.finish()?;
        // None of events and of the remote control, which a pattern would have allowed.
        let of_redis: Vec<_> = spans.iter().filter(|span| span.service == "redis").collect();
        assert_eq!(of_redis.len(), 1, "{spans:#?}");
        let publish = writer(&spans, traceparent).context("the span that wrote it")?;
        assert_eq!((publish.name.as_str(), publish.kind), ("publish celery", Kind::Producer));
        assert_eq!(publish.text("spanbridge.job.name"), Some("shop.add"), "{publish:#?}");
        let others: Vec<_> = spans.iter().filter(|span| span.service != "redis").collect();
        assert_eq!(!others.is_empty(), !instrument.is_empty(), "{spans:#?}");
        for span in others {
            assert_eq!(span.trace_id, publish.trace_id, "one whole trace: {spans:#?}");
        }
    }
    Ok(())
}

//! BullMQ over a server with the module: jobs of an untouched program, and an instrumented worker.

use anyhow::Result;
use spanbridge_tests::{Client, Kind, Make, tool};

use super::{start, with_each_server};
use crate::nats::named;

with_each_server!(a_job_and_an_instrumented_worker_are_one_trace);

fn a_job_and_an_instrumented_worker_are_one_trace(make: Make) -> Result<()> {
    if tool::node()?.is_none() {
        return Ok(());
    }
    for (kind, jobs) in [("add", 1), ("bulk", 3), ("flow", 3)] {
        let module = start!(make, "queues mail streams * service-name redis");
        let (url, count) = (format!("{}/0", module.server.url()), jobs.to_string());
        let work = ["work", "--url", &url, "--count", &count, "--work", "0.01", "--telemetry"];
        let worker = Client::start_with("redis_bullmq.js", &work, module.tap.http())?;
        worker.wait_for("ready")?;
        let send = ["send", "--url", &url, "--kind", kind];
        let sent = Client::start_with("redis_bullmq.js", &send, module.tap.http())?.finish()?;
        assert!(sent.iter().all(|said| said["intact"] == true), "{sent:?}");
        worker.finish()?;
        let spans = module.finish()?;
        let ours: Vec<_> = spans.iter().filter(|span| span.service == "redis").collect();
        // None of the events that the scripts add to a stream, which a pattern would have allowed.
        assert!(ours.iter().all(|span| span.name == "publish mail"), "{kind}: {ours:#?}");
        assert!(ours.iter().all(|span| span.kind == Kind::Producer), "{kind}: {ours:#?}");
        let worked = named(&spans, "process mail");
        assert_eq!(worked.len(), jobs, "{kind}: {spans:#?}");
        for span in worked {
            let found = ours.iter().filter(|publish| publish.trace_id == span.trace_id).count();
            assert_eq!(found, 1, "{kind}: {spans:#?}");
        }
        // One more where the server did not know the script: its client sends it again.
        assert!((jobs..=jobs + 1).contains(&ours.len()), "{kind}: {ours:#?}");
    }
    Ok(())
}

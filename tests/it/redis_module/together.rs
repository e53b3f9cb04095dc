//! The module behind the gateway: one publish span each, and one whole trace.

use anyhow::{Context, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Client, Kind, Make};
use tempfile::TempDir;

use super::{start, with_each_server};
use crate::nats::named;

with_each_server!(a_message_through_both_has_one_trace_and_one_context);

fn a_message_through_both_has_one_trace_and_one_context(make: Make) -> Result<()> {
    let module = start!(make, "streams orders service-name redis");
    let folder = TempDir::new()?;
    let settings = Settings::listener(folder.path(), &module.server.url(), "")?;
    let gateway = settings.variables(module.tap.grpc()).start()?;
    let url = gateway.url();
    Client::run("redis_streams.py", &["produce", "--url", &url])?;
    Client::run("redis_streams.py", &["work", "--url", &url, "--count", "9"])?;
    gateway.stop()?;
    let entries = module.server.client()?.entries("orders")?;
    assert_eq!(module.number("contexts_injected")?, 0, "the gateway was there before");
    assert_eq!(module.number("contexts_found")?, 9);
    let spans = module.finish()?;
    assert_eq!((entries.len(), spans.len()), (9, 18), "{spans:#?}");
    for process in named(&spans, "process orders") {
        let trace: Vec<_> = spans.iter().filter(|it| it.trace_id == process.trace_id).collect();
        assert_eq!(trace.len(), 2, "{trace:#?}");
        let publish = trace.iter().find(|it| it.kind == Kind::Producer).context("a publish")?;
        assert!(process.is_child_of(publish), "{trace:#?}");
        assert_eq!(publish.service, "shop", "the gateway has made it, and the module no double");
    }
    Ok(())
}

//! The plugin behind a gateway, and behind clients that bring a context: one trace, no doubles.

use anyhow::{Context as _, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Kind, PluginBed, Release};
use tempfile::TempDir;

use super::{context, send_and_take};

#[test]
fn gateway_in_front_and_plugin_make_one_publish_span() -> Result<()> {
    let Some(bed) = PluginBed::shared(Release::Installed)? else { return Ok(()) };
    let (folder, vhost) = (TempDir::new()?, bed.server.vhost()?);
    let settings = Settings::listener(folder.path(), &bed.server.url(), "")?;
    let gateway = settings.variables(bed.tap.grpc()).start()?;
    let url = format!("amqp://guest:guest@{}/{vhost}", gateway.address());
    let messages = send_and_take("amqp_pika.py", &url, "together", 3)?;
    gateway.stop()?;
    for message in &messages {
        let (trace, span) = context(message).with_context(|| format!("untraced: {message}"))?;
        let spans = bed.tap.spans()?;
        let of_trace: Vec<_> = spans.iter().filter(|found| found.trace_id == trace).collect();
        let kinds: Vec<_> = of_trace.iter().map(|found| found.kind).collect();
        assert_eq!(
            kinds.iter().filter(|kind| **kind == Kind::Producer).count(),
            1,
            "{of_trace:#?}"
        );
        assert_eq!(
            kinds.iter().filter(|kind| **kind == Kind::Consumer).count(),
            1,
            "{of_trace:#?}"
        );
        assert_eq!(of_trace.len(), 2, "{of_trace:#?}");
        assert!(of_trace.iter().any(|found| found.span_id == span), "{of_trace:#?}");
    }
    assert!(bed.counted("injections_skipped")? >= 3);
    Ok(())
}

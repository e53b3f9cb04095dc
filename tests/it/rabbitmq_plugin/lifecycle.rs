//! On, off and on again in a live broker, with a client that stays connected; and an exporter that
//! is killed.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use spanbridge_tests::raw_amqp::{Opening, publish};
use spanbridge_tests::{BOUND, PluginBed, RawAmqp, Release, eventually};

use super::{context, send_and_take};

const PIKA: &str = "amqp_pika.py";

#[test]
fn plugin_is_switched_on_off_and_on_in_a_live_broker() -> Result<()> {
    is_switched(Release::Installed)
}

/// Switches it on and off twice, and looks at messages, spans and threads.
pub(super) fn is_switched(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::start(release, false, "[]")? else { return Ok(()) };
    let (url, pid) = (bed.url("/"), bed.server.pid()?);
    let traced = |count| -> Result<usize> {
        let messages = send_and_take(PIKA, &url, "orders", count)?;
        assert_eq!(messages.len(), count);
        Ok(messages.iter().filter_map(context).count())
    };
    assert_eq!(traced(2)?, 0, "it is not enabled");
    for round in 0..2 {
        bed.enable()?;
        assert_eq!(traced(2)?, 2, "round {round}");
        assert_eq!(bed.status("state")?, "running");
        assert_eq!(threads(pid, "spanbridge")?, 2, "a clock and spare instances");
        bed.disable()?;
        assert_eq!(traced(2)?, 0, "round {round}");
        assert_eq!(threads(pid, "spanbridge")?, 0, "nothing of it runs any more");
    }
    let spans = bed.tap.wait_for_spans("all spans", |spans| spans.len() >= 4)?;
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert_eq!(bed.server.pid()?, pid);
    Ok(())
}

#[test]
fn channel_that_stays_open_is_served_whether_the_plugin_is_on_or_off() -> Result<()> {
    serves_open_channels(Release::Installed)
}

/// Publishes on channels from before and after while the plugin is switched.
pub(super) fn serves_open_channels(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::start(release, false, "[]")? else { return Ok(()) };
    let mut before = RawAmqp::open(bed.server.address(), &Opening::default())?;
    before.declare("before", b"")?;
    before.consume("before", true)?;
    bed.enable()?;
    let mut during = RawAmqp::open(bed.server.address(), &Opening::default())?;
    during.declare("during", b"")?;
    during.consume("during", true)?;
    // RabbitMQ tells open channels of an interceptor that comes or goes.
    for (is_on, change) in [(true, None), (false, Some(false)), (true, Some(true))] {
        match change {
            Some(true) => bed.enable()?,
            Some(false) => bed.disable()?,
            None => {}
        }
        for (raw, queue) in [(&mut before, "before"), (&mut during, "during")] {
            eventually("the channel to know", BOUND, || {
                Ok((is_traced(raw, queue)? == is_on).then_some(()))
            })?;
        }
    }
    Ok(())
}

/// Publishes a message without properties and answers whether it comes out with a context.
fn is_traced(raw: &mut RawAmqp, queue: &str) -> Result<bool> {
    for frame in publish(1, ("", queue), &[0, 0], b"work", 4096) {
        raw.send_frame(&frame)?;
    }
    let message = raw.content(60)?;
    assert_eq!(message.body, b"work");
    let name = b"traceparent";
    Ok(message.header.payload.windows(name.len()).any(|part| part == name))
}

#[test]
fn killed_exporter_comes_again_and_publishing_goes_on() -> Result<()> {
    let Some(bed) = PluginBed::start(Release::Installed, false, "[]")? else { return Ok(()) };
    bed.enable()?;
    let first = bed.status("exporter_pid")?;
    ensure!(Command::new("kill").args(["-9", &first]).status()?.success(), "kill {first}");
    let messages = send_and_take(PIKA, &bed.url("/"), "orders", 3)?;
    assert_eq!(messages.iter().filter_map(context).count(), 3);
    let second = eventually("another exporter", BOUND, || {
        let pid = bed.status("exporter_pid")?;
        Ok((pid != first && pid != "none").then_some(pid))
    })?;
    assert_ne!(first, second);
    // They waited for it.
    bed.tap.wait_for_spans("the spans", |spans| spans.len() == 3)?;
    assert_eq!(bed.counted("exporter_restarts")?, 1);
    Ok(())
}

/// How many threads of a process have a name that begins so.
fn threads(pid: u32, prefix: &str) -> Result<usize> {
    let mut found = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).context("the broker has ended")? {
        // A thread may end meanwhile.
        let name = std::fs::read_to_string(task?.path().join("comm")).unwrap_or_default();
        found += usize::from(name.starts_with(prefix));
    }
    Ok(found)
}

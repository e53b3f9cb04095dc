//! What an instance keeps resident, read from `/proc` in a process of its own.

use std::fs;
use std::process::Command;

use anyhow::Context as _;
use spanbridge::resource::ResourceId;
use spanbridge::{MessageBits, Publish, RouteSettings, Runtime, SpanContext};

use crate::message::{DESTINATION, ID};
use crate::report::Report;

/// Enough for an average, few enough for the address space.
const INSTANCES: usize = 200;
const PAGE_BYTES: usize = 4096;

fn resident() -> anyhow::Result<usize> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).context("expected a second number in statm")?;
    Ok(pages.parse::<usize>()? * PAGE_BYTES)
}

/// Prints bytes an instance: idle, then after a batch of 64 with 8 KiB of baggage on one message.
pub(crate) fn child() -> anyhow::Result<()> {
    let runtime = Runtime::builder().build()?;
    let route = runtime.open_route(RouteSettings::new("nats"))?;
    let mut batch = runtime.publish_batch();
    let baggage = vec![b'x'; 8 * 1024];
    // The first one pays for what all share.
    let mut tracers = vec![runtime.tracer()];
    tracers[0].publish(&mut batch);
    let before = resident()?;
    tracers.extend((0..INSTANCES).map(|_| runtime.tracer()));
    let idle = resident()?.saturating_sub(before) / INSTANCES;

    let fields = runtime.fields(route);
    let found = fields.find(b"baggage").context("baggage is a field")?;
    for tracer in tracers.iter_mut().skip(1) {
        batch.clear();
        for message in 0..64 {
            let mut parts = batch.add(&Publish {
                route,
                bits: MessageBits::empty(),
                resource: ResourceId::DEFAULT,
                destination: DESTINATION.as_bytes(),
                id: ID.as_bytes(),
                body: b"",
                body_size: 256,
                start: 1,
                end: 2,
                parent: SpanContext::default(),
            });
            if message == 0 {
                parts.header(found.number, found.key, &baggage);
            }
        }
        tracer.publish(&mut batch);
    }
    let busy = resident()?.saturating_sub(before) / INSTANCES;
    println!("{idle} {busy}");
    Ok(())
}

pub(crate) fn print(report: &mut Report) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?).arg("memory").output()?;
    let text = String::from_utf8(output.stdout)?;
    let (idle, busy) = text.trim().split_once(' ').context("expected two numbers")?;
    report.bytes("instance resident, idle", idle.parse()?, 32 * 1024)?;
    report.bytes("instance resident, after 64 messages, 8 KiB baggage", busy.parse()?, 256 * 1024)
}

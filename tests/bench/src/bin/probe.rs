//! A process that holds the runtime and nothing else: how it starts, what an instance keeps.
//!
//! A program of its own, because the baselines that the benchmarks link do work before `main`
//! (fastrace measures the processor's clock for twenty milliseconds), which is not ours.

use std::fs;

use anyhow::Context as _;
use spanbridge::resource::ResourceId;
use spanbridge::{
    CodeCache, MessageBits, Parts, Publish, PublishBatch, Route, RouteSettings, Runtime,
    SpanContext,
};

/// Enough for an average, few enough for the address space.
const INSTANCES: usize = 200;
const PAGE_BYTES: usize = 4096;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("first-message") => first_message(arguments.get(1)),
        Some("memory") => memory(),
        _ => anyhow::bail!("expected first-message [CACHE] or memory"),
    }
}

/// Traces one message and says so. With a cache directory, or without a cache.
fn first_message(cache: Option<&String>) -> anyhow::Result<()> {
    let cache = cache.map_or(CodeCache::Off, |directory| CodeCache::Dir(directory.into()));
    let runtime = Runtime::builder().code_cache(cache).build()?;
    let route = runtime.open_route(RouteSettings::new("nats"))?;
    let mut batch = runtime.publish_batch();
    add(&mut batch, route);
    let edited = runtime.tracer().publish(&mut batch).has_edits();
    println!("{edited}");
    Ok(())
}

/// Prints bytes an instance: idle, then after a batch of 64 with 8 KiB of baggage on one message.
fn memory() -> anyhow::Result<()> {
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
            let mut parts = add(&mut batch, route);
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

fn add(batch: &mut PublishBatch, route: Route) -> Parts<'_> {
    batch.add(&Publish {
        route,
        bits: MessageBits::empty(),
        resource: ResourceId::DEFAULT,
        destination: b"orders.created.eu",
        id: b"0b7e7dd0-5c1f-4a3c-9d0c-5a1d5e1f2c3b",
        body: b"",
        body_size: 256,
        start: 1,
        end: 2,
        parent: SpanContext::default(),
    })
}

fn resident() -> anyhow::Result<usize> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).context("expected a second number in statm")?;
    Ok(pages.parse::<usize>()? * PAGE_BYTES)
}

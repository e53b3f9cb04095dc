//! From the start of a process to its first traced message.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spanbridge::resource::ResourceId;
use spanbridge::{CodeCache, MessageBits, Publish, RouteSettings, Runtime, SpanContext};

use crate::message::{DESTINATION, ID};
use crate::report::Report;

const STARTS: usize = 11;

/// Traces one message and says so. The argument is a cache directory, or nothing.
pub(crate) fn child() -> anyhow::Result<()> {
    let cache = match std::env::args().nth(2) {
        Some(directory) => CodeCache::Dir(directory.into()),
        None => CodeCache::Off,
    };
    let runtime = Runtime::builder().code_cache(cache).build()?;
    let route = runtime.open_route(RouteSettings::new("nats"))?;
    let mut batch = runtime.publish_batch();
    batch.add(&Publish {
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
    let mut tracer = runtime.tracer();
    let edited = tracer.publish(&mut batch).has_edits();
    println!("{edited}");
    Ok(())
}

/// The median of several starts.
fn median_start(cache: Option<&std::path::Path>) -> anyhow::Result<Duration> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .arg("first-message")
            .args(cache)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        taken.push(start.elapsed());
        child.wait()?;
        anyhow::ensure!(line.trim() == "true", "the first message was not traced");
    }
    taken.sort();
    Ok(taken[STARTS / 2])
}

pub(crate) fn print(report: &mut Report) -> anyhow::Result<()> {
    let cache = std::env::temp_dir().join(format!("spanbridge-bench-{}", std::process::id()));
    let compiling = median_start(None)?;
    median_start(Some(&cache))?;
    let cached = median_start(Some(&cache));
    std::fs::remove_dir_all(&cache)?;
    report.time(
        "process start to first message, cached code",
        cached?,
        Duration::from_millis(10),
    )?;
    report.time("process start to first message, compiling", compiling, Duration::from_millis(100))
}

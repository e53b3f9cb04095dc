//! What a message costs on the call path, beside what others take for the same work.
//!
//! Every candidate does the same for a message: read its headers, make a span with its attributes,
//! put the context into the headers, hand the span to a queue that another thread empties. All run
//! in one process, in turns, for many short rounds; the least of the rounds compares, the median
//! tells what one may see. Nothing is dropped: each queue is emptied between rounds.
//!
//! `SPANBRIDGE_COMPONENT` names another component to measure than the one that is built in.

mod candidates;
mod fast;
mod memory;
mod message;
mod native;
mod otel;
mod ours;
mod report;
mod start;

use std::time::{Duration, Instant};

use candidates::Candidate;
use report::{Report, Row};

/// Rounds of a full run. An odd number, for the median.
const ROUNDS: usize = 41;
const QUICK_ROUNDS: usize = 5;
/// Messages that one candidate handles in one round: about two milliseconds of ours.
const MESSAGES_PER_ROUND: usize = 4096;
const BATCHES: [usize; 4] = [1, 4, 16, 64];

fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        None => all(ROUNDS),
        Some("--quick") => all(QUICK_ROUNDS),
        Some("memory") => memory::child(),
        Some("first-message") => start::child(),
        Some("profile") => profile(),
        Some(other) => anyhow::bail!("expected nothing, --quick or profile, found `{other}`"),
    }
}

/// Runs one candidate for some seconds, for a profiler to look at: `profile NAME BATCH SECONDS`.
fn profile() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let [name, batch, seconds] = &arguments[..] else {
        anyhow::bail!("expected profile NAME BATCH SECONDS");
    };
    let mut candidates = candidates::all(batch.parse()?)?;
    candidates.retain(|candidate| candidate.name() == name);
    let Some(candidate) = candidates.first_mut() else {
        anyhow::bail!("no candidate is called `{name}`");
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    while Instant::now() < end {
        candidate.run(MESSAGES_PER_ROUND);
        candidate.settle_down();
    }
    Ok(())
}

fn all(rounds: usize) -> anyhow::Result<()> {
    let mut report = Report::new(rounds)?;
    for batch in BATCHES {
        let mut candidates = candidates::all(batch)?;
        let samples = measure(&mut candidates, rounds);
        for (candidate, nanoseconds) in candidates.iter().zip(samples) {
            report.add(Row { name: candidate.name(), batch, nanoseconds })?;
        }
    }
    report.table();
    report.budgets();
    memory::print(&mut report)?;
    start::print(&mut report)?;
    report.end()
}

/// Nanoseconds a message, by candidate and round.
fn measure(candidates: &mut [Box<dyn Candidate>], rounds: usize) -> Vec<Vec<f64>> {
    let mut samples = vec![Vec::with_capacity(rounds); candidates.len()];
    // The first round warms caches and grows buffers.
    for round in 0..=rounds {
        for (candidate, samples) in candidates.iter_mut().zip(&mut samples) {
            let start = Instant::now();
            candidate.run(MESSAGES_PER_ROUND);
            let taken = start.elapsed();
            candidate.settle_down();
            if round > 0 {
                samples.push(taken.as_nanos() as f64 / MESSAGES_PER_ROUND as f64);
            }
        }
    }
    samples
}

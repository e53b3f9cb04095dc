//! What a broker pays for our extension: the same load on a broker without it, with it switched
//! off, and with it.

use std::fs::File;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::brokers::Brokers;
use crate::cell::{Cell, Load, Sample, Stand};
use crate::protocol::Protocol;
use crate::rounds::Rounds;
use crate::target::Target;
use crate::{Extent, programs, sink};

/// Rounds for each of a run against a proxy: what is looked for is a twentieth of what is measured.
const ROUNDS_FACTOR: usize = 3;

/// Measures the extensions of the brokers of some protocols.
pub(crate) fn all(protocols: &[Protocol], extent: &Extent) -> anyhow::Result<()> {
    for &protocol in protocols {
        if let Some(budget) = budget(protocol) {
            one(protocol, budget, extent)?;
        }
    }
    Ok(())
}

/// What a publish may cost more, in microseconds. `None`: there is no extension, or none measured.
fn budget(protocol: Protocol) -> Option<f64> {
    match protocol {
        Protocol::Amqp => Some(4.0),
        Protocol::Redis => Some(3.0),
        Protocol::Nats | Protocol::RedisLists => None,
    }
}

fn one(protocol: Protocol, budget: f64, extent: &Extent) -> anyhow::Result<()> {
    let (folder, receiver) = (tempfile::tempdir()?, sink::start()?);
    let brokers = Brokers::with_extension(protocol, receiver)?;
    let file = format!("extension-{}.jsonl", protocol.name());
    let path = programs::root().join("tests/bench/results").join(file);
    let mut rounds = Rounds::new(File::create(&path)?);
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    rounds.note(&json!({ "unix_seconds": since, "length": extent.length.as_secs_f64() }))?;
    let (folder, length) = (folder.path(), extent.length);
    let stand = Stand { protocol, folder, brokers: &brokers, receiver, length };

    let saturated = protocol.saturated().iter();
    let saturated = saturated.map(|&(sessions, window)| Load::Saturated { sessions, window });
    let loads: Vec<_> = saturated.collect();
    extent.run(&loads, &Target::BROKERS, extent.rounds * ROUNDS_FACTOR, &mut rounds, &stand)?;

    println!("\n# The extension of {}", protocol.name());
    for &load in &loads {
        table(load, budget, &rounds);
    }
    let said = brokers.said()?;
    rounds.note(&json!({ "said": said }))?;
    println!("\nthe library has {} bytes; of all rounds:", brokers.library_bytes()?);
    let spans = said.iter().filter(|line| line.starts_with("spans_"));
    spans.for_each(|line| println!("  {line}"));
    println!("\nraw numbers: {}", path.canonicalize()?.display());
    Ok(())
}

/// All brokers under one load, and what is more with the extension. `thread` is the busiest one: of
/// Redis, that which runs commands.
fn table(load: Load, budget: f64, rounds: &Rounds) {
    let Load::Saturated { sessions, window } = load else { return };
    println!("\n{sessions} sessions, of each publisher on their way: {window}\n");
    println!(
        "| broker | k msg/s | broker µs | thread µs | exporter µs | p50 µs | p99 µs | quiet |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for target in Target::BROKERS {
        let row = rounds.row(Cell { load, target });
        println!(
            "| {} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {} |",
            target.name(),
            row.median(|sample| sample.rate) / 1e3,
            row.median(|sample| sample.broker),
            row.median(|sample| sample.busiest),
            row.median(|sample| sample.proxy),
            row.median(|sample| sample.p50),
            row.median(|sample| sample.p99),
            row.counted(),
        );
    }
    let median = |target, of: fn(&Sample) -> f64| rounds.row(Cell { load, target }).median(of);
    println!("\n| µs a message more than | broker | thread | budget |\n|---|---:|---:|---:|");
    for other in [Target::SwitchedOff, Target::Bare, Target::BareInjected] {
        let more = |of| median(Target::Extended, of) - median(other, of);
        let (broker, busiest) = (more(|sample| sample.broker), more(|sample| sample.busiest));
        println!("| {} | {broker:.2} | {busiest:.2} | {budget:.1} |", other.name());
    }
}

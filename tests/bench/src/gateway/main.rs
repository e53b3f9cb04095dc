//! What a message costs on its way through the gateway, beside no proxy and HAProxy.
//!
//! ```text
//! load ── HAProxy or spanbridge, or nothing ── nats-server, RabbitMQ or Redis
//!   └── every message is published and comes back: two ways through the proxy, two spans
//! ```
//!
//! Or what a broker pays for our extension in it, beside a broker without one (`extension`).
//!
//! Every target is started anew for each measurement, in an order of chance; rounds in which others
//! used the machine do not count. `host/gateway/docs/benchmarks.md` has the method and numbers.

mod amqp;
mod brokers;
mod cell;
mod extension;
mod idle;
mod load;
mod nats;
mod peer;
mod programs;
mod protocol;
mod redis;
mod redis_lists;
mod resp;
mod rounds;
mod sink;
mod table;
mod target;
mod usage;

use std::fs::File;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use serde_json::json;

use brokers::Brokers;
use cell::{Cell, Load, Stand};
use protocol::Protocol;
use rounds::Rounds;
use target::Target;

const RATE_SESSIONS: usize = 8;
/// Over which the sessions are counted.
const BY_SESSIONS: [Target; 2] = [Target::HaProxy, Target::Gateway];
/// What a proxy has open for other things than sessions.
const OTHER_FILES: usize = 100;

/// How thorough a run is.
struct Extent {
    rounds: usize,
    session_rounds: usize,
    length: Duration,
    /// As long as this for each cell, what was disturbed is measured again.
    patience: Duration,
}

const FULL: Extent = Extent {
    rounds: 5,
    session_rounds: 3,
    length: Duration::from_millis(1500),
    patience: Duration::from_secs(16),
};
const QUICK: Extent = Extent {
    rounds: 2,
    session_rounds: 1,
    length: Duration::from_millis(700),
    patience: Duration::from_secs(4),
};

impl Extent {
    /// Measures every target under every load.
    fn run(
        &self,
        loads: &[Load],
        targets: &[Target],
        rounds: usize,
        to: &mut Rounds,
        stand: &Stand<'_>,
    ) -> anyhow::Result<()> {
        let of = |&load: &Load| targets.iter().map(move |&target| Cell { load, target });
        let cells: Vec<_> = loads.iter().flat_map(of).collect();
        let deadline = Instant::now() + self.patience * u32::try_from(cells.len())?;
        to.run(&cells, rounds, deadline, stand)
    }
}

fn main() -> anyhow::Result<()> {
    // Sleeps that end on time, for messages that leave on time.
    if let Err(error) = std::fs::write("/proc/self/timerslack_ns", "1000") {
        eprintln!("timers stay coarse: {error}");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str).peekable();
    let named = arguments.peek().map_or_else(Vec::new, |&name| protocols(name));
    arguments.next_if(|_| !named.is_empty());
    let protocols = if named.is_empty() { Protocol::ALL.to_vec() } else { named };
    let one = protocols[0];
    match &arguments.collect::<Vec<_>>()[..] {
        [] => protocols.into_iter().try_for_each(|protocol| all(protocol, &FULL)),
        ["--quick"] => protocols.into_iter().try_for_each(|protocol| all(protocol, &QUICK)),
        ["extension"] => extension::all(&protocols, &FULL),
        ["extension", "--quick"] => extension::all(&protocols, &QUICK),
        ["profile", target, seconds] => {
            let (sessions, window) = one.saturated()[one.saturated().len() / 2];
            profile(one, target, seconds.parse()?, Load::Saturated { sessions, window })
        }
        ["profile", target, seconds, sessions] => {
            let load = Load::Rate { sessions: sessions.parse()?, rate: one.rate() };
            profile(one, target, seconds.parse()?, load)
        }
        _ => {
            let names = Protocol::ALL.map(Protocol::name).join(" | ");
            bail!(
                "expected [{names}] [--quick | extension [--quick] \
                 | profile TARGET SECONDS [SESSIONS]]"
            )
        }
    }
}

/// Those that a word stands for: its own, and what else has its addresses.
fn protocols(name: &str) -> Vec<Protocol> {
    let mut all = Protocol::ALL.to_vec();
    all.retain(|protocol| protocol.name() == name || protocol.scheme() == name);
    all
}

/// Loads one target for some seconds, for a profiler to look at.
fn profile(protocol: Protocol, name: &str, seconds: u64, load: Load) -> anyhow::Result<()> {
    let all = Target::ALL.into_iter().chain(Target::BROKERS);
    let Some(target) = all.clone().find(|target| target.name() == name) else {
        let names = all.map(Target::name).collect::<Vec<_>>().join("`, `");
        bail!("expected one of `{names}`, found `{name}`");
    };
    let (folder, receiver) = (tempfile::tempdir()?, sink::start()?);
    let brokers = if Target::BROKERS.contains(&target) {
        Brokers::with_extension(protocol, receiver)?
    } else {
        Brokers::bare(protocol.broker()?)
    };
    let stand = Stand {
        protocol,
        folder: folder.path(),
        brokers: &brokers,
        receiver,
        length: Duration::from_secs(seconds),
    };
    println!("{:#}", Cell { load, target }.measure(&stand)?.raw);
    Ok(())
}

fn all(protocol: Protocol, extent: &Extent) -> anyhow::Result<()> {
    let (folder, rate) = (tempfile::tempdir()?, protocol.rate());
    let brokers = Brokers::bare(protocol.broker()?);
    let path = programs::root().join("tests/bench/results").join(protocol.results());
    let mut rounds = Rounds::new(File::create(&path)?);
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    rounds.note(&json!({ "unix_seconds": since, "length": extent.length.as_secs_f64() }))?;
    let (receiver, length) = (sink::start()?, extent.length);
    let stand = Stand { protocol, folder: folder.path(), brokers: &brokers, receiver, length };

    let open = Load::Rate { sessions: RATE_SESSIONS, rate };
    let saturated = protocol.saturated().iter();
    let saturated = saturated.map(|&(sessions, window)| Load::Saturated { sessions, window });
    let loads: Vec<_> = [open].into_iter().chain(saturated).collect();
    extent.run(&loads, protocol.targets(), extent.rounds, &mut rounds, &stand)?;

    println!("\n# {}", protocol.name());
    for &load in &loads {
        let title = match load {
            Load::Rate { sessions, rate } => {
                format!("{rate} messages a second over {sessions} sessions, one a write")
            }
            Load::Saturated { sessions, window } => {
                format!("Saturated: {sessions} sessions, of each publisher on their way: {window}")
            }
        };
        table::targets(&title, load, protocol.targets(), &rounds);
    }
    let named: Vec<_> = loads.iter().map(|&load| (name(load, &loads), load)).collect();
    table::budgets(&named, &rounds);
    by_sessions(extent, &mut rounds, &stand)?;
    table::spans(&named, &rounds);
    if !protocol.sessions().is_empty() {
        idle(&mut rounds, &stand)?;
    }
    println!("\nraw numbers: {}", path.canonicalize()?.display());
    Ok(())
}

/// What tables call a load.
fn name(load: Load, loads: &[Load]) -> String {
    match load {
        Load::Rate { .. } => "at a rate".to_owned(),
        Load::Saturated { .. } if loads.len() == 2 => "saturated".to_owned(),
        Load::Saturated { window, .. } => format!("saturated, `-P {window}`"),
    }
}

/// The same rate over more and more sessions, as many as may be open.
fn by_sessions(extent: &Extent, rounds: &mut Rounds, stand: &Stand<'_>) -> anyhow::Result<()> {
    let (all, rate) = (stand.protocol.sessions(), stand.protocol.rate());
    let files = usage::open_files_max();
    let fits = |sessions: &usize| sessions * 2 + OTHER_FILES < files;
    let loads: Vec<_> = all.iter().copied().filter(fits).collect();
    let loads: Vec<_> = loads.into_iter().map(|sessions| Load::Rate { sessions, rate }).collect();
    if loads.is_empty() {
        return Ok(());
    }
    extent.run(&loads, &BY_SESSIONS, extent.session_rounds, rounds, stand)?;
    table::sessions(&loads, &BY_SESSIONS, rounds);
    if loads.len() < all.len() {
        println!("\nonly {files} files may be open: `ulimit -n` says how many sessions fit");
    }
    Ok(())
}

fn idle(rounds: &mut Rounds, stand: &Stand<'_>) -> anyhow::Result<()> {
    println!("\n| 1 000 idle sessions | MiB |\n|---|---:|");
    for target in [Target::HaProxy, Target::Relay, Target::Exporting] {
        println!("| {} | {:.1} |", target.name(), idle::per_thousand(target, stand, rounds)?);
    }
    Ok(())
}

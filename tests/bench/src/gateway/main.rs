//! What a message costs on its way through the gateway, beside no proxy and HAProxy.
//!
//! ```text
//! load ── HAProxy or spanbridge, or nothing ── nats-server or RabbitMQ
//!   └── every message is published and comes back: two ways through the proxy, two spans
//! ```
//!
//! Every target is started anew for each measurement, in an order of chance; rounds in which others
//! used the machine do not count. `host/gateway/docs/benchmarks.md` has the method and numbers.

mod amqp;
mod cell;
mod idle;
mod load;
mod nats;
mod peer;
mod programs;
mod protocol;
mod rounds;
mod sink;
mod table;
mod target;
mod usage;

use std::fs::File;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use serde_json::json;

use cell::{Cell, Load, Stand};
use protocol::Protocol;
use rounds::Rounds;
use target::Target;

const RATE_SESSIONS: usize = 8;
const SATURATED_SESSIONS: usize = 4;
/// Over which the sessions are counted.
const BY_SESSIONS: [Target; 2] = [Target::HaProxy, Target::Gateway];
/// What a proxy has open for other things than sessions.
const OTHER_FILES: usize = 100;

/// How thorough a run is.
struct Extent {
    rounds: usize,
    session_rounds: usize,
    length: Duration,
    /// After this nothing that was disturbed is measured again.
    patience: Duration,
}

const FULL: Extent = Extent {
    rounds: 5,
    session_rounds: 3,
    length: Duration::from_millis(1500),
    patience: Duration::from_secs(200),
};
const QUICK: Extent = Extent {
    rounds: 2,
    session_rounds: 1,
    length: Duration::from_millis(700),
    patience: Duration::from_secs(50),
};

fn main() -> anyhow::Result<()> {
    // Sleeps that end on time, for messages that leave on time.
    if let Err(error) = std::fs::write("/proc/self/timerslack_ns", "1000") {
        eprintln!("timers stay coarse: {error}");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str).peekable();
    let named = arguments.peek().and_then(|&name| protocol(name));
    arguments.next_if(|_| named.is_some());
    let protocols = named.map_or(Protocol::ALL.to_vec(), |protocol| vec![protocol]);
    let one = named.unwrap_or(Protocol::Nats);
    match &arguments.collect::<Vec<_>>()[..] {
        [] => protocols.into_iter().try_for_each(|protocol| all(protocol, &FULL)),
        ["--quick"] => protocols.into_iter().try_for_each(|protocol| all(protocol, &QUICK)),
        ["profile", target, seconds] => {
            let load = Load::Saturated { sessions: SATURATED_SESSIONS };
            profile(one, target, seconds.parse()?, load)
        }
        ["profile", target, seconds, sessions] => {
            let load = Load::Rate { sessions: sessions.parse()?, rate: one.rate() };
            profile(one, target, seconds.parse()?, load)
        }
        _ => bail!("expected [nats | amqp] [--quick | profile TARGET SECONDS [SESSIONS]]"),
    }
}

fn protocol(name: &str) -> Option<Protocol> {
    Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)
}

/// Loads one target for some seconds, for a profiler to look at.
fn profile(protocol: Protocol, name: &str, seconds: u64, load: Load) -> anyhow::Result<()> {
    let Some(target) = Target::ALL.into_iter().find(|target| target.name() == name) else {
        let names = Target::ALL.map(Target::name).join("`, `");
        bail!("expected one of `{names}`, found `{name}`");
    };
    let (folder, broker) = (tempfile::tempdir()?, protocol.broker()?);
    let stand = Stand {
        protocol,
        folder: folder.path(),
        broker: &broker,
        receiver: sink::start()?,
        length: Duration::from_secs(seconds),
    };
    println!("{:#}", Cell { load, target }.measure(&stand)?.raw);
    Ok(())
}

fn all(protocol: Protocol, extent: &Extent) -> anyhow::Result<()> {
    let (folder, broker, rate) = (tempfile::tempdir()?, protocol.broker()?, protocol.rate());
    let path = programs::root().join("tests/bench/results").join(protocol.results());
    let mut rounds = Rounds::new(File::create(&path)?);
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    rounds.note(&json!({ "unix_seconds": since, "length": extent.length.as_secs_f64() }))?;
    let (receiver, length) = (sink::start()?, extent.length);
    let stand = Stand { protocol, folder: folder.path(), broker: &broker, receiver, length };
    let start = Instant::now();

    let open = Load::Rate { sessions: RATE_SESSIONS, rate };
    let saturated = Load::Saturated { sessions: SATURATED_SESSIONS };
    let loads = [open, saturated];
    let cells: Vec<_> = loads
        .into_iter()
        .flat_map(|load| Target::ALL.map(|target| Cell { load, target }))
        .collect();
    rounds.run(&cells, extent.rounds, start + extent.patience, &stand)?;

    let files = usage::open_files_max();
    let fits = |sessions: &usize| sessions * 2 + OTHER_FILES < files;
    let by_sessions: Vec<_> = protocol.sessions().iter().copied().filter(fits).collect();
    let by_sessions: Vec<_> =
        by_sessions.into_iter().map(|sessions| Load::Rate { sessions, rate }).collect();
    let cells: Vec<_> = by_sessions
        .iter()
        .flat_map(|&load| BY_SESSIONS.map(|target| Cell { load, target }))
        .collect();
    let deadline = start + extent.patience + extent.patience / 2;
    rounds.run(&cells, extent.session_rounds, deadline, &stand)?;

    let window = cell::WINDOW;
    println!("\n# {}", protocol.name());
    let title = format!("{rate} messages a second over {RATE_SESSIONS} sessions, one a write");
    table::targets(&title, open, &rounds);
    let title = format!("Saturated: {SATURATED_SESSIONS} sessions with {window} messages each");
    table::targets(&title, saturated, &rounds);
    table::budgets(open, saturated, &rounds);
    table::sessions(&by_sessions, &BY_SESSIONS, &rounds);
    if by_sessions.len() < protocol.sessions().len() {
        println!("\nonly {files} files may be open: `ulimit -n` says how many sessions fit");
    }
    table::spans(&[("at a rate", open), ("saturated", saturated)], &rounds);
    println!("\n| 1 000 idle sessions | MiB |\n|---|---:|");
    for target in [Target::HaProxy, Target::Relay, Target::Exporting] {
        println!("| {} | {:.1} |", target.name(), idle::per_thousand(target, &stand, &mut rounds)?);
    }
    println!("\nraw numbers: {}", path.canonicalize()?.display());
    Ok(())
}

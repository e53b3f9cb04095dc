//! What processes use, read from `/proc`.
//!
//! Processor time is the sum of a process's threads in `schedstat`, which counts nanoseconds; the
//! ticks in `stat` are kept beside it as a check. The busy time of the whole machine misses short
//! sleepers: it tells how much others disturbed, and is never taken for a cost.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

/// Ticks a second in `/proc`, on every Linux of today.
const TICKS: f64 = 100.0;
const TICK_NANOSECONDS: f64 = 1e9 / TICKS;

/// Processor time of one process so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu {
    /// In nanoseconds, by the name of the thread.
    threads: BTreeMap<String, u64>,
    ticks: u64,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(folder.join("task")).context("a process is gone")? {
            let thread = thread?.path();
            let text = fs::read_to_string(thread.join("schedstat"));
            // A thread may end while the list is read.
            let (Ok(text), Ok(name)) = (text, fs::read_to_string(thread.join("comm"))) else {
                continue;
            };
            let used: u64 = text.split(' ').next().unwrap_or_default().parse()?;
            *threads.entry(name.trim().to_owned()).or_default() += used;
        }
        let stat = fs::read_to_string(folder.join("stat"))?;
        // The name in parentheses may have spaces; utime and stime are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(") ").context("expected a name in stat")?;
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Ok(Self { threads, ticks })
    }

    fn total(&self) -> u64 {
        self.threads.values().sum()
    }
}

/// What one process used between two moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    pub nanoseconds: f64,
    pub by_ticks: f64,
    threads: BTreeMap<String, u64>,
}

impl Used {
    fn between(before: &Cpu, after: &Cpu) -> Self {
        let mut threads = after.threads.clone();
        for (name, used) in &mut threads {
            *used -= before.threads.get(name).copied().unwrap_or(0).min(*used);
        }
        threads.retain(|_, used| *used > 0);
        Self {
            nanoseconds: after.total().saturating_sub(before.total()) as f64,
            by_ticks: (after.ticks - before.ticks) as f64 * TICK_NANOSECONDS,
            threads,
        }
    }

    /// Nanoseconds of the thread that used the most: of Redis, the one that runs commands.
    pub(crate) fn busiest(&self) -> f64 {
        self.threads.values().max().map_or(0.0, |used| *used as f64)
    }

    /// Nanoseconds a message, by thread, for the raw numbers.
    pub(crate) fn per_message(&self, messages: u64) -> Value {
        let per = |nanoseconds: f64| (nanoseconds / messages as f64).round();
        let threads: BTreeMap<_, _> =
            self.threads.iter().map(|(name, used)| (name, per(*used as f64))).collect();
        json!({
            "ns": per(self.nanoseconds),
            "by_ticks": per(self.by_ticks),
            "threads": threads,
        })
    }
}

/// All processes of a measurement, and the machine, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    processes: Vec<Cpu>,
    machine: u64,
}

impl Moment {
    pub(crate) fn take(pids: &[u32]) -> anyhow::Result<Self> {
        let processes = pids.iter().map(|pid| Cpu::of(*pid)).collect::<Result<_, _>>()?;
        Ok(Self { processes, machine: machine_busy()? })
    }

    /// What each used since `before`, and the machine's busy time that nobody of them had, in
    /// nanoseconds.
    pub(crate) fn since(&self, before: &Self) -> (Vec<Used>, f64) {
        let pairs = before.processes.iter().zip(&self.processes);
        let used: Vec<_> = pairs.map(|(before, after)| Used::between(before, after)).collect();
        let ours: f64 = used.iter().map(|used| used.nanoseconds).sum();
        let busy = (self.machine - before.machine) as f64 * TICK_NANOSECONDS;
        (used, (busy - ours).max(0.0))
    }
}

/// Ticks in which a processor was not idle, or was taken away from this machine.
fn machine_busy() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let line = line.context("expected a line `cpu` in /proc/stat")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy = fields.iter().enumerate().filter(|(at, _)| !matches!(at, 3 | 4)).take(6);
    Ok(busy.map(|(_, ticks)| ticks).sum())
}

/// Resident memory of a process in KiB.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("expected VmRSS")?.parse()?)
}

/// Files that a process of ours may have open.
pub(crate) fn open_files_max() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}

//! From the start of a process to its first traced message.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::report::Report;

const STARTS: usize = 11;

/// The program beside this one that holds the runtime and nothing else.
pub(crate) fn probe() -> anyhow::Result<Command> {
    let path = std::env::current_exe()?.with_file_name("probe");
    anyhow::ensure!(path.exists(), "{}: build it with `--bins`", path.display());
    Ok(Command::new(path))
}

/// The median of several starts.
fn median_start(cache: Option<&Path>) -> anyhow::Result<Duration> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let mut child = probe()?.arg("first-message").args(cache).stdout(Stdio::piped()).spawn()?;
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

//! The table for people, and the raw numbers beside it, one JSON object a line.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::candidates::{NATIVE, OURS, OURS_FOREIGN, OURS_UNSAMPLED, SDK, SDK_FOREIGN};

/// One candidate at one batch size.
pub(crate) struct Row {
    pub name: &'static str,
    pub batch: usize,
    /// A message, by round.
    pub nanoseconds: Vec<f64>,
}

impl Row {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.nanoseconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn least(&self) -> f64 {
        self.sorted().first().copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

pub(crate) struct Report {
    rows: Vec<Row>,
    raw: File,
    path: PathBuf,
}

impl Report {
    pub(crate) fn new(rounds: usize) -> anyhow::Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        let path = folder.join("call-path.jsonl");
        let mut raw = File::create(&path)?;
        let head = json!({
            "commit": output("git", &["rev-parse", "--short", "HEAD"]),
            "rustc": output("rustc", &["--version"]),
            "machine": machine(),
            "rounds": rounds,
        });
        writeln!(raw, "{head}")?;
        Ok(Self { rows: Vec::new(), raw, path })
    }

    pub(crate) fn add(&mut self, row: Row) -> anyhow::Result<()> {
        let Row { name, batch, nanoseconds } = &row;
        let line = json!({ "name": name, "batch": batch, "ns_per_message": nanoseconds });
        writeln!(self.raw, "{line}")?;
        self.rows.push(row);
        Ok(())
    }

    fn row(&self, name: &str, batch: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.batch == batch)
    }

    /// Nanoseconds a message: median (least).
    pub(crate) fn table(&self) {
        let mut batches: Vec<_> = self.rows.iter().map(|row| row.batch).collect();
        batches.dedup();
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.name) {
                names.push(row.name);
            }
        }
        println!("ns a message: median (least of the rounds)\n");
        print!("{:<36}", "messages a call");
        for batch in &batches {
            print!("{batch:>16}");
        }
        println!();
        for name in names {
            print!("{name:<36}");
            for batch in &batches {
                let Some(row) = self.row(name, *batch) else { continue };
                print!("{:>16}", format!("{:.0} ({:.0})", row.median(), row.least()));
            }
            println!();
        }
    }

    /// Each budget beside what was measured, by the least of the rounds.
    pub(crate) fn budgets(&self) {
        println!("\nbudgets, by the least of the rounds\n");
        let table = [
            ("create, 1 message, to the SDK", (OURS, 1), (SDK, 1), 0.2),
            ("create, 64 messages, to the SDK", (OURS, 64), (SDK, 64), 0.1),
            ("continue, 1 message, to the SDK", (OURS_FOREIGN, 1), (SDK_FOREIGN, 1), 0.2),
            ("continue, 64 messages, to the SDK", (OURS_FOREIGN, 64), (SDK_FOREIGN, 64), 0.1),
            ("create, 64 messages, to native logic", (OURS, 64), (NATIVE, 64), 2.0),
            ("unsampled, 64 messages, to sampled", (OURS_UNSAMPLED, 64), (OURS_FOREIGN, 64), 0.5),
        ];
        for (what, (ours, batch), (other, other_batch), budget) in table {
            let least = |name, batch| self.row(name, batch).map_or(f64::NAN, Row::least);
            let ratio = least(ours, batch) / least(other, other_batch);
            verdict(what, &format!("{ratio:.2}x"), &format!("{budget:.1}x"), ratio <= budget);
        }
    }

    pub(crate) fn bytes(&mut self, what: &str, found: usize, budget: usize) -> anyhow::Result<()> {
        writeln!(self.raw, "{}", json!({ "name": what, "bytes": found }))?;
        let kib = |bytes: usize| format!("{:.1} KiB", bytes as f64 / 1024.0);
        verdict(what, &kib(found), &kib(budget), found <= budget);
        Ok(())
    }

    pub(crate) fn time(
        &mut self,
        what: &str,
        found: Duration,
        budget: Duration,
    ) -> anyhow::Result<()> {
        writeln!(self.raw, "{}", json!({ "name": what, "ns": found.as_nanos() as u64 }))?;
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        verdict(what, &ms(found), &ms(budget), found <= budget);
        Ok(())
    }

    pub(crate) fn end(self) -> anyhow::Result<()> {
        println!("\nraw numbers: {}", self.path.display());
        Ok(())
    }
}

fn verdict(what: &str, found: &str, budget: &str, met: bool) {
    let word = if met { "met" } else { "MISSED" };
    println!("{what:<54}{found:>11}  budget {budget:>10}  {word}");
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let model = model.map(|model| model.trim_start_matches(['\t', ' ', ':'])).unwrap_or_default();
    format!("{model}, {cores} cores")
}

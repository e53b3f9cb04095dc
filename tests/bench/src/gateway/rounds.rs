//! Rounds of measurements in an order of chance, and again what was disturbed.

use std::fs::File;
use std::io::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::cell::{Cell, Sample, Stand};

/// Every sample of a run.
pub(crate) struct Rounds {
    samples: Vec<Sample>,
    raw: File,
    random: u64,
}

/// The samples of one cell.
pub(crate) struct Row<'a> {
    /// Those that count: the quiet ones, or all where none was quiet.
    samples: Vec<&'a Sample>,
    pub quiet: usize,
    pub all: usize,
}

impl Row<'_> {
    pub(crate) fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        let mut values: Vec<f64> = self.samples.iter().map(|sample| of(sample)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Answers how many of how many samples count; `~` says that all were disturbed.
    pub(crate) fn counted(&self) -> String {
        let mark = if self.quiet == 0 { "~" } else { "" };
        format!("{mark}{}/{}", self.quiet, self.all)
    }
}

impl Rounds {
    pub(crate) fn new(raw: File) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Odd, because a generator of this kind stays at zero.
        let random = since.as_nanos() as u64 | 1;
        Self { samples: Vec::new(), raw, random }
    }

    /// Measures every cell `rounds` times, and until `deadline` those again that were disturbed.
    pub(crate) fn run(
        &mut self,
        cells: &[Cell],
        rounds: usize,
        deadline: Instant,
        stand: &Stand<'_>,
    ) -> anyhow::Result<()> {
        for _ in 0..rounds {
            let mut cells = cells.to_vec();
            self.shuffle(&mut cells);
            for cell in cells {
                self.measure(cell, stand)?;
            }
        }
        loop {
            let mut short = cells.to_vec();
            short.retain(|cell| self.row(*cell).quiet < rounds);
            self.shuffle(&mut short);
            if short.is_empty() {
                return Ok(());
            }
            for cell in short {
                if Instant::now() > deadline {
                    return Ok(());
                }
                self.measure(cell, stand)?;
            }
        }
    }

    fn measure(&mut self, cell: Cell, stand: &Stand<'_>) -> anyhow::Result<()> {
        match cell.measure(stand) {
            Ok(sample) => {
                writeln!(self.raw, "{}", sample.raw)?;
                let word = sample.disturbed.unwrap_or("quiet");
                eprintln!("{cell:?}: {word}, {:.2} processors of others", sample.foreign);
                self.samples.push(sample);
            }
            // One that went wrong is not a reason to throw the others away; the row will show it.
            Err(error) => {
                let line = json!({ "cell": format!("{cell:?}"), "error": format!("{error:#}") });
                writeln!(self.raw, "{line}")?;
                eprintln!("{cell:?}: {error:#}");
            }
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, line: &serde_json::Value) -> anyhow::Result<()> {
        Ok(writeln!(self.raw, "{line}")?)
    }

    pub(crate) fn row(&self, cell: Cell) -> Row<'_> {
        let samples: Vec<_> = self.samples.iter().filter(|sample| sample.cell == cell).collect();
        let all = samples.len();
        let mut quiet = samples.clone();
        quiet.retain(|sample| sample.disturbed.is_none());
        let count = quiet.len();
        Row { samples: if count == 0 { samples } else { quiet }, quiet: count, all }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // xorshift64: good enough for an order.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            items.swap(last, (self.random % (last as u64 + 1)) as usize);
        }
    }
}

//! Holds `docs/metrics.md` to the code: each metric is a row there, and each row is a metric.

use std::fmt::Write as _;

use spanbridge::metrics::Counters;

use super::exposition::Kind;
use super::page::FAMILIES;

/// The tables as the code would write them.
fn tables() -> String {
    let mut text = String::from("| metric | labels | what it counts |\n|---|---|---|\n");
    let mut rows: Vec<(&str, Vec<&str>, &str, &str)> = Vec::new();
    Counters::default().for_each(|sample| {
        let (label, value) = sample.label.unwrap_or_default();
        match rows.last_mut().filter(|(name, ..)| *name == sample.name) {
            Some((_, values, ..)) => values.push(value),
            None => rows.push((sample.name, vec![value], label, sample.help)),
        }
    });
    for (name, values, label, help) in rows {
        let values = values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>();
        let labels = match label {
            "" => String::new(),
            label => format!("`{label}`: {}", values.join(", ")),
        };
        writeln!(text, "| `spanbridge_{name}_total` | {labels} | {help} |").unwrap();
    }
    text.push_str("\n| metric | type | what it says |\n|---|---|---|\n");
    for (name, kind, help) in FAMILIES {
        let (total, kind) = match kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
            Kind::Histogram => ("", "histogram"),
        };
        writeln!(text, "| `{name}{total}` | {kind} | {help} |").unwrap();
    }
    text
}

#[test]
fn every_metric_is_documented_and_nothing_else() {
    let page = include_str!("../../docs/metrics.md");
    let rows = |text: &str| -> Vec<String> {
        const ROWS: [&str; 3] = ["| metric", "| `spanbridge_", "| `messaging_"];
        let is_row = |line: &&str| ROWS.iter().any(|start| line.starts_with(start));
        text.lines().filter(is_row).map(str::to_owned).collect()
    };
    let expected = tables();
    assert_eq!(rows(page), rows(&expected), "docs/metrics.md should have these rows:\n{expected}");
}

//! The tables for people, in Markdown, and each budget beside what was measured.

use crate::cell::{Cell, Load, Sample};
use crate::rounds::Rounds;
use crate::target::Target;

/// One number of a sample.
type Of = fn(&Sample) -> f64;

/// One table of all targets under one load.
pub(crate) fn targets(title: &str, load: Load, targets: &[Target], rounds: &Rounds) {
    println!("\n{title}\n");
    println!("| | k msg/s | proxy µs | broker µs | load µs | p50 µs | p99 µs | quiet |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for &target in targets {
        let row = rounds.row(Cell { load, target });
        let of = |value: Of| row.median(value);
        println!(
            "| {} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {} |",
            target.name(),
            of(|sample| sample.rate) / 1e3,
            of(|sample| sample.proxy),
            of(|sample| sample.broker),
            of(|sample| sample.load),
            of(|sample| sample.p50),
            of(|sample| sample.p99),
            row.counted(),
        );
    }
    let header = |target| rounds.row(Cell { load, target }).median(|sample| sample.header as f64);
    let (ours, others) = (header(Target::Gateway), header(Target::HaProxy));
    if ours != others {
        println!("\nnot the same message: a header of {ours} bytes beside one of {others}");
    }
}

/// What a message costs by the number of sessions.
pub(crate) fn sessions(loads: &[Load], targets: &[Target], rounds: &Rounds) {
    println!("\nThe same rate over more sessions: proxy µs a message (p50 µs), quiet\n");
    print!("| sessions |");
    targets.iter().for_each(|target| print!(" {} |", target.name()));
    println!("\n|---:|{}", "---:|".repeat(targets.len()));
    for load in loads {
        let Load::Rate { sessions, .. } = load else { continue };
        print!("| {sessions} |");
        for target in targets {
            let row = rounds.row(Cell { load: *load, target: *target });
            let (proxy, p50) = (row.median(|s| s.proxy), row.median(|s| s.p50));
            print!(" {proxy:.2} ({p50:.0}), {} |", row.counted());
        }
        println!();
    }
}

/// Spans that were made and lost under a load.
pub(crate) fn spans(loads: &[(String, Load)], rounds: &Rounds) {
    println!("\n| spans dropped | made, a round | dropped |\n|---|---:|---:|");
    for (name, load) in loads {
        for target in [Target::Exporting, Target::ExportingFew] {
            let row = rounds.row(Cell { load: *load, target });
            let made = row.median(|sample| sample.spans.0 as f64);
            let dropped = row.median(|sample| sample.spans.1 as f64);
            println!("| {name}, {} | {made:.0} | {dropped:.0} |", target.name());
        }
    }
}

/// The budgets that compare with HAProxy, of loads at a rate and of others; `~` where a side had no
/// quiet round.
pub(crate) fn budgets(loads: &[(String, Load)], rounds: &Rounds) {
    println!("\n| to HAProxy | spans made | spans exported | budget |\n|---|---:|---:|---:|");
    let ratio = |load, target, of: Of| {
        let [ours, others] = [target, Target::HaProxy].map(|target| Cell { load, target });
        let (ours, others) = (rounds.row(ours), rounds.row(others));
        let mark = if ours.quiet == 0 || others.quiet == 0 { "~" } else { "" };
        format!("{mark}{:.2}", ours.median(of) / others.median(of))
    };
    let proxy: Of = |sample| sample.proxy;
    for &(ref name, load) in loads {
        let rows: [(&str, Of, &str); 2] = match load {
            Load::Rate { .. } => [
                ("processor time a message", proxy, "≤ 1.05"),
                ("p50", |sample| sample.p50, "≤ 1.10"),
            ],
            Load::Saturated { .. } => [
                ("processor time a message", proxy, "≤ 1.30"),
                ("throughput", |sample| sample.rate, "≥ 0.85"),
            ],
        };
        for (what, of, budget) in rows {
            let made = ratio(load, Target::Gateway, of);
            let exported = ratio(load, Target::Exporting, of);
            println!("| {what}, {name} | {made} | {exported} | {budget} |");
        }
    }
}

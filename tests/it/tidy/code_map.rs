//! The code map in ARCHITECTURE.md: every Rust file, with a word about its job.
//!
//! ```text
//! ## Code map
//! `guest/src/`: the component                        names the directory of what follows
//! - `traceparent.rs`, `envelope/{json,field}.rs`: …  names files in it
//! ```
//!
//! Only what stands in back quotes is read. A `tests.rs` is part of the file that it tests.

use std::collections::BTreeSet;

/// The heading of the section, without its marks.
const HEADING: &str = "Code map";

/// Answers the files that the map does not name, and the names that are no file.
pub(crate) fn differences(architecture: &str, paths: &[&str]) -> Vec<String> {
    let named = named(architecture);
    let present: BTreeSet<_> = paths
        .iter()
        .filter(|path| !path.ends_with("/tests.rs"))
        .map(|path| path.to_string())
        .collect();
    let missing = present.difference(&named).map(|path| format!("{path}: not in the code map"));
    let unknown = named.difference(&present).map(|path| format!("{path}: named, but no file"));
    missing.chain(unknown).collect()
}

/// The paths that the section names.
fn named(architecture: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut directory = "";
    for line in section(architecture) {
        // Every second part stands between back quotes.
        for quoted in line.split('`').skip(1).step_by(2) {
            if quoted.ends_with('/') {
                directory = quoted;
            } else if quoted.ends_with(".rs") || quoted.ends_with(".rs}") {
                paths.extend(expand(quoted).into_iter().map(|file| [directory, &file].concat()));
            }
        }
    }
    paths
}

/// The lines below the heading, up to the next heading of the same or a higher level.
fn section(text: &str) -> impl Iterator<Item = &str> {
    let level = |line: &str| line.bytes().take_while(|&byte| byte == b'#').count();
    let is_start =
        move |line: &&str| level(line) > 0 && line.trim_start_matches(['#', ' ']) == HEADING;
    let start = text.lines().find(is_start).map_or(0, level);
    let below = text.lines().skip_while(move |line| !is_start(line)).skip(1);
    below.take_while(move |line| !(1..=start).contains(&level(line)))
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`; one pair of braces at most.
fn expand(name: &str) -> Vec<String> {
    let parts = name.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    match parts {
        Some((head, (choices, tail))) => {
            choices.split(',').map(|choice| [head, choice.trim(), tail].concat()).collect()
        }
        None => vec![name.to_owned()],
    }
}

//! Rules about one file at a time. Each answers its breaches, ready to print.

use super::source;

/// Columns of a line, as rustfmt is told; it does not break comments and strings itself.
const COLUMNS_MAX: usize = 100;
/// Lines of a file: what can be read at one go.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function: what fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// What the first line of a generated file says; nobody reads those at one go.
const GENERATED: &str = "@generated";

/// Marks of unfinished work. Written in two parts, or this file would break its own rule.
const UNFINISHED: [&str; 4] =
    [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("todo", "!("), concat!("dbg", "!(")];

/// File names that say nothing about what is inside.
const VAGUE: [&str; 8] = ["mod", "util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// Where the homes of people are, by system.
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

pub(crate) fn long_lines(path: &str, text: &str) -> Vec<String> {
    let columns = text.lines().map(|line| line.chars().count()).enumerate();
    columns
        .filter(|&(_, columns)| columns > COLUMNS_MAX)
        .map(|(index, columns)| format!("{path}:{}: {columns} columns", index + 1))
        .collect()
}

pub(crate) fn long_file(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let generated = text.lines().next().is_some_and(|line| line.contains(GENERATED));
    let too_long = lines > FILE_LINES_MAX && !generated;
    too_long.then(|| format!("{path}: {lines} lines")).into_iter().collect()
}

pub(crate) fn long_functions(path: &str, text: &str) -> Vec<String> {
    let code = source::code_of(text);
    let functions = source::functions(&code).into_iter();
    functions
        .filter(|function| function.lines > FUNCTION_LINES_MAX)
        .map(|found| format!("{path}:{}: fn {} has {} lines", found.line, found.name, found.lines))
        .collect()
}

pub(crate) fn unfinished(path: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
            breaches.push(format!("{path}:{}: {mark}", index + 1));
        }
    }
    breaches
}

pub(crate) fn vague_name(path: &str) -> Option<String> {
    let vague = path.strip_suffix(".rs")?.split('/').find(|part| VAGUE.contains(part))?;
    Some(format!("{path}: `{vague}` does not say what is in it"))
}

/// Looks for a path of somebody's home, or of the checkout the tests run in.
pub(crate) fn machine_paths(path: &str, text: &str, checkout: &str) -> Vec<String> {
    // A checkout in a directory of the root, like `/src`, cannot be told from ordinary text.
    let checkout = (checkout.matches('/').count() > 1).then_some(checkout);
    let paths: Vec<_> = HOMES.into_iter().chain(checkout).collect();
    let mut breaches = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for found in paths.iter().filter(|found| line.contains(**found)) {
            breaches.push(format!("{path}:{}: {found}", index + 1));
        }
    }
    breaches
}

/// Looks for tests that a document names in back quotes, as whole sentences, and that are missing.
pub(crate) fn named_tests_that_are_missing(path: &str, text: &str, code: &[&str]) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let names = quoted.filter(|name| {
        // Names of settings and metrics are shorter.
        name.chars().all(is_word) && name.matches('_').count() > 2
    });
    let is_there = |name: &str| {
        // A function, or a scenario that runs on several brokers.
        let (function, scenario) = (format!("fn {name}("), format!("{name} =>"));
        code.iter().any(|text| text.contains(&function) || text.contains(&scenario))
    };
    let missing = names.filter(|name| !is_there(name));
    missing.map(|name| format!("{path}: names {name}, which is no test")).collect()
}

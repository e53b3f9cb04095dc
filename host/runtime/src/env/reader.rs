//! Reading one variable by the rules of the specification, and remembering what was wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Lookup, Warning};

/// Stands for "no limit" where a timeout of 0 asks for it: the largest 32-bit number of
/// milliseconds, 24 days, as the specification suggests.
const NO_LIMIT: Duration = Duration::from_millis(i32::MAX as u64);

/// Characters of a value that a warning repeats.
const FOUND_CHARS_MAX: usize = 120;

/// Range of every integer variable, by the specification.
pub(super) const INTEGER: RangeInclusive<u32> = 0..=i32::MAX.unsigned_abs();

/// The same without zero.
pub(super) const POSITIVE: RangeInclusive<u32> = 1..=i32::MAX.unsigned_abs();

/// Looks variables up and collects warnings.
pub(super) struct Reader<'a> {
    lookup: &'a Lookup<'a>,
    warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self { lookup, warnings: Vec::new() }
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    /// A value without the spaces around it; `None` when there is nothing else.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Remembers that a variable was not honoured. `found` must not hold a secret.
    pub(super) fn warn(&mut self, variable: &'static str, found: &str, done: impl Into<String>) {
        let printable = found.chars().take(FOUND_CHARS_MAX);
        let found = printable.flat_map(char::escape_debug).collect();
        self.warnings.push(Warning { variable, found, done: done.into() });
    }

    /// `true` or `false`; `None` when unset or, with a warning, anything else.
    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.word(name, &[("true", true), ("false", false)])
    }

    /// A number within a range.
    pub(super) fn integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = self.get(name)?;
        // Digits only: Rust's parser would take a plus sign as well.
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| digits && range.contains(number));
        if number.is_none() {
            let (low, high) = range.into_inner();
            self.warn(name, &value, format!("ignored; expected a number from {low} to {high}"));
        }
        number
    }

    /// A number of milliseconds.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.integer(name, INTEGER).map(|ms| Duration::from_millis(ms.into()))
    }

    /// A number of milliseconds, where 0 means no limit.
    pub(super) fn timeout(&mut self, name: &'static str) -> Option<Duration> {
        self.duration(name).map(|time| if time.is_zero() { NO_LIMIT } else { time })
    }

    /// One of some words, compared without case.
    pub(super) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let value = self.get(name)?;
        let found = lookup(&value, words);
        if found.is_none() {
            self.warn(name, &value, format!("ignored; expected {}", list(words)));
        }
        found
    }

    /// A comma-separated list of words. Unknown ones are left out with a warning; `None` when
    /// unset or nothing is left.
    pub(super) fn words<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Option<Vec<T>> {
        let value = self.get(name)?;
        let mut found = Vec::new();
        for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match lookup(word, words) {
                Some(known) => found.push(known),
                None => self.warn(name, word, format!("ignored; expected {}", list(words))),
            }
        }
        (!found.is_empty()).then_some(found)
    }
}

/// Finds a word in a table.
pub(super) fn lookup<T: Copy>(word: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
}

/// The words of a table, for a warning.
fn list<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

//! Why a command of the program failed, and with which status it ends.

use std::error::Error;
use std::fmt;

/// A command that failed: what happened and what to do about it, in words for a person.
#[derive(Debug)]
pub struct Failure {
    usage: bool,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// What was asked for cannot be had: the command line, a variable or a file is to be changed.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { usage: true, what: what.into(), source: None }
    }

    /// Something outside went wrong.
    pub fn new(what: impl Into<String>) -> Self {
        Self { usage: false, what: what.into(), source: None }
    }

    /// The same with what caused it.
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The status that the program ends with: 2 for usage, else 1.
    pub fn status(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

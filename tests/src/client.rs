//! The unmodified client programs in `tests/clients`, run by the Python that has their libraries.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{Process, Stream};
use crate::tool;
use crate::wait::BOUND;

/// A running client program. Each line of its standard output is a JSON object.
#[derive(Debug)]
pub struct Client {
    process: Process,
}

impl Client {
    /// Starts a program of `tests/clients` by its file name.
    ///
    /// # Errors
    /// When Python is missing: a test that can do without has asked before.
    pub fn start<S: AsRef<str>>(script: &str, arguments: &[S]) -> Result<Self> {
        let python = tool::python()?.context("the clients need Python")?;
        let mut command = Command::new(python);
        command.arg(tool::root().join("tests/clients").join(script));
        command.args(arguments.iter().map(AsRef::as_ref));
        Ok(Self { process: Process::spawn(script, &mut command)? })
    }

    /// Runs a program to its good end and answers what it said.
    ///
    /// # Errors
    /// As [`Self::start`] and [`Self::finish`].
    pub fn run<S: AsRef<str>>(script: &str, arguments: &[S]) -> Result<Vec<Value>> {
        Self::start(script, arguments)?.finish()
    }

    /// Waits for a line whose `event` is this.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_for(&self, event: &str) -> Result<Value> {
        self.process.wait_for_line(event, BOUND, |stream, line| {
            let said: Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Out)?;
            (said["event"] == event).then_some(said)
        })
    }

    /// Waits for the program's end and answers what it said.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn finish(mut self) -> Result<Vec<Value>> {
        let status = self.process.wait(BOUND)?;
        let errors = self.process.lines(Stream::Err).join("\n");
        ensure!(status.success(), "the client ended with {status}:\n{errors}");
        let lines = self.process.lines(Stream::Out);
        lines.iter().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

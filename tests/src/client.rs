//! The unmodified client programs in `tests/clients`, run by the Python or the Node.js that has
//! their libraries.

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
    /// When Python or Node.js is missing: a test that can do without has asked before.
    pub fn start<S: AsRef<str>>(script: &str, arguments: &[S]) -> Result<Self> {
        Self::start_with(script, arguments, [])
    }

    /// Starts a program with these variables in its environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with<S: AsRef<str>>(
        script: &str,
        arguments: &[S],
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let mut command = if script.ends_with(".js") {
            let (node, packages) = tool::node()?.context("the client needs Node.js")?;
            let mut command = Command::new(node);
            command.env("NODE_PATH", packages);
            command
        } else {
            Command::new(tool::python()?.context("the clients need Python")?)
        };
        command.arg(tool::root().join("tests/clients").join(script));
        command.args(arguments.iter().map(AsRef::as_ref)).envs(variables);
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

    /// The lines whose `event` is this, so far.
    pub fn said(&self, event: &str) -> Vec<Value> {
        let lines = self.process.lines(Stream::Out).into_iter();
        let said = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        said.filter(|said| said["event"] == event).collect()
    }

    /// Asks it to end (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&mut self) -> Result<()> {
        self.process.terminate()
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Asks it to end (SIGTERM), waits for its good end, and answers those lines that are JSON.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn stop(mut self) -> Result<Vec<Value>> {
        self.process.terminate()?;
        self.ended_well()?;
        let lines = self.process.lines(Stream::Out).into_iter();
        Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).collect())
    }

    /// Waits for the program's end and answers what it said.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn finish(mut self) -> Result<Vec<Value>> {
        self.ended_well()?;
        let lines = self.process.lines(Stream::Out);
        lines.iter().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    fn ended_well(&mut self) -> Result<()> {
        let status = self.process.wait(BOUND)?;
        let errors = self.process.lines(Stream::Err).join("\n");
        ensure!(status.success(), "the client ended with {status}:\n{errors}");
        Ok(())
    }
}

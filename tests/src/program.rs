//! The program under test: `spanbridge`, as cargo built it.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Process, Stream};
use crate::tool;
use crate::wait::BOUND;

/// Finds and starts the program.
#[derive(Debug)]
pub struct Program;

/// What a program that ended has said.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub output: Vec<String>,
    /// Standard error.
    pub errors: Vec<String>,
}

impl Program {
    /// Where the program lies: `SPANBRIDGE_BIN`, else beside the running test.
    ///
    /// # Errors
    /// When it is not there: a test that ran without it would prove nothing.
    pub fn path() -> Result<PathBuf> {
        if let Some(path) = env::var_os("SPANBRIDGE_BIN") {
            return Ok(path.into());
        }
        let path = tool::build_folder()?.join("spanbridge");
        if !path.is_file() {
            bail!("{} is missing: run `cargo build -p spanbridge-gateway`", path.display());
        }
        Ok(path)
    }

    /// A command that runs the program with these arguments, deaf to the test runner's own
    /// OpenTelemetry variables.
    ///
    /// # Errors
    /// As [`Self::path`].
    pub fn command<S: AsRef<str>>(arguments: &[S]) -> Result<Command> {
        let mut command = Command::new(Self::path()?);
        command.args(arguments.iter().map(AsRef::as_ref));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub fn run<S: AsRef<str>>(arguments: &[S]) -> Result<Ended> {
        let mut process = Process::spawn("spanbridge", &mut Self::command(arguments)?)?;
        process.close_stdin();
        let status = process.wait(BOUND)?;
        let (output, errors) = (process.lines(Stream::Out), process.lines(Stream::Err));
        Ok(Ended { status, output, errors })
    }
}

/// A running `spanbridge extract` or `inject`: one JSON line is asked, one is answered.
#[derive(Debug)]
pub struct Dialogue {
    process: Process,
    answers: usize,
}

impl Dialogue {
    /// Starts the program with these arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<S: AsRef<str>>(arguments: &[S]) -> Result<Self> {
        let process = Process::spawn("spanbridge", &mut Program::command(arguments)?)?;
        Ok(Self { process, answers: 0 })
    }

    /// Sends one line and waits for the next line of the answer.
    ///
    /// # Errors
    /// When no answer comes, or one that is no JSON.
    pub fn ask(&mut self, line: &str) -> Result<Value> {
        self.process.say(line)?;
        let mut left = self.answers;
        let answer = self.process.wait_for_line("an answer", BOUND, |stream, text| {
            if stream != Stream::Out {
                return None;
            }
            if left == 0 {
                return Some(text.to_owned());
            }
            left -= 1;
            None
        })?;
        self.answers += 1;
        serde_json::from_str(&answer).with_context(|| format!("expected JSON, found {answer:?}"))
    }

    /// Ends the input and answers how the program ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn finish(mut self) -> Result<ExitStatus> {
        self.process.close_stdin();
        self.process.wait(BOUND)
    }
}

//! `spanbridge nats-events` as a child process.

use anyhow::{Context, Result};

use crate::gateway::{Exit, summary};
use crate::process::{Process, Stream};
use crate::program::{Ended, Program};
use crate::wait::BOUND;

/// A running reader of trace events.
#[derive(Debug)]
pub struct NatsEvents {
    process: Process,
}

impl NatsEvents {
    /// Starts it before the server at this URL and waits until it says that it reads.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(
        broker: &str,
        subject: &str,
        arguments: &[&str],
        variables: Vec<(String, String)>,
    ) -> Result<Self> {
        let process = spawn(broker, subject, arguments, variables)?;
        let ready = format!("reading {subject} on ");
        process.wait_for_line("that it reads", BOUND, |stream, line| {
            (stream == Stream::Out && line.starts_with(&ready)).then_some(())
        })?;
        Ok(Self { process })
    }

    /// Runs it to an end that comes by itself.
    ///
    /// # Errors
    /// When it does not end.
    pub fn run(broker: &str, subject: &str, arguments: &[&str]) -> Result<Ended> {
        let mut process = spawn(broker, subject, arguments, Vec::new())?;
        let status = process.wait(BOUND)?;
        let (output, errors) = (process.lines(Stream::Out), process.lines(Stream::Err));
        Ok(Ended { status, output, errors })
    }

    /// Asks it to end (SIGTERM), waits for its end and answers its counters.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<Exit> {
        self.process.terminate()?;
        let status = self.process.wait(BOUND).context("it ends on SIGTERM")?;
        Ok(Exit { status, summary: summary(&self.process.lines(Stream::Out)) })
    }
}

fn spawn(
    broker: &str,
    subject: &str,
    arguments: &[&str],
    variables: Vec<(String, String)>,
) -> Result<Process> {
    let fixed = ["nats-events", "--broker", broker, "--subject", subject];
    let mut command = Program::command(&[&fixed, arguments].concat())?;
    Process::spawn("nats-events", command.envs(variables))
}

//! A receiver that counts spans and forgets them, for runs with more than memory holds.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{Process, Stream};
use crate::tool;
use crate::wait::BOUND;

/// The program `clients/otlp_count.py`.
#[derive(Debug)]
pub struct Counter {
    process: Process,
    port: u64,
}

/// What it has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub spans: u64,
    /// Those that tell of a pull.
    pub receives: u64,
}

impl Counter {
    /// Starts one; `None` when Python is missing and may be.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start() -> Result<Option<Self>> {
        let Some(python) = tool::python()? else { return Ok(None) };
        let mut command = Command::new(python);
        command.arg(tool::root().join("tests/clients/otlp_count.py"));
        let process = Process::spawn("otlp_count.py", &mut command)?;
        let port = process.wait_for_line("where it listens", BOUND, |stream, line| {
            let said: Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Out)?;
            said["ready"]["http"].as_u64()
        })?;
        Ok(Some(Self { process, port }))
    }

    /// The variables that make a gateway export here.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let pairs = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// What it has counted. Call it once.
    ///
    /// # Errors
    /// When it does not say.
    pub fn finish(mut self) -> Result<Counted> {
        self.process.say("count")?;
        let said = self.process.wait_for_line("its counts", BOUND, |stream, line| {
            let said: Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Out)?;
            said.get("spans").is_some().then_some(said)
        })?;
        let number = |name: &str| said[name].as_u64().with_context(|| format!("no {name}: {said}"));
        Ok(Counted { spans: number("spans")?, receives: number("receives")? })
    }
}

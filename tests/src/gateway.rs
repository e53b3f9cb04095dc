//! `spanbridge gateway` as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::{Context, Result};

use crate::process::{Process, Stream};
use crate::program::Program;
use crate::wait::{BOUND, eventually};

/// How often spans are exported, in milliseconds: often, so that no test waits for it.
const EXPORT_INTERVAL_MS: &str = "100";

/// What stands before the address in the line that says the gateway is ready.
const READY: &str = "listening on ";

/// What stands before the address of the admin endpoint.
const ADMIN: &str = "admin endpoint on http://";

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    scheme: String,
    address: SocketAddr,
}

/// How a gateway ended.
#[derive(Debug)]
pub struct Exit {
    /// Zero after a drain.
    pub status: ExitStatus,
    /// Its counters, by name.
    pub summary: BTreeMap<String, f64>,
}

impl Settings {
    /// One listener on a free port, with these lines of a configuration file behind its `listen`
    /// and `brokers`. The file lies in `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn listener(folder: &Path, broker: &str, lines: &str) -> Result<Self> {
        let file = folder.join("spanbridge.toml");
        let listen = listen(broker);
        let text =
            format!("[[listener]]\nlisten = \"{listen}\"\nbrokers = [\"{broker}\"]\n{lines}\n");
        fs::write(&file, text)?;
        Ok(Self::of(&["--config", &file.display().to_string()]))
    }

    /// One listener on a free port, before the broker at this URL.
    pub fn to(broker: &str) -> Self {
        Self::of(&["--listen", &listen(broker), "--broker", broker])
    }

    /// Exactly these arguments.
    pub fn of(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let environment = vec![("OTEL_BSP_SCHEDULE_DELAY".into(), EXPORT_INTERVAL_MS.into())];
        Self { arguments, environment }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment; a later one of the same name wins.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Sets several.
    #[must_use]
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Starts the program without waiting for anything, for starts that are meant to fail.
    ///
    /// # Errors
    /// When the program is missing.
    pub fn spawn(&self) -> Result<Process> {
        let arguments: Vec<&str> =
            ["gateway"].into_iter().chain(self.arguments.iter().map(String::as_str)).collect();
        let mut command = Program::command(&arguments)?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::spawn("gateway", &mut command)
    }

    /// Starts the gateway and waits until it says where it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self) -> Result<Gateway> {
        let process = self.spawn()?;
        let ready = process.wait_for_line("where it listens", BOUND, |stream, line| {
            let (_, rest) = line.split_once(READY).filter(|_| stream == Stream::Out)?;
            let (scheme, address) = rest.split_whitespace().next()?.split_once("://")?;
            Some((scheme.to_owned(), address.trim_end_matches('/').parse().ok()?))
        })?;
        let (scheme, address) = ready;
        Ok(Gateway { process, scheme, address })
    }
}

impl Gateway {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where its admin endpoint listens, if it was asked for one.
    pub fn admin(&self) -> Option<SocketAddr> {
        let lines = self.process.lines(Stream::Out);
        lines.iter().find_map(|line| line.strip_prefix(ADMIN)?.trim().parse().ok())
    }

    /// Asks it to end (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&mut self) -> Result<()> {
        self.process.terminate()
    }

    /// Asks it to end (SIGTERM), waits for its end and answers its counters.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<Exit> {
        self.process.terminate()?;
        let status = self.process.wait(BOUND).context("a gateway ends on SIGTERM")?;
        Ok(Exit { status, summary: summary(&self.process.lines(Stream::Out)) })
    }

    /// Makes it read its configuration again (SIGHUP), waits until it has said what came of that
    /// for the time with this number, from 1, and answers it.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn reload(&mut self, time: usize) -> Result<String> {
        self.process.signal("HUP")?;
        let mut said = 0;
        self.process.wait_for_line("what became of the reload", BOUND, |stream, line| {
            let is_answer = line.starts_with("reloaded: ") || line.starts_with("not reloaded: ");
            said += usize::from(stream == Stream::Out && is_answer);
            (said == time).then(|| line.to_owned())
        })
    }

    /// Its resident memory, in KiB.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn resident_kib(&self) -> Result<u64> {
        self.process.resident_kib()
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Waits for a line on standard error that holds these words: it may come behind what standard
    /// output said.
    ///
    /// # Errors
    /// When none comes.
    pub fn logged(&self, words: &str) -> Result<()> {
        eventually(&format!("a log line with `{words}`"), BOUND, || {
            Ok(self.log().iter().any(|line| line.contains(words)).then_some(()))
        })
    }

    /// Its log: standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.process.lines(Stream::Err)
    }
}

impl Exit {
    /// The sum of the counters whose name holds all of these words.
    pub fn counted(&self, words: &[&str]) -> f64 {
        let named = |name: &str| words.iter().all(|word| name.contains(word));
        self.summary.iter().filter(|(name, _)| named(name)).map(|(_, value)| value).sum()
    }
}

/// Any free port, for the protocol of a broker.
fn listen(broker: &str) -> String {
    let scheme = broker.split_once("://").map_or("nats", |(scheme, _)| scheme);
    format!("{scheme}://127.0.0.1:0")
}

/// Reads lines of the form `name value`; other lines are something else and left out.
pub(crate) fn summary(lines: &[String]) -> BTreeMap<String, f64> {
    let pairs = lines.iter().filter_map(|line| line.trim().rsplit_once(char::is_whitespace));
    let numbers = pairs.filter_map(|(name, value)| Some((name.trim().into(), value.parse().ok()?)));
    numbers.collect()
}

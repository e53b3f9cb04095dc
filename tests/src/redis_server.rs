//! A real redis-server of Debian, or a current valkey-server, as a child process.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tempfile::TempDir;

use crate::process::Process;
use crate::redis_client::RedisClient;
use crate::wait::{BOUND, eventually};
use crate::{port, tool};

/// Longest that an answer may take on loopback.
const ANSWER_BOUND: Duration = Duration::from_secs(5);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Debian's redis-server.
    Redis,
    /// The current valkey-server of PyPI.
    Valkey,
}

impl Make {
    /// Finds the program.
    ///
    /// # Errors
    /// When it is missing and must not be; else a missing one is `None`.
    pub fn program(self) -> Result<Option<PathBuf>> {
        match self {
            Self::Redis => tool::redis_server(),
            Self::Valkey => tool::valkey_server(),
        }
    }
}

/// Its configuration, in its own folder.
const FILE: &str = "server.conf";

/// A server of its own for one test.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    port: u16,
    folder: TempDir,
    /// Words of its command line beside those of every server.
    more: Vec<String>,
    /// Variables of its environment, beside those of this process.
    variables: Vec<(String, String)>,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server; `None` when the tool is missing and may be.
    ///
    /// # Errors
    /// When it does not come up, or is missing where it must not be.
    pub fn start() -> Result<Option<Self>> {
        Self::start_with(&[], &[])
    }

    /// Starts the only node of a cluster, which has no slots yet; likewise.
    ///
    /// # Errors
    /// Likewise.
    pub fn start_node() -> Result<Option<Self>> {
        // Its other port would be ten thousand above, where there may be none.
        let bus = port::free()?.to_string();
        Self::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus], &[])
    }

    /// Starts a Sentinel, which watches nobody; likewise.
    ///
    /// # Errors
    /// Likewise.
    pub fn start_sentinel() -> Result<Option<Self>> {
        Self::start_with(&["--sentinel"], &[])
    }

    /// Starts a server with further arguments, and variables in its environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(more: &[&str], variables: &[(String, String)]) -> Result<Option<Self>> {
        Self::start_of(Make::Redis, "", more, variables)
    }

    /// Starts a server of this make, with the lines of a configuration file where there are any.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_of(
        make: Make,
        lines: &str,
        more: &[&str],
        variables: &[(String, String)],
    ) -> Result<Option<Self>> {
        let Some(program) = make.program()? else { return Ok(None) };
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        let (port, folder) = (port::free()?, TempDir::new()?);
        if !lines.is_empty() {
            std::fs::write(folder.path().join(FILE), lines)?;
        }
        let variables = variables.to_vec();
        let mut server = Self { program, port, folder, more, variables, process: None };
        server.restart()?;
        Ok(Some(server))
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn client(&self) -> Result<RedisClient> {
        RedisClient::connect(self.address())
    }

    /// Its process, while it runs.
    ///
    /// # Errors
    /// When it does not.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("redis-server does not run")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where its configuration lies, if it has one.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// Ends it at once, as a crash would. What it has written to its log of commands stays.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Starts it again, on the same port and data. A server that still runs is killed first.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let mut command = Command::new(&self.program);
        let is_sentinel = self.more.iter().any(|word| word == "--sentinel");
        if is_sentinel {
            // It writes what it learns into its configuration.
            std::fs::write(self.file(), "")?;
        }
        if self.file().exists() {
            command.arg(self.file());
        }
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        // Every command is in the log before it is answered.
        if !is_sentinel {
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        }
        command.arg("--dir").arg(self.folder.path()).args(&self.more);
        command.envs(self.variables.iter().cloned());
        let mut process = Process::spawn("redis-server", &mut command)?;
        let address = self.address();
        eventually("redis-server to answer", BOUND, || {
            if !process.is_running()? {
                let status = process.wait(BOUND)?;
                return Err(anyhow!("redis-server ended with {status}"));
            }
            Ok(ping(address).ok())
        })
        .context("redis-server did not come up")?;
        self.process = Some(process);
        Ok(())
    }
}

fn ping(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_BOUND))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+PONG\r\n", "expected +PONG, found {}", answer.escape_ascii());
    Ok(())
}

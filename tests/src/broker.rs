//! Which RabbitMQ a test runs, and how its programs are started.
//!
//! The machine's own is started as it is. One of another Debian release lies in a folder of its
//! own, made by `tests/tools/rabbitmq-root.sh`, with the C library and the Erlang that it needs:
//! its programs are started with that folder as their root, by `tests/tools/in-root.sh`. They share
//! the folder of temporary files with the harness.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tool;

/// A version of RabbitMQ, by where Debian has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The machine's own: 3.10 on Debian 12.
    Installed,
    /// 4.0, of Debian 13.
    Trixie,
    /// 4.3, of what becomes Debian 14.
    Forky,
}

impl Release {
    /// What Debian calls the release, if it is not the machine's.
    pub fn suite(self) -> Option<&'static str> {
        match self {
            Self::Installed => None,
            Self::Trixie => Some("trixie"),
            Self::Forky => Some("forky"),
        }
    }
}

/// The programs of a RabbitMQ.
#[derive(Clone, Debug)]
pub struct Broker {
    /// The folder that is their root, if that is not the machine's.
    root: Option<PathBuf>,
    /// Where the server is, seen from there.
    server: PathBuf,
}

impl Broker {
    /// Finds one; `None` when it is missing and may be.
    ///
    /// # Errors
    /// When it is missing where it must not be.
    pub fn of(release: Release) -> Result<Option<Self>> {
        let Some(suite) = release.suite() else {
            let server = tool::rabbitmq_server()?;
            return Ok(server.map(|server| Self { root: None, server }));
        };
        let Some((root, server)) = tool::rabbitmq_root(suite)? else { return Ok(None) };
        Ok(Some(Self { root: Some(root), server: Path::new("/").join(server) }))
    }

    /// A program of the package, such as `rabbitmqctl`.
    pub fn command(&self, program: &str) -> Command {
        let program = self.server.with_file_name(program);
        let Some(root) = &self.root else { return Command::new(program) };
        let mut command = Command::new(tool::root().join("tests/tools/in-root.sh"));
        command.arg(root).arg(env::temp_dir()).arg(program);
        command
    }

    /// The folder of its plugins, as it sees it.
    ///
    /// # Errors
    /// When the server does not lie where the package puts it.
    pub fn plugins(&self) -> Result<PathBuf> {
        let home = self.server.parent().and_then(Path::parent).context("a folder")?;
        Ok(home.join("plugins"))
    }
}

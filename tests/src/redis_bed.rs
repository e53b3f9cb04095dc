//! What most tests of Redis need: a server, a gateway in front, and the spans it exports.

use anyhow::Result;
use tempfile::TempDir;

use crate::gateway::{Exit, Gateway, Settings};
use crate::receiver::{Receiver, Tap};
use crate::redis_server::RedisServer;
use crate::span::Span;

/// A server, a gateway and its tap at the shared receiver.
#[derive(Debug)]
pub struct RedisBed {
    /// The gateway, exporting over gRPC.
    pub gateway: Gateway,
    /// The server behind it.
    pub server: RedisServer,
    /// Where the gateway's spans come out.
    pub tap: Tap,
    /// Its configuration lies here.
    _folder: TempDir,
}

impl RedisBed {
    /// Starts all of it, with lines added behind the listener of the gateway's configuration;
    /// `None` when a tool is missing and may be.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn start(lines: &str) -> Result<Option<Self>> {
        let Some(server) = RedisServer::start()? else { return Ok(None) };
        Self::in_front_of(server, lines)
    }

    /// The same in front of a server that is there already.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn in_front_of(server: RedisServer, lines: &str) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let (folder, tap) = (TempDir::new()?, receiver.tap());
        let settings = Settings::listener(folder.path(), &server.url(), lines)?;
        let gateway = settings.variables(tap.grpc()).start()?;
        Ok(Some(Self { gateway, server, tap, _folder: folder }))
    }

    /// Stops the gateway, which flushes, and answers how it ended and every span it exported.
    ///
    /// # Errors
    /// When it does not end.
    pub fn finish(self) -> Result<(Exit, Vec<Span>)> {
        let exit = self.gateway.stop()?;
        Ok((exit, self.tap.spans()?))
    }
}

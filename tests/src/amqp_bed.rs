//! What most tests of AMQP need: the shared RabbitMQ, a vhost of it, a gateway in front, and the
//! spans it exports.

use std::sync::Arc;

use anyhow::Result;
use tempfile::TempDir;

use crate::gateway::{Exit, Gateway, Settings};
use crate::rabbitmq::RabbitMq;
use crate::receiver::{Receiver, Tap};
use crate::span::Span;

/// A vhost, a gateway and its tap at the shared receiver.
#[derive(Debug)]
pub struct AmqpBed {
    /// The gateway, exporting over gRPC.
    pub gateway: Gateway,
    /// The broker behind it, which other tests use too.
    pub server: Arc<RabbitMq>,
    /// This test's part of the broker.
    pub vhost: String,
    /// Where the gateway's spans come out.
    pub tap: Tap,
    /// Its configuration lies here.
    _folder: TempDir,
}

impl AmqpBed {
    /// Starts all of it; `None` when a tool is missing and may be.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn start() -> Result<Option<Self>> {
        Self::start_with("", |settings| settings)
    }

    /// Starts all of it, with lines added behind the listener of the gateway's configuration, and
    /// its settings changed.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        lines: &str,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(server) = RabbitMq::shared()? else { return Ok(None) };
        let (folder, tap) = (TempDir::new()?, receiver.tap());
        let settings = Settings::listener(folder.path(), &server.url(), lines)?;
        let gateway = change(settings.variables(tap.grpc())).start()?;
        let vhost = server.vhost()?;
        Ok(Some(Self { gateway, server, vhost, tap, _folder: folder }))
    }

    /// Where clients find their vhost through the gateway.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/{}", self.gateway.address(), self.vhost)
    }

    /// Where they find it without the gateway.
    pub fn direct_url(&self) -> String {
        format!("amqp://guest:guest@{}/{}", self.server.address(), self.vhost)
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

//! What most tests need: a broker, a gateway in front of it, and the spans it exports.

use std::path::Path;

use anyhow::Result;

use crate::gateway::{Exit, Gateway, Settings};
use crate::nats_server::{Flavour, NatsServer};
use crate::receiver::{Receiver, Tap};
use crate::span::Span;

/// A broker, a gateway and its tap at the shared receiver.
#[derive(Debug)]
pub struct Bed {
    /// The gateway, exporting over gRPC.
    pub gateway: Gateway,
    /// The broker behind it.
    pub server: NatsServer,
    /// Where the gateway's spans come out.
    pub tap: Tap,
}

impl Bed {
    /// Starts all three; `None` when a tool is missing and may be.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(flavour: Flavour) -> Result<Option<Self>> {
        Self::start_with(flavour, "", |settings| settings)
    }

    /// Starts all three, with lines added to the broker's configuration and the gateway's
    /// settings changed.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        flavour: Flavour,
        configuration: &str,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(server) = NatsServer::start_with(flavour, configuration)? else {
            return Ok(None);
        };
        let tap = receiver.tap();
        let settings = change(Settings::to(&server.url()).variables(tap.grpc()));
        Ok(Some(Self { gateway: settings.start()?, server, tap }))
    }

    /// Starts all three, the gateway with a configuration file in that folder, whose listener has
    /// these lines.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_listener(flavour: Flavour, folder: &Path, lines: &str) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(server) = NatsServer::start(flavour)? else { return Ok(None) };
        let tap = receiver.tap();
        let settings = Settings::listener(folder, &server.url(), lines)?.variables(tap.grpc());
        Ok(Some(Self { gateway: settings.start()?, server, tap }))
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

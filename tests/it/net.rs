//! Connections: TLS on either side, PROXY headers, limits, slow and silent peers.

mod credentials;
mod limits;
mod pressure;
mod proxy_protocol;
mod reload;
mod tls;

use anyhow::Result;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Exit, Gateway, Receiver, Span, Tap};
use tempfile::TempDir;

/// A gateway with one configured listener, and its tap at the shared receiver.
struct Rig {
    gateway: Gateway,
    tap: Tap,
    _folder: TempDir,
}

impl Rig {
    /// `None` when the receiver is missing and may be.
    fn start(broker: &str, lines: &str) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let (tap, folder) = (receiver.tap(), TempDir::new()?);
        let settings = Settings::listener(folder.path(), broker, lines)?.variables(tap.grpc());
        Ok(Some(Self { gateway: settings.start()?, tap, _folder: folder }))
    }

    /// Stops the gateway; answers how it ended and every span it exported.
    fn finish(self) -> Result<(Exit, Vec<Span>)> {
        let exit = self.gateway.stop()?;
        assert!(exit.status.success(), "{:?}", exit.status);
        Ok((exit, self.tap.spans()?))
    }
}

/// A gateway that exports nothing.
fn quiet(broker: &str, lines: &str) -> Result<(Gateway, TempDir)> {
    let folder = TempDir::new()?;
    let settings = Settings::listener(folder.path(), broker, lines)?;
    Ok((settings.variable("OTEL_TRACES_EXPORTER", "none").start()?, folder))
}

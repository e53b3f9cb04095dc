//! What a load may be sent through.

use std::net::SocketAddr;
use std::path::Path;

use crate::programs::{self, Program, Spans};
use crate::protocol::{Form, Protocol};

/// A way from clients to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Direct,
    HaProxy,
    /// The gateway with tracing off: what reading the protocol costs.
    Relay,
    /// The gateway, its spans made and thrown away.
    Gateway,
    /// The gateway, its spans exported.
    Exporting,
    /// The same, one trace in a hundred.
    ExportingFew,
}

impl Target {
    pub(crate) const ALL: [Self; 6] = [
        Self::Direct,
        Self::HaProxy,
        Self::Relay,
        Self::Gateway,
        Self::Exporting,
        Self::ExportingFew,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::HaProxy => "HAProxy",
            Self::Relay => "gateway, tracing off",
            Self::Gateway => "gateway, spans made",
            Self::Exporting => "gateway, spans exported",
            Self::ExportingFew => "gateway, 1 % exported",
        }
    }

    /// Who does not inject carries what was injected: so the broker has the same work.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Direct | Self::HaProxy | Self::Relay => Form::Injected,
            Self::Gateway | Self::Exporting | Self::ExportingFew => Form::Plain,
        }
    }

    /// Starts it; nothing is in front of the broker for [`Self::Direct`].
    pub(crate) fn start(
        self,
        protocol: Protocol,
        folder: &Path,
        broker: SocketAddr,
        receiver: SocketAddr,
    ) -> anyhow::Result<Option<Program>> {
        let spans = match self {
            Self::Direct => return Ok(None),
            Self::HaProxy => return programs::haproxy(folder, broker).map(Some),
            Self::Relay => Spans::Off,
            Self::Gateway => Spans::Discarded,
            Self::Exporting => Spans::Exported(1.0),
            Self::ExportingFew => Spans::Exported(0.01),
        };
        programs::gateway(protocol, folder, broker, spans, receiver).map(Some)
    }
}

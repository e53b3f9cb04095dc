//! What a load may be sent through, and brokers with and without our extension.

use std::net::SocketAddr;
use std::path::Path;

use crate::programs::{self, Program, Spans};
use crate::protocol::{Form, Protocol};

/// A way from clients to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Direct,
    HaProxy,
    /// A proxy that knows the commands of Redis, and sends those of all clients on few connections.
    Nutcracker,
    /// The gateway with tracing off: what reading the protocol costs.
    Relay,
    /// The gateway, its spans made and thrown away.
    Gateway,
    /// The gateway, its spans exported.
    Exporting,
    /// The same, one trace in a hundred.
    ExportingFew,
    /// A broker that has no extension.
    Bare,
    /// The same, and clients write the context that the extension would write.
    BareInjected,
    /// A broker that has our extension, switched off.
    SwitchedOff,
    /// A broker that has our extension, which exports its spans.
    Extended,
}

impl Target {
    pub(crate) const ALL: [Self; 7] = [
        Self::Direct,
        Self::HaProxy,
        Self::Nutcracker,
        Self::Relay,
        Self::Gateway,
        Self::Exporting,
        Self::ExportingFew,
    ];

    /// What passes any protocol, and ours.
    pub(crate) const TRANSPARENT: [Self; 6] = [
        Self::Direct,
        Self::HaProxy,
        Self::Relay,
        Self::Gateway,
        Self::Exporting,
        Self::ExportingFew,
    ];

    /// Brokers alone, for what an extension costs them.
    pub(crate) const BROKERS: [Self; 4] =
        [Self::Bare, Self::BareInjected, Self::SwitchedOff, Self::Extended];

    pub(crate) fn is_gateway(self) -> bool {
        matches!(self, Self::Relay | Self::Gateway | Self::Exporting | Self::ExportingFew)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::HaProxy => "HAProxy",
            Self::Nutcracker => "nutcracker",
            Self::Relay => "gateway, tracing off",
            Self::Gateway => "gateway, spans made",
            Self::Exporting => "gateway, spans exported",
            Self::ExportingFew => "gateway, 1 % exported",
            Self::Bare => "without it",
            Self::BareInjected => "without it, clients write context",
            Self::SwitchedOff => "with it, switched off",
            Self::Extended => "with it",
        }
    }

    /// Who does not inject carries what was injected: so the broker has the same work.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Direct | Self::HaProxy | Self::Nutcracker | Self::Relay | Self::BareInjected => {
                Form::Injected
            }
            Self::Gateway | Self::Exporting | Self::ExportingFew => Form::Plain,
            Self::Bare | Self::SwitchedOff | Self::Extended => Form::Plain,
        }
    }

    /// Whether messages come back with context, whoever has written it.
    pub(crate) fn injects(self) -> bool {
        !matches!(self, Self::Bare | Self::SwitchedOff)
    }

    /// Starts it; nothing is in front of the broker for [`Self::Direct`] and [`Self::BROKERS`].
    pub(crate) fn start(
        self,
        protocol: Protocol,
        folder: &Path,
        broker: SocketAddr,
        receiver: SocketAddr,
    ) -> anyhow::Result<Option<Program>> {
        let spans = match self {
            Self::Direct | Self::Bare | Self::BareInjected | Self::SwitchedOff | Self::Extended => {
                return Ok(None);
            }
            Self::HaProxy => return programs::haproxy(folder, broker).map(Some),
            Self::Nutcracker => return programs::nutcracker(folder, broker).map(Some),
            Self::Relay => Spans::Off,
            Self::Gateway => Spans::Discarded,
            Self::Exporting => Spans::Exported(1.0),
            Self::ExportingFew => Spans::Exported(0.01),
        };
        programs::gateway(protocol, folder, broker, spans, receiver).map(Some)
    }
}

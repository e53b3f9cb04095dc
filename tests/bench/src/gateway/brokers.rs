//! The brokers of a run: one as it is, and for the cost of our extension one that has it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use spanbridge_tests::{PluginBed, RabbitMq, Release, broker, tool};

use crate::programs::{self, Program};
use crate::protocol::{Broker, Protocol};
use crate::target::Target;

/// A broker that waits for work busily hides what work costs.
const ERLANG: (&str, &str) =
    ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none");

/// All of a run.
pub(crate) struct Brokers {
    bare: Broker,
    extended: Option<Extended>,
}

/// A broker with our extension in it.
enum Extended {
    /// The module, which `CONFIG` switches.
    Redis(Broker),
    /// The plugin. Its interceptor goes and comes as when the plugin is disabled and enabled; the
    /// Erlang machine stays, because two of them differ by more than a plugin costs.
    RabbitMq(Box<PluginBed>),
}

impl Brokers {
    /// A broker without an extension.
    pub(crate) fn bare(bare: Broker) -> Self {
        Self { bare, extended: None }
    }

    /// One without it and one with it, which exports its spans to `receiver`.
    pub(crate) fn with_extension(protocol: Protocol, receiver: SocketAddr) -> anyhow::Result<Self> {
        if protocol.scheme() != "amqp" {
            let extended = Broker::Redis(redis_with_module(receiver)?);
            return Ok(Self {
                bare: protocol.broker()?,
                extended: Some(Extended::Redis(extended)),
            });
        }
        let quiet = || vec![(ERLANG.0.to_owned(), ERLANG.1.to_owned())];
        let settings = format!(
            "[{{otlp, [{{endpoint, \"http://{receiver}\"}}, {{protocol, \"http/protobuf\"}}]}}]"
        );
        let bed = PluginBed::start_with(Release::Installed, false, &settings, quiet())?;
        let bed = bed.context("`make rabbitmq-plugin` builds the plugin")?;
        bed.enable()?;
        let installed = broker::Broker::of(Release::Installed)?.context("RabbitMQ is missing")?;
        let bare = RabbitMq::start_with(installed, 0, quiet())?;
        Ok(Self {
            bare: Broker::RabbitMq(Box::new(bare)),
            extended: Some(Extended::RabbitMq(Box::new(bed))),
        })
    }

    /// The broker of a target, its extension switched as the target wants it: address and process.
    pub(crate) fn of(&self, target: Target) -> anyhow::Result<(SocketAddr, u32)> {
        let is_on = match target {
            Target::SwitchedOff => false,
            Target::Extended => true,
            _ => return Ok((self.bare.address(), self.bare.pid()?)),
        };
        match self.extended()? {
            Extended::Redis(broker) => {
                let word = if is_on { "yes" } else { "no" };
                let address = broker.address();
                programs::redis_says(address, &["CONFIG", "SET", "spanbridge.enabled", word])?;
                Ok((address, broker.pid()?))
            }
            Extended::RabbitMq(bed) => {
                let function = if is_on { "register" } else { "unregister" };
                let call = format!("rabbit_spanbridge_interceptor:{function}().");
                bed.server.control(&["eval", &call])?;
                Ok((bed.server.address(), bed.server.pid()?))
            }
        }
    }

    /// The program that exports for the extension, where that is not the broker itself.
    pub(crate) fn exporter(&self, target: Target) -> anyhow::Result<Option<u32>> {
        match &self.extended {
            Some(Extended::RabbitMq(bed)) if target == Target::Extended => {
                Ok(Some(bed.status("exporter_pid")?.parse()?))
            }
            _ => Ok(None),
        }
    }

    /// What the extension says of itself: its counters, each on a line.
    pub(crate) fn said(&self) -> anyhow::Result<Vec<String>> {
        match self.extended()? {
            Extended::Redis(broker) => programs::redis_says(broker.address(), &["SPANBRIDGE.INFO"]),
            Extended::RabbitMq(bed) => bed.server.control(&["spanbridge_status"]),
        }
    }

    /// Bytes of the library.
    pub(crate) fn library_bytes(&self) -> anyhow::Result<u64> {
        let path = match self.extended()? {
            Extended::Redis(_) => module()?,
            Extended::RabbitMq(_) => programs::root().join("target/extension/libspanbridge_nif.so"),
        };
        Ok(fs::metadata(path)?.len())
    }

    fn extended(&self) -> anyhow::Result<&Extended> {
        self.extended.as_ref().context("this run has no extension")
    }
}

fn module() -> anyhow::Result<PathBuf> {
    tool::redis_module("default")?.context("`make redis-module` builds the module")
}

fn redis_with_module(receiver: SocketAddr) -> anyhow::Result<Program> {
    let module = module()?;
    let path = module.to_str().context("a path in UTF-8")?;
    programs::redis_server_with(
        &["--loadmodule", path, "streams", "*"],
        &[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{receiver}")),
        ],
    )
}

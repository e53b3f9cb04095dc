//! The command line: what can be said, and what it means.
//!
//! Texts of `--help` are the doc comments of this file. A word that is not understood ends the
//! program with status 2 before anything starts. What concerns OpenTelemetry as a whole comes from
//! the `OTEL_*` variables; where a flag says the same, the flag wins.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use spanbridge::PropagatorKind;

use crate::address::Address;
use crate::config::{Config, ConfigError, ListenerConfig, RouteOptions};
use crate::net::options::NetOptions;

mod nats_events;

pub use nats_events::{NatsEventsArgs, ScrubRule};

/// Traces that survive a message queue.
///
/// Spanbridge stands between programs and their broker, writes trace context into messages that
/// have none, and records what happened to each message: published, waited, processed.
#[derive(Clone, Debug, Parser)]
#[command(name = "spanbridge", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Stand between clients and a broker and trace every message.
    ///
    /// Messages go on even where tracing fails: then they are forwarded as they came.
    Gateway(GatewayArgs),
    /// Try a configuration without starting anything.
    CheckConfig(CheckConfigArgs),
    /// Show one trace across a queue, with nothing installed.
    Demo(DemoArgs),
    /// Turn the trace events of NATS servers into spans.
    ///
    /// It reads them as an ordinary client, beside the way of the messages.
    NatsEvents(NatsEventsArgs),
    /// Read context from carriers: JSON lines in, JSON lines out.
    Extract(CarrierArgs),
    /// Write context into carriers: JSON lines in, JSON lines out.
    Inject(CarrierArgs),
    /// Exchange the component of a running gateway, or see which one it has.
    Component(ComponentArgs),
}

const GATEWAY_USAGE: &str = "\
spanbridge gateway --listen <URL> --broker <URL>[,<URL>…] [OPTIONS]
       spanbridge gateway --config <FILE> [OPTIONS]";

const GATEWAY_HELP: &str = "\
Examples:
  spanbridge gateway --listen nats://127.0.0.1:4322 --broker nats://127.0.0.1:4222
  spanbridge gateway --listen amqp://127.0.0.1:5673 --broker amqp://127.0.0.1:5672
  spanbridge gateway --config spanbridge.toml

Clients connect to the address of --listen instead of the broker's; nothing in them changes.
Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, http://localhost:4318 by default.
It says where it listens when it is ready. SIGHUP makes it read its configuration again. SIGTERM and
SIGINT drain it; then it prints what it counted.

Status: 0 after a drain, 1 when it cannot start, 2 when the command line or the configuration is
wrong.";

/// Arguments of `spanbridge gateway`.
#[derive(Clone, Debug, Args)]
#[command(after_help = GATEWAY_HELP, override_usage = GATEWAY_USAGE)]
pub struct GatewayArgs {
    /// Where clients connect, such as amqp://127.0.0.1:5673. Port 0 takes any free one.
    #[arg(long, value_name = "URL", requires = "broker", required_unless_present = "config")]
    pub listen: Option<Address>,
    /// Where the broker listens. Several, separated by commas or repeated, are tried in turn.
    #[arg(long, value_name = "URL", requires = "listen", value_delimiter = ',')]
    pub broker: Vec<Address>,
    /// A TOML file with any number of listeners and the options of their messages.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "broker"])]
    pub config: Option<PathBuf>,
    /// Another component than the one inside the program.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// Listen for other machines although the broker is on this one and may trust everyone here.
    #[arg(long)]
    pub allow_remote: bool,
    /// Where metrics and health are asked for, such as 127.0.0.1:9464. Port 0 takes any free one.
    #[arg(long, value_name = "IP:PORT")]
    pub admin: Option<SocketAddr>,
    /// A socket in the file system for the same, and for loading a component. Only your user can
    /// open it.
    #[arg(long, value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,
    /// How log lines on standard error are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Threads that serve connections. One is enough until it takes a whole processor.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

const CHECK_CONFIG_HELP: &str = "\
Examples:
  spanbridge check-config --config spanbridge.toml
  spanbridge check-config --config spanbridge.toml --strict --json
  spanbridge check-config --reference

It goes as far as the gateway does before it listens: reads the file and the OTEL_* variables,
loads the component, opens every route in it.

Status: 0 when it is usable, 2 when something is to be changed.";

/// Arguments of `spanbridge check-config`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CHECK_CONFIG_HELP)]
pub struct CheckConfigArgs {
    /// The file. Without one, only the OTEL_* variables are looked at.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Fail as well when a variable is not honoured as written.
    #[arg(long)]
    pub strict: bool,
    /// Say what was found as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Print every key of the file instead, as a page of Markdown.
    #[arg(long, conflicts_with_all = ["config", "strict", "json"])]
    pub reference: bool,
}

const COMPONENT_HELP: &str = "\
Examples:
  spanbridge component show --admin-socket /run/spanbridge/admin.sock
  spanbridge component load other.wasm --admin-socket /run/spanbridge/admin.sock

The gateway compiles the file and tries it out beside its messages. If it is not fit to be used,
the loaded one stays, and the command says why.

Status: 0 when it is loaded, 1 when it is refused or no gateway answers.";

/// Arguments of `spanbridge component`.
#[derive(Clone, Debug, Args)]
#[command(after_help = COMPONENT_HELP)]
pub struct ComponentArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: ComponentVerb,
}

/// What is done about a gateway's component, or about one that is to be built in.
#[derive(Clone, Debug, Subcommand)]
pub enum ComponentVerb {
    /// Compile a component for extensions of brokers, which have no compiler in them.
    ///
    /// The file is not loaded by anything: it is named by SPANBRIDGE_PRECOMPILED when an extension
    /// is built.
    Precompile {
        /// Where the code goes.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Another component than the one inside the program.
        #[arg(long, value_name = "FILE")]
        component: Option<PathBuf>,
    },
    /// Load a file in place of the component that the gateway has.
    Load {
        /// The component.
        file: PathBuf,
        /// The gateway's --admin-socket.
        #[arg(long, value_name = "PATH")]
        admin_socket: PathBuf,
    },
    /// Print which component the gateway has, as JSON.
    Show {
        /// The gateway's --admin-socket.
        #[arg(long, value_name = "PATH")]
        admin_socket: PathBuf,
    },
}

const DEMO_HELP: &str = "\
Examples:
  spanbridge demo
  spanbridge demo --propagators none                     the chain breaks: two traces
  spanbridge demo --otlp http://localhost:4318           shows up in your backend as well
  spanbridge demo --broker nats://127.0.0.1:4222         through a gateway and your NATS server
  spanbridge demo --json | jq

`shop` answers a request and publishes a message. `billing` is busy, takes it a fifth of a second
later and processes it. Only the bytes of the message connect the two. The picture is drawn from
the spans as they are exported.";

/// Arguments of `spanbridge demo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = DEMO_HELP)]
pub struct DemoArgs {
    /// Formats of context, separated by commas, or none.
    ///
    /// Known: tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace. Default:
    /// OTEL_PROPAGATORS, else tracecontext,baggage.
    #[arg(long, value_name = "LIST")]
    pub propagators: Option<PropagatorList>,
    /// Send the spans to an OTLP receiver as well.
    ///
    /// Port 4317 and grpc://HOST:PORT speak gRPC, everything else HTTP; headers, certificates and
    /// the rest come from OTEL_EXPORTER_OTLP_*, and OTEL_EXPORTER_OTLP_PROTOCOL decides if set.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Use this broker, through a gateway, instead of a queue in memory. It needs JetStream.
    #[arg(long, value_name = "URL", value_parser = Address::of_nats)]
    pub broker: Option<Address>,
    /// Print the spans as OTLP JSON, and nothing else.
    #[arg(long)]
    pub json: bool,
}

const CARRIER_HELP: &str = r#"Lines:
  extract   in   {"id":1,"carrier":[["traceparent","00-4bf9…-00f0…-01"],["baggage","a=1;p=v"]]}
            out  {"id":1,"context":{"trace_id":"4bf9…","span_id":"00f0…","flags":1,
                  "tracestate":"","baggage":[{"key":"a","value":"1","properties":[["p","v"]]}]}}
  inject    in   {"id":1,"context":{…}}
            out  {"id":1,"carrier":[["traceparent","00-4bf9…-00f0…-01"],…]}

"id" is any JSON value and comes back as it was. "context" is null where there is none; one of
baggage alone has no "trace_id". "debug" and "deferred" are there when true. A carrier may also be
an object of names and values. A line that is wrong is answered with "error" and the next one is
read. Answers are written line by line. The longest line is 1 MiB."#;

/// Arguments of `spanbridge extract` and `spanbridge inject`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CARRIER_HELP)]
pub struct CarrierArgs {
    /// Formats of context in the order in which they are read, separated by commas, or none.
    ///
    /// Known: tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace. Default:
    /// OTEL_PROPAGATORS, else tracecontext,baggage.
    #[arg(long, value_name = "LIST")]
    pub propagators: Option<PropagatorList>,
}

/// Formats of context, each once, in the order given; empty for `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropagatorList(pub Vec<PropagatorKind>);

/// A list that names something else than formats.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{found}`; expected `none`, or a list of {}", known())]
pub struct UnknownPropagator {
    found: String,
}

impl FromStr for PropagatorList {
    type Err = UnknownPropagator;

    fn from_str(list: &str) -> Result<Self, UnknownPropagator> {
        let words: Vec<&str> = list.split(',').map(str::trim).collect();
        if words == ["none"] {
            return Ok(Self(Vec::new()));
        }
        let mut kinds = Vec::new();
        for word in words {
            let kind = PropagatorKind::ALL
                .into_iter()
                .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
                .ok_or_else(|| UnknownPropagator { found: word.to_owned() })?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Ok(Self(kinds))
    }
}

impl PropagatorList {
    /// The list as `OTEL_PROPAGATORS` spells it.
    pub fn to_variable(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        self.0.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// Every word that a list may hold.
fn known() -> String {
    PropagatorKind::ALL.map(PropagatorKind::as_str).join(", ")
}

impl GatewayArgs {
    /// The configuration that the flags and the file ask for. A flag wins over the file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or says something that it may not say.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if let Some(listen) = &self.listen {
            let (listen, brokers) = (listen.clone(), self.broker.clone());
            config.listeners.push(ListenerConfig {
                name: None,
                listen,
                brokers,
                route: RouteOptions::default(),
                net: NetOptions::default(),
            });
        }
        if let Some(component) = &self.component {
            config.component = Some(component.clone());
        }
        config.workers = self.workers.unwrap_or(config.workers);
        config.allow_remote |= self.allow_remote;
        config.admin.address = self.admin.or(config.admin.address);
        config.admin.socket = self.admin_socket.clone().or(config.admin.socket);
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn gateway(line: &str) -> Result<GatewayArgs, clap::Error> {
        let words = ["spanbridge", "gateway"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Command::Gateway(args) => Ok(args),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_list_names_formats_or_none() {
        use PropagatorKind::{B3, Baggage, TraceContext};
        let table: [(&str, Option<&[PropagatorKind]>); 8] = [
            ("tracecontext,baggage", Some(&[TraceContext, Baggage])),
            (" B3 , b3", Some(&[B3])),
            ("none", Some(&[])),
            ("", None),
            ("none,b3", None),
            ("b3,", None),
            ("smoke-signals", None),
            ("tracecontext;b3", None),
        ];
        for (list, expected) in table {
            let found: Option<PropagatorList> = list.parse().ok();
            assert_eq!(found.as_ref().map(|list| &list.0[..]), expected, "{list}");
        }
        let error = "b3,morse".parse::<PropagatorList>().unwrap_err().to_string();
        assert!(error.contains("`morse`") && error.contains("ottrace"), "{error}");
    }

    #[test]
    fn a_list_is_spelled_as_the_variable_is() {
        for list in ["none", "b3", "tracecontext,baggage"] {
            assert_eq!(list.parse::<PropagatorList>().unwrap().to_variable(), list);
        }
    }

    #[test]
    fn brokers_are_repeated_or_separated_by_commas() {
        let separated = "--listen nats://127.0.0.1:1 --broker nats://127.0.0.1:2,nats://b";
        let repeated = "--listen nats://127.0.0.1:1 --broker nats://127.0.0.1:2 --broker nats://b";
        for line in [separated, repeated] {
            let config = gateway(line).unwrap().config().unwrap();
            let brokers: Vec<_> =
                config.listeners[0].brokers.iter().map(ToString::to_string).collect();
            assert_eq!(brokers, ["nats://127.0.0.1:2", "nats://b:4222"], "{line}");
        }
    }

    #[test]
    fn a_gateway_has_flags_for_one_listener_or_a_file() {
        assert!(gateway("--config spanbridge.toml").is_ok());
        for line in [
            "",
            "--listen nats://127.0.0.1:1",
            "--broker nats://127.0.0.1:1",
            "--config x --listen nats://127.0.0.1:1 --broker nats://127.0.0.1:2",
            "--listen kafka://127.0.0.1:1 --broker nats://127.0.0.1:2",
            "--log-format xml --config x",
        ] {
            assert!(gateway(line).is_err(), "{line}");
        }
    }
}

//! Arguments of `spanbridge gateway`, and the configuration that they ask for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::address::Address;
use crate::config::{Config, ConfigError, ListenerConfig};

const GATEWAY_USAGE: &str = "\
spanbridge gateway --listen <URL> --broker <URL>[,<URL>…] [OPTIONS]
       spanbridge gateway --config <FILE> [OPTIONS]";

const GATEWAY_HELP: &str = "\
Examples:
  spanbridge gateway --listen nats://127.0.0.1:4322 --broker nats://127.0.0.1:4222
  spanbridge gateway --listen amqp://127.0.0.1:5673 --broker amqp://127.0.0.1:5672
  spanbridge gateway --listen redis://127.0.0.1:6380 --broker redis://127.0.0.1:6379
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
            config.listeners.push(ListenerConfig::new(listen.clone(), self.broker.clone()));
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
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn gateway(line: &str) -> Result<GatewayArgs, clap::Error> {
        let words = ["spanbridge", "gateway"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Command::Gateway(args) => Ok(args),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }

    #[test]
    fn its_help_has_an_example_for_each_protocol() {
        for protocol in ["nats", "amqp", "redis"] {
            let example = format!("--listen {protocol}://");
            let line = GATEWAY_HELP.lines().find(|line| line.contains(&example));
            let line = line.and_then(|line| line.trim().strip_prefix("spanbridge gateway "));
            assert!(line.is_some_and(|line| gateway(line).is_ok()), "{protocol}");
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

//! Arguments of `spanbridge nats-events`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{LogFormat, PropagatorList};
use crate::address::Address;
use crate::scrub::Scrub;

const HELP: &str = "\
Examples:
  spanbridge nats-events --broker nats://127.0.0.1:4222 --subject trace.events
  spanbridge nats-events --broker nats://a:4222,nats://b:4222 --tls --creds events.creds \\
      --subject trace.events

The server (2.11 or later) has to be told to send them, in its configuration:
  accounts { APP { users: [ … ], msg_trace { dest: \"trace.events\", sampling: \"100%\" } } }
It sends one for a message whose traceparent is sampled. The user has to be one of that account.

Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, http://localhost:4318 by default.
It says what it reads when it is ready. SIGTERM and SIGINT end it; then it takes what has arrived,
exports it and prints what it counted. A connection that is lost is made again.

Status: 0 after SIGTERM or SIGINT, 1 when it cannot connect or may not subscribe, 2 when the command
line or a file that it names is wrong.";

/// Arguments of `spanbridge nats-events`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct NatsEventsArgs {
    /// Where the server listens. Several, separated by commas or repeated, are tried in turn.
    #[arg(long, value_name = "URL", required = true, value_delimiter = ',',
        value_parser = Address::of_nats)]
    pub broker: Vec<Address>,
    /// The subject that trace events come on: `dest` of the account's msg_trace.
    #[arg(long, value_name = "SUBJECT")]
    pub subject: String,
    /// Queue group. Several of these programs in one group share the events.
    #[arg(long, value_name = "GROUP", default_value = "spanbridge")]
    pub queue: String,
    /// User name.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// A file with the user's password, and nothing else.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// A file with a token, and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "creds"])]
    pub token_file: Option<PathBuf>,
    /// A file with a user's JWT and nkey seed, as nsc writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub creds: Option<PathBuf>,
    /// Refuse to go on without TLS. A server that requires TLS gets it either way.
    #[arg(long)]
    pub tls: bool,
    /// Certificates of authorities to believe, in PEM, besides those of the system.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The client's certificate, in PEM, for a server that asks for one.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Formats of context, separated by commas.
    ///
    /// Servers look at traceparent alone; others matter where a client asks for a trace event
    /// itself (Nats-Trace-Dest). Default: OTEL_PROPAGATORS, else tracecontext,baggage.
    #[arg(long, value_name = "LIST")]
    pub propagators: Option<PropagatorList>,
    /// Kinds of tokens of a subject that span names show as {id}, separated by commas.
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',')]
    pub scrub: Vec<ScrubRule>,
    /// How log lines on standard error are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// Tokens of subjects that are ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScrubRule {
    /// Hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    Uuid,
    /// Decimal digits.
    Number,
    /// Eight or more hexadecimal digits.
    Hex,
}

impl NatsEventsArgs {
    /// All rules of `--scrub`.
    pub fn scrub(&self) -> Scrub {
        let rule = |rule: &ScrubRule| match rule {
            ScrubRule::Uuid => Scrub::UUID,
            ScrubRule::Number => Scrub::NUMBER,
            ScrubRule::Hex => Scrub::HEX,
        };
        self.scrub.iter().map(rule).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(line: &str) -> Result<NatsEventsArgs, clap::Error> {
        let words = ["spanbridge", "nats-events"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Command::NatsEvents(args) => Ok(args),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }

    #[test]
    fn a_broker_and_a_subject_are_enough() {
        let args = parse("--broker nats://a,nats://b:1 --subject t").unwrap();
        assert_eq!((args.broker.len(), args.queue.as_str()), (2, "spanbridge"));
        assert_eq!(args.scrub(), Scrub::empty());
        let args = parse("--broker nats://a --subject t --scrub uuid,hex").unwrap();
        assert_eq!(args.scrub(), Scrub::UUID | Scrub::HEX);
    }

    #[test]
    fn half_of_a_pair_and_two_ways_to_log_in_are_refused() {
        for rest in [
            "",
            "--subject t --user me",
            "--subject t --password-file p",
            "--subject t --creds c --token-file t",
            "--subject t --creds c --user me --password-file p",
            "--subject t --tls-cert c",
            "--subject t --scrub words",
        ] {
            assert!(parse(&format!("--broker nats://a {rest}")).is_err(), "{rest}");
        }
        assert!(parse("--subject t").is_err());
    }
}

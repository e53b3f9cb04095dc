//! The `spanbridge` program: reads the command line, runs a command, says why it failed.
//!
//! Status 0: done. 1: something outside went wrong. 2: the command line, a variable or a
//! configuration file is to be changed.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use spanbridge::metrics::Counters;
use spanbridge::{Propagation, PropagatorKind, Runtime, env};
use spanbridge_gateway::admin::client;
use spanbridge_gateway::carrier_json::{self, Verb};
use spanbridge_gateway::cli::{CarrierArgs, Cli, Command, GatewayArgs, NatsEventsArgs};
use spanbridge_gateway::config::ConfigError;
use spanbridge_gateway::failure::Failure;
use spanbridge_gateway::{check_config, demo, log, nats_events, serve};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Gateway(args) => gateway(&args),
        Command::CheckConfig(args) => {
            check_config::run(&args, &env::Env::from_process()).map_err(Into::into)
        }
        Command::Demo(args) => demo::run(&args).map_err(Into::into),
        Command::NatsEvents(args) => nats_events(&args),
        Command::Extract(args) => carriers(Verb::Extract, &args),
        Command::Inject(args) => carriers(Verb::Inject, &args),
        Command::Component(args) => client::run(&args.verb).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spanbridge: {error:#}");
            ExitCode::from(status(&error))
        }
    }
}

/// The status for an error, by the first of its causes that says whose fault it is.
fn status(error: &anyhow::Error) -> u8 {
    let of_failure = error.downcast_ref::<Failure>().map(Failure::status);
    let is_config = error.is::<ConfigError>() || error.is::<env::ConfigFileError>();
    of_failure.unwrap_or(if is_config { 2 } else { 1 })
}

fn gateway(args: &GatewayArgs) -> anyhow::Result<()> {
    let (settings, warnings) = env::Settings::read(&env::Env::from_process())?;
    log::start(args.log_format, settings.log_level);
    let counters = Arc::new(Counters::default());
    env::Warning::report(&warnings, &counters);
    Ok(serve::serve(&args.config()?, || args.config(), &settings, counters)?)
}

fn nats_events(args: &NatsEventsArgs) -> anyhow::Result<()> {
    let (settings, warnings) = env::Settings::read(&env::Env::from_process())?;
    log::start(args.log_format, settings.log_level);
    let counters = Arc::new(Counters::default());
    env::Warning::report(&warnings, &counters);
    Ok(nats_events::run(args, &settings, counters)?)
}

fn carriers(verb: Verb, args: &CarrierArgs) -> anyhow::Result<()> {
    let propagators = match &args.propagators {
        Some(list) => list.0.clone(),
        None => propagators_of_environment()?,
    };
    let runtime = Runtime::builder().build()?;
    let mut propagation = Propagation::new(&runtime, &propagators)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    carrier_json::run(verb, &mut propagation, &mut input, &mut output)
        .context("cannot go on reading and answering lines")
}

fn propagators_of_environment() -> anyhow::Result<Vec<PropagatorKind>> {
    let process = env::Env::from_process();
    let (settings, warnings) = env::Settings::read(&process)?;
    for warning in warnings.iter().filter(|warning| warning.variable == "OTEL_PROPAGATORS") {
        eprintln!("spanbridge: {warning}");
    }
    Ok(settings.propagators)
}

//! The `check-config` command: tries a configuration without listening anywhere.
//!
//! It goes as far as the gateway does before it opens a socket: file and flags are read, the
//! component is loaded, every route is opened in it, and certificates are read.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use spanbridge::env;

use crate::cli::CheckConfigArgs;
use crate::config::{Config, ListenerConfig, reference};
use crate::failure::Failure;
use crate::gateway::{Output, StartError, net, runtime};
use crate::routes::Routes;
use crate::service::Services;

/// What was found.
struct Found {
    /// `None`: no file was given, only the environment was looked at.
    config: Option<Config>,
    error: Option<String>,
    warnings: Vec<env::Warning>,
}

/// Runs the command.
///
/// # Errors
///
/// When something is to be changed, or with `--strict` when a variable is not honoured.
pub fn run(args: &CheckConfigArgs, env: &env::Env<'_>) -> Result<(), Failure> {
    if args.reference {
        return say(&reference());
    }
    let found = find(args, env);
    let answer = if args.json { format!("{}\n", as_json(&found)) } else { as_text(&found) };
    say(&answer)?;
    match (&found.error, found.warnings.len()) {
        (Some(error), _) => Err(Failure::usage(error.as_str())),
        (None, count) if count > 0 && args.strict => {
            Err(Failure::usage(format!("environment variables not honoured: {count}")))
        }
        (None, _) => Ok(()),
    }
}

fn find(args: &CheckConfigArgs, env: &env::Env<'_>) -> Found {
    let (settings, warnings) = match env::Settings::read(env) {
        Ok(read) => read,
        Err(error) => {
            return Found { config: None, error: Some(error.to_string()), warnings: Vec::new() };
        }
    };
    let Some(path) = &args.config else {
        return Found { config: None, error: None, warnings };
    };
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => return Found { config: None, error: Some(error.to_string()), warnings },
    };
    let error = try_out(&config, &settings).err();
    let error = error.map(|error| format!("{}: {error}", path.display()));
    Found { config: Some(config), error, warnings }
}

/// Does what a start does, up to the first socket.
fn try_out(config: &Config, env: &env::Settings) -> Result<(), StartError> {
    config.check()?;
    let output = Output::new(None, env, Arc::default());
    let runtime = runtime(config, &output)?;
    let services = Services::new(output.resources, env.service_name.clone());
    let mut routes = Routes::new(runtime, env.clone(), Arc::new(services), Arc::default());
    routes.apply(config, Instant::now())?;
    config.listeners.iter().try_for_each(|listener| net(listener).map(drop))
}

fn brokers(listener: &ListenerConfig) -> Vec<String> {
    listener.brokers.iter().map(ToString::to_string).collect()
}

fn as_text(found: &Found) -> String {
    let mut text = String::new();
    if found.error.is_none() {
        text.push_str("usable\n");
    }
    if let Some(config) = &found.config {
        for listener in &config.listeners {
            let (listen, brokers) = (&listener.listen, brokers(listener).join(", "));
            text.push_str(&format!("listener {}: {listen} for {brokers}\n", listener.name()));
        }
        text.push_str(&format!("routes: {}\n", config.routes.len()));
    }
    for warning in &found.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn as_json(found: &Found) -> Value {
    let listener = |listener: &ListenerConfig| {
        json!({
            "name": listener.name(),
            "listen": listener.listen.to_string(),
            "brokers": brokers(listener),
        })
    };
    let listeners = found.config.iter().flat_map(|config| &config.listeners).map(listener);
    json!({
        "usable": found.error.is_none(),
        "error": found.error,
        "listeners": listeners.collect::<Vec<_>>(),
        "routes": found.config.as_ref().map_or(0, |config| config.routes.len()),
        "warnings": found.warnings.iter().map(warning).collect::<Vec<_>>(),
    })
}

fn warning(warning: &env::Warning) -> Value {
    let env::Warning { variable, found, done } = warning;
    json!({ "variable": variable, "found": found, "done": done })
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::new("cannot write to standard output").because(error))
}

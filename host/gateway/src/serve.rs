//! The `gateway` command: from the environment to the summary at the end.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use spanbridge::env;
use spanbridge::metrics::Counters;
use spanbridge::otlp::{Flush, Pipeline};
use tracing::{error, info, warn};

use crate::admin::{Admin, AdminError};
use crate::config::{Config, ConfigError};
use crate::gateway::{Gateway, Output, StartError, resources};
use crate::notify::{State, notify};
use crate::reload::Reloaded;
use crate::routes::RoutesChanged;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The gateway cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The exporter cannot start.
    #[error(transparent)]
    Exporter(#[from] spanbridge::otlp::StartError),
    /// The admin endpoint cannot be had.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Signals cannot be waited for, or nothing can be written to standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a gateway until SIGTERM or SIGINT, then drains it and prints the counters. On SIGHUP it
/// takes over what `read` answers then.
///
/// Standard output gets one line for each place it listens when all of them are ready, and at the
/// end one line for each counter that is not zero; logs go elsewhere.
///
/// # Errors
///
/// Fails when something cannot be started.
pub fn serve(
    config: &Config,
    read: impl Fn() -> Result<Config, ConfigError>,
    env: &env::Settings,
    counters: Arc<Counters>,
) -> Result<(), ServeError> {
    // Signals first: one that comes while the gateway starts must not be lost.
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut asked = {
        let _in_runtime = signals.enter();
        Signals::new()?
    };
    let pipeline =
        Pipeline::from_settings(env, resources(env, Arc::clone(&counters)), Arc::clone(&counters))?;
    let output = Output::new(pipeline.as_ref(), env, Arc::clone(&counters));
    let mut gateway = Gateway::start(config, env, &output)?;
    // Until the end: whoever watches sees the drain.
    let admin = Admin::start(&config.admin, gateway.observed())?;
    announce(config, &gateway, &admin)?;
    notify(State::Ready);

    let signal = loop {
        match signals.block_on(asked.next()) {
            Asked::Stop(signal) => break signal,
            Asked::Reload => reload(&mut gateway, &read, &counters),
        }
    };
    info!(signal, "stopping");
    notify(State::Stopping);
    let flush_timeout = gateway.config().flush_timeout;
    gateway.stop();
    flush(pipeline, flush_timeout);
    drop(admin);
    summarise(&counters)?;
    Ok(())
}

/// Exports what is queued, and says what could not be.
pub(crate) fn flush(pipeline: Option<Pipeline>, timeout: Duration) {
    let Some(pipeline) = pipeline else { return };
    match pipeline.shutdown(timeout) {
        Flush::Done => {}
        Flush::Lost { spans } => warn!(spans, "spans were lost on the way out"),
        Flush::DeadlinePassed | Flush::Refused => warn!("not every span was exported in time"),
    }
}

fn announce(config: &Config, gateway: &Gateway, admin: &Admin) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(address) = admin.address() {
        writeln!(out, "admin endpoint on http://{address}")?;
    }
    if let Some(path) = &config.admin.socket {
        writeln!(out, "admin socket at {}", path.display())?;
    }
    for (address, listener) in gateway.addresses().iter().zip(&config.listeners) {
        let brokers: Vec<_> = listener.brokers.iter().map(ToString::to_string).collect();
        writeln!(out, "listening on {address} for {}", brokers.join(", "))?;
    }
    out.flush()
}

/// Reads the configuration again. Whatever comes of it, the gateway goes on.
fn reload(
    gateway: &mut Gateway,
    read: impl Fn() -> Result<Config, ConfigError>,
    counters: &Counters,
) {
    notify(State::Reloading);
    let reloaded = read().map_err(StartError::from).and_then(|config| gateway.reload(&config));
    let said = match reloaded {
        Ok(Reloaded { routes: RoutesChanged { opened, retired, kept }, waiting }) => {
            counters.reloads.ok.add(1);
            info!(opened, retired, kept, "configuration reloaded");
            for key in &waiting {
                warn!(key, "changed in the configuration, and waits for a restart");
            }
            format!("reloaded: {} changes wait for a restart", waiting.len())
        }
        Err(error) => {
            counters.reloads.failed.add(1);
            error!(%error, "configuration not reloaded; the former one stays in force");
            format!("not reloaded: {error}")
        }
    };
    notify(State::Ready);
    let mut out = io::stdout().lock();
    // Nobody may be reading any more, which is no reason to drop a session.
    let _ = writeln!(out, "{said}").and_then(|()| out.flush());
}

pub(crate) fn summarise(counters: &Counters) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "stopped; counted since the start:")?;
    let mut result = Ok(());
    counters.for_each(|sample| {
        if sample.value == 0 || result.is_err() {
            return;
        }
        result = match sample.label {
            Some((label, value)) => {
                writeln!(out, "{}{{{label}=\"{value}\"}} {}", sample.name, sample.value)
            }
            None => writeln!(out, "{} {}", sample.name, sample.value),
        };
    });
    result?;
    out.flush()
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The name of the signal.
    Stop(&'static str),
    #[cfg_attr(not(unix), expect(dead_code, reason = "no signal asks for it there"))]
    Reload,
}

/// The signals that ask a program for something.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) -> Asked {
        // A console that cannot be listened to leaves only the kill.
        let _ = tokio::signal::ctrl_c().await;
        Asked::Stop("Ctrl-C")
    }
}

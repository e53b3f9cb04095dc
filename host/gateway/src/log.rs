//! Log lines of the program: on standard error, for people or as JSON.

use std::io::{self, IsTerminal as _};

use spanbridge::env::LogLevel;
use tracing::level_filters::LevelFilter;

use crate::cli::LogFormat;

/// Starts writing log lines. Call it once; a second call changes nothing.
///
/// `level` is `OTEL_LOG_LEVEL`. Libraries below are heard from `warn` on, unless more than `info`
/// is asked for.
pub fn start(format: LogFormat, level: LogLevel) {
    let (ours, theirs) = match level {
        LogLevel::None => (LevelFilter::OFF, LevelFilter::OFF),
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG),
        LogLevel::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    let filter = format!("{theirs},spanbridge={ours},spanbridge_gateway={ours}");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(io::stderr)
        // Colours are for a person who watches, unless that person says otherwise.
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false);
    // Fails only when somebody has done the same before, and then lines are written already.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

//! The runtime's log lines, in the server's log.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::ffi::{self, Level};

/// Longest line. The server has a kibibyte for one.
const LINE_BYTES_MAX: usize = 900;

/// Sends log lines of this library, and of nothing else in the process, to the server's log.
pub(crate) fn start() {
    // Set already when the module was refused before: then it is ours as well.
    let _ = tracing::subscriber::set_global_default(ServerLog);
}

struct ServerLog;

impl Subscriber for ServerLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= tracing::Level::INFO
            && metadata.target().starts_with("spanbridge")
    }

    fn event(&self, event: &Event<'_>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR | tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Notice,
            _ => Level::Debug,
        };
        let mut line = Line("spanbridge:".to_owned());
        event.record(&mut line);
        ffi::log(level, &line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // None is enabled, so none is asked for.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A line, the message first as it is recorded first.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.0.len() > LINE_BYTES_MAX {
            return;
        }
        // Into a string nothing fails.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

//! Log lines of the exporter, as frames: the broker writes them into its log.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::export::Output;

/// Bytes from which on a line takes no further value. A receiver's answer may be in one.
const LINE_BYTES_MAX: usize = 2048;

/// Hands log lines of this process to the broker, once.
pub fn start(output: Output) {
    // Fails only when somebody has done the same before.
    let _ = tracing::subscriber::set_global_default(BrokerLog(output));
}

struct BrokerLog(Output);

impl Subscriber for BrokerLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("spanbridge");
        let level = if ours { Level::INFO } else { Level::WARN };
        metadata.is_event() && *metadata.level() <= level
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.log(line.0.trim_start());
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

/// A line: the message, then names and values.
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

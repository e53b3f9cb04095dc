//! OTLP JSON lines: one `ExportTraceServiceRequest` a line, to a file or another stream.
//!
//! Appends; does not rotate, bound or lock the file. A line is written with one call. When a write
//! fails the batch is lost and counted, and the next line starts on a line of its own, so a full
//! disk spoils at most one line. See "OpenTelemetry Protocol File Exporter".

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::exporter::{Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome};
use super::json;

/// Writes OTLP JSON lines.
pub struct JsonLines {
    state: Mutex<State>,
}

struct State {
    output: Box<dyn Write + Send>,
    /// The last write failed, perhaps in the middle of a line.
    broken: bool,
}

impl JsonLines {
    /// Appends to a file, which is made when it is missing.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened for writing.
    pub fn append(path: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(|file| Self::new(Box::new(file)))
    }

    /// Writes to standard output.
    pub fn stdout() -> Self {
        Self::new(Box::new(io::stdout()))
    }

    /// Writes to any stream.
    pub fn new(output: Box<dyn Write + Send>) -> Self {
        Self { state: Mutex::new(State { output, broken: false }) }
    }

    fn write(&self, batch: &Batch) -> Result<Delivered, Failure> {
        let mut line = json::encode(&batch.decode()?)?;
        line.push(b'\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.broken {
            line.insert(0, b'\n');
        }
        let written = state.output.write_all(&line).and_then(|()| state.output.flush());
        state.broken = written.is_err();
        written.map(|()| Delivered::default()).map_err(|error| {
            Failure::permanent(FailureKind::Io, format!("cannot write spans: {error}"))
        })
    }
}

impl Exporter for JsonLines {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        // Writes on the pipeline's own thread; nothing else waits for that thread.
        Box::pin(async move { self.write(&batch).map_or_else(Outcome::Failed, Outcome::Delivered) })
    }

    fn shutdown(&self, _: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = state.output.flush();
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonLines")
    }
}

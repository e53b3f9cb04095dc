//! The span pipeline: batches encoded spans, sends them, tries again, counts what is lost.
//!
//! ```text
//! Sink ──▶ queue ──▶ Machine (when, what, again?) ──▶ Exporter: gRPC, HTTP, JSON lines, console,
//!                       driven by one thread                    or one of your own
//! ```
//!
//! | module | its one job |
//! |---|---|
//! | `framing`, `buffer`, `request` | put encoded spans into a request without decoding them |
//! | `machine`, `retry` | decide; pure, with time passed in |
//! | `worker`, `pipeline` | the thread, and its handle |
//! | `exporter` | what is asked of an exporter |
//! | `endpoint`, `target`, `tls` | where to, and how |
//! | `http`, `grpc`, `json`, `file`, `console` | the exporters |
//! | `response`, `status` | what a receiver answers |
//! | `report` | log lines, few of them |
//!
//! Nothing here blocks a message, uses global state or handles signals. See "OTLP Specification"
//! and "Trace SDK", section "Batching processor".

use std::error::Error;

pub(crate) mod buffer;
mod console;
mod endpoint;
mod exporter;
mod file;
pub(crate) mod framing;
mod grpc;
mod http;
mod json;
mod machine;
mod pipeline;
mod report;
mod request;
mod response;
mod retry;
mod settings;
mod status;
mod target;
mod tls;
mod worker;

pub use console::Console;
pub use endpoint::{Endpoint, EndpointError};
pub use exporter::{
    Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome, Retry,
};
pub use file::JsonLines;
pub use pipeline::{Flush, Pipeline, StartError};
pub use request::{SCHEMA_URL, SCOPE_NAME};
pub use response::RESPONSE_BYTES_MAX;
pub use retry::RetryPolicy;
pub use settings::{PipelineSettings, REQUEST_BYTES_LIMIT, REQUEST_BYTES_MAX, SCHEDULE_DELAY_MIN};
pub use target::{ClientIdentity, OTLP_TIMEOUT, OtlpTarget, Protocol, TlsFiles};
pub use tls::TargetError;

/// Makes the exporter of an OTLP receiver. Connects when the first batch is sent, not before.
///
/// # Errors
///
/// Fails when a certificate or key cannot be used, or the system has no trusted certificates.
pub fn otlp_exporter(target: &OtlpTarget) -> Result<Box<dyn Exporter>, TargetError> {
    Ok(match target.protocol {
        Protocol::Grpc => Box::new(grpc::GrpcExporter::new(target)?),
        Protocol::HttpProtobuf | Protocol::HttpJson => Box::new(http::HttpExporter::new(target)?),
    })
}

/// Causes of an error that reach a log line. Deeper chains repeat themselves.
const CAUSES_MAX: usize = 6;

/// An error and its causes on one line.
fn error_chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let texts: Vec<String> = causes.take(CAUSES_MAX).map(ToString::to_string).collect();
    response::printable(&texts.join(": "))
}

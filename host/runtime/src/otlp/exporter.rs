//! What the pipeline asks of an exporter, and what an exporter answers.
//!
//! An exporter makes one attempt and says how it went. When to try again, and when to give up, is
//! decided in one place for all of them, the pipeline.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::metrics::Counters;

/// Sends batches somewhere.
///
/// Runs on the pipeline's own thread, which drives a tokio runtime of one thread with its I/O and
/// time drivers on.
pub trait Exporter: Debug + Send + Sync + 'static {
    /// Makes one attempt. Dropped, and counted as a timeout, when it takes too long.
    fn export(&self, batch: Batch) -> ExportFuture<'_>;

    /// How many calls of [`Exporter::export`] may run at once.
    ///
    /// One keeps the order of what is written. The pipeline never uses more than two.
    fn concurrency(&self) -> usize {
        1
    }

    /// Called once, after the last attempt. `timeout` is what is left of the shutdown's deadline.
    fn shutdown(&self, timeout: Duration) {
        let _ = timeout;
    }
}

/// The future of one attempt.
pub type ExportFuture<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One request: whole spans, of one or more resources. Cloning it copies no bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    request: Bytes,
    spans: usize,
}

impl Batch {
    pub(crate) fn new(request: Bytes, spans: usize) -> Self {
        Self { request, spans }
    }

    /// The request as an encoded `ExportTraceServiceRequest`.
    pub fn request(&self) -> &Bytes {
        &self.request
    }

    /// Number of spans in it, at least one.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// Decodes the request.
    ///
    /// # Errors
    ///
    /// Fails with [`FailureKind::Encode`] when the component produced a span that is not protobuf.
    pub fn decode(&self) -> Result<ExportTraceServiceRequest, Failure> {
        ExportTraceServiceRequest::decode(self.request.clone()).map_err(|error| {
            Failure::permanent(FailureKind::Encode, format!("a span is not protobuf: {error}"))
        })
    }
}

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took the request. Never sent again.
    Delivered(Delivered),
    /// The receiver did not take it.
    Failed(Failure),
}

/// A receiver's answer to a request it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Spans that it threw away all the same (`partial_success.rejected_spans`).
    pub rejected: u64,
    /// What it has to say about them, or a warning when none was rejected.
    pub message: String,
}

/// Why an attempt failed, and whether another makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for the counters.
    pub kind: FailureKind,
    /// Whether to try again.
    pub retry: Retry,
    /// What went wrong, for a log line.
    pub message: String,
}

impl Failure {
    /// A failure that another attempt would only repeat.
    pub fn permanent(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, retry: Retry::Never, message: message.into() }
    }

    /// A failure that may pass.
    pub fn transient(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, retry: Retry::Backoff, message: message.into() }
    }
}

/// Whether, and when, to send a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not again: drop the batch.
    Never,
    /// After an exponential back-off.
    Backoff,
    /// Not before the receiver's own delay has passed.
    After(Duration),
}

/// What went wrong in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, or it broke before the whole answer was there.
    Connection,
    /// No answer in time.
    Timeout,
    /// The receiver asked for less: HTTP 429, `RESOURCE_EXHAUSTED`.
    Throttled,
    /// The receiver answered with another status that may pass.
    Unavailable,
    /// The receiver answered with a status that will not pass.
    Refused,
    /// The answer itself was wrong, for example larger than allowed.
    Response,
    /// The spans could not be put into the exporter's format.
    Encode,
    /// A file or a stream could not be written.
    Io,
    /// The exporter panicked.
    Panic,
}

impl FailureKind {
    /// Counts one failed attempt.
    pub(crate) fn count_failure(self, counters: &Counters) {
        let failures = &counters.export_failures;
        let counter = match self {
            Self::Connection => &failures.connection,
            Self::Timeout => &failures.timeout,
            Self::Throttled => &failures.throttled,
            Self::Unavailable => &failures.unavailable,
            Self::Refused => &failures.refused,
            Self::Response => &failures.response,
            Self::Encode => &failures.encode,
            Self::Io => &failures.io,
            Self::Panic => &failures.panic,
        };
        counter.add(1);
    }

    /// Counts one attempt that will be repeated. Kinds that are never repeated count as
    /// `unavailable`, should a foreign exporter ask for it.
    pub(crate) fn count_retry(self, counters: &Counters) {
        let retries = &counters.export_retries;
        let counter = match self {
            Self::Connection => &retries.connection,
            Self::Timeout => &retries.timeout,
            Self::Throttled => &retries.throttled,
            _ => &retries.unavailable,
        };
        counter.add(1);
    }
}

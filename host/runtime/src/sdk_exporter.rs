//! Any `opentelemetry_sdk` span exporter as an exporter of the pipeline.
//!
//! Spans are decoded and turned into the SDK's own `SpanData`, resource by resource. Slower than
//! the exporters of this crate, and for those who have an exporter that speaks something else.
//!
//! What the SDK's types cannot hold: an attribute that is a map, bytes or an array of mixed types
//! becomes its JSON text, and one without a value is left out.
//!
//! An SDK exporter retries by itself, so a failure here is final.

use std::fmt::Debug;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_sdk::trace::SpanExporter;
use tokio::sync::Mutex;

use crate::otlp::{Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome};

mod convert;

/// Hands spans to an `opentelemetry_sdk` exporter.
#[derive(Debug)]
pub struct SdkExporter<E> {
    /// Setting a resource needs the exporter for itself, also while it exports.
    inner: Mutex<E>,
}

impl<E: SpanExporter + 'static> SdkExporter<E> {
    /// Wraps an exporter. It runs on the pipeline's thread, inside a tokio runtime.
    pub fn new(exporter: E) -> Self {
        Self { inner: Mutex::new(exporter) }
    }

    /// Exports resource by resource. What failed counts as rejected when something was delivered,
    /// because sending the batch again would deliver that twice.
    async fn export_all(&self, batch: Batch) -> Outcome {
        let request = match batch.decode() {
            Ok(request) => request,
            Err(failure) => return Outcome::Failed(failure),
        };
        let (mut delivered, mut rejected, mut message) = (0, 0, String::new());
        for resource in request.resource_spans {
            let spans: usize = resource.scope_spans.iter().map(|scope| scope.spans.len()).sum();
            match self.export_resource(resource).await {
                Ok(()) => delivered += spans as u64,
                Err(error) => {
                    rejected += spans as u64;
                    message = error;
                }
            }
        }
        if delivered == 0 && rejected > 0 {
            return Outcome::Failed(Failure::permanent(FailureKind::Refused, message));
        }
        Outcome::Delivered(Delivered { rejected, message })
    }

    async fn export_resource(&self, spans: ResourceSpans) -> Result<(), String> {
        let resource = convert::resource(&spans);
        let mut exporter = self.inner.lock().await;
        exporter.set_resource(&resource);
        exporter.export(convert::spans(spans)).await.map_err(|error| error.to_string())
    }
}

impl<E: SpanExporter + 'static> Exporter for SdkExporter<E> {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(self.export_all(batch))
    }

    fn shutdown(&self, timeout: Duration) {
        // Attempts have ended by now; one that was cut off has let go of the lock.
        if let Ok(exporter) = self.inner.try_lock() {
            let _ = exporter.shutdown_with_timeout(timeout);
        }
    }
}

#[cfg(test)]
mod tests;

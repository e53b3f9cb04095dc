//! Where the demo's spans come out: one pipeline, whose exporter keeps what it is given for the
//! picture, prints it as JSON if asked, and passes it on to an OTLP receiver if there is one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use spanbridge::env::{self, TracesExporter};
use spanbridge::metrics::Counters;
use spanbridge::otlp::{
    Batch, Delivered, ExportFuture, Exporter, Flush, JsonLines, Outcome, Pipeline,
    PipelineSettings, otlp_exporter,
};

use crate::failure::Failure;
use crate::gateway::{Output, resources};

/// How long the end waits for the receiver. Enough for a slow one; a person waits as well.
const EXPORT_WAIT: Duration = Duration::from_secs(5);

/// Requests that are kept. The demo makes one or two.
const REQUESTS_MAX: usize = 64;

/// The pipeline of the demo.
#[derive(Debug)]
pub(super) struct Export {
    pipeline: Pipeline,
    output: Output,
    seen: Seen,
    /// Where to, for a message.
    receiver: Option<String>,
}

/// What was exported, in order.
type Seen = Arc<Mutex<Vec<Batch>>>;

/// Keeps, prints, passes on.
struct Tee {
    seen: Seen,
    json: Option<JsonLines>,
    receiver: Option<Box<dyn Exporter>>,
}

impl Export {
    /// Starts the pipeline.
    pub(super) fn start(
        env: &env::Settings,
        send: bool,
        json: bool,
        counters: &Arc<Counters>,
    ) -> Result<Self, Failure> {
        let mut settings = PipelineSettings::default();
        let (mut receiver, mut address) = (None, None);
        if let (true, TracesExporter::Otlp(target)) = (send, &env.exporter) {
            let exporter = otlp_exporter(target).map_err(|error| {
                Failure::usage("the OTLP exporter cannot be set up").because(error)
            })?;
            settings = PipelineSettings::new(&env.bsp, target.timeout);
            receiver = Some(exporter);
            address = Some(target.endpoint.to_string());
        }
        let seen = Seen::default();
        let json = json.then(JsonLines::stdout);
        let tee = Tee { seen: Arc::clone(&seen), json, receiver };
        let resources = resources(env, Arc::clone(counters));
        let pipeline = Pipeline::start(settings, resources, Box::new(tee), Arc::clone(counters))
            .map_err(|error| Failure::new("the exporter cannot start").because(error))?;
        let output = Output::new(Some(&pipeline), env, Arc::clone(counters));
        Ok(Self { pipeline, output, seen, receiver: address })
    }

    /// Where spans go in.
    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// Sends what is left. Answers everything that was exported, and whether it arrived.
    pub(super) fn finish(self) -> (Vec<ExportTraceServiceRequest>, Result<(), Failure>) {
        let flushed = self.pipeline.shutdown(EXPORT_WAIT);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = seen.iter().filter_map(|batch| batch.decode().ok()).collect();
        let arrived = match (flushed, self.receiver) {
            (Flush::Done, _) => Ok(()),
            (_, Some(receiver)) => Err(Failure::new(format!(
                "the spans did not reach {receiver} ({}); is an OTLP receiver listening there?",
                reasons(&self.output.counters)
            ))),
            // Only standard output is left, and whoever read it went away.
            (_, None) => Ok(()),
        };
        (requests, arrived)
    }
}

/// What went wrong on the way to the receiver, as it was counted.
fn reasons(counters: &Counters) -> String {
    let mut reasons = Vec::new();
    counters.for_each(|sample| {
        if let ("export_failures", Some((_, reason)), 1..) =
            (sample.name, sample.label, sample.value)
        {
            reasons.push(format!("{reason}: {}", sample.value));
        }
    });
    if reasons.is_empty() { "no answer in time".to_owned() } else { reasons.join(", ") }
}

impl Tee {
    /// Keeps a batch, and answers whether it is new: one that is sent again comes again.
    fn keep(&self, batch: &Batch) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.iter().any(|old| old.request() == batch.request());
        if !known && seen.len() < REQUESTS_MAX {
            seen.push(batch.clone());
        }
        !known
    }
}

impl Exporter for Tee {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(async move {
            if let (true, Some(json)) = (self.keep(&batch), &self.json) {
                let printed = json.export(batch.clone()).await;
                if self.receiver.is_none() {
                    return printed;
                }
            }
            match &self.receiver {
                Some(receiver) => receiver.export(batch).await,
                None => Outcome::Delivered(Delivered::default()),
            }
        })
    }

    fn shutdown(&self, timeout: Duration) {
        if let Some(receiver) = &self.receiver {
            receiver.shutdown(timeout);
        }
    }
}

impl fmt::Debug for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

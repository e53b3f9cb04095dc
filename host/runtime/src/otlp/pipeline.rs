//! The handle of a running pipeline.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use super::console::Console;
use super::exporter::Exporter;
use super::file::JsonLines;
use super::machine::Machine;
use super::settings::PipelineSettings;
use super::target::OTLP_TIMEOUT;
use super::tls::TargetError;
use super::worker::{self, FLUSHES_MAX, Reply, Stop, Worker};
use crate::env::{Settings, TracesExporter};
use crate::metrics::Counters;
use crate::resource::Resources;
use crate::sink::{Queue, Sink, WakeAt};

/// Name of the exporter thread. Linux shows fifteen bytes.
const THREAD_NAME: &str = "spanbridge-otlp";

/// Longest deadline that is believed; arithmetic on times stays far from its limits.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How much longer than its deadline a shutdown waits for the thread's own answer.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// How a flush or a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Every span queued before the call was delivered.
    Done,
    /// Every span queued before the call is settled, but spans were lost meanwhile; the counters
    /// say why.
    Lost {
        /// Number of lost spans.
        spans: u64,
    },
    /// The deadline passed first. After a flush the spans are still tried; after a shutdown they
    /// are dropped and counted.
    DeadlinePassed,
    /// The pipeline has stopped, or too many flushes wait already.
    Refused,
}

/// Why a pipeline cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The exporter cannot be built.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The operating system refuses a thread or an event queue.
    #[error("cannot start the exporter thread: {0}")]
    Thread(#[from] io::Error),
}

/// A running pipeline: a queue, a thread, an exporter.
///
/// Dropping it without [`Pipeline::shutdown`] stops the thread at once and counts what was queued
/// as `spans_dropped{reason="shutdown"}`; it does not wait.
#[derive(Debug)]
pub struct Pipeline {
    sink: Sink,
    resources: Resources,
    flushes: mpsc::Sender<Reply>,
    /// Taken by the first shutdown.
    thread: Mutex<Option<(oneshot::Sender<Stop>, JoinHandle<()>)>>,
}

impl Pipeline {
    /// Starts what the environment asks for; `None` when that is nothing, because the SDK is
    /// disabled or the exporter is `none`. Then [`Sink::discarding`] takes the spans.
    ///
    /// # Errors
    ///
    /// Fails when a certificate or key cannot be used, or the thread cannot be started.
    pub fn from_settings(
        settings: &Settings,
        resources: Resources,
        counters: Arc<Counters>,
    ) -> Result<Option<Self>, StartError> {
        if settings.sdk_disabled {
            return Ok(None);
        }
        let (exporter, timeout): (Box<dyn Exporter>, _) = match &settings.exporter {
            TracesExporter::Otlp(target) => (super::otlp_exporter(target)?, target.timeout),
            TracesExporter::OtlpStdout => (Box::new(JsonLines::stdout()), OTLP_TIMEOUT),
            TracesExporter::Console => (Box::new(Console::stdout()), OTLP_TIMEOUT),
            TracesExporter::None => return Ok(None),
        };
        let bounds = PipelineSettings::new(&settings.bsp, timeout);
        Ok(Some(Self::start(bounds, resources, exporter, counters)?))
    }

    /// Starts the exporter thread.
    ///
    /// The thread inherits the signal mask of the caller, so a process that reserves its signals
    /// for one thread blocks them around this call.
    ///
    /// # Errors
    ///
    /// Fails when the operating system refuses a thread or an event queue.
    pub fn start(
        settings: PipelineSettings,
        resources: Resources,
        exporter: Box<dyn Exporter>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let settings = settings.bounded();
        let wake_at = WakeAt {
            spans: settings.batch_spans_max,
            // Half of the queue at most, or large spans would fill it before anyone wakes.
            bytes: settings.request_bytes_max.min(settings.queue.queue_bytes_max / 2),
        };
        let queue = Arc::new(Queue::new(settings.queue, wake_at, Arc::clone(&counters)));
        let (flushes, flush_receiver) = mpsc::channel(FLUSHES_MAX);
        let (stop, stop_receiver) = oneshot::channel();
        let machine = Machine::new(
            settings,
            Arc::clone(&queue),
            resources.clone(),
            Arc::clone(&counters),
            exporter.concurrency(),
        );
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name(THREAD_NAME)
            // One more thread, for names that the system's resolver has to look up.
            .max_blocking_threads(1)
            .build()?;
        let sink = Sink::new(Arc::clone(&queue));
        let worker = Worker {
            machine,
            exporter: exporter.into(),
            queue,
            counters,
            flushes: flush_receiver,
            stop: stop_receiver,
        };
        let body = move || worker::run(runtime, worker);
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(body)?;
        Ok(Self { sink, resources, flushes, thread: Mutex::new(Some((stop, thread))) })
    }

    /// Where spans go in.
    pub fn sink(&self) -> Sink {
        self.sink.clone()
    }

    /// The resources that spans refer to.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Sends everything queued so far and waits until it is settled, at most `timeout`.
    ///
    /// Blocks the calling thread; inside an async runtime call it from a blocking task.
    pub fn flush(&self, timeout: Duration) -> Flush {
        let (reply, answer) = sync_channel(1);
        if self.flushes.try_send(reply).is_err() {
            return Flush::Refused;
        }
        match answer.recv_timeout(timeout.min(TIMEOUT_MAX)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Flush::DeadlinePassed,
            Err(RecvTimeoutError::Disconnected) => Flush::Refused,
        }
    }

    /// Refuses new spans, sends what is queued, and stops the thread, all within `timeout`.
    ///
    /// What is left at the deadline is counted as `spans_dropped{reason="shutdown"}`. Blocks the
    /// calling thread. A second call answers [`Flush::Refused`].
    pub fn shutdown(&self, timeout: Duration) -> Flush {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((stop, thread)) = thread else { return Flush::Refused };
        let timeout = timeout.min(TIMEOUT_MAX);
        let (reply, answer) = sync_channel(1);
        if stop.send(Stop { timeout, reply }).is_err() {
            return Flush::Refused;
        }
        match answer.recv_timeout(timeout + SHUTDOWN_GRACE) {
            Ok(result) => {
                // The answer is the thread's last act, so this does not wait.
                let _ = thread.join();
                result
            }
            Err(RecvTimeoutError::Timeout) => Flush::DeadlinePassed,
            Err(RecvTimeoutError::Disconnected) => Flush::Refused,
        }
    }
}

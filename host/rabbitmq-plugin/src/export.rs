//! The exporter: takes spans from the broker through a pipe, and sends them on.
//!
//! It is a program of its own, so that nothing that happens to a connection happens in the broker.
//! It ends when its input ends, and sends what it has before.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use spanbridge::env::{Env, Settings, Warning};
use spanbridge::metrics::Counters;
use spanbridge::otlp::Pipeline;
use spanbridge::resource::{RESOURCES_MAX, ResourceId, Resources};
use spanbridge::sink::Sink;

use crate::frame::{self, Kind, Record};

/// Time between two reports of what was counted.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that the last spans are tried for, when the broker has stopped the plugin.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The way back to the broker. Cloning it is cheap and gives the same one.
#[derive(Clone)]
pub struct Output(Arc<Mutex<dyn Write + Send>>);

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    /// Frames go to this.
    pub fn new(output: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(output)))
    }

    /// Writes a log line.
    pub fn log(&self, line: &str) {
        self.send(Kind::Log, line.as_bytes());
    }

    /// Writes a frame. A broker that is gone is noticed by the end of the input.
    fn send(&self, kind: Kind, content: &[u8]) {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = frame::write(&mut *output, kind, content);
    }
}

/// Exports what comes in until it ends. `strict` are the variables that the plugin's configuration
/// has set: one that cannot be honoured is an error, any other is reported.
///
/// # Errors
///
/// Says in one line what cannot be had, or what of the input is no frame.
pub fn run(
    input: impl Read,
    output: &Output,
    env: &Env<'_>,
    strict: &[String],
) -> Result<(), String> {
    let (settings, warnings) = Settings::read(env).map_err(|error| error.to_string())?;
    let is_strict = |warning: &&Warning| strict.iter().any(|name| name == warning.variable);
    if let Some(warning) = warnings.iter().find(is_strict) {
        return Err(warning.to_string());
    }
    let counters = Arc::<Counters>::default();
    Warning::report(&warnings, &counters);
    let resources = Resources::new(
        settings.service_name.as_deref(),
        &settings.resource_attributes,
        RESOURCES_MAX,
        Arc::clone(&counters),
    );
    let pipeline = Pipeline::from_settings(&settings, resources.clone(), Arc::clone(&counters));
    let pipeline = pipeline.map_err(|error| error.to_string())?;
    let sink = pipeline.as_ref().map_or_else(Sink::discarding, Pipeline::sink);
    output.send(Kind::Ready, b"");

    let (stop, stopped) = channel::<()>();
    let (to_report, report_to) = (Arc::clone(&counters), output.clone());
    let reporter = thread::spawn(move || {
        let mut report = Report::default();
        while stopped.recv_timeout(REPORT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            report.send(&to_report, &report_to);
        }
        report
    });
    let took = take_in(input, &resources, &sink);
    if let Some(pipeline) = pipeline {
        pipeline.shutdown(SHUTDOWN_TIMEOUT);
    }
    drop(stop);
    if let Ok(mut report) = reporter.join() {
        report.send(&counters, output);
    }
    took
}

/// Queues the spans of each frame.
fn take_in(mut input: impl Read, resources: &Resources, sink: &Sink) -> Result<(), String> {
    let mut frame = Vec::new();
    while frame::read(&mut input, &mut frame).map_err(|error| error.to_string())? {
        let (mut rest, mut resource) = (&frame[..], ResourceId::DEFAULT);
        while let Some((record, behind)) = frame::record(rest) {
            rest = behind;
            match record {
                Record::Resource(name) => resource = resources.register(name, &[]),
                // A full queue counts what it does not take.
                Record::Spans { count, run } => drop(sink.push(resource, run, count)),
            }
        }
        if !rest.is_empty() {
            return Err("a record that cannot be read".into());
        }
    }
    Ok(())
}

/// What was said of each counter so far.
#[derive(Default)]
struct Report(HashMap<(&'static str, &'static str), u64>);

impl Report {
    /// Says by how much each counter has grown.
    fn send(&mut self, counters: &Counters, output: &Output) {
        let mut text = String::new();
        counters.for_each(|sample| {
            let (_, reason) = sample.label.unwrap_or_default();
            let said = self.0.entry((sample.name, reason)).or_default();
            // Those that were queued are counted in the broker.
            if sample.value > *said && sample.name != "spans_queued" {
                let grown = sample.value - *said;
                text.push_str(&format!("{}\t{reason}\t{grown}\n", sample.name));
                *said = sample.value;
            }
        });
        if !text.is_empty() {
            output.send(Kind::Counts, text.as_bytes());
        }
    }
}

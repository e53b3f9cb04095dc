//! The page at `/metrics`: every counter, the gauges of the process, and what messages did.
//!
//! The conventions' names are spelled as the Prometheus compatibility rules of OpenTelemetry have
//! them: dots become underscores, a unit of seconds and `_total` are appended.

use std::sync::Arc;

use spanbridge::Outcome;

use super::exposition::{Format, Kind, Label, Page};
use super::observed::Observed;
use crate::measure::Measures;

/// The label of an outcome.
const OUTCOME: &str = "spanbridge_outcome";

/// A metric that is not one of the runtime's counters: name, kind, help.
pub(super) type Family = (&'static str, Kind, &'static str);

const BUILD: Family = ("spanbridge_build_info", Kind::Gauge, "1, with the version of the program.");
const COMPONENT: Family =
    ("spanbridge_component_info", Kind::Gauge, "1, with the component that is loaded.");
const SESSIONS: Family =
    ("spanbridge_sessions_open", Kind::Gauge, "Client connections that are served.");
const DELIVERIES: Family =
    ("spanbridge_deliveries_unsettled", Kind::Gauge, "Deliveries that wait for a settlement.");
const QUEUE_SPANS: Family =
    ("spanbridge_export_queue_spans", Kind::Gauge, "Spans that wait to be exported.");
const QUEUE_BYTES: Family =
    ("spanbridge_export_queue_bytes", Kind::Gauge, "Bytes of spans that wait to be exported.");
const INSTANCES: Family = (
    "spanbridge_spare_instances",
    Kind::Gauge,
    "Instances of the component that stand ready for a thread that loses its own.",
);
const READY: Family = ("spanbridge_ready", Kind::Gauge, "1 while /readyz answers 200.");
const SENT: Family = (
    "messaging_client_sent_messages",
    Kind::Counter,
    "Messages that producers sent, by what the broker answered.",
);
const CONSUMED: Family =
    ("messaging_client_consumed_messages", Kind::Counter, "Messages handed to consumers.");
const OPERATION: Family = (
    "messaging_client_operation_duration_seconds",
    Kind::Histogram,
    "From a publish to its answer, and from a pull to its first message.",
);
const PROCESS: Family =
    ("messaging_process_duration_seconds", Kind::Histogram, "From a delivery to its settlement.");
const WAIT: Family = (
    "spanbridge_queue_wait_seconds",
    Kind::Histogram,
    "From publish to first delivery, where the publish time is known.",
);

/// All of them, for the documentation's test.
#[cfg(test)]
pub(super) const FAMILIES: [Family; 13] = [
    BUILD,
    COMPONENT,
    SESSIONS,
    DELIVERIES,
    QUEUE_SPANS,
    QUEUE_BYTES,
    INSTANCES,
    READY,
    SENT,
    CONSUMED,
    OPERATION,
    PROCESS,
    WAIT,
];

/// Writes the page.
pub(super) fn page(observed: &Observed, format: Format) -> String {
    let mut page = Page::new(format);
    counters(&mut page, observed);
    gauges(&mut page, observed);
    messages(&mut page, &observed.measurements.all());
    page.finish()
}

fn counters(page: &mut Page, observed: &Observed) {
    let mut begun = "";
    observed.counters().for_each(|sample| {
        let name = format!("spanbridge_{}", sample.name);
        if begun != sample.name {
            begun = sample.name;
            page.family(&name, Kind::Counter, sample.help);
        }
        page.counter(&name, sample.label.as_slice(), sample.value);
    });
}

fn gauges(page: &mut Page, observed: &Observed) {
    let mut gauge = |(name, kind, help): Family, labels: &[Label<'_>], value: f64| {
        page.family(name, kind, help);
        page.gauge(name, labels, value);
    };
    let component = observed.runtime.component();
    let generation = component.generation.to_string();
    let (spans, bytes) = observed.sink.waiting();
    let ready = observed.unready().is_empty();
    gauge(BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    gauge(COMPONENT, &[("sha256", &component.sha256), ("generation", &generation)], 1.0);
    gauge(SESSIONS, &[], observed.sessions_open() as f64);
    gauge(DELIVERIES, &[], observed.open_spans.len() as f64);
    gauge(QUEUE_SPANS, &[], spans as f64);
    gauge(QUEUE_BYTES, &[], bytes as f64);
    gauge(INSTANCES, &[], observed.runtime.spare_instances() as f64);
    gauge(READY, &[], f64::from(u8::from(ready)));
}

fn messages(page: &mut Page, all: &[Arc<Measures>]) {
    let mut each = |(name, kind, help): Family, write: &dyn Fn(&mut Page, &str, &Measures)| {
        page.family(name, kind, help);
        for measures in all {
            write(page, name, measures);
        }
    };
    each(SENT, &|page, name, measures| {
        for (outcome, is_error, count) in measures.sent() {
            let mut labels = vec![("messaging_operation_name", "publish"), (OUTCOME, outcome)];
            labels.extend(is_error.then_some(("error_type", outcome)));
            with(measures, labels, |labels| page.counter(name, labels, count));
        }
    });
    each(CONSUMED, &|page, name, measures| {
        let labels = vec![("messaging_operation_name", "process")];
        with(measures, labels, |labels| page.counter(name, labels, measures.consumed_total()));
    });
    each(OPERATION, &|page, name, measures| {
        for (operation, outcome, histogram) in measures.operations() {
            if histogram.is_empty() && outcome.is_some_and(Outcome::is_error) {
                continue;
            }
            let kind = if operation == "publish" { "send" } else { operation };
            let mut labels =
                vec![("messaging_operation_name", operation), ("messaging_operation_type", kind)];
            if let Some(outcome) = outcome {
                labels.push((OUTCOME, outcome.name()));
                labels.extend(outcome.is_error().then_some(("error_type", outcome.name())));
            }
            with(measures, labels, |labels| page.histogram(name, labels, histogram));
        }
    });
    each(PROCESS, &|page, name, measures| {
        for (prefetched, outcome, histogram) in measures.works() {
            // Fourteen of them for each route, most of which never occur.
            if histogram.is_empty() && (prefetched || outcome != Outcome::Ack) {
                continue;
            }
            let prefetched = if prefetched { "true" } else { "false" };
            let mut labels = vec![
                ("messaging_operation_name", "process"),
                (OUTCOME, outcome.name()),
                ("spanbridge_prefetched", prefetched),
            ];
            labels.extend(outcome.is_error().then_some(("error_type", outcome.name())));
            with(measures, labels, |labels| page.histogram(name, labels, histogram));
        }
    });
    each(WAIT, &|page, name, measures| {
        with(measures, Vec::new(), |labels| page.histogram(name, labels, measures.waits()));
    });
}

/// Calls with the labels of the measures, and more.
fn with(measures: &Measures, more: Vec<Label<'_>>, call: impl FnOnce(&[Label<'_>])) {
    let (labels, overflow) = measures.labels();
    if overflow {
        let mut all = vec![("otel_metric_overflow", "true")];
        all.extend(more);
        return call(&all);
    }
    let port = labels.server_port.to_string();
    let mut all = vec![
        ("messaging_system", &labels.system[..]),
        ("server_address", &labels.server_address[..]),
        ("server_port", &port[..]),
        ("spanbridge_listener", &labels.listener[..]),
    ];
    if let Some(template) = &labels.destination_template {
        all.push(("messaging_destination_template", template));
    }
    all.extend(more);
    call(&all);
}

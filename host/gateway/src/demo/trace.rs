//! Traces as they can be drawn: rows in the order of a tree, from what was exported.
//!
//! Takes whatever it is given: a parent that is missing makes a root, and so does a circle of
//! parents. Nothing here recurses on what it reads.

use std::collections::{BTreeMap, HashSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// Rows of one trace that are kept; the rest is counted. Several screens of a terminal.
pub const ROWS_MAX: usize = 200;

/// Levels that are drawn; deeper rows stand at the last one. More would leave no room for names.
pub const DEPTH_MAX: usize = 12;

const SERVICE_NAME: &str = "service.name";
const QUEUE_WAIT: &str = "spanbridge.queue_wait";
const OPERATION_TYPE: &str = "messaging.operation.type";

/// All traces of some requests, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces(Vec<Trace>);

/// One trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace-id in hexadecimal digits.
    pub id: String,
    /// Names of services, in the order in which they appear.
    pub services: Vec<String>,
    /// Number of spans, those that are not kept included.
    pub spans: usize,
    /// When the first span started, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// When the last one ended.
    pub end: u64,
    /// At most [`ROWS_MAX`] spans: parents before their children, and those by start.
    pub rows: Vec<Row>,
}

/// A span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// For each level below the root: whether a sibling of that ancestor, or of the row itself at
    /// the last place, follows. At most [`DEPTH_MAX`] levels.
    pub follows: Vec<bool>,
    /// Name of the service.
    pub service: String,
    /// Name of the span.
    pub name: String,
    /// Whether something waited, and nobody worked.
    pub is_wait: bool,
    /// In nanoseconds since the Unix epoch.
    pub start: u64,
    /// Not before `start`.
    pub end: u64,
}

/// A span with its service.
struct Item<'a> {
    service: &'a str,
    span: &'a Span,
}

impl Traces {
    /// Sorts the spans of requests into traces.
    pub fn of(requests: &[ExportTraceServiceRequest]) -> Self {
        let mut by_id: BTreeMap<&[u8], Vec<Item<'_>>> = BTreeMap::new();
        for resource in requests.iter().flat_map(|request| &request.resource_spans) {
            let service = service(resource.resource.as_ref());
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                by_id.entry(&span.trace_id).or_default().push(Item { service, span });
            }
        }
        let mut traces: Vec<_> =
            by_id.into_iter().map(|(id, items)| Trace::of(id, &items)).collect();
        traces.sort_by_key(|trace| trace.start);
        Self(traces)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Answers whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The earliest first.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.0.iter()
    }
}

impl Trace {
    fn of(id: &[u8], items: &[Item<'_>]) -> Self {
        let rows = rows(items);
        let mut services: Vec<String> = Vec::new();
        for row in &rows {
            if !services.contains(&row.service) {
                services.push(row.service.clone());
            }
        }
        Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            services,
            spans: items.len(),
            start: items.iter().map(|item| item.span.start_time_unix_nano).min().unwrap_or(0),
            end: items.iter().map(|item| item.span.end_time_unix_nano).max().unwrap_or(0),
            rows,
        }
    }
}

/// The spans as a tree, read from top to bottom.
fn rows(items: &[Item<'_>]) -> Vec<Row> {
    let ids: HashSet<&[u8]> = items.iter().map(|item| &item.span.span_id[..]).collect();
    let mut children: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    let mut by_start: Vec<usize> = (0..items.len()).collect();
    by_start.sort_by_key(|&at| {
        let span = items[at].span;
        // Of two that start together, the longer one stands above.
        (span.start_time_unix_nano, u64::MAX - span.end_time_unix_nano)
    });
    for &at in &by_start {
        let parent = &items[at].span.parent_span_id[..];
        if ids.contains(parent) {
            children.entry(parent).or_default().push(at);
        } else {
            roots.push(at);
        }
    }
    // Who is in a circle is reached from no root, and becomes one when its turn comes.
    roots.extend(by_start);

    let mut rows = Vec::new();
    let mut seen = vec![false; items.len()];
    for root in roots {
        let mut open = vec![(root, Vec::new())];
        while let Some((at, follows)) = open.pop() {
            if std::mem::replace(&mut seen[at], true) || rows.len() == ROWS_MAX {
                continue;
            }
            let below = children.get(&items[at].span.span_id[..]).map_or(&[][..], |below| below);
            for (place, &child) in below.iter().rev().enumerate() {
                let mut follows: Vec<bool> = follows.clone();
                follows.truncate(DEPTH_MAX - 1);
                follows.push(place > 0);
                open.push((child, follows));
            }
            rows.push(row(&items[at], follows));
        }
    }
    rows
}

fn row(item: &Item<'_>, follows: Vec<bool>) -> Row {
    let span = item.span;
    let attribute = |key: &str| text_of(&span.attributes, key);
    let waited = span.attributes.iter().any(|pair| pair.key == QUEUE_WAIT)
        && span.kind == SpanKind::Internal as i32;
    let start = span.start_time_unix_nano;
    Row {
        follows,
        service: item.service.to_owned(),
        name: span.name.clone(),
        is_wait: waited || attribute(OPERATION_TYPE) == Some("receive"),
        start,
        end: span.end_time_unix_nano.max(start),
    }
}

fn service(resource: Option<&Resource>) -> &str {
    resource.and_then(|resource| text_of(&resource.attributes, SERVICE_NAME)).unwrap_or("unknown")
}

fn text_of<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let pair = attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

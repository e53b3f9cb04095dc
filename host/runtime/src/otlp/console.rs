//! Spans as lines for a person to read.
//!
//! ```text
//! 4bf92f35…4736 00f067aa0ba902b7 PRODUCER publish orders  1.250ms OK  shop  messaging.system=nats
//! trace-id      span id          kind     name            duration    service  attributes
//! ```
//!
//! Not a format for programs: OTLP JSON lines are. Names come from strangers, so control characters
//! are escaped. At most eight attributes of a span are shown.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::exporter::{Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome};

/// Attributes of one line. More do not fit a wide terminal.
const ATTRIBUTES_MAX: usize = 8;

/// Characters of one attribute value.
const VALUE_CHARS_MAX: usize = 60;

/// Writes one line a span.
pub struct Console {
    output: Mutex<Box<dyn Write + Send>>,
}

impl Console {
    /// Writes to standard output.
    pub fn stdout() -> Self {
        Self::new(Box::new(io::stdout()))
    }

    /// Writes to any stream.
    pub fn new(output: Box<dyn Write + Send>) -> Self {
        Self { output: Mutex::new(output) }
    }

    fn write(&self, batch: &Batch) -> Result<Delivered, Failure> {
        let request = batch.decode()?;
        let mut lines = String::new();
        for resource in &request.resource_spans {
            let service = service_name(resource);
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                put_line(&mut lines, &service, span);
            }
        }
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let written = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
        written.map(|()| Delivered::default()).map_err(|error| {
            Failure::permanent(FailureKind::Io, format!("cannot write spans: {error}"))
        })
    }
}

impl Exporter for Console {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(async move { self.write(&batch).map_or_else(Outcome::Failed, Outcome::Delivered) })
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

fn service_name(resource: &ResourceSpans) -> String {
    let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
    let name = attributes.into_iter().find(|pair| pair.key == "service.name");
    name.map(|pair| show(pair.value.as_ref())).unwrap_or_default()
}

fn put_line(lines: &mut String, service: &str, span: &Span) {
    put_hex(lines, &span.trace_id);
    lines.push(' ');
    put_hex(lines, &span.span_id);
    let nanos = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    let kind = match span.kind {
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "INTERNAL",
    };
    let status = match span.status.as_ref().map_or(0, |status| status.code) {
        1 => "OK",
        2 => "ERROR",
        _ => "UNSET",
    };
    let name = span.name.escape_debug();
    let duration = Duration::from_nanos(nanos);
    // Writing to a string cannot fail.
    let _ = write!(lines, " {kind} {name}  {duration:.3?} {status}  {service} ");
    for KeyValue { key, value, .. } in span.attributes.iter().take(ATTRIBUTES_MAX) {
        let _ = write!(lines, " {}={}", key.escape_debug(), show(value.as_ref()));
    }
    let hidden = span.attributes.len().saturating_sub(ATTRIBUTES_MAX);
    if hidden > 0 {
        let _ = write!(lines, " (+{hidden})");
    }
    lines.push('\n');
}

fn put_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// A value in a few characters. What is nested is only named.
fn show(value: Option<&AnyValue>) -> String {
    let text = match value.and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(array)) => format!("[{} values]", array.values.len()),
        Some(Value::KvlistValue(list)) => format!("{{{} pairs}}", list.values.len()),
        Some(Value::BytesValue(bytes)) => format!("<{} bytes>", bytes.len()),
        Some(Value::StringValueStrindex(_)) | None => String::new(),
    };
    let shown: String = text.chars().take(VALUE_CHARS_MAX).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Status;

    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        let value = Some(AnyValue { value: Some(value) });
        KeyValue { key: key.into(), value, ..KeyValue::default() }
    }

    fn line(span: &Span) -> String {
        let mut line = String::new();
        put_line(&mut line, "shop", span);
        line
    }

    #[test]
    fn a_line_shows_what_a_person_looks_for() {
        let span = Span {
            trace_id: vec![0xAB; 16],
            span_id: vec![0x01; 8],
            name: "publish orders".into(),
            kind: 4,
            start_time_unix_nano: 1_000,
            end_time_unix_nano: 1_251_000,
            status: Some(Status { code: 1, message: String::new() }),
            attributes: vec![
                pair("messaging.system", Value::StringValue("nats".into())),
                pair("size", Value::IntValue(12)),
            ],
            ..Span::default()
        };
        let expected = "abababababababababababababababab 0101010101010101 PRODUCER publish orders  \
                        1.250ms OK  shop  messaging.system=nats size=12\n";
        assert_eq!(line(&span), expected);
    }

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let attributes = vec![pair("k\n", Value::StringValue("\u{1b}[2J".repeat(99))); 9];
        let span = Span { name: "a\nb\u{7}".into(), attributes, ..Span::default() };
        let line = line(&span);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\u{1b}') && !line.contains('\u{7}'));
        assert!(line.ends_with(" (+1)\n"));
    }

    #[test]
    fn a_span_that_ends_before_it_starts_shows_no_duration() {
        let span = Span { start_time_unix_nano: 5, end_time_unix_nano: 1, ..Span::default() };
        assert!(line(&span).contains(" 0.000ns UNSET "), "{}", line(&span));
    }
}

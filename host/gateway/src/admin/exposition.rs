//! The text formats of metrics: OpenMetrics 1.0, and Prometheus text 0.0.4.
//!
//! ```text
//! # HELP spanbridge_queue_wait_seconds Time between publish and delivery.
//! # TYPE spanbridge_queue_wait_seconds histogram
//! spanbridge_queue_wait_seconds_bucket{le="0.005"} 3 # {trace_id="…",span_id="…"} 0.004 1.0
//! # EOF
//! ```
//!
//! They differ in the names of counters' families, in units, exemplars and the last line. This
//! module writes what it is given; that names are unique and a family stays together is the
//! caller's business.

use std::fmt::{self, Write as _};

use crate::measure::{Exemplar, Histogram};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    const OPEN: &str = "application/openmetrics-text";

    /// The one that an `Accept` header prefers: RFC 9110, "Accept". Whoever says nothing of
    /// OpenMetrics gets the older one, which everybody reads.
    pub(super) fn of_accept(accept: &str) -> Self {
        let (mut open, mut plain) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
            if kind.eq_ignore_ascii_case(Self::OPEN) {
                open = weight.max(open);
            } else if kind.eq_ignore_ascii_case("text/plain") {
                plain = weight.max(plain);
            }
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A label's name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// A page, while it is written.
#[derive(Debug)]
pub(super) struct Page {
    format: Format,
    text: String,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    /// Begins a family. `name` has its unit at its end, if it has one, and no `_total`.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let total = match (self.format, kind) {
            (Format::Prometheus, Kind::Counter) => "_total",
            _ => "",
        };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name}{total} {}", Escaped(help)));
        self.line(format_args!("# TYPE {name}{total} {kind}"));
        for unit in ["seconds", "bytes"] {
            if self.format == Format::OpenMetrics && name.ends_with(unit) {
                self.line(format_args!("# UNIT {name} {unit}"));
            }
        }
    }

    /// A counter of the family that was begun last.
    pub(super) fn counter(&mut self, name: &str, labels: &[Label<'_>], value: u64) {
        self.line(format_args!("{name}_total{} {value}", Labels(labels, None)));
    }

    /// A gauge of the family that was begun last.
    pub(super) fn gauge(&mut self, name: &str, labels: &[Label<'_>], value: f64) {
        self.line(format_args!("{name}{} {value}", Labels(labels, None)));
    }

    /// A histogram of the family that was begun last.
    pub(super) fn histogram(&mut self, name: &str, labels: &[Label<'_>], histogram: &Histogram) {
        let snapshot = histogram.snapshot();
        let bounds = histogram.bounds().map(Some).chain([None]);
        let mut count = 0;
        for ((bound, more), exemplar) in bounds.zip(&snapshot.buckets).zip(&snapshot.exemplars) {
            count += more;
            let exemplar = exemplar.filter(|_| self.format == Format::OpenMetrics);
            let (labels, exemplar) = (Labels(labels, Some(bound)), OfBucket(exemplar));
            self.line(format_args!("{name}_bucket{labels} {count}{exemplar}"));
        }
        let labels = Labels(labels, None);
        self.line(format_args!("{name}_sum{labels} {}", snapshot.sum));
        self.line(format_args!("{name}_count{labels} {count}"));
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.text
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }
}

/// Labels in braces; of a bucket, its bound among them.
struct Labels<'a>(&'a [Label<'a>], Option<Option<f64>>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(labels, bound) = self;
        if labels.is_empty() && bound.is_none() {
            return Ok(());
        }
        let mut separator = '{';
        for (name, value) in *labels {
            write!(f, "{separator}{name}=\"{}\"", Escaped(value))?;
            separator = ',';
        }
        match bound {
            // `Debug` writes `1.0`, the form that OpenMetrics asks for.
            Some(Some(bound)) => write!(f, "{separator}le=\"{bound:?}\"")?,
            Some(None) => write!(f, "{separator}le=\"+Inf\"")?,
            None => {}
        }
        f.write_char('}')
    }
}

/// A bucket's exemplar, if it has one.
struct OfBucket(Option<Exemplar>);

impl fmt::Display for OfBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;
        let Some(Exemplar { span, value, at }) = self.0 else { return Ok(()) };
        let (hi, lo, id) = (span.trace_hi, span.trace_lo, span.span_id);
        write!(f, " # {{trace_id=\"{hi:016x}{lo:016x}\",span_id=\"{id:016x}\"}} {value} ")?;
        let milliseconds = at / NANOSECONDS_PER_MILLISECOND;
        write!(f, "{}.{:03}", milliseconds / 1000, milliseconds % 1000)
    }
}

/// Text in a label's value or a help line.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use spanbridge::SpanContext;

    use super::*;
    use crate::measure::Measured;

    #[test]
    fn openmetrics_is_for_those_who_ask() {
        use Format::{OpenMetrics, Prometheus};
        for (accept, expected) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html,*/*;q=0.8", Prometheus),
            ("text/plain;version=0.0.4", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            (
                // What Prometheus sends.
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            ("text/plain;q=0.9, application/openmetrics-text;q=0.5", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=x", Prometheus),
        ] {
            assert_eq!(Format::of_accept(accept), expected, "{accept}");
        }
    }

    fn page(format: Format) -> String {
        let histogram = Histogram::new(&[5_000_000, 1_000_000_000]);
        let span = SpanContext { trace_hi: 1, trace_lo: 2, span_id: 3 };
        let now = 1_700_000_000_250_000_000;
        histogram.record(&Measured { duration: 500_000_000, span, now });
        let mut page = Page::new(format);
        page.family("a", Kind::Counter, "Says \"a\".");
        page.counter("a", &[("x", "b\\c\"d\ne")], 7);
        page.family("b_seconds", Kind::Histogram, "B.");
        page.histogram("b_seconds", &[], &histogram);
        page.finish()
    }

    #[test]
    fn each_format_is_written_its_own_way() {
        let common = "b_seconds_bucket{le=\"0.005\"} 0\nb_seconds_bucket{le=\"1.0\"} 1";
        let end = "\nb_seconds_bucket{le=\"+Inf\"} 1\nb_seconds_sum 0.5\nb_seconds_count 1\n";
        let counter = "a_total{x=\"b\\\\c\\\"d\\ne\"} 7\n# HELP b_seconds B.\n\
                       # TYPE b_seconds histogram\n";
        let prometheus = format!(
            "# HELP a_total Says \\\"a\\\".\n# TYPE a_total counter\n{counter}{common}{end}"
        );
        assert_eq!(page(Format::Prometheus), prometheus);
        let exemplar = " # {trace_id=\"00000000000000010000000000000002\",\
                        span_id=\"0000000000000003\"} 0.5 1700000000.250";
        let open = format!(
            "# HELP a Says \\\"a\\\".\n# TYPE a counter\n{counter}# UNIT b_seconds seconds\n\
             {common}{exemplar}{end}# EOF\n"
        );
        assert_eq!(page(Format::OpenMetrics), open);
    }
}

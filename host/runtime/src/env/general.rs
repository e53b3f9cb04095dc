//! General variables: resource, propagators, log level, opt-in.

use super::list;
use super::reader::{Reader, lookup};

/// A format of trace context or baggage, by its word in `OTEL_PROPAGATORS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagator {
    /// W3C Trace Context.
    TraceContext,
    /// W3C Baggage.
    Baggage,
    /// B3, one header.
    B3,
    /// B3, several headers.
    B3Multi,
    /// Jaeger.
    Jaeger,
    /// AWS X-Ray.
    XRay,
    /// OT Trace.
    OtTrace,
}

impl Propagator {
    /// Every one, in the order of the specification.
    pub const ALL: [Self; 7] = [
        Self::TraceContext,
        Self::Baggage,
        Self::B3,
        Self::B3Multi,
        Self::Jaeger,
        Self::XRay,
        Self::OtTrace,
    ];

    /// Its word in `OTEL_PROPAGATORS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
            Self::B3 => "b3",
            Self::B3Multi => "b3multi",
            Self::Jaeger => "jaeger",
            Self::XRay => "xray",
            Self::OtTrace => "ottrace",
        }
    }
}

/// What is used when `OTEL_PROPAGATORS` is unset.
pub(super) const DEFAULT_PROPAGATORS: [Propagator; 2] =
    [Propagator::TraceContext, Propagator::Baggage];

/// How much a program writes to its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    None,
    /// What went wrong for good.
    Error,
    /// And what may go wrong.
    Warn,
    /// And what a user may want to know; the default.
    #[default]
    Info,
    /// And what a developer may want to know.
    Debug,
    /// Everything.
    Trace,
}

const LOG_LEVELS: [(&str, LogLevel); 6] = [
    ("none", LogLevel::None),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

pub(super) fn log_level(reader: &mut Reader<'_>) -> LogLevel {
    reader.word("OTEL_LOG_LEVEL", &LOG_LEVELS).unwrap_or_default()
}

/// Reads `OTEL_PROPAGATORS`. `none` counts only when it stands alone.
pub(super) fn propagators(reader: &mut Reader<'_>) -> Vec<Propagator> {
    const NAME: &str = "OTEL_PROPAGATORS";
    let mut words = vec![("none", None)];
    words.extend(Propagator::ALL.map(|propagator| (propagator.as_str(), Some(propagator))));
    let Some(found) = reader.words(NAME, &words) else {
        return DEFAULT_PROPAGATORS.to_vec();
    };
    let mut unique = Vec::new();
    for propagator in found.iter().flatten() {
        if !unique.contains(propagator) {
            unique.push(*propagator);
        }
    }
    if found.contains(&None) && !unique.is_empty() {
        reader.warn(NAME, "none", "ignored, because the list names propagators as well");
    }
    unique
}

/// Reads `OTEL_RESOURCE_ATTRIBUTES`. The specification discards the whole list for one error.
pub(super) fn resource_attributes(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
    const ENTITIES: &str = "OTEL_ENTITIES";
    if let Some(value) = reader.get(ENTITIES) {
        reader.warn(ENTITIES, &value, format!("ignored; use {NAME}"));
    }
    let Some(value) = reader.get(NAME) else { return Vec::new() };
    let mut attributes = Vec::new();
    for pair in list::pairs(&value) {
        let error = match pair {
            Ok((key, bytes)) => match (String::from_utf8(key), String::from_utf8(bytes)) {
                (Ok(key), Ok(text)) => {
                    attributes.push((key, text));
                    continue;
                }
                _ => "expected UTF-8",
            },
            Err(error) => error.text(),
        };
        reader.warn(NAME, &value, format!("ignored as a whole; {error}"));
        return Vec::new();
    }
    attributes
}

/// Reads `OTEL_SEMCONV_STABILITY_OPT_IN`, which other instrumentations share: only the words of
/// messaging are judged. `messaging` alone asks for what is emitted anyway.
pub(super) fn semconv_dup(reader: &mut Reader<'_>) -> bool {
    const NAME: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";
    const WORDS: [(&str, bool); 2] = [("messaging", false), ("messaging/dup", true)];
    let value = reader.get(NAME).unwrap_or_default();
    let mut dup = false;
    for word in value.split(',').map(str::trim) {
        match lookup(word, &WORDS) {
            Some(found) => dup |= found,
            None if word.starts_with("messaging") => {
                reader.warn(NAME, word, "ignored; expected messaging, messaging/dup");
            }
            None => {}
        }
    }
    dup
}

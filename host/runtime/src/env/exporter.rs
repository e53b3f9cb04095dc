//! `OTEL_TRACES_EXPORTER`.

use super::otlp;
use super::reader::Reader;
use crate::otlp::OtlpTarget;

const NAME: &str = "OTEL_TRACES_EXPORTER";

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TracesExporter {
    /// To an OTLP receiver.
    Otlp(Box<OtlpTarget>),
    /// To standard output, as OTLP JSON lines.
    OtlpStdout,
    /// To standard output, for a person to read.
    Console,
    /// Nowhere.
    None,
}

impl Default for TracesExporter {
    /// OTLP over HTTP to this host.
    fn default() -> Self {
        Self::Otlp(Box::new(otlp::default_target()))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Otlp,
    OtlpStdout,
    Console,
    None,
    Zipkin,
}

const WORDS: [(&str, Word); 5] = [
    ("otlp", Word::Otlp),
    ("otlp/stdout", Word::OtlpStdout),
    ("console", Word::Console),
    ("none", Word::None),
    ("zipkin", Word::Zipkin),
];

impl TracesExporter {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut words = reader.words(NAME, &WORDS).unwrap_or_default();
        if words.contains(&Word::Zipkin) {
            let done = "ignored; Zipkin is not supported, but a Collector can translate OTLP";
            reader.warn(NAME, "zipkin", done);
            words.retain(|word| *word != Word::Zipkin);
        }
        if words.len() > 1 {
            let found = reader.get(NAME).unwrap_or_default();
            reader.warn(NAME, &found, "using the first; several exporters are not supported");
        }
        match words.first().unwrap_or(&Word::Otlp) {
            Word::Otlp | Word::Zipkin => Self::Otlp(Box::new(otlp::read(reader))),
            Word::OtlpStdout => Self::OtlpStdout,
            Word::Console => Self::Console,
            Word::None => Self::None,
        }
    }
}

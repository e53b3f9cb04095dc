//! `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.

use super::reader::Reader;

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// How it is decided whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether a parent's decision is followed where there is a parent.
    pub parent_based: bool,
    /// The decision where no parent's is followed.
    pub root: RootSampler,
}

/// A decision without a parent's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RootSampler {
    /// Every trace.
    AlwaysOn,
    /// No trace.
    AlwaysOff,
    /// This share of the traces, from 0 to 1.
    TraceIdRatio(f64),
}

impl Default for Sampler {
    fn default() -> Self {
        Self { parent_based: true, root: RootSampler::AlwaysOn }
    }
}

/// What a word asks for.
#[derive(Clone, Copy)]
enum Word {
    On,
    Off,
    Ratio,
    /// A sampler that needs a service to ask.
    Remote,
}

const WORDS: [(&str, (bool, Word)); 9] = [
    ("always_on", (false, Word::On)),
    ("always_off", (false, Word::Off)),
    ("traceidratio", (false, Word::Ratio)),
    ("parentbased_always_on", (true, Word::On)),
    ("parentbased_always_off", (true, Word::Off)),
    ("parentbased_traceidratio", (true, Word::Ratio)),
    ("jaeger_remote", (false, Word::Remote)),
    ("parentbased_jaeger_remote", (true, Word::Remote)),
    ("xray", (false, Word::Remote)),
];

impl Sampler {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let Some((parent_based, word)) = reader.word(NAME, &WORDS) else {
            return Self::default();
        };
        let root = match word {
            Word::On => RootSampler::AlwaysOn,
            Word::Off => RootSampler::AlwaysOff,
            Word::Ratio => RootSampler::TraceIdRatio(ratio(reader)),
            Word::Remote => {
                let found = reader.get(NAME).unwrap_or_default();
                let done = "remote samplers are not supported; using parentbased_always_on";
                reader.warn(NAME, &found, done);
                return Self::default();
            }
        };
        if let (Word::On | Word::Off, Some(found)) = (word, reader.get(ARG)) {
            reader.warn(ARG, &found, "ignored; this sampler takes no argument");
        }
        Self { parent_based, root }
    }
}

/// The argument, or 1.
fn ratio(reader: &mut Reader<'_>) -> f64 {
    let Some(value) = reader.get(ARG) else { return 1.0 };
    match value.parse() {
        // A range contains neither infinity nor what is not a number.
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => {
            reader.warn(ARG, &value, "ignored, using 1; expected a number from 0 to 1");
            1.0
        }
    }
}

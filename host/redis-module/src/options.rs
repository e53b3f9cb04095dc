//! The words behind `--loadmodule`: which commands are traced, and what OpenTelemetry is told.
//!
//! ```text
//! streams PATTERN                            channels PATTERN envelope KIND [field NAME]
//! lists PATTERN envelope KIND [field NAME]   service-name | endpoint | protocol | propagators |
//! queues PATTERN                             sampler | sampler-arg VALUE
//! ```
//!
//! What concerns OpenTelemetry stands for an `OTEL_*` variable and wins over it. A word that is not
//! known keeps the module from being loaded: a server must not run untraced by a slip of the pen.

use spanbridge::{Envelope, env};

use crate::glob::Glob;

/// Patterns of one module. Each command is compared with all of its kind.
pub(crate) const RULES_MAX: usize = 64;

/// Words that stand for a variable.
const VARIABLES: [(&str, &str); 6] = [
    ("service-name", "OTEL_SERVICE_NAME"),
    ("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("protocol", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ("propagators", "OTEL_PROPAGATORS"),
    ("sampler", "OTEL_TRACES_SAMPLER"),
    ("sampler-arg", "OTEL_TRACES_SAMPLER_ARG"),
];

const ALLOWED: &str = "`streams`, `lists`, `channels`, `queues`, `service-name`, `endpoint`, \
                       `protocol`, `propagators`, `sampler` or `sampler-arg`";

/// What a message lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream,
    List,
    Channel,
    /// A queue of BullMQ.
    Queue,
}

/// Destinations that are traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub kind: Kind,
    pub names: Glob,
    /// Where a body has context; streams have fields for it.
    pub envelope: Option<Envelope>,
}

/// What the module was told.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub patterns: Vec<Pattern>,
    /// Names of variables, and their values.
    variables: Vec<(&'static str, String)>,
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    ///
    /// Names the word that is wrong, and says what is allowed.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let kind = match word {
                "streams" => Kind::Stream,
                "lists" => Kind::List,
                "channels" => Kind::Channel,
                "queues" => Kind::Queue,
                _ => {
                    let known = VARIABLES.iter().find(|(known, _)| *known == word);
                    let Some((_, variable)) = known else {
                        return Err(format!("expected {ALLOWED}, found `{word}`"));
                    };
                    options.variables.push((variable, value(word, words.next())?.to_owned()));
                    continue;
                }
            };
            let names = Glob::parse(value(word, words.next())?)
                .map_err(|error| format!("{word}: {error}"))?;
            let mut envelope = (kind == Kind::Queue)
                .then(|| Envelope { kind: "bullmq".to_owned(), field: String::new() });
            if matches!(kind, Kind::List | Kind::Channel) {
                if words.next() != Some("envelope") {
                    return Err(format!(
                        "{word}: expected `envelope` and its kind behind the pattern: there is no \
                         place for context beside such a message"
                    ));
                }
                let kind = value("envelope", words.next())?.to_owned();
                let field = words.next_if_eq(&"field").and_then(|_| words.next());
                envelope = Some(Envelope { kind, field: field.unwrap_or_default().to_owned() });
            }
            if options.patterns.len() == RULES_MAX {
                return Err(format!("expected at most {RULES_MAX} patterns, found more"));
            }
            options.patterns.push(Pattern { kind, names, envelope });
        }
        if options.patterns.is_empty() {
            return Err(
                "expected at least one of `streams`, `lists`, `channels` or `queues` with a \
                 pattern, found none"
                    .to_owned(),
            );
        }
        Ok(options)
    }

    /// The variables of the process, with what the words say over them.
    ///
    /// # Errors
    ///
    /// Names the word whose value is not allowed.
    pub(crate) fn settings(&self) -> Result<(env::Settings, Vec<env::Warning>), String> {
        let process = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        let told = |name: &str| self.variables.iter().rev().find(|(known, _)| *known == name);
        let lookup = |name: &str| match told(name) {
            Some((_, value)) => Some(value.clone()),
            None => process(name),
        };
        let (settings, warnings) =
            env::Settings::read(&env::Env::from_fn(lookup)).map_err(|error| error.to_string())?;
        match warnings.iter().find(|warning| told(warning.variable).is_some()) {
            Some(warning) => Err(warning.to_string()),
            None => Ok((settings, warnings)),
        }
    }
}

fn value<'w>(word: &str, value: Option<&'w str>) -> Result<&'w str, String> {
    value.ok_or_else(|| format!("{word}: expected a value behind it, found the end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_and_variables_are_read() {
        let text = "streams orders:* lists celery envelope kombu service-name shop \
                    channels news envelope json field trace queues mail sampler always_off";
        let options = parse(text).unwrap();
        let kinds: Vec<_> = options.patterns.iter().map(|pattern| pattern.kind).collect();
        assert_eq!(kinds, [Kind::Stream, Kind::List, Kind::Channel, Kind::Queue]);
        assert_eq!(options.patterns[3].envelope.as_ref().unwrap().kind, "bullmq");
        let news = options.patterns[2].envelope.clone().unwrap();
        assert_eq!((news.kind.as_str(), news.field.as_str()), ("json", "trace"));
        let (settings, _) = options.settings().unwrap();
        assert_eq!(settings.service_name.as_deref(), Some("shop"));
        assert_eq!(settings.sampler.root, spanbridge::RootSampler::AlwaysOff);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (text, expected) in [
            ("stream orders", "found `stream`"),
            ("stream orders", "expected `streams`, `lists`"),
            ("streams", "streams: expected a value"),
            ("queues", "queues: expected a value"),
            ("lists celery", "lists: expected `envelope`"),
            ("lists celery envelope", "envelope: expected a value"),
            ("service-name shop", "at least one of `streams`"),
            ("streams a ".repeat(65).trim_end(), "at most 64 patterns"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = parse("streams a sampler sometimes").unwrap().settings().unwrap_err();
        assert!(error.contains("OTEL_TRACES_SAMPLER") && error.contains("sometimes"), "{error}");
    }
}

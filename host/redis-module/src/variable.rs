//! What OpenTelemetry is told: words that stand for `OTEL_*` variables, and what is in force.
//!
//! A word comes before its variable, and before the variable of traces alone where there is one:
//! the server's operator has the last word over the environment that the server was started in.

use spanbridge::env::{Env, RootSampler, Settings, TracesExporter, Warning};
use spanbridge::otlp::Protocol;

/// Service of the spans where nobody names one.
pub(crate) const SERVICE_NAME: &str = "unknown_service:redis";

/// Shown instead of a value of the environment that may be secret.
const HIDDEN: &str = "(not shown)";

/// A word, and the variable it stands for.
#[derive(Debug)]
pub(crate) struct Variable {
    /// The word, which is its setting's name as well.
    pub word: &'static str,
    name: &'static str,
    /// The variable that would come before that one.
    of_traces: Option<&'static str>,
    show: fn(&Settings) -> String,
}

impl Variable {
    /// Every one, in the order of their settings.
    pub(crate) const ALL: [Self; 6] = [
        Self::new("service-name", "OTEL_SERVICE_NAME", service_name),
        Self {
            of_traces: Some("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            // What is in force depends on the protocol, so it is in the log and not shown here.
            ..Self::new("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", |_| String::new())
        },
        Self {
            of_traces: Some("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
            ..Self::new("protocol", "OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        },
        Self::new("propagators", "OTEL_PROPAGATORS", propagators),
        Self::new("sampler", "OTEL_TRACES_SAMPLER", sampler),
        Self::new("sampler-arg", "OTEL_TRACES_SAMPLER_ARG", sampler_arg),
    ];

    const fn new(word: &'static str, name: &'static str, show: fn(&Settings) -> String) -> Self {
        Self { word, name, of_traces: None, show }
    }
}

/// A value of each, where there is one.
pub(crate) type Values<'v> = [Option<&'v str>; Variable::ALL.len()];

/// The variables of the process, with these values over them; and what was wrong with variables.
///
/// # Errors
///
/// Names the word whose value is not allowed, and says what is.
pub(crate) fn settings(
    values: &Values<'_>,
    process: impl Fn(&str) -> Option<String>,
) -> Result<(Settings, Vec<Warning>), String> {
    let lookup = |name: &str| {
        for (variable, value) in Variable::ALL.iter().zip(values) {
            match value {
                Some(value) if variable.name == name => return Some((*value).to_owned()),
                Some(_) if variable.of_traces == Some(name) => return None,
                _ => {}
            }
        }
        process(name)
    };
    let (settings, warnings) =
        Settings::read(&Env::from_fn(lookup)).map_err(|error| error.to_string())?;
    for (variable, value) in Variable::ALL.iter().zip(values) {
        let wrong = warnings.iter().find(|warning| warning.variable == variable.name);
        if let (Some(_), Some(Warning { found, done, .. })) = (value, wrong) {
            // A variable is ignored and says so; a word is refused.
            let why = done.split_once("; ").map_or(done.as_str(), |(_, why)| why);
            return Err(format!("{}: {why}, found `{found}`", variable.word));
        }
    }
    Ok((settings, warnings))
}

/// What is in force of one of [`Variable::ALL`].
pub(crate) fn in_force(at: usize, settings: &Settings) -> String {
    Variable::ALL.get(at).map(|variable| (variable.show)(settings)).unwrap_or_default()
}

fn service_name(settings: &Settings) -> String {
    let attributes = settings.resource_attributes.iter();
    let named = || Some(attributes.rev().find(|(key, _)| key == "service.name")?.1.clone());
    let name = settings.service_name.clone().or_else(named);
    name.unwrap_or_else(|| SERVICE_NAME.to_owned())
}

/// Where spans go, the whole URL; empty where they do not go out by OTLP.
pub(crate) fn endpoint(settings: &Settings) -> String {
    let TracesExporter::Otlp(target) = &settings.exporter else { return String::new() };
    let url = target.endpoint.to_string();
    if url.contains('@') { HIDDEN.to_owned() } else { url }
}

fn protocol(settings: &Settings) -> String {
    let TracesExporter::Otlp(target) = &settings.exporter else { return String::new() };
    let word = match target.protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
        Protocol::HttpJson => "http/json",
    };
    word.to_owned()
}

fn propagators(settings: &Settings) -> String {
    let words: Vec<_> = settings.propagators.iter().map(|it| it.as_str()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(",") }
}

fn sampler(settings: &Settings) -> String {
    let parent_based = if settings.sampler.parent_based { "parentbased_" } else { "" };
    let root = match settings.sampler.root {
        RootSampler::AlwaysOn => "always_on",
        RootSampler::AlwaysOff => "always_off",
        RootSampler::TraceIdRatio(_) => "traceidratio",
    };
    format!("{parent_based}{root}")
}

fn sampler_arg(settings: &Settings) -> String {
    match settings.sampler.root {
        RootSampler::TraceIdRatio(ratio) => ratio.to_string(),
        RootSampler::AlwaysOn | RootSampler::AlwaysOff => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &Values<'_>, environment: &[(&str, &str)]) -> Settings {
        let process = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        settings(values, process).unwrap().0
    }

    /// What is shown of all of them.
    fn shown(values: &Values<'_>, environment: &[(&str, &str)]) -> Vec<String> {
        let settings = read(values, environment);
        (0..Variable::ALL.len()).map(|at| in_force(at, &settings)).collect()
    }

    #[test]
    fn what_nobody_has_said_is_shown_as_it_is_in_force() {
        let expected = [
            SERVICE_NAME,
            "",
            "http/protobuf",
            "tracecontext,baggage",
            "parentbased_always_on",
            "",
        ];
        assert_eq!(shown(&[None; 6], &[]), expected);
        let environment = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_PROPAGATORS", "none"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ];
        let expected = ["shop", "", "grpc", "none", "traceidratio", "0.25"];
        assert_eq!(shown(&[None; 6], &environment), expected);
    }

    #[test]
    fn a_word_comes_before_every_variable_it_stands_for() {
        let environment = [
            ("OTEL_SERVICE_NAME", "other"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1"),
        ];
        let said = |words: &Values<'_>| {
            let settings = read(words, &environment);
            (service_name(&settings), endpoint(&settings))
        };
        let expect = |name: &str, url: &str| (name.to_owned(), url.to_owned());
        assert_eq!(said(&[None; 6]), expect("other", "http://traces:1/"));
        let mut words = [None; 6];
        (words[0], words[1]) = (Some("shop"), Some("http://word:1"));
        assert_eq!(said(&words), expect("shop", "http://word:1/v1/traces"));
    }

    #[test]
    fn a_wrong_word_is_refused_and_a_wrong_variable_reported() {
        for (at, value, expected) in [
            (1, "no url", "endpoint: "),
            (2, "udp", "protocol: expected http/protobuf, grpc, http/json, found `udp`"),
            (3, "trace", "propagators: expected none, tracecontext"),
            (4, "sometimes", "sampler: expected always_on, always_off"),
            (4, "xray", "sampler: using parentbased_always_on, found `xray`"),
        ] {
            let mut words = [None; 6];
            words[at] = Some(value);
            let error = settings(&words, |_| None).unwrap_err();
            assert!(error.starts_with(expected), "{value}: {error}");
        }
        let sampler = |name: &str| (name == "OTEL_TRACES_SAMPLER").then(|| "sometimes".to_owned());
        let (_, warnings) = settings(&[None; 6], sampler).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn a_password_of_the_environment_is_not_shown() {
        let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4318")];
        assert!(!shown(&[None; 6], &environment).concat().contains("secret"));
        assert!(!endpoint(&read(&[None; 6], &environment)).contains("secret"));
    }
}

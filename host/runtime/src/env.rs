//! The `OTEL_*` environment variables that concern traces.
//!
//! Every one of them is honoured, or a [`Warning`] says what was done instead. Variables are read
//! through an [`Env`], a function from name to value: no code here but [`Env::from_process`]
//! touches the process.
//!
//! The rules of the specification: empty is unset; a boolean is true only as `true`; a number that
//! cannot be read, and a word that is not known, is ignored with a warning, as if it were unset.
//! Words are compared without case.
//!
//! Not read: variables of metrics and logs, and the declarative configuration file, which is an
//! error, because with it every other variable would have to be ignored. See "Environment Variable
//! Specification" and "OpenTelemetry Protocol Exporter".

use std::collections::BTreeMap;
use std::fmt;

use tracing::warn;

use crate::metrics::Counters;

mod exporter;
mod general;
mod limits;
mod list;
mod otlp;
mod reader;
mod sampler;

pub use exporter::TracesExporter;
pub use general::{LogLevel, Propagator};
pub use limits::{Bsp, SpanLimits};
pub use sampler::{RootSampler, Sampler};

use reader::Reader;

/// Variables that name a declarative configuration file; the second is the older name.
const CONFIG_FILES: [&str; 2] = ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"];

/// A function from the name of a variable to its value.
type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A place to look variables up.
pub struct Env<'a> {
    lookup: Box<Lookup<'a>>,
}

impl<'a> Env<'a> {
    /// The variables of this process. What is not UTF-8 in a value is replaced, which makes most
    /// values invalid, and so visible.
    pub fn from_process() -> Self {
        Self::from_fn(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// Variables answered by a function.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { lookup: Box::new(lookup) }
    }

    /// Variables from a list; the last of two equal names counts.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let map: BTreeMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::from_fn(move |name| map.get(name).cloned())
    }

    /// Everything that is wrong with the variables, one line each; empty when nothing is. For a
    /// configuration check, which then exits with an error.
    pub fn check(&self) -> Vec<String> {
        match Settings::read(self) {
            Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        }
    }
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secret.
        f.write_str("Env")
    }
}

/// What the environment asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `OTEL_SDK_DISABLED`: no spans. Context is propagated all the same.
    pub sdk_disabled: bool,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, decoded, in order. May hold `service.name`.
    pub resource_attributes: Vec<(String, String)>,
    /// `OTEL_LOG_LEVEL`.
    pub log_level: LogLevel,
    /// `OTEL_PROPAGATORS`, each once, in order; empty for `none`.
    pub propagators: Vec<Propagator>,
    /// `OTEL_TRACES_SAMPLER` and its argument.
    pub sampler: Sampler,
    /// `OTEL_SEMCONV_STABILITY_OPT_IN` holds `messaging/dup`: the old attribute names as well.
    pub semconv_dup: bool,
    /// `OTEL_TRACES_EXPORTER` and the variables of the exporter it names.
    pub exporter: TracesExporter,
    /// `OTEL_BSP_*`.
    pub bsp: Bsp,
    /// `OTEL_SPAN_*`, `OTEL_ATTRIBUTE_*`, `OTEL_EVENT_*`, `OTEL_LINK_*`.
    pub limits: SpanLimits,
}

impl Default for Settings {
    /// What an empty environment asks for.
    fn default() -> Self {
        Self {
            sdk_disabled: false,
            service_name: None,
            resource_attributes: Vec::new(),
            log_level: LogLevel::default(),
            propagators: general::DEFAULT_PROPAGATORS.to_vec(),
            sampler: Sampler::default(),
            semconv_dup: false,
            exporter: TracesExporter::default(),
            bsp: Bsp::default(),
            limits: SpanLimits::default(),
        }
    }
}

impl Settings {
    /// Reads every variable.
    ///
    /// # Errors
    ///
    /// Fails when a declarative configuration file is named.
    pub fn read(env: &Env<'_>) -> Result<(Self, Vec<Warning>), ConfigFileError> {
        let mut reader = Reader::new(&*env.lookup);
        if let Some(variable) = CONFIG_FILES.into_iter().find(|name| reader.get(name).is_some()) {
            return Err(ConfigFileError { variable });
        }
        let settings = Self {
            sdk_disabled: reader.boolean("OTEL_SDK_DISABLED").unwrap_or(false),
            service_name: reader.get("OTEL_SERVICE_NAME"),
            resource_attributes: general::resource_attributes(&mut reader),
            log_level: general::log_level(&mut reader),
            propagators: general::propagators(&mut reader),
            sampler: Sampler::read(&mut reader),
            semconv_dup: general::semconv_dup(&mut reader),
            exporter: TracesExporter::read(&mut reader),
            bsp: Bsp::read(&mut reader),
            limits: SpanLimits::read(&mut reader),
        };
        Ok((settings, reader.into_warnings()))
    }
}

/// A variable that was not honoured as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Name of the variable.
    pub variable: &'static str,
    /// What it holds, shortened; never a secret.
    pub found: String,
    /// What was done instead, and what would be allowed.
    pub done: String,
}

impl Warning {
    /// Counts each warning and writes it to the log. Call it once, at the start.
    pub fn report(warnings: &[Self], counters: &Counters) {
        for Self { variable, found, done } in warnings {
            counters.env_warnings.add(1);
            warn!(variable, found, done, "environment variable not honoured");
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is `{}`: {}", self.variable, self.found, self.done)
    }
}

/// A declarative configuration file is named, and this program reads none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is set, but declarative configuration files are not read; with one, all other \
     OTEL_* variables would have to be ignored, so unset it and use those"
)]
pub struct ConfigFileError {
    /// The variable that names it.
    pub variable: &'static str,
}

#[cfg(test)]
mod tests;

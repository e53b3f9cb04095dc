//! The configuration: a TOML file, or flags for one listener.
//!
//! Unknown keys are errors. What concerns OpenTelemetry as a whole (exporter, propagators, sampler,
//! limits, resource) comes from the `OTEL_*` variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use spanbridge::{DeliveryMode, Relation, RouteSettings, Trust, env};

use crate::address::Address;
use crate::admin::AdminConfig;

/// Largest configuration file; a real one has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the gateway is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// At least one.
    pub listeners: Vec<ListenerConfig>,
    /// Another component than the one inside the program.
    pub component: Option<PathBuf>,
    /// Threads that run sessions.
    pub workers: usize,
    /// Sessions of the process; a client beyond that is refused.
    pub sessions_max: usize,
    /// Open spans of the process; beyond that the oldest end as abandoned.
    pub open_spans_max: usize,
    /// After this an open span ends as abandoned.
    pub open_span_age_max: Duration,
    /// How long a stop waits for sessions to come to the end of a frame.
    pub drain_timeout: Duration,
    /// How long a stop waits for spans to be exported.
    pub flush_timeout: Duration,
    /// Listen for other machines in front of a broker that trusts loopback.
    pub allow_remote: bool,
    /// Where metrics, health and the component are asked for.
    pub admin: AdminConfig,
}

/// One place to listen.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerConfig {
    /// Where.
    pub listen: Address,
    /// Tried in turn. At least one.
    pub brokers: Vec<Address>,
    /// What its messages have in common.
    pub route: RouteOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            component: None,
            // More threads than one pay off when one processor is not enough for the traffic.
            workers: 1,
            // Each takes two file descriptors; most systems allow a million.
            sessions_max: 10_000,
            // With half a kilobyte each, 32 MiB.
            open_spans_max: 65_536,
            open_span_age_max: Duration::from_secs(3600),
            drain_timeout: Duration::from_secs(10),
            flush_timeout: Duration::from_secs(5),
            allow_remote: false,
            admin: AdminConfig::default(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {what}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// The key, what was found, what is allowed.
        what: String,
    },
    /// What is asked for does not go together.
    #[error("{0}")]
    Refused(String),
}

/// The options of a listener's messages, as the file spells them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteOptions {
    relation: RelationWord,
    relation_wait_max_seconds: Option<u32>,
    delivery: DeliveryWord,
    trust: TrustWord,
    producer_spans: Option<bool>,
    consumer_spans: Option<bool>,
    receive_spans: bool,
    queue_wait_spans: bool,
    body_size: bool,
    destination_template: Option<String>,
    /// How header names are written where there were none.
    pub header_case: HeaderCase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
enum RelationWord {
    #[serde(rename = "parent")]
    Parent,
    #[serde(rename = "link")]
    Link,
    #[default]
    #[serde(rename = "parent+link")]
    ParentAndLink,
    #[serde(rename = "root")]
    Root,
    #[serde(rename = "auto")]
    Auto,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DeliveryWord {
    #[default]
    Keep,
    Continue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TrustWord {
    #[default]
    Accept,
    Restart,
}

/// How header names are written where there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderCase {
    /// `traceparent`.
    #[default]
    Lower,
    /// `Traceparent`, as Go's `HeaderCarrier` looks for it.
    Canonical,
}

impl RouteOptions {
    /// The settings of a route, with what the environment says about spans in general.
    pub fn settings(&self, system: &str, broker: &Address, env: &env::Settings) -> RouteSettings {
        let defaults = RouteSettings::new(system);
        let seconds = self.relation_wait_max_seconds.map(|s| Duration::from_secs(s.into()));
        RouteSettings {
            server_address: broker.host.clone(),
            server_port: broker.port,
            destination_template: self.destination_template.clone(),
            propagators: env.propagators.clone(),
            relation: match self.relation {
                RelationWord::Parent => Relation::Parent,
                RelationWord::Link => Relation::Link,
                RelationWord::ParentAndLink => Relation::ParentAndLink,
                RelationWord::Root => Relation::Root,
                RelationWord::Auto => Relation::Auto,
            },
            relation_wait_max: seconds.unwrap_or(defaults.relation_wait_max),
            delivery: match self.delivery {
                DeliveryWord::Keep => DeliveryMode::Keep,
                DeliveryWord::Continue => DeliveryMode::Continue,
            },
            trust: match self.trust {
                TrustWord::Accept => Trust::Accept,
                TrustWord::Restart => Trust::Restart,
            },
            sampler: env.sampler.root,
            parent_based: env.sampler.parent_based,
            producer_spans: self.producer_spans.unwrap_or(true),
            consumer_spans: self.consumer_spans.unwrap_or(true),
            receive_spans: self.receive_spans,
            queue_wait_spans: self.queue_wait_spans,
            body_size: self.body_size,
            old_names: env.semconv_dup,
            attribute_value_length_max: env.limits.attribute_value_length.unwrap_or(0),
            attribute_count_max: env.limits.attributes,
            link_count_max: env.limits.links,
            ..defaults
        }
    }
}

/// The file, as it is spelled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    component: Option<PathBuf>,
    workers: Option<usize>,
    sessions_max: Option<usize>,
    open_spans_max: Option<usize>,
    open_span_age_max_seconds: Option<u32>,
    drain_timeout_seconds: Option<u32>,
    flush_timeout_seconds: Option<u32>,
    allow_remote: Option<bool>,
    admin: Option<std::net::SocketAddr>,
    admin_socket: Option<PathBuf>,
    #[serde(default)]
    listener: Vec<FileListener>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileListener {
    listen: String,
    brokers: Vec<String>,
    #[serde(default)]
    route: RouteOptions,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or says something that it may not say.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(read)?.len();
        let content = |what| ConfigError::Content { path: path.to_owned(), what };
        if size > FILE_BYTES_MAX {
            return Err(content(format!("expected at most {FILE_BYTES_MAX} bytes, found {size}")));
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text).map_err(content)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let defaults = Self::default();
        let seconds = |given: Option<u32>, or| given.map_or(or, |s| Duration::from_secs(s.into()));
        let listeners: Result<_, String> =
            file.listener.into_iter().enumerate().map(|(at, listener)| listener.read(at)).collect();
        Ok(Self {
            listeners: listeners?,
            component: file.component,
            workers: file.workers.unwrap_or(defaults.workers),
            sessions_max: file.sessions_max.unwrap_or(defaults.sessions_max),
            open_spans_max: file.open_spans_max.unwrap_or(defaults.open_spans_max),
            open_span_age_max: seconds(file.open_span_age_max_seconds, defaults.open_span_age_max),
            drain_timeout: seconds(file.drain_timeout_seconds, defaults.drain_timeout),
            flush_timeout: seconds(file.flush_timeout_seconds, defaults.flush_timeout),
            allow_remote: file.allow_remote.unwrap_or(defaults.allow_remote),
            admin: AdminConfig { address: file.admin, socket: file.admin_socket },
        })
    }

    /// Looks for what does not go together.
    ///
    /// # Errors
    ///
    /// Fails when there is no listener or no broker, when a number is out of range, and when a
    /// broker that trusts this machine would be opened to others.
    pub fn check(&self) -> Result<(), ConfigError> {
        const WORKERS_MAX: usize = 256;
        let refuse = |what: String| Err(ConfigError::Refused(what));
        if self.listeners.is_empty() {
            return refuse("expected at least one listener, found none".to_owned());
        }
        let counts = [
            ("workers", self.workers, WORKERS_MAX),
            ("sessions_max", self.sessions_max, usize::MAX),
            ("open_spans_max", self.open_spans_max, usize::MAX),
        ];
        for (key, value, max) in counts {
            if value == 0 || value > max {
                return refuse(format!("{key}: expected 1 to {max}, found {value}"));
            }
        }
        if let Some(address) = self.admin.address
            && !address.ip().is_loopback()
            && !self.allow_remote
        {
            return refuse(format!(
                "admin {address} can be reached from other machines, which would see destinations \
                 and trace ids; listen on a loopback address, or say --allow-remote \
                 (allow_remote = true) if that is meant"
            ));
        }
        for listener in &self.listeners {
            let listen = &listener.listen;
            if listener.brokers.is_empty() {
                return refuse(format!("listener {listen}: expected at least one broker"));
            }
            let trusting = listener.brokers.iter().find(|broker| broker.is_loopback());
            if let (Some(broker), false, false) =
                (trusting, listen.is_loopback(), self.allow_remote)
            {
                return refuse(format!(
                    "listener {listen} can be reached from other machines, and broker {broker} may \
                     trust everyone on this one; listen on a loopback address, or say \
                     --allow-remote (allow_remote = true) if that is meant"
                ));
            }
        }
        Ok(())
    }
}

impl FileListener {
    fn read(self, at: usize) -> Result<ListenerConfig, String> {
        let error = |key: &str, error| format!("listener {}: {key}: {error}", at + 1);
        let listen = self.listen.parse().map_err(|e| error("listen", e))?;
        let brokers: Result<_, _> = self.brokers.iter().map(|broker| broker.parse()).collect();
        let brokers = brokers.map_err(|e| error("brokers", e))?;
        Ok(ListenerConfig { listen, brokers, route: self.route })
    }
}

#[cfg(test)]
mod tests;

//! The configuration: a TOML file, or flags for one listener.
//!
//! ```text
//! file ── text to configuration      section ── tables and their keys     value ── their types
//! route_options ── what a route says of its messages     nearest ── misspelled words
//! net_options ── what a listener says of its connections
//! reference ── docs/configuration.md, from the same keys
//! ```
//!
//! Unknown keys are errors. What concerns OpenTelemetry as a whole (exporter, propagators, sampler,
//! limits, resource) comes from the `OTEL_*` variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Address;
use crate::admin::AdminConfig;
use crate::net::options::{BrokerTlsOptions, NetOptions, TlsOptions};
use spanbridge::pattern::Pattern;

mod envelope;
mod file;
mod nearest;
mod net_options;
mod reference;
mod route_match;
mod route_options;
mod section;
mod value;

pub use envelope::EnvelopeChoice;
pub use file::Cluster;
pub use reference::reference;
pub use route_match::Databases;
pub use route_options::{
    Acks, DeliveryWord, HeaderCase, RelationWord, RouteOptions, SamplerChoice, ScrubRules,
    TrustWord,
};
pub use value::{Count, Seconds};

/// Largest configuration file; a real one has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the gateway is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// At least one.
    pub listeners: Vec<ListenerConfig>,
    /// Tried in turn for each message; the first that fits says how it is traced.
    pub routes: Vec<RouteConfig>,
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
    /// What routes call it. `None`: its address as it was given.
    pub name: Option<String>,
    /// Where.
    pub listen: Address,
    /// Tried in turn. At least one.
    pub brokers: Vec<Address>,
    /// How messages are traced that no route fits.
    pub route: RouteOptions,
    /// What its connections have in common.
    pub net: NetOptions,
    /// What becomes of sessions whose broker sends clients to other servers.
    pub cluster: Cluster,
}

impl ListenerConfig {
    /// One that says nothing else.
    pub fn new(listen: Address, brokers: Vec<Address>) -> Self {
        Self {
            name: None,
            listen,
            brokers,
            route: RouteOptions::default(),
            net: NetOptions::default(),
            cluster: Cluster::default(),
        }
    }

    /// What routes call it.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.listen.to_string())
    }

    /// What holds of its connections, with what its addresses say.
    pub(crate) fn net_in_force(&self) -> NetOptions {
        let mut net = self.net.clone();
        if self.listen.protocol.tls_scheme().is_some() {
            // The protocol has no word for it: TLS comes first or not at all.
            net.tls = net.tls.map(|tls| TlsOptions { first: true, ..tls });
            if self.brokers.iter().any(|broker| broker.tls) {
                let options = net.broker_tls.unwrap_or_default();
                net.broker_tls = Some(BrokerTlsOptions { first: true, ..options });
            }
        }
        net
    }
}

/// How some messages are traced. A condition that is `None` holds for every message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteConfig {
    /// The name of a listener.
    pub listener: Option<String>,
    /// The user that the client says it is.
    pub user: Option<String>,
    /// The virtual host that the client asks for.
    pub vhost: Option<String>,
    /// The databases that the client may have selected.
    pub database: Option<Databases>,
    /// The destinations.
    pub destination: Option<Pattern>,
    /// How. What they leave open, the listener's say.
    pub options: RouteOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            routes: Vec::new(),
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
        /// The line, the key, what was found, what is allowed.
        what: String,
    },
    /// What is asked for does not go together.
    #[error("{0}")]
    Refused(String),
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

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// Says the line, the key, what was found and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        file::config(text).map_err(|problem| problem.place(text))
    }

    /// Looks for what does not go together.
    ///
    /// # Errors
    ///
    /// Fails when there is no listener or no broker, when a number is out of range, when two
    /// listeners have one name, and when a broker that trusts this machine, or the admin endpoint,
    /// would be opened to others.
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
        for (at, listener) in self.listeners.iter().enumerate() {
            let name = listener.name();
            // Several may take any free port; only a route would have to tell them apart.
            let unnamed = listener.name.is_none() && listener.listen.port == 0;
            if !unnamed && self.listeners[..at].iter().any(|other| other.name() == name) {
                return refuse(format!("listener {name}: another one has the same name"));
            }
            listener.check(self.allow_remote)?;
        }
        self.admin.check(self.allow_remote).map_err(ConfigError::Refused)
    }
}

impl ListenerConfig {
    /// Looks for addresses that do not go together, or not with TLS. Answers the key, what was
    /// found, what is allowed.
    fn check_addresses(&self) -> Result<(), String> {
        let Self { listen, brokers, net, .. } = self;
        let protocol = listen.protocol;
        if let Some(broker) = brokers.iter().find(|broker| broker.protocol != protocol) {
            let name = protocol.name();
            return Err(format!("brokers: expected addresses of {name} brokers, found {broker}"));
        }
        let Some(scheme) = protocol.tls_scheme() else { return Ok(()) };
        match (listen.tls, net.tls.is_some()) {
            (true, false) => {
                return Err(format!("tls: expected certificate and key, for {scheme}, found none"));
            }
            (false, true) => {
                return Err(format!(
                    "tls: expected it with listen = \"{scheme}://…\", found {listen}"
                ));
            }
            _ => {}
        }
        if net.broker_tls.is_some() && !brokers.iter().any(|broker| broker.tls) {
            let broker = &brokers[0];
            return Err(format!(
                "broker_tls: expected it with a broker {scheme}://…, found {broker}"
            ));
        }
        Ok(())
    }

    fn check(&self, allow_remote: bool) -> Result<(), ConfigError> {
        let listen = &self.listen;
        let refuse = |what: String| Err(ConfigError::Refused(what));
        if self.brokers.is_empty() {
            return refuse(format!("listener {listen}: expected at least one broker"));
        }
        if let Err(what) = self.check_addresses().and_then(|()| self.net.check()) {
            return refuse(format!("listener {listen}: {what}"));
        }
        if listen.is_loopback() || allow_remote {
            return Ok(());
        }
        if let Some(broker) = self.brokers.iter().find(|broker| broker.reaches_loopback()) {
            return refuse(format!(
                "listener {listen} can be reached from other machines, and broker {broker} may \
                 trust everyone on this one; listen on a loopback address, or say \
                 --allow-remote (allow_remote = true) if that is meant"
            ));
        }
        if self.net.lends_identity() {
            return refuse(format!(
                "listener {listen} can be reached from other machines, and broker_tls would show \
                 its certificate for all of them; ask clients for theirs (tls.client_ca), or say \
                 --allow-remote (allow_remote = true) if that is meant"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Another configuration for a gateway that runs.
//!
//! ```text
//! new file ──▶ check ──▶ read certificates, open routes ──▶ hand out ──▶ sessions see it with
//!                │ fails       │ fails                                    their next read
//!                └─────────────┴─▶ nothing has changed
//! ```
//!
//! No session is dropped and no byte waits. What cannot change while it runs keeps its value and
//! is reported by name. Certificates are those of the files that are in force, as they are now.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, ListenerConfig};
use crate::gateway::StartError;
use crate::listener::Listener;
use crate::live::LiveLimits;
use crate::net::Certificates;
use crate::net::guard::Guard;
use crate::open_spans::OpenSpans;
use crate::routes::{Routes, RoutesChanged};

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// To the routes of the runtime.
    pub routes: RoutesChanged,
    /// What was changed in the file and waits for a restart.
    pub waiting: Vec<String>,
}

/// What a reload changes.
#[derive(Debug)]
pub(crate) struct Reload {
    /// What is in force.
    pub(crate) config: Config,
    pub(crate) routes: Routes,
    /// In the order of the configuration's listeners.
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) limits: Arc<LiveLimits>,
    pub(crate) open_spans: Arc<OpenSpans>,
}

impl Reload {
    /// Takes a configuration over.
    pub(crate) fn apply(&mut self, new: &Config, now: Instant) -> Result<Reloaded, StartError> {
        new.check()?;
        let (config, waiting) = merge(&self.config, new);
        // What waits for a restart may need what the file does not allow any more.
        config.check()?;
        let certificates = self.prepare(&config)?;
        let (tables, routes) = self.routes.apply(&config, now)?;
        for (listener, table) in self.listeners.iter().zip(tables) {
            listener.protocol.set_routes(table);
        }
        for (listener, certificates) in self.listeners.iter().zip(certificates) {
            listener.net.swap(certificates);
        }
        self.limits.set(&config);
        self.open_spans.set_bounds(config.open_spans_max, config.open_span_age_max);
        self.config = config;
        Ok(Reloaded { routes, waiting })
    }

    /// Does for every listener what a start does before it listens.
    fn prepare(&self, config: &Config) -> Result<Vec<Certificates>, StartError> {
        let one = |listener: &Arc<Listener>| {
            let Listener { address, brokers, net, local, .. } = &**listener;
            Guard::new(*local, config.allow_remote).check_names(address, brokers.addresses())?;
            net.read_again().map_err(|error| StartError::tls(address, error))
        };
        self.listeners.iter().map(one).collect()
    }
}

/// The new configuration with what cannot change taken from the old one, and what that is.
fn merge(old: &Config, new: &Config) -> (Config, Vec<String>) {
    let mut waiting = Vec::new();
    if new.component != old.component {
        waiting.push("component".to_owned());
    }
    if new.workers != old.workers {
        waiting.push("workers".to_owned());
    }
    if new.admin.address != old.admin.address {
        waiting.push("admin".to_owned());
    }
    if new.admin.socket != old.admin.socket {
        waiting.push("admin_socket".to_owned());
    }
    let name = |listener: &ListenerConfig| listener.name();
    let mut listeners = old.listeners.clone();
    for listener in &mut listeners {
        match new.listeners.iter().find(|new| name(new) == name(listener)) {
            Some(new) => {
                let keys = waiting_keys(listener, new);
                waiting.extend(keys.map(|key| format!("listener {}: {key}", name(listener))));
                listener.route = new.route.clone();
            }
            None => waiting.push(format!("listener {}: removed", name(listener))),
        }
    }
    for added in &new.listeners {
        if !old.listeners.iter().any(|old| name(old) == name(added)) {
            waiting.push(format!("listener {}: added", name(added)));
        }
    }
    let (component, admin) = (old.component.clone(), old.admin.clone());
    (Config { listeners, component, workers: old.workers, admin, ..new.clone() }, waiting)
}

/// What of a listener differs and cannot change while it runs.
fn waiting_keys(old: &ListenerConfig, new: &ListenerConfig) -> impl Iterator<Item = &'static str> {
    let (was, is) = (&old.net, &new.net);
    [
        ("listen", old.listen != new.listen),
        ("brokers", old.brokers != new.brokers),
        ("tls", was.tls != is.tls),
        ("broker_tls", was.broker_tls != is.broker_tls),
        ("proxy_protocol", was.proxy_protocol != is.proxy_protocol),
        ("proxy_protocol_from", was.proxy_protocol_from != is.proxy_protocol_from),
        ("send_proxy_protocol", was.send_proxy_protocol != is.send_proxy_protocol),
        ("limits", was.limits != is.limits),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "workers = 1\nsessions_max = 5\n\
        [[listener]]\nname = \"a\"\nlisten = \"nats://127.0.0.1:1\"\nbrokers = [\"nats://b\"]\n\
        [[listener]]\nname = \"gone\"\nlisten = \"nats://127.0.0.1:2\"\nbrokers = [\"nats://b\"]\n";
    const NEW: &str = "workers = 2\nsessions_max = 6\ncomponent = \"x\"\n\
        admin = \"127.0.0.1:9\"\nadmin_socket = \"/a.sock\"\n\
        [[listener]]\nname = \"a\"\nlisten = \"nats://127.0.0.1:3\"\nbrokers = [\"nats://c\"]\n\
        proxy_protocol = \"accept\"\nproxy_protocol_from = [\"192.0.2.1\"]\n\
        send_proxy_protocol = \"v2\"\nroute.body_size = true\n\
        tls = { certificate = \"c\", key = \"k\" }\nbroker_tls = { first = true }\n\
        limits = { sessions_max = 7 }\n\
        [[listener]]\nname = \"new\"\nlisten = \"nats://127.0.0.1:2\"\nbrokers = [\"nats://b\"]\n\
        [[route]]\noff = true\n";

    #[test]
    fn what_cannot_change_keeps_its_value_and_is_named() {
        let (old, new) = (Config::parse(OLD).unwrap(), Config::parse(NEW).unwrap());
        let (config, waiting) = merge(&old, &new);
        let expected = [
            "component",
            "workers",
            "admin",
            "admin_socket",
            "listener a: listen",
            "listener a: brokers",
            "listener a: tls",
            "listener a: broker_tls",
            "listener a: proxy_protocol",
            "listener a: proxy_protocol_from",
            "listener a: send_proxy_protocol",
            "listener a: limits",
            "listener gone: removed",
            "listener new: added",
        ];
        assert_eq!(waiting, expected);
        assert_eq!((config.workers, config.component), (1, None));
        assert_eq!(config.admin, old.admin);
        assert_eq!((config.sessions_max, config.routes.len()), (6, 1));
        assert_eq!(config.listeners[0].listen.port, 1);
        assert_eq!(config.listeners[0].net, old.listeners[0].net);
        assert_eq!(config.listeners[0].route.body_size, Some(true));
        assert_eq!(config.listeners[1], old.listeners[1]);
        assert_eq!(merge(&old, &old), (old.clone(), Vec::new()));
    }
}

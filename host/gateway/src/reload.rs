//! Another configuration for a gateway that runs.
//!
//! ```text
//! new file ──▶ check ──▶ open what is new ──▶ hand out ──▶ sessions see it with their next read
//!                │ fails       │ fails
//!                └─────────────┴─▶ nothing has changed
//! ```
//!
//! No session is dropped and no byte waits. What cannot change while it runs keeps its value and
//! is reported by name.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, ListenerConfig};
use crate::gateway::StartError;
use crate::live::LiveLimits;
use crate::open_spans::OpenSpans;
use crate::relay::nats::NatsShared;
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
    pub(crate) listeners: Vec<Arc<NatsShared>>,
    pub(crate) limits: Arc<LiveLimits>,
    pub(crate) open_spans: Arc<OpenSpans>,
}

impl Reload {
    /// Takes a configuration over.
    pub(crate) fn apply(&mut self, new: &Config, now: Instant) -> Result<Reloaded, StartError> {
        new.check()?;
        let (config, waiting) = merge(&self.config, new);
        let (tables, routes) = self.routes.apply(&config, now)?;
        for (listener, table) in self.listeners.iter().zip(tables) {
            listener.set_routes(table);
        }
        self.limits.set(&config);
        self.open_spans.set_bounds(config.open_spans_max, config.open_span_age_max);
        self.config = config;
        Ok(Reloaded { routes, waiting })
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
                if new.listen != listener.listen {
                    waiting.push(format!("listener {}: listen", name(listener)));
                }
                if new.brokers != listener.brokers {
                    waiting.push(format!("listener {}: brokers", name(listener)));
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "workers = 1\nsessions_max = 5\n\
        [[listener]]\nname = \"a\"\nlisten = \"nats://127.0.0.1:1\"\nbrokers = [\"nats://b\"]\n\
        [[listener]]\nname = \"gone\"\nlisten = \"nats://127.0.0.1:2\"\nbrokers = [\"nats://b\"]\n";
    const NEW: &str = "workers = 2\nsessions_max = 6\ncomponent = \"x\"\n\
        admin = \"127.0.0.1:9\"\nadmin_socket = \"/a.sock\"\n\
        [[listener]]\nname = \"a\"\nlisten = \"nats://127.0.0.1:3\"\nbrokers = [\"nats://c\"]\n\
        route.body_size = true\n\
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
            "listener gone: removed",
            "listener new: added",
        ];
        assert_eq!(waiting, expected);
        assert_eq!((config.workers, config.component), (1, None));
        assert_eq!(config.admin, old.admin);
        assert_eq!((config.sessions_max, config.routes.len()), (6, 1));
        assert_eq!(config.listeners[0].listen.port, 1);
        assert_eq!(config.listeners[0].route.body_size, Some(true));
        assert_eq!(config.listeners[1], old.listeners[1]);
        assert_eq!(merge(&old, &old), (old.clone(), Vec::new()));
    }
}

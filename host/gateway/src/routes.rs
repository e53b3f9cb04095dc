//! The routes of a configuration, opened in the runtime.
//!
//! ```text
//! configuration ──▶ settings of each route ──▶ open already? keep : open ──▶ a table a listener
//!                                               nobody asks for it any more ──▶ retired ──▶ closed
//! ```
//!
//! A route of the runtime is opened once for each distinct settings. One that a reload leaves over
//! is closed a while later, because a thread may be in the middle of a read with the former table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spanbridge::{Error, Route, RouteSettings, Runtime, env};

use crate::address::Protocol;
use crate::config::{Config, ListenerConfig, RouteConfig, RouteOptions};
use crate::header_names::HeaderNames;
use crate::measure::{Labels, Measurements, RouteMeasures};
use crate::routing::{RouteTable, Rule, Traced};
use crate::service::Services;
use spanbridge::pattern::Pattern;

/// How long a route that is no longer used stays open: far more than one read takes.
const RETIRED_FOR: Duration = Duration::from_secs(10);

/// Opens and closes routes.
#[derive(Debug)]
pub struct Routes {
    runtime: Runtime,
    env: env::Settings,
    services: Arc<Services>,
    measurements: Arc<Measurements>,
    open: Vec<(RouteSettings, Route)>,
    retired: Vec<(Route, Instant)>,
}

/// A route that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub struct RouteError {
    /// Which table of the file says how its messages are traced.
    place: String,
    /// Why.
    pub source: Error,
}

/// What a change of the configuration did to the routes of the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoutesChanged {
    /// Opened.
    pub opened: usize,
    /// No longer used.
    pub retired: usize,
    /// The same as before.
    pub kept: usize,
}

impl Routes {
    /// No route is open yet.
    pub fn new(
        runtime: Runtime,
        env: env::Settings,
        services: Arc<Services>,
        measurements: Arc<Measurements>,
    ) -> Self {
        let (open, retired) = (Vec::new(), Vec::new());
        Self { runtime, env, services, measurements, open, retired }
    }

    /// Opens what the configuration asks for and answers a table for each of its listeners.
    ///
    /// # Errors
    ///
    /// When a route cannot be opened; then everything is as before.
    pub fn apply(
        &mut self,
        config: &Config,
        now: Instant,
    ) -> Result<(Vec<Arc<RouteTable>>, RoutesChanged), RouteError> {
        self.close_retired(now);
        let before = self.open.len();
        let mut used = Vec::new();
        let tables: Result<Vec<_>, _> = config
            .listeners
            .iter()
            .map(|listener| self.table(listener, &config.routes, &mut used))
            .collect();
        let tables = match tables {
            Ok(tables) => tables,
            Err(error) => {
                for (_, route) in self.open.drain(before..) {
                    self.runtime.close_route(route);
                }
                return Err(error);
            }
        };
        let opened = self.open.len() - before;
        let left = self.open.extract_if(.., |(_, route)| !used.contains(route));
        let left: Vec<_> = left.map(|(_, route)| (route, now)).collect();
        let retired = left.len();
        self.retired.extend(left);
        Ok((tables, RoutesChanged { opened, retired, kept: before - retired }))
    }

    fn close_retired(&mut self, now: Instant) {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= RETIRED_FOR;
        for (route, _) in self.retired.extract_if(.., |(_, at)| is_over(*at)) {
            self.runtime.close_route(route);
        }
    }

    fn table(
        &mut self,
        listener: &ListenerConfig,
        routes: &[RouteConfig],
        used: &mut Vec<Route>,
    ) -> Result<Arc<RouteTable>, RouteError> {
        let name = listener.name();
        let at = |place: String| move |source| RouteError { place, source };
        let default = self
            .traced(listener, &RouteOptions::default(), None, used)
            .map_err(at(format!("listener {name}: route")))?;
        let mut rules = Vec::new();
        for (number, route) in (1..).zip(routes) {
            if route.listener.as_ref().is_some_and(|of| *of != name) {
                continue;
            }
            let pattern = route.destination.as_ref();
            rules.push(Rule {
                user: route.user.clone(),
                vhost: route.vhost.clone(),
                database: route.database.clone(),
                destination: route.destination.clone(),
                traced: self
                    .traced(listener, &route.options, pattern, used)
                    .map_err(at(format!("[[route]] {number}")))?,
            });
        }
        Ok(Arc::new(RouteTable::new(rules, default)))
    }

    fn traced(
        &mut self,
        listener: &ListenerConfig,
        options: &RouteOptions,
        pattern: Option<&Pattern>,
        used: &mut Vec<Route>,
    ) -> Result<Traced, Error> {
        let options = options.over(&listener.route, pattern);
        let settings = (options.off != Some(true)).then(|| settings(listener, &options, &self.env));
        let measures = settings.as_ref().map(|settings| {
            let labels = Labels::of(settings, listener.name());
            Arc::new(RouteMeasures::new(Arc::clone(&self.measurements), labels))
        });
        let has_envelope = settings.as_ref().is_some_and(|settings| settings.envelope.is_some());
        let route = settings.map(|settings| self.open(settings)).transpose()?;
        used.extend(route);
        let fields = route.map(|route| self.runtime.fields(route)).unwrap_or_default();
        let named = |service: &Option<String>| Some(self.services.named(service.as_deref()?));
        Ok(Traced {
            route,
            names: HeaderNames::new(&fields, options.header_case()),
            fields,
            producer: named(&options.producer_service),
            consumer: named(&options.consumer_service),
            has_envelope,
            scrub: options.scrub(),
            concurrency: options.concurrency(),
            acks: options.acks(),
            measures,
        })
    }

    fn open(&mut self, settings: RouteSettings) -> Result<Route, Error> {
        if let Some((_, route)) = self.open.iter().find(|(open, _)| *open == settings) {
            return Ok(*route);
        }
        let route = self.runtime.open_route(settings.clone())?;
        self.open.push((settings, route));
        Ok(route)
    }
}

fn settings(
    listener: &ListenerConfig,
    options: &RouteOptions,
    env: &env::Settings,
) -> RouteSettings {
    let system = match listener.listen.protocol {
        Protocol::Nats => "nats",
        Protocol::Amqp => "rabbitmq",
        Protocol::Redis => "redis",
    };
    options.settings(system, &listener.brokers[0], env)
}

//! The configuration file: from its text to a configuration.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::DeTable;

use super::nearest::nearest;
use super::net_options;
use super::route_match::RouteMatch;
use super::route_options::RouteOptions;
use super::section::{Problem, Section, Table, section};
use super::value::{Count, Seconds, words};
use super::{Config, ListenerConfig, RouteConfig};
use crate::address::{Address, Protocol};
use crate::admin::AdminConfig;
use crate::routing::ROUTES_MAX;

/// Listeners of a file. Each has a socket and routes of its own.
pub(super) const LISTENERS_MAX: usize = 64;

/// More threads than a machine has processors gain nothing.
const WORKERS_MAX: u64 = 256;

/// What file descriptors allow at most: two a session.
pub(super) const SESSIONS_MAX: u64 = 1_000_000;

/// With half a kibibyte each, 8 GiB.
const OPEN_SPANS_MAX: u64 = 1 << 24;

/// Longest time, in seconds, after which something ends: a month.
const AGE_SECONDS_MAX: u64 = 31 * 24 * 3600;

/// Longest a stop may take, in seconds: an hour.
const STOP_SECONDS_MAX: u64 = 3600;

section! {
    /// The keys of the file outside of its tables.
    pub(super) struct Top {
        /// Another component than the one inside the program.
        [component]: PathBuf = "";
        /// Threads that run sessions. More than one pay off when one processor is not enough for
        /// the traffic.
        [workers]: Count<1, WORKERS_MAX> = "1";
        /// Sessions of the process; a client beyond that is refused.
        live [sessions_max]: Count<1, SESSIONS_MAX> = "10000";
        /// Unsettled messages of the process; beyond that the oldest end as `abandoned`.
        live [open_spans_max]: Count<1, OPEN_SPANS_MAX> = "65536";
        /// After this an unsettled message ends as `abandoned`.
        live [open_span_age_max_seconds]: Seconds<1, AGE_SECONDS_MAX> = "3600";
        /// How long a stop waits for sessions to come to the end of a frame.
        live [drain_timeout_seconds]: Seconds<0, STOP_SECONDS_MAX> = "10";
        /// How long a stop waits for spans to be exported.
        live [flush_timeout_seconds]: Seconds<0, STOP_SECONDS_MAX> = "5";
        /// Listen for other machines in front of a broker on a loopback address, which may trust
        /// everyone there.
        live [allow_remote]: bool = "false";
        /// Where metrics and health are asked for, such as `127.0.0.1:9464`; port 0 takes any free
        /// one. An address that other machines reach needs `allow_remote`. Unset: nowhere.
        [admin]: SocketAddr = "";
        /// A socket in the file system for the same, and for exchanging the component. Only the
        /// gateway's user can open it. Unset: none.
        [admin_socket]: PathBuf = "";
    }
}

words! {
    /// What becomes of sessions whose broker sends clients to other servers.
    pub enum Cluster {
        /// They end, and the client is told why.
        #[default]
        Refuse = "refuse",
        /// They go on: each of those servers has a listener that it announces.
        Announced = "announced",
    }
}

section! {
    /// The keys of a listener.
    pub(super) struct ListenerKeys {
        /// What routes call it. Unset: its address as the file has it.
        [name]: String = "";
        /// Where to listen; port 0 takes any free one. Required.
        [listen]: Address = "";
        /// The brokers, tried in turn for each client. Required.
        [brokers]: Vec<Address> = "";
        /// What becomes of a session whose broker turns out to be a Redis Cluster or a Sentinel,
        /// which send clients to other servers. It ends with an error that says so (`refuse`), or
        /// goes on (`announced`): then each of those servers has a listener that it announces.
        [cluster]: Cluster = "\"refuse\"";
    }
}

/// Reads a text whose keys `read` takes.
pub(super) fn parse<T>(
    text: &str,
    read: impl FnOnce(&mut Table<'_, '_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let parsed = DeTable::parse(text).map_err(|error| {
        let at = error.span().unwrap_or_default();
        Problem::new(at, error.message().replace('\n', ", "))
    })?;
    let mut table = Table::new("", parsed.get_ref());
    let read = read(&mut table)?;
    table.finish()?;
    Ok(read)
}

/// Reads a configuration.
pub(super) fn config(text: &str) -> Result<Config, Problem> {
    parse(text, |table| {
        let top = Top::take(table)?;
        let mut listeners = Vec::new();
        for (at, listener) in table.tables("listener", LISTENERS_MAX)? {
            listeners.push(read_listener(at, listener)?);
        }
        let mut routes = Vec::new();
        for (_, route) in table.tables("route", ROUTES_MAX)? {
            routes.push(read_route(route, &listeners)?);
        }
        Ok(put_together(top, listeners, routes))
    })
}

fn put_together(top: Top, listeners: Vec<ListenerConfig>, routes: Vec<RouteConfig>) -> Config {
    let defaults = Config::default();
    Config {
        listeners,
        routes,
        component: top.component,
        workers: top.workers.map_or(defaults.workers, Count::get),
        sessions_max: top.sessions_max.map_or(defaults.sessions_max, Count::get),
        open_spans_max: top.open_spans_max.map_or(defaults.open_spans_max, Count::get),
        open_span_age_max: top
            .open_span_age_max_seconds
            .map_or(defaults.open_span_age_max, Seconds::get),
        drain_timeout: top.drain_timeout_seconds.map_or(defaults.drain_timeout, Seconds::get),
        flush_timeout: top.flush_timeout_seconds.map_or(defaults.flush_timeout, Seconds::get),
        allow_remote: top.allow_remote.unwrap_or(defaults.allow_remote),
        admin: AdminConfig { address: top.admin, socket: top.admin_socket },
    }
}

fn read_listener(at: Range<usize>, mut table: Table<'_, '_>) -> Result<ListenerConfig, Problem> {
    let keys = ListenerKeys::take(&mut table)?;
    let net = net_options::read(&mut table)?;
    let route = match table.table("route")? {
        None => RouteOptions::default(),
        Some(mut route) => {
            let options = RouteOptions::take_whole(&mut route)?;
            route.finish()?;
            options
        }
    };
    let missing =
        |key| Problem::new(at.clone(), table.about(&format!("{key}: expected, not found")));
    let listen = keys.listen.ok_or_else(|| missing("listen"));
    let brokers = keys.brokers.ok_or_else(|| missing("brokers"));
    if let (Ok(listen), Some(found)) = (&listen, table.find("cluster"))
        && listen.protocol != Protocol::Redis
    {
        let what = table.about("cluster: expected a listener of Redis, found another protocol");
        return Err(Problem::new(found.span(), what));
    }
    // What is not known may be what is missing, misspelled.
    table.finish()?;
    let (name, cluster) = (keys.name, keys.cluster.unwrap_or_default());
    Ok(ListenerConfig { name, listen: listen?, brokers: brokers?, route, net, cluster })
}

fn read_route(
    mut table: Table<'_, '_>,
    listeners: &[ListenerConfig],
) -> Result<RouteConfig, Problem> {
    let RouteMatch { listener, user, vhost, database, destination } = RouteMatch::take(&mut table)?;
    let options = RouteOptions::take_whole(&mut table)?;
    if let (Some(name), Some(found)) = (&listener, table.find("listener"))
        && !listeners.iter().any(|listener| listener.name() == *name)
    {
        let names: Vec<_> = listeners.iter().map(ListenerConfig::name).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let hint = nearest(name, &names).map(|name| format!("; did you mean `{name}`?"));
        let (hint, known) = (hint.unwrap_or_default(), names.join(", "));
        let what = format!("listener: expected one of {known}, found `{name}`{hint}");
        return Err(Problem::new(found.span(), table.about(&what)));
    }
    for (key, protocol, name) in
        [("vhost", Protocol::Amqp, "AMQP"), ("database", Protocol::Redis, "Redis")]
    {
        let holds_for = |of: &ListenerConfig| {
            of.listen.protocol == protocol && listener.as_ref().is_none_or(|it| *it == of.name())
        };
        if let Some(found) = table.find(key).filter(|_| !listeners.iter().any(holds_for)) {
            let what =
                format!("{key}: expected a listener of {name} that it holds for, found none");
            return Err(Problem::new(found.span(), table.about(&what)));
        }
    }
    table.finish()?;
    Ok(RouteConfig { listener, user, vhost, database, destination, options })
}

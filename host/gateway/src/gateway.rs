//! The gateway as a whole: starts its threads, stops them, says what happened.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Instant;

use spanbridge::env;
use spanbridge::metrics::Counters;
use spanbridge::otlp::Pipeline;
use spanbridge::resource::{RESOURCES_MAX, Resources};
use spanbridge::sink::Sink;
use spanbridge::{ComponentSource, Runtime};
use tokio::sync::watch;
use tracing::{error, info};

use crate::address::Address;
use crate::admin::{Beats, Observed};
use crate::brokers::Brokers;
use crate::config::{Config, ConfigError, ListenerConfig};
use crate::listener::Listener;
use crate::live::LiveLimits;
use crate::measure::Measurements;
use crate::net::guard::Guard;
use crate::net::tls::TlsError;
use crate::net::{Gate, Net};
use crate::open_spans::OpenSpans;
use crate::relay::{Sessions, Tools};
use crate::reload::{Reload, Reloaded};
use crate::routes::{RouteError, Routes};
use crate::routing::RouteTable;
use crate::service::Services;
use crate::threads::{self, Threads};
use crate::worker::now;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The component.
    #[error(transparent)]
    Runtime(#[from] spanbridge::Error),
    /// A route of the configuration.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The certificates of a listener cannot be used.
    #[error("listener {address}: {source}")]
    Tls {
        /// Which listener.
        address: Address,
        /// Why.
        source: Box<TlsError>,
    },
    /// The operating system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

impl StartError {
    pub(crate) fn tls(listener: &Address, error: TlsError) -> Self {
        Self::Tls { address: listener.clone(), source: Box::new(error) }
    }
}

/// Where spans go: a queue, and the resources that its spans refer to.
#[derive(Clone, Debug)]
pub struct Output {
    /// Takes spans.
    pub sink: Sink,
    /// Names programs.
    pub resources: Resources,
    /// Shared by everything in the process.
    pub counters: Arc<Counters>,
}

impl Output {
    /// Into a pipeline, or nowhere.
    pub fn new(pipeline: Option<&Pipeline>, env: &env::Settings, counters: Arc<Counters>) -> Self {
        match pipeline {
            Some(pipeline) => {
                let resources = pipeline.resources().clone();
                Self { sink: pipeline.sink(), resources, counters }
            }
            None => {
                let resources = resources(env, Arc::clone(&counters));
                Self { sink: Sink::discarding(), resources, counters }
            }
        }
    }
}

/// The resources that the environment describes.
pub fn resources(env: &env::Settings, counters: Arc<Counters>) -> Resources {
    let name = env.service_name.as_deref();
    Resources::new(name, &env.resource_attributes, RESOURCES_MAX, counters)
}

/// A running gateway. Dropping it stops it without draining.
#[derive(Debug)]
pub struct Gateway {
    addresses: Vec<Address>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    observed: Observed,
    reload: Reload,
}

impl Gateway {
    /// Loads the component, opens the routes, listens, starts the threads.
    ///
    /// # Errors
    ///
    /// Fails on a configuration that cannot be used, a component that cannot be loaded and an
    /// address that cannot be had. Brokers need not be up.
    pub fn start(
        config: &Config,
        env: &env::Settings,
        output: &Output,
    ) -> Result<Self, StartError> {
        config.check()?;
        let runtime = runtime(config, output)?;
        let open_spans = Arc::new(OpenSpans::new(
            config.open_spans_max,
            config.open_span_age_max,
            Arc::clone(&output.counters),
        ));
        let services = Arc::new(Services::new(output.resources.clone(), env.service_name.clone()));
        let sessions = Arc::new(AtomicUsize::new(0));
        let measurements = Arc::new(Measurements::new(Arc::clone(&output.counters)));
        let mut routes = Routes::new(
            runtime.clone(),
            env.clone(),
            Arc::clone(&services),
            Arc::clone(&measurements),
        );
        let (tables, _) = routes.apply(config, Instant::now())?;
        let limits = Arc::new(LiveLimits::new(config));
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        let shared = ListenerParts {
            services,
            counters: Arc::clone(&output.counters),
            sessions: Arc::clone(&sessions),
            limits: Arc::clone(&limits),
        };
        for (listener, table) in config.listeners.iter().zip(tables) {
            let (socket, listener) = shared.open(listener, table, config.allow_remote)?;
            sockets.push(socket);
            listeners.push(listener);
        }
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.address.clone()).collect();
        let (stop, stopped) = watch::channel(false);
        let observed = Observed {
            runtime,
            open_spans,
            measurements,
            sink: output.sink.clone(),
            sessions,
            beats: Beats::new(config.workers),
            listeners: listeners.clone(),
            stop: stopped.clone(),
        };
        let reload = Reload {
            config: config.clone(),
            routes,
            listeners: listeners.clone(),
            limits: Arc::clone(&limits),
            open_spans: Arc::clone(&observed.open_spans),
        };
        let threads = Threads {
            runtime: observed.runtime.clone(),
            open_spans: Arc::clone(&observed.open_spans),
            listeners,
            beats: Arc::clone(&observed.beats),
            limits,
            stop: stopped,
        };
        let threads = threads::start(threads, sockets, config.workers)?;
        Ok(Self { addresses, stop, threads, observed, reload })
    }

    /// Where it listens, in the order of the configuration, with the ports that it got.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The runtime, for a program that has spans of its own.
    pub fn runtime(&self) -> &Runtime {
        &self.observed.runtime
    }

    /// What an admin endpoint looks at. It may be looked at after the stop as well.
    pub fn observed(&self) -> Observed {
        self.observed.clone()
    }

    /// Takes another configuration over while sessions go on, and reads the certificates in force
    /// again. What cannot change keeps its value.
    ///
    /// # Errors
    ///
    /// Fails on a configuration or a certificate that cannot be used; then nothing has changed.
    pub fn reload(&mut self, config: &Config) -> Result<Reloaded, StartError> {
        self.reload.apply(config, Instant::now())
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.reload.config
    }

    /// Stops accepting, lets each session come to the end of a frame, ends open spans as abandoned.
    ///
    /// Blocks until that is done, at most the drain timeout of the configuration and a little.
    pub fn stop(self) {
        // Nobody listens any more if every thread is gone, which is as good.
        let _ = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a thread panicked; its sessions were cut off");
            }
        }
        let Observed { runtime, open_spans, .. } = &self.observed;
        open_spans.drain(now(), &mut Tools::new(runtime, open_spans));
    }
}

/// What the listeners of a process share.
struct ListenerParts {
    services: Arc<Services>,
    counters: Arc<Counters>,
    sessions: Arc<AtomicUsize>,
    limits: Arc<LiveLimits>,
}

impl ListenerParts {
    fn open(
        &self,
        config: &ListenerConfig,
        routes: Arc<RouteTable>,
        allow_remote: bool,
    ) -> Result<(TcpListener, Arc<Listener>), StartError> {
        let net = net(config)?;
        let (socket, address, local) = listen(config, allow_remote)?;
        let (protocol, services) = (address.protocol, Arc::clone(&self.services));
        let said = net.tls_said();
        let protocol = Sessions::new(protocol, routes, services, said, config.cluster);
        let listener = Listener {
            name: config.name(),
            address,
            brokers: Arc::new(Brokers::new(&config.brokers, Arc::clone(&self.counters))),
            protocol,
            counters: Arc::clone(&self.counters),
            sessions: Arc::clone(&self.sessions),
            own_sessions: Arc::default(),
            net,
            local,
            gate: Gate::default(),
            limits: Arc::clone(&self.limits),
        };
        Ok((socket, Arc::new(listener)))
    }
}

/// Loads the component.
pub(crate) fn runtime(config: &Config, output: &Output) -> Result<Runtime, spanbridge::Error> {
    let component = match &config.component {
        Some(path) => ComponentSource::Path(path.clone()),
        None => ComponentSource::default(),
    };
    Runtime::builder()
        .component(component)
        .sink(Arc::new(output.sink.clone()))
        .counters(Arc::clone(&output.counters))
        .build()
}

/// Prepares what a listener does to connections, with the certificates that it names.
pub(crate) fn net(listener: &ListenerConfig) -> Result<Net, StartError> {
    Net::new(listener).map_err(|error| StartError::tls(&listener.listen, error))
}

fn listen(
    listener: &ListenerConfig,
    allow_remote: bool,
) -> Result<(TcpListener, Address, IpAddr), StartError> {
    let address = &listener.listen;
    let error = |source| StartError::Listen { address: address.clone(), source };
    let socket = TcpListener::bind((address.host.as_str(), address.port));
    let socket = socket.map_err(error)?;
    socket.set_nonblocking(true).map_err(error)?;
    let local = socket.local_addr().map_err(error)?;
    Guard::new(local.ip(), allow_remote).check_names(address, &listener.brokers)?;
    let address = Address { port: local.port(), ..address.clone() };
    info!(%address, "listening");
    Ok((socket, address, local.ip()))
}

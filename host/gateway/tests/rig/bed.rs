//! A runtime, its open spans and a listener, without a socket.

use std::sync::Arc;
use std::time::Duration;

use spanbridge::metrics::Counters;
use spanbridge::resource::{RESOURCES_MAX, Resources};
use spanbridge::{ComponentSource, Limits, Route, RouteSettings, Runtime, SpanSink};
use spanbridge_gateway::config::HeaderCase;
use spanbridge_gateway::open_spans::OpenSpans;
use spanbridge_gateway::relay::{Relay, Tools};
use spanbridge_gateway::service::Services;

use crate::session_rig::Session;
use crate::spans::{Recorder, Span};

/// A protocol's listener.
pub(crate) trait Listen {
    /// `messaging.system`.
    const SYSTEM: &'static str;

    fn new(runtime: &Runtime, route: Route, services: Arc<Services>, options: &Options) -> Self;

    fn relay(shared: &Arc<Self>) -> impl Relay + 'static;
}

/// What the sessions of a process share.
#[derive(Debug)]
pub(crate) struct Bed<L> {
    pub(crate) counters: Arc<Counters>,
    pub(crate) open_spans: Arc<OpenSpans>,
    pub(crate) resources: Resources,
    pub(crate) runtime: Runtime,
    pub(crate) shared: Arc<L>,
    pub(crate) services: Arc<Services>,
    /// Empty where the spans go somewhere else.
    pub(crate) recorder: Arc<Recorder>,
}

/// What a bed can be made of.
pub(crate) struct Options {
    pub(crate) settings: RouteSettings,
    pub(crate) header_case: HeaderCase,
    pub(crate) open_spans_max: usize,
    pub(crate) component: ComponentSource,
    pub(crate) limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: RouteSettings::new("nats"),
            header_case: HeaderCase::Lower,
            open_spans_max: 65_536,
            component: ComponentSource::default(),
            // Which instance a thread gets must not depend on the thread that makes spare ones, nor
            // what it does on how busy the machine is.
            limits: Limits {
                spare_instances_max: 0,
                batch_cpu_max: Duration::from_secs(10),
                ..Limits::default()
            },
        }
    }
}

impl<L: Listen> Bed<L> {
    pub(crate) fn new(seed: u64) -> Self {
        let settings = RouteSettings::new(L::SYSTEM);
        Self::with(seed, Options { settings, ..Options::default() })
    }

    pub(crate) fn with(seed: u64, options: Options) -> Self {
        let recorder = Arc::<Recorder>::default();
        let sink = Arc::<Recorder>::clone(&recorder);
        Self { recorder, ..Self::with_sink(seed, options, sink, Arc::default()) }
    }

    /// The spans go into this sink.
    pub(crate) fn with_sink(
        seed: u64,
        mut options: Options,
        sink: Arc<dyn SpanSink>,
        counters: Arc<Counters>,
    ) -> Self {
        let runtime = Runtime::builder()
            .component(std::mem::take(&mut options.component))
            .limits(options.limits)
            .seed(seed)
            .counters(Arc::clone(&counters))
            .sink(sink)
            .build()
            .expect("the component loads");
        let settings = std::mem::take(&mut options.settings);
        let route = runtime.open_route(settings).expect("the route opens");
        let resources = Resources::new(None, &[], RESOURCES_MAX, Arc::clone(&counters));
        let services = Arc::new(Services::new(resources.clone(), None));
        let shared = Arc::new(L::new(&runtime, route, Arc::clone(&services), &options));
        let age = Duration::from_secs(3600);
        let open_spans = OpenSpans::new(options.open_spans_max, age, Arc::clone(&counters));
        let open_spans = Arc::new(open_spans);
        let recorder = Arc::default();
        Self { counters, open_spans, resources, runtime, shared, services, recorder }
    }

    /// A session on a thread of its own.
    pub(crate) fn session(&self) -> Session {
        Session::new(L::relay(&self.shared), Tools::new(&self.runtime, &self.open_spans))
    }

    /// The spans so far, in the order in which they ended.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.recorder.0.lock().unwrap().clone()
    }

    /// The one span that there is.
    pub(crate) fn only_span(&self) -> Span {
        let spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans[0].clone()
    }
}

//! Two peers and a clock in memory, around one relay; and a sink that decodes every span.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span as Encoded};
use prost::Message;
use spanbridge::metrics::Counters;
use spanbridge::resource::{RESOURCES_MAX, ResourceId, Resources};
use spanbridge::{ComponentSource, Limits, RouteSettings, Runtime, SpanSink};
use spanbridge_gateway::config::HeaderCase;
use spanbridge_gateway::open_spans::OpenSpans;
use spanbridge_gateway::relay::nats::{NatsRelay, NatsShared};
use spanbridge_gateway::relay::{Fed, Relay, Side, Tools};
use spanbridge_gateway::service::Services;

/// When the tests begin, in nanoseconds since the Unix epoch. Whole milliseconds, as in tracestate.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) const INFO: &str = "INFO {\"headers\":true,\"max_payload\":1048576} \r\n";
pub(crate) const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"headers\":true,\"name\":\"billing\"}\r\n";
pub(crate) const OLD_CONNECT: &str = "CONNECT {\"verbose\":false,\"name\":\"old\"}\r\n";

/// A span as a receiver sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// As in OTLP: 3 client, 4 producer, 5 consumer.
    pub(crate) kind: i32,
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) links: Vec<Vec<u8>>,
    pub(crate) error: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) resource: ResourceId,
}

pub(crate) const CLIENT: i32 = 3;
pub(crate) const PRODUCER: i32 = 4;
pub(crate) const CONSUMER: i32 = 5;

impl Span {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn outcome(&self) -> Option<&str> {
        self.get("spanbridge.outcome")
    }
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Span>>);

impl SpanSink for Recorder {
    fn push(&self, resource: ResourceId, run: &[u8], spans: u32) -> bool {
        let scope = ScopeSpans::decode(run).expect("a span run is the spans of a scope");
        assert_eq!(scope.spans.len(), spans as usize);
        let decoded = scope.spans.into_iter().map(|span| decode(span, resource));
        self.0.lock().unwrap().extend(decoded);
        true
    }
}

fn decode(span: Encoded, resource: ResourceId) -> Span {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("no such attribute is written: {other:?}"),
    };
    let status = span.status.unwrap_or_default();
    Span {
        name: span.name,
        kind: span.kind,
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent: span.parent_span_id,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        links: span.links.into_iter().map(|link| link.span_id).collect(),
        error: (status.code == 2).then_some(status.message),
        attributes: span
            .attributes
            .into_iter()
            .map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))))
            .collect(),
        resource,
    }
}

/// What the sessions of a process share.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) counters: Arc<Counters>,
    pub(crate) open_spans: Arc<OpenSpans>,
    pub(crate) resources: Resources,
    pub(crate) runtime: Runtime,
    pub(crate) shared: Arc<NatsShared>,
    pub(crate) services: Arc<Services>,
    recorder: Arc<Recorder>,
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

impl Bed {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Options::default())
    }

    pub(crate) fn with(seed: u64, options: Options) -> Self {
        let counters = Arc::<Counters>::default();
        let recorder = Arc::<Recorder>::default();
        let runtime = Runtime::builder()
            .component(options.component)
            .limits(options.limits)
            .seed(seed)
            .counters(Arc::clone(&counters))
            .sink(Arc::<Recorder>::clone(&recorder))
            .build()
            .expect("the component loads");
        let route = runtime.open_route(options.settings).expect("the route opens");
        let resources = Resources::new(None, &[], RESOURCES_MAX, Arc::clone(&counters));
        let services = Arc::new(Services::new(resources.clone(), None));
        let shared =
            Arc::new(NatsShared::new(&runtime, route, Arc::clone(&services), options.header_case));
        let age = Duration::from_secs(3600);
        let open_spans = OpenSpans::new(options.open_spans_max, age, Arc::clone(&counters));
        let open_spans = Arc::new(open_spans);
        Self { counters, open_spans, resources, runtime, shared, services, recorder }
    }

    /// A session on a thread of its own.
    pub(crate) fn session(&self) -> Session {
        Session {
            relay: NatsRelay::new(Arc::clone(&self.shared)),
            tools: Tools::new(&self.runtime, &self.open_spans),
            now: START,
            to_broker: Vec::new(),
            to_client: Vec::new(),
            unchanged: true,
            writes: 0,
        }
    }

    /// A session whose peers have said who they are.
    pub(crate) fn connected(&self) -> Session {
        let mut session = self.session();
        session.broker(INFO);
        session.client(CONNECT);
        assert_eq!(session.take_to_client(), INFO);
        assert_eq!(session.take_to_broker(), CONNECT);
        session
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

/// A session and its two peers.
#[derive(Debug)]
pub(crate) struct Session {
    relay: NatsRelay,
    pub(crate) tools: Tools,
    pub(crate) now: u64,
    pub(crate) to_broker: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    /// Every read so far went on as it came.
    pub(crate) unchanged: bool,
    /// Writes so far.
    pub(crate) writes: usize,
}

impl Session {
    /// The client sends this, in one read.
    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) {
        self.feed(Side::Client, bytes.as_ref());
    }

    /// The broker sends this, in one read.
    pub(crate) fn broker(&mut self, bytes: impl AsRef<[u8]>) {
        self.feed(Side::Broker, bytes.as_ref());
    }

    /// One read, and what a session does behind its write.
    pub(crate) fn feed(&mut self, from: Side, bytes: &[u8]) {
        self.feed_only(from, bytes);
        self.tools.settle_ended();
    }

    /// One read; the spans that it ends are not handed to the component yet.
    pub(crate) fn feed_only(&mut self, from: Side, bytes: &[u8]) {
        let mut bytes = bytes;
        loop {
            let mut out = Vec::new();
            let fed = self.relay.feed(from, bytes, self.now, &mut self.tools, &mut out);
            if fed == Fed::Unchanged {
                assert!(out.is_empty(), "nothing is written of what is unchanged");
                out.extend_from_slice(bytes);
            }
            self.unchanged &= fed == Fed::Unchanged;
            self.other_end(from).extend_from_slice(&out);
            self.writes += 1;
            assert!(self.tools.publish.is_empty() && self.tools.deliver.is_empty());
            if fed != Fed::Partly {
                return;
            }
            assert!(!self.relay.is_at_boundary(from), "more is held");
            bytes = b"";
        }
    }

    /// The session ends.
    pub(crate) fn close(&mut self) {
        for side in [Side::Client, Side::Broker] {
            let mut out = Vec::new();
            self.relay.end(side, self.now, &mut self.tools, &mut out);
            self.other_end(side).extend_from_slice(&out);
        }
        self.relay.close(self.now, &mut self.tools);
        assert!(self.tools.settle.is_empty());
    }

    pub(crate) fn is_at_boundary(&self, side: Side) -> bool {
        self.relay.is_at_boundary(side)
    }

    /// What the broker got since it was last asked.
    pub(crate) fn take_to_broker(&mut self) -> String {
        text(std::mem::take(&mut self.to_broker))
    }

    /// What the client got since it was last asked.
    pub(crate) fn take_to_client(&mut self) -> String {
        text(std::mem::take(&mut self.to_client))
    }

    fn other_end(&mut self, from: Side) -> &mut Vec<u8> {
        match from {
            Side::Client => &mut self.to_broker,
            Side::Broker => &mut self.to_client,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("these tests send text")
}

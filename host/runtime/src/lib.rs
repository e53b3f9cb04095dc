//! Runtime of the Spanbridge component: trace context and spans for messages that cross a queue.
//!
//! The component, a WebAssembly file in a sandbox, decides everything about a trace: how context is
//! read and written, which spans exist, what is sampled. This crate loads it, calls it for batches
//! of messages, and exports the spans it answers. It reads no header value and knows no broker.
//!
//! # A complete embedding
//!
//! A message goes from a shop to a worker through a queue. Nothing links the two but its headers.
//!
//! ```
//! use std::error::Error;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use spanbridge::metrics::Counters;
//! use spanbridge::otlp::{Flush, JsonLines, Pipeline, PipelineSettings};
//! use spanbridge::resource::{RESOURCES_MAX, Resources};
//! use spanbridge::{Delivery, Edit, Fields, Outcome, Parts, Publish, RouteSettings};
//! use spanbridge::{Runtime, Settlement};
//!
//! type Headers = Vec<(String, String)>;
//!
//! /// Hands the headers that carry context to the component.
//! fn hand_in(headers: &Headers, fields: &Fields, parts: &mut Parts<'_>) {
//!     for (name, value) in headers {
//!         if let Some(field) = fields.find(name.as_bytes()) {
//!             parts.header(field.number, field.key, value.as_bytes());
//!         }
//!     }
//! }
//!
//! /// Changes the headers as the component says.
//! fn apply<'a>(headers: &mut Headers, fields: &Fields, edits: impl Iterator<Item = Edit<'a>>) {
//!     for edit in edits {
//!         let (field, key, value) = match edit {
//!             Edit::SetHeader { field, key, value } => (field, key, Some(value)),
//!             Edit::RemoveHeader { field, key } => (field, key, None),
//!             Edit::SpliceBody { .. } => continue, // Only where a route has an envelope.
//!         };
//!         let name = fields.name(field).unwrap_or_default();
//!         let name = format!("{name}{}", String::from_utf8_lossy(key));
//!         headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
//!         headers.extend(value.map(|value| (name, String::from_utf8_lossy(value).into_owned())));
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     // Where spans go: `Pipeline::from_settings` reads `OTEL_*` variables instead.
//!     let dir = tempfile::tempdir()?;
//!     let file = dir.path().join("spans.jsonl");
//!     let counters = Arc::<Counters>::default();
//!     let resources = Resources::new(None, &[], RESOURCES_MAX, counters.clone());
//!     let (shop, worker) = (resources.register("shop", &[]), resources.register("worker", &[]));
//!     let exporter = Box::new(JsonLines::append(&file)?);
//!     let settings = PipelineSettings::default();
//!     let pipeline = Pipeline::start(settings, resources, exporter, counters.clone())?;
//!
//!     // Once: the component, what messages have in common, and a tracer for this thread.
//!     let sink = Arc::new(pipeline.sink());
//!     let runtime = Runtime::builder().sink(sink).counters(counters).build()?;
//!     let route = runtime.open_route(RouteSettings::new("nats"))?;
//!     let fields = runtime.fields(route);
//!     let mut tracer = runtime.tracer();
//!
//!     // A publish: the message gets a context, and the shop a span.
//!     let mut headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
//!     let mut publishes = runtime.publish_batch();
//!     let message = Publish { start: 1_000, end: 2_000, ..Publish::new(route, shop, b"orders") };
//!     hand_in(&headers, &fields, &mut publishes.add(&message));
//!     let answer = tracer.publish(&mut publishes);
//!     apply(&mut headers, &fields, answer.edits(0));
//!     assert_eq!(headers[1].0, "traceparent");
//!     let published = answer.verdict(0);
//!
//!     // The delivery: the worker's span begins, and ends with the acknowledgement.
//!     let mut deliveries = runtime.deliver_batch();
//!     let message = Delivery { start: 5_000, ..Delivery::new(route, worker, b"orders") };
//!     hand_in(&headers, &fields, &mut deliveries.add(&message));
//!     let answer = tracer.deliver(&mut deliveries);
//!     apply(&mut headers, &fields, answer.edits(0));
//!     let open = answer.open(0).ok_or("a delivery waits for its settlement")?;
//!     let mut settlements = runtime.settle_batch();
//!     settlements.add(&open, &Settlement::new(Outcome::Ack, 9_000));
//!     tracer.settle(&settlements);
//!     assert_eq!((open.trace_hi, open.trace_lo), (published.trace_hi, published.trace_lo));
//!
//!     // The end: what is queued is sent.
//!     drop((tracer, runtime));
//!     assert_eq!(pipeline.shutdown(Duration::from_secs(5)), Flush::Done);
//!     let spans = std::fs::read_to_string(&file)?;
//!     let parent = format!(r#""parentSpanId":"{:016x}""#, published.span_id);
//!     assert!(spans.contains(r#""name":"publish orders""#), "{spans}");
//!     assert!(spans.contains(r#""name":"process orders""#) && spans.contains(&parent), "{spans}");
//!     Ok(())
//! }
//! ```
//!
//! # What is promised
//!
//! - A message is never held, changed or lost because tracing fails. [`Tracer`] answers for every
//!   message within its deadline; a component that traps, loops or answers nonsense answers "leave
//!   it as it is", and a [counter](metrics::Counters) says so.
//! - Nothing is allocated for a message once the buffers of a batch have grown; an open span is one
//!   allocation.
//! - Every queue, table and loop has a limit: [`limits`], [`sink`], [`resource`].
//! - No global state: no global registry, no current span.
//! - Without the feature `compiler` nothing is compiled and no code is read: the component was
//!   compiled before this crate was, and is part of it. That is for processes which are somebody
//!   else's; [`HAS_COMPILER`] says which of the two a program was linked with.
#![deny(unsafe_code)]

/// Whether this crate was built with the feature `compiler`.
pub const HAS_COMPILER: bool = cfg!(feature = "compiler");

mod answer;
mod attribute;
mod bindings;
mod bits;
mod breaker;
#[cfg(feature = "compiler")]
#[expect(unsafe_code, reason = "native code is run as it is read")]
mod cache;
mod check;
mod component;
mod convert;
mod edit;
mod engine;
pub mod env;
mod error;
mod fields;
mod instance;
pub mod limits;
mod log_gate;
#[expect(unsafe_code, reason = "records cross as bytes")]
mod lower;
mod message;
pub mod metrics;
mod open_span;
pub mod otlp;
pub mod pattern;
mod pool;
#[cfg_attr(
    any(test, not(feature = "compiler")),
    expect(unsafe_code, reason = "native code is run as it was built in")
)]
mod precompiled;
mod propagation;
mod propagator;
mod record;
pub mod resource;
mod route;
mod runtime;
pub mod sdk_exporter;
mod seed;
mod settings;
mod settlement;
pub mod sink;
#[cfg(feature = "compiler")]
mod source;
mod span_sink;
mod spelling;
mod ticker;
mod tracer;

pub use answer::{Answer, Verdict};
pub use attribute::Attribute;
pub use bits::{MessageBits, VerdictBits};
#[cfg(feature = "compiler")]
pub use cache::CodeCache;
pub use component::ComponentInfo;
pub use edit::{Edit, Edits};
pub use error::{Error, ErrorKind};
pub use fields::{FieldMatch, Fields};
pub use limits::Limits;
pub use message::{DeliverBatch, Delivery, Parts, Publish, PublishBatch, SpanContext};
pub use open_span::OpenSpan;
#[cfg(feature = "compiler")]
pub use precompiled::precompile;
pub use propagation::{BaggageMember, CarrierContext, Propagation, RemoteSpan};
pub use propagator::Propagator;
pub use route::Route;
pub use runtime::{Builder, Runtime};
pub use settings::{
    DeliveryMode, Envelope, PropagatorKind, Relation, RootSampler, RouteSettings, Trust,
};
pub use settlement::{Outcome, SettleBatch, Settlement};
#[cfg(feature = "compiler")]
pub use source::ComponentSource;
pub use span_sink::SpanSink;
pub use spelling::{Spelling, with_header_edits};
pub use tracer::Tracer;

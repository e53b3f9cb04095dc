//! One `ExportTraceServiceRequest`, framed by hand around spans that are already encoded.
//!
//! ```text
//! ExportTraceServiceRequest
//! └─ 1 ResourceSpans              one a resource
//!    ├─ 1 Resource                encoded when it was registered
//!    ├─ 2 ScopeSpans
//!    │  ├─ 1 InstrumentationScope
//!    │  ├─ 2 Span, Span, Span …   the run, copied as it is
//!    │  └─ 3 schema_url
//!    └─ 3 schema_url
//! ```
//!
//! Nothing is decoded. See `opentelemetry/proto/trace/v1/trace.proto`.

use bytes::Bytes;

use crate::otlp::buffer::{Segment, SpanBuffer};
use crate::otlp::framing::{field_bytes, put_field, put_header};
use crate::resource::{ResourceId, Resources};

/// Name of the instrumentation scope of every span.
pub const SCOPE_NAME: &str = "spanbridge";

/// The semantic conventions that span names and attributes follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Upper bound of the tags and lengths of `ResourceSpans` and `ScopeSpans`: a tag of one byte and a
/// length of at most five, twice.
const NESTING_BYTES_MAX: usize = 2 * 6;

/// Spans cut from the buffer, and the request that carries them.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) request: Bytes,
    pub(crate) spans: usize,
    /// Bytes that left the buffer.
    pub(crate) span_bytes: usize,
}

/// What one look at the buffer gave.
#[derive(Debug)]
pub(crate) enum Next {
    Empty,
    /// A span was removed because it alone is past the bound: the number of its bytes.
    Oversized(usize),
    Request(Cut),
}

/// Cuts the next request off `buffer`, within `spans_max` spans and `bytes_max` bytes.
pub(crate) fn next(
    buffer: &mut SpanBuffer,
    resources: &Resources,
    spans_max: usize,
    bytes_max: usize,
) -> Next {
    let scope = scope();
    let fixed = field_bytes(scope.len()) + 2 * field_bytes(SCHEMA_URL.len()) + NESTING_BYTES_MAX;
    let overhead = |lane| fixed + field_bytes(resources.encoded(ResourceId(lane)).len());
    let plan = buffer.plan(spans_max, bytes_max, overhead);
    if let Some(lane) = plan.oversized {
        return Next::Oversized(buffer.remove_first(lane));
    }
    if plan.segments.is_empty() {
        return Next::Empty;
    }
    let span_bytes = plan.segments.iter().map(|segment| segment.bytes).sum();
    let spans = plan.segments.iter().map(|segment| segment.spans).sum();
    let mut request = Vec::with_capacity(span_bytes + plan.segments.len() * (fixed + 256));
    for segment in &plan.segments {
        put_resource_spans(&mut request, &scope, buffer, segment, resources);
    }
    buffer.remove(&plan.segments);
    Next::Request(Cut { request: request.into(), spans, span_bytes })
}

fn put_resource_spans(
    request: &mut Vec<u8>,
    scope: &[u8],
    buffer: &SpanBuffer,
    segment: &Segment,
    resources: &Resources,
) {
    let resource = resources.encoded(ResourceId(segment.lane));
    let run = buffer.bytes_of(segment);
    let schema = SCHEMA_URL.as_bytes();
    let scope_spans = field_bytes(scope.len()) + run.len() + field_bytes(schema.len());
    let resource_spans =
        field_bytes(resource.len()) + field_bytes(scope_spans) + field_bytes(schema.len());

    put_header(request, 1, resource_spans);
    put_field(request, 1, &resource);
    put_header(request, 2, scope_spans);
    put_field(request, 1, scope);
    request.extend_from_slice(run);
    put_field(request, 3, schema);
    put_field(request, 3, schema);
}

/// `InstrumentationScope { name = 1, version = 2 }`.
fn scope() -> Vec<u8> {
    let mut scope = Vec::new();
    put_field(&mut scope, 1, SCOPE_NAME.as_bytes());
    put_field(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    scope
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    use super::*;

    fn run(names: &[&str]) -> Vec<u8> {
        let mut run = Vec::new();
        for name in names {
            let span = Span { name: (*name).into(), ..Span::default() };
            put_field(&mut run, 2, &span.encode_to_vec());
        }
        run
    }

    fn resources() -> Resources {
        Resources::new(Some("producer"), &[], 8, std::sync::Arc::default())
    }

    #[test]
    fn a_request_decodes_to_the_spans_of_each_resource() {
        let resources = resources();
        let worker = resources.register("worker", &[]);
        let mut buffer = SpanBuffer::default();
        buffer.push(ResourceId::DEFAULT.0, &run(&["publish a", "publish b"]), 2);
        buffer.push(worker.0, &run(&["process a"]), 1);

        let Next::Request(cut) = next(&mut buffer, &resources, 512, 1 << 20) else { panic!() };
        assert_eq!((cut.spans, buffer.spans(), buffer.bytes()), (3, 0, 0));
        let request = ExportTraceServiceRequest::decode(cut.request).unwrap();
        let found: Vec<(u8, Vec<String>)> = request
            .resource_spans
            .into_iter()
            .map(|resource| {
                assert_eq!(resource.schema_url, SCHEMA_URL);
                let [scope] = &resource.scope_spans[..] else { panic!("one scope expected") };
                assert_eq!(scope.scope.as_ref().unwrap().name, SCOPE_NAME);
                assert_eq!(scope.schema_url, SCHEMA_URL);
                let names = scope.spans.iter().map(|span| span.name.clone()).collect();
                let encoded = resource.resource.unwrap().encode_to_vec();
                (u8::from(encoded == *resources.encoded(worker)), names)
            })
            .collect();
        let expected =
            [(0, vec!["publish a".into(), "publish b".into()]), (1, vec!["process a".into()])];
        assert_eq!(found, expected);
    }

    #[test]
    fn no_request_is_larger_than_the_bound_and_a_larger_span_is_removed() {
        let resources = resources();
        let mut buffer = SpanBuffer::default();
        let long = "x".repeat(2000);
        buffer.push(0, &run(&["a", &long, "b", "c"]), 4);
        let mut sizes = Vec::new();
        let mut oversized = 0;
        loop {
            match next(&mut buffer, &resources, 2, 1000) {
                Next::Empty => break,
                Next::Oversized(bytes) => {
                    assert!(bytes > 2000);
                    oversized += 1;
                }
                Next::Request(cut) => {
                    assert!(cut.request.len() <= 1000);
                    sizes.push(cut.spans);
                }
            }
        }
        assert_eq!((sizes, oversized), (vec![1, 2], 1));
        assert_eq!((buffer.spans(), buffer.bytes()), (0, 0));
    }
}

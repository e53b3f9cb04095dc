//! What arrives, over every protocol.

use http::HeaderValue;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use spanbridge::otlp::{Flush, Protocol, SCHEMA_URL, SCOPE_NAME};

use super::collector::{Answer, Collector};
use super::rig::{Rig, names, run, span};

pub(crate) const PROTOCOLS: [Protocol; 3] =
    [Protocol::HttpProtobuf, Protocol::HttpJson, Protocol::Grpc];

#[test]
fn spans_of_several_resources_arrive_in_one_request() {
    for protocol in PROTOCOLS {
        for gzip in [false, true] {
            let collector = Collector::start(protocol, vec![], None);
            let mut target = collector.target();
            target.gzip = gzip;
            target.headers.insert("x-tenant", HeaderValue::from_static("a"));
            let rig = Rig::otlp(&target);
            let worker = rig.pipeline.resources().register("worker", &[]);
            assert!(rig.push(&["publish a", "publish b"]));
            assert!(rig.sink.push(worker, &run(&[span("process a")]), 1));
            assert_eq!(rig.flush(), Flush::Done, "{protocol:?}");

            let [received] = &collector.wait(1)[..] else { panic!("one request expected") };
            let request = received.decode();
            let expected = [
                ("shop".to_owned(), vec!["publish a".to_owned(), "publish b".into()]),
                ("worker".into(), vec!["process a".into()]),
            ];
            assert_eq!(names(&request), expected);
            let scope_spans = &request.resource_spans[1].scope_spans[0];
            assert_eq!(scope_spans.spans, [span("process a")]);
            assert_eq!(scope_spans.scope.as_ref().unwrap().name, SCOPE_NAME);
            assert_eq!(scope_spans.schema_url, SCHEMA_URL);

            let headers = &received.headers;
            let (path, content_type) = match protocol {
                Protocol::HttpProtobuf => ("/v1/traces", "application/x-protobuf"),
                Protocol::HttpJson => ("/v1/traces", "application/json"),
                Protocol::Grpc => (
                    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                    "application/grpc",
                ),
            };
            assert_eq!(
                (&*received.path, &headers["content-type"]),
                (path, &HeaderValue::from_static(content_type))
            );
            assert_eq!(headers["x-tenant"], "a");
            let agent = headers["user-agent"].to_str().unwrap();
            assert!(agent.contains("OTel-OTLP-Exporter-Rust/"), "{agent}");
            assert_eq!(rig.counters.spans_exported.get(), 3);
            assert_eq!(rig.counters.spans_dropped.total(), 0);
        }
    }
}

#[test]
fn a_full_batch_goes_out_by_itself_and_a_part_filled_one_when_flushed() {
    let collector = Collector::start(Protocol::HttpProtobuf, vec![], None);
    let rig = Rig::otlp(&collector.target());
    rig.push(&["a", "b", "c", "d", "e"]);
    let received = collector.wait(1);
    assert_eq!(names(&received[0].decode())[0].1, ["a", "b", "c", "d"]);
    assert_eq!(rig.flush(), Flush::Done);
    assert_eq!(names(&collector.wait(2)[1].decode())[0].1, ["e"]);
}

#[test]
fn a_partial_success_is_counted_and_not_sent_again() {
    for protocol in PROTOCOLS {
        let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "old".into() };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
        let bytes = answer.encode_to_vec();
        let answer = match protocol {
            Protocol::Grpc => Answer::grpc(0, &bytes),
            Protocol::HttpProtobuf => Answer::http(200).body(bytes),
            Protocol::HttpJson => Answer::http(200)
                .header("content-type", "application/json")
                .body(r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}}"#),
        };
        let collector = Collector::start(protocol, vec![answer], None);
        let rig = Rig::otlp(&collector.target());
        rig.push(&["a", "b", "c"]);
        assert_eq!(rig.flush(), Flush::Lost { spans: 2 }, "{protocol:?}");
        assert_eq!(rig.counters.spans_exported.get(), 1);
        assert_eq!(rig.counters.spans_dropped.rejected.get(), 2);
        assert_eq!(rig.counters.export_requests.get(), 1);
    }
}

#[test]
fn an_answer_that_cannot_be_understood_still_says_that_the_spans_were_taken() {
    let answer = Answer::http(200).header("content-type", "text/html").body("<html>");
    let collector = Collector::start(Protocol::HttpProtobuf, vec![answer], None);
    let rig = Rig::otlp(&collector.target());
    rig.push(&["a"]);
    assert_eq!(rig.flush(), Flush::Done);
    assert_eq!(rig.counters.export_requests.get(), 1);
}

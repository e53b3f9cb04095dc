//! The retry table against real connections.

use std::time::Duration;

use spanbridge::metrics::Counters;
use spanbridge::otlp::{Flush, Protocol, otlp_exporter};

use super::collector::{Answer, Collector, End, PATIENCE};
use super::delivery::PROTOCOLS;
use super::rig::{Rig, names, settings, wait_until};

/// `google.rpc.Status` with a `RetryInfo` of 1 ms, as the trailer carries it.
///
/// ```text
/// 08 08                                   code = 8
/// 1a nn                                   details: Any
///   0a 28 type.googleapis.com/…           type_url
///   12 06 0a 04 10 c0 84 3d               value: RetryInfo { retry_delay { nanos: 1 000 000 } }
/// ```
fn retry_info() -> String {
    let type_url = b"type.googleapis.com/google.rpc.RetryInfo";
    let value = [0x0a, 0x04, 0x10, 0xc0, 0x84, 0x3d];
    let mut any = vec![0x0a, u8::try_from(type_url.len()).unwrap()];
    any.extend_from_slice(type_url);
    any.extend_from_slice(&[0x12, u8::try_from(value.len()).unwrap()]);
    any.extend_from_slice(&value);
    let mut status = vec![0x08, 0x08, 0x1a, u8::try_from(any.len()).unwrap()];
    status.extend_from_slice(&any);
    base64(&status)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit =
        |group: u32, place: u32| char::from(DIGITS[(group >> (18 - 6 * place)) as usize & 63]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(*chunk.get(index).unwrap_or(&0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.extend((0..=u32::try_from(chunk.len()).unwrap()).map(|place| digit(group, place)));
    }
    text
}

type Count = fn(&Counters) -> u64;

#[test]
fn what_may_pass_is_sent_again_unchanged() {
    use Protocol::{Grpc, HttpJson, HttpProtobuf};
    let retries: [Count; 3] = [
        |c| c.export_retries.unavailable.get(),
        |c| c.export_retries.throttled.get(),
        |c| c.export_retries.connection.get(),
    ];
    let [unavailable, throttled, connection] = retries;
    let grpc = |code| Answer::grpc(code, b"");
    let exhausted = || grpc(8).trailer("grpc-status-details-bin", retry_info());
    let cases: Vec<(&str, Protocol, Answer, Count)> = vec![
        ("502", HttpProtobuf, Answer::http(502), unavailable),
        ("503 with a delay", HttpJson, Answer::http(503).header("retry-after", "0"), unavailable),
        (
            "503 with a hanging body",
            HttpProtobuf,
            Answer::http(503).body("…").end(End::Hangs),
            unavailable,
        ),
        ("504", HttpProtobuf, Answer::http(504), unavailable),
        ("429", HttpProtobuf, Answer::http(429), throttled),
        ("no answer", HttpProtobuf, Answer::close(), connection),
        (
            "half an answer",
            HttpProtobuf,
            Answer::http(200).header("content-length", "9").body("half").end(End::Broken),
            connection,
        ),
        (
            "half a chunked answer",
            HttpJson,
            Answer::http(200).body("half").end(End::Broken),
            connection,
        ),
        ("UNAVAILABLE", Grpc, grpc(14), unavailable),
        ("CANCELLED", Grpc, grpc(1), unavailable),
        ("RESOURCE_EXHAUSTED with RetryInfo", Grpc, exhausted(), throttled),
        ("HTTP 503 instead of gRPC", Grpc, Answer::http(503), unavailable),
        ("half a gRPC answer", Grpc, Answer::grpc(0, b"").end(End::Broken), connection),
        ("a gRPC stream reset", Grpc, Answer::close(), connection),
    ];
    for (what, protocol, answer, count) in cases {
        let collector = Collector::start(protocol, vec![answer], None);
        let rig = Rig::otlp(&collector.target());
        rig.push(&["a", "b"]);
        assert_eq!(rig.flush(), Flush::Done, "{what}");
        assert_eq!(rig.counters.export_requests.get(), 2, "{what}");
        let received = collector.wait(2);
        assert_eq!(received.len(), 2, "{what}");
        assert_eq!(received[0].body, received[1].body, "{what}");
        assert_eq!((rig.counters.spans_exported.get(), count(&rig.counters)), (2, 1), "{what}");
        assert_eq!(rig.counters.export_retries.total(), 1, "{what}");
    }
}

#[test]
fn what_will_not_pass_is_dropped_at_once_and_the_next_batch_is_sent() {
    use Protocol::{Grpc, HttpProtobuf};
    let http = |status| (format!("{status}"), HttpProtobuf, Answer::http(status));
    let grpc = |code| (format!("gRPC {code}"), Grpc, Answer::grpc(code, b""));
    let mut cases = vec![
        ("a redirect".into(), HttpProtobuf, Answer::http(308).header("location", "/elsewhere")),
        ("a large answer".into(), HttpProtobuf, Answer::http(200).body(vec![0; 5 << 20])),
        ("a large gRPC answer".into(), Grpc, Answer::grpc(0, &vec![0; 5 << 20])),
        ("a 404 instead of gRPC".into(), Grpc, Answer::http(404)),
    ];
    cases.extend([400, 401, 404, 408, 413, 500, 501].map(http));
    cases.extend([2, 3, 5, 6, 7, 8, 9, 12, 13, 16].map(grpc));
    for (what, protocol, answer) in cases {
        let collector = Collector::start(protocol, vec![answer], None);
        let rig = Rig::otlp(&collector.target());
        rig.push(&["lost", "too"]);
        assert_eq!(rig.flush(), Flush::Lost { spans: 2 }, "{what}");
        rig.push(&["kept"]);
        assert_eq!(rig.flush(), Flush::Done, "{what}");
        let received = collector.wait(2);
        assert_eq!(received.len(), 2, "{what}");
        assert_eq!(names(&received[1].decode())[0].1, ["kept"], "{what}");
        assert_eq!(rig.counters.spans_dropped.non_retryable.get(), 2, "{what}");
        assert_eq!(rig.counters.export_retries.total(), 0, "{what}");
    }
}

#[test]
fn a_receivers_delay_is_waited_for() {
    let answer = Answer::http(429).header("retry-after", "1");
    let collector = Collector::start(Protocol::HttpProtobuf, vec![answer], None);
    let rig = Rig::otlp(&collector.target());
    rig.push(&["a"]);
    assert_eq!(rig.flush(), Flush::Done);
    let received = collector.wait(2);
    // A lower bound: a slow machine only makes it longer.
    assert!(received[1].at - received[0].at >= Duration::from_secs(1));
}

#[test]
fn a_receiver_that_does_not_answer_is_tried_again_after_the_request_timeout() {
    for protocol in PROTOCOLS {
        let silent = Answer::http(200).end(End::Hangs);
        let silent = silent.header("content-type", "application/grpc");
        let collector = Collector::start(protocol, vec![silent], None);
        let mut settings = settings();
        settings.request_timeout = Duration::from_millis(300);
        let rig = Rig::new(otlp_exporter(&collector.target()).unwrap(), settings);
        rig.push(&["a"]);
        assert_eq!(rig.flush(), Flush::Done, "{protocol:?}");
        assert!(rig.counters.export_retries.timeout.get() >= 1, "{protocol:?}");
    }
}

#[test]
fn while_the_receiver_is_down_retries_end_and_the_queue_overflows_by_count() {
    for protocol in PROTOCOLS {
        // Bound and closed again: nothing listens there.
        let address = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let mut target = Collector::start(protocol, vec![], None).target();
        target.endpoint = super::collector::endpoint(protocol, &format!("http://{address}"));
        let mut settings = settings();
        settings.queue.queue_spans_max = 8;
        settings.retry.attempts_max = 3;
        settings.retry.backoff_first = PATIENCE;
        settings.retry.backoff_max = Duration::from_millis(200);
        let rig = Rig::new(otlp_exporter(&target).unwrap(), settings);
        wait_until("the queue is full", || !rig.push(&["a", "b", "c", "d"]));
        assert_eq!(rig.counters.spans_dropped.queue_full.get(), 4, "{protocol:?}");
        let accepted = rig.counters.spans_queued.get();
        assert_eq!(rig.flush(), Flush::Lost { spans: accepted }, "{protocol:?}");
        assert_eq!(rig.counters.spans_dropped.retries_exhausted.get(), accepted);
        assert!(rig.counters.export_failures.connection.get() >= 3, "{protocol:?}");
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_span() {
    for protocol in PROTOCOLS {
        let script = vec![Answer::close(), Answer::close(), Answer::close()];
        let collector = Collector::start(protocol, script, None);
        let rig = Rig::otlp(&collector.target());
        for name in ["a", "b"] {
            rig.push(&[name]);
            assert_eq!(rig.flush(), Flush::Done, "{protocol:?}");
        }
        assert_eq!(rig.counters.spans_exported.get(), 2, "{protocol:?}");
    }
}

//! The picture of the demo, drawn from requests as they are exported.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use spanbridge_gateway::demo::trace::{DEPTH_MAX, ROWS_MAX, Traces};
use spanbridge_gateway::demo::waterfall::{Style, draw};

const PLAIN: Style = Style { columns: 80, colour: false, unicode: true };
const ASCII: Style = Style { unicode: false, ..PLAIN };

/// A span: trace, id, parent (0: none), name, start and end in milliseconds.
fn span(trace: u8, id: u8, parent: u8, name: &str, start: u64, end: u64) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: name.to_owned(),
        kind: SpanKind::Consumer.into(),
        start_time_unix_nano: start * 1_000_000,
        end_time_unix_nano: end * 1_000_000,
        ..Span::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn wait(trace: u8, id: u8, parent: u8, start: u64, end: u64) -> Span {
    let attributes = vec![text("spanbridge.queue_wait", "0.2")];
    let kind = SpanKind::Internal.into();
    Span { kind, attributes, ..span(trace, id, parent, "wait orders", start, end) }
}

/// A request with the spans of one service.
fn request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource =
        Resource { attributes: vec![text("service.name", service)], ..Resource::default() };
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![spans] }
}

/// Children before parents, and the services apart: the order in which spans come.
fn demo() -> Traces {
    Traces::of(&[
        request("shop", vec![span(1, 2, 1, "publish orders", 5, 6)]),
        request("billing", vec![wait(1, 3, 2, 6, 206), span(1, 5, 4, "db.query", 241, 301)]),
        request("billing", vec![span(1, 4, 2, "process orders", 206, 346)]),
        request("shop", vec![span(1, 1, 0, "POST /orders", 0, 12)]),
    ])
}

#[test]
fn one_trace_is_drawn_as_a_tree_with_the_wait_apart() {
    let expected = "\
trace 01010101010101010101010101010101   2 services, 5 spans, 346.0 ms

shop     POST /orders          █                                         12.0 ms
shop     └─ publish orders     █                                          1.0 ms
…           ├─ wait orders     ░░░░░░░░░░░░░░░░░░░░░░░                  200.0 ms
billing     └─ process orders                         ████████████████  140.0 ms
billing        └─ db.query                                ██████         60.0 ms

█ work   ░ queue wait

";
    assert_eq!(draw(&demo(), &PLAIN), expected);
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let drawn = draw(&demo(), &ASCII);
    assert!(drawn.is_ascii(), "{drawn}");
    assert!(drawn.contains("`- db.query") && drawn.contains("# work   . queue wait"), "{drawn}");
}

#[test]
fn colours_go_around_bars_and_nowhere_else() {
    let colour = Style { colour: true, ..PLAIN };
    let drawn = draw(&demo(), &colour);
    assert!(drawn.contains("\x1b[36m█\x1b[0m") && drawn.contains("\x1b[2m░"), "{drawn}");
    let mut plain = drawn;
    for code in ["36", "33", "2", "1", "0"] {
        plain = plain.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(plain, draw(&demo(), &PLAIN));
}

#[test]
fn lines_are_as_wide_as_the_terminal() {
    for (columns, expected) in [(60, 60), (80, 80), (100, 100), (500, 140), (0, 60)] {
        let drawn = draw(&demo(), &Style { columns, ..PLAIN });
        let rows = drawn.lines().filter(|line| line.ends_with("ms") && !line.starts_with("trace"));
        for row in rows {
            assert_eq!(row.chars().count(), expected, "{row}");
        }
    }
}

#[test]
fn two_traces_share_one_scale() {
    let traces = Traces::of(&[
        request("billing", vec![span(2, 1, 0, "process orders", 50, 100)]),
        request("shop", vec![span(1, 1, 0, "POST /orders", 0, 50)]),
    ]);
    let drawn = draw(&traces, &PLAIN);
    let rows: Vec<&str> = drawn.lines().filter(|line| line.contains('█')).collect();
    let [shop, billing] = rows[..] else { panic!("two rows in\n{drawn}") };
    assert!(shop.starts_with("shop") && billing.starts_with("billing"), "{drawn}");
    let before = |row: &str| row.chars().take_while(|&sign| sign != '█').count();
    let bar = |row: &str| row.chars().filter(|&sign| sign == '█').count();
    assert_eq!(before(shop) + bar(shop), before(billing), "{drawn}");
    assert!(!drawn.contains("queue wait"), "nothing waited:\n{drawn}");
}

#[test]
fn whatever_is_exported_can_be_drawn() {
    let chain = |length: u8| (1..=length).map(|id| span(1, id, id - 1, "deep", 0, 1)).collect();
    let many = (0..=ROWS_MAX).map(|_| span(1, 1, 0, "same id", 0, 1)).collect();
    let nameless = Span::default();
    let backwards = span(1, 1, 0, "ends before it starts", 9, 3);
    let far = Span { end_time_unix_nano: u64::MAX, ..span(1, 1, 0, "far", 0, 0) };
    let control = span(1, 1, 0, "\x1b[31mred\u{7}\n", 0, 1);
    for (spans, expected) in [
        (Vec::new(), ""),
        (vec![span(1, 1, 9, "orphan", 0, 1)], "orphan"),
        (vec![span(1, 1, 1, "own parent", 0, 1)], "own parent"),
        (vec![span(1, 1, 2, "circle a", 0, 1), span(1, 2, 1, "circle b", 0, 1)], "circle b"),
        (vec![nameless], "1 span,"),
        (vec![backwards], "0 µs"),
        (vec![far], "far"),
        (vec![control], "?[31mred??"),
        (many, "and 1 more spans"),
        (chain(200), "200 spans"),
    ] {
        let drawn = draw(&Traces::of(&[request("shop", spans)]), &PLAIN);
        assert!(drawn.contains(expected), "{expected:?} in\n{drawn}");
        assert!(!drawn.contains('\x1b'), "{drawn:?}");
    }
    let deep = Traces::of(&[request("shop", chain(200))]);
    assert!(deep.iter().all(|trace| trace.rows.iter().all(|row| row.follows.len() <= DEPTH_MAX)));
}

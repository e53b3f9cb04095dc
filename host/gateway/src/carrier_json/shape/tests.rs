use serde_json::json;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn a_carrier_is_an_array_of_pairs_or_an_object() {
    let expected = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
    for good in [json!([["a", "1"], ["b", "2"]]), json!({"b": "2", "a": "1"})] {
        assert_eq!(carrier(&good), Ok(expected.clone()), "{good}");
    }
    for (bad, fault) in [
        (json!(7), "carrier: expected an array of pairs or an object, found the number 7"),
        (
            json!([["a"]]),
            "carrier[0]: expected an array of a name and a value, found an array of 1",
        ),
        (json!([["a", 7]]), "carrier[0][1]: expected a string, found the number 7"),
        (json!([["a", "1"], [null, "1"]]), "carrier[1][0]: expected a string, found nothing"),
        (json!({"a": ["1"]}), "carrier[\"a\"]: expected a string, found an array of 1"),
    ] {
        assert_eq!(carrier(&bad), Err(Fault(fault.to_owned())));
    }
}

#[test]
fn a_context_goes_out_as_it_came_in() {
    for shape in [
        json!({"trace_id": TRACE, "span_id": SPAN, "flags": 3, "tracestate": "a=1,b@x=2",
            "baggage": [{"key": "k", "value": "v w", "properties": [["p", "v"], ["q", null]]}]}),
        json!({"trace_id": TRACE, "span_id": SPAN, "flags": 1, "tracestate": "", "baggage": [],
            "debug": true}),
        json!({"trace_id": TRACE, "span_id": SPAN, "flags": 0, "tracestate": "", "baggage": [],
            "deferred": true}),
        json!({"baggage": [{"key": "k", "value": "", "properties": []}]}),
    ] {
        let read = context(&shape).unwrap().unwrap();
        assert_eq!(serde_json::to_value(JsonContext::from(read)).unwrap(), shape);
    }
}

#[test]
fn what_is_missing_is_empty_and_what_is_unknown_is_ignored() {
    let read = context(&json!({"trace_id": TRACE, "span_id": SPAN, "sampled": true})).unwrap();
    let trace = read.unwrap().trace.unwrap();
    assert_eq!((trace.trace_hi, trace.trace_lo), (0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736));
    assert_eq!((trace.span_id, trace.trace_flags), (0x00f0_67aa_0ba9_02b7, 0));
    assert_eq!(context(&json!(null)), Ok(None));
    assert_eq!(context(&json!({})), Ok(Some(CarrierContext::default())));
}

#[test]
fn a_context_that_is_none_says_where_and_why() {
    let with = |name: &str, value: Value| {
        let mut context = json!({"trace_id": TRACE, "span_id": SPAN});
        context[name] = value;
        context
    };
    for (bad, place) in [
        (json!([]), "context:"),
        (json!({"trace_id": TRACE}), "context.span_id:"),
        (json!({"span_id": SPAN}), "context.trace_id:"),
        (with("trace_id", json!("xyz")), "context.trace_id:"),
        (with("trace_id", json!(format!("+{}", &TRACE[1..]))), "context.trace_id:"),
        (with("trace_id", json!("0".repeat(32))), "context.trace_id:"),
        (with("trace_id", json!(7)), "context.trace_id:"),
        (with("span_id", json!(TRACE)), "context.span_id:"),
        (with("flags", json!(256)), "context.flags:"),
        (with("flags", json!("01")), "context.flags:"),
        (with("tracestate", json!(["a=1"])), "context.tracestate:"),
        (with("debug", json!(1)), "context.debug:"),
        (with("baggage", json!({"a": "1"})), "context.baggage:"),
        (with("baggage", json!(["a=1"])), "context.baggage[0]:"),
        (with("baggage", json!([{"key": "a"}])), "context.baggage[0].value:"),
        (
            with("baggage", json!([{"key": "a", "value": "1", "properties": [["p"]]}])),
            "context.baggage[0].properties[0]:",
        ),
    ] {
        let Fault(fault) = context(&bad).unwrap_err();
        assert!(fault.starts_with(place) && fault.contains("expected"), "{fault} of {bad}");
    }
}

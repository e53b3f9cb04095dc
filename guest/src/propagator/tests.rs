use alloc::string::String;

use super::*;
use crate::carrier::field_of_name;

const W3C: (&str, &str) =
    ("traceparent", "00-11111111111111111111111111111111-1111111111111111-03");
const B3: (&str, &str) = ("b3", "22222222222222222222222222222222-2222222222222222-d");
const JAEGER: (&str, &str) =
    ("uber-trace-id", "33333333333333333333333333333333:3333333333333333:0:0");

fn propagators(list: &str) -> Propagators {
    Propagators::parse(list, |word| panic!("unknown {word}"))
}

fn extract(list: &str, carrier: &[(&str, &str)]) -> Option<Context> {
    let entries: Vec<_> = carrier
        .iter()
        .filter_map(|(name, value)| {
            let (field, key) = field_of_name(name.as_bytes())?;
            Some(Entry { field, key, value: value.as_bytes() })
        })
        .collect();
    propagators(list).extract(&entries)
}

fn inject(list: &str, context: &Context) -> Vec<String> {
    let mut lines = Vec::new();
    propagators(list).inject(context, &mut |field, key, value| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        lines.push(alloc::format!("{}{}: {}", field.name(), text(key), text(value)));
    });
    lines
}

fn first_digit(context: &Context) -> u64 {
    context.trace.as_ref().unwrap().trace_id.hi >> 60
}

#[test]
fn a_list_keeps_its_order_and_loses_repetitions() {
    let table: [(&str, &[Propagator]); 5] = [
        ("", &[]),
        ("none", &[]),
        ("baggage,tracecontext", &[Propagator::Baggage, Propagator::TraceContext]),
        (" B3 ,,b3multi,b3", &[Propagator::B3, Propagator::B3Multi]),
        ("none,jaeger,xray,ottrace", &[Propagator::Jaeger, Propagator::XRay, Propagator::OtTrace]),
    ];
    for (list, expected) in table {
        assert_eq!(propagators(list).as_slice(), expected, "{list}");
    }
}

#[test]
fn unknown_words_are_handed_over_and_left_out() {
    let mut words = Vec::new();
    let list = Propagators::parse("tracecontext,w3c,b3 multi", |word| words.push(word.to_owned()));
    assert_eq!(list.as_slice(), [Propagator::TraceContext]);
    assert_eq!(words, ["w3c", "b3 multi"]);
}

#[test]
fn the_last_format_with_a_valid_span_wins_whole() {
    let all = [W3C, ("tracestate", "a=1"), B3, JAEGER];
    let b3_last = extract("jaeger,tracecontext,b3", &all).unwrap();
    assert_eq!((first_digit(&b3_last), b3_last.debug), (2, true));
    assert_eq!(b3_last.trace.unwrap().tracestate, "");

    let w3c_last = extract("b3,tracecontext", &all).unwrap();
    assert_eq!((first_digit(&w3c_last), w3c_last.debug), (1, false));
    assert_eq!(w3c_last.trace.unwrap().tracestate, "a=1");

    let jaeger_missing = extract("tracecontext,jaeger", &[W3C]).unwrap();
    assert_eq!(first_digit(&jaeger_missing), 1);
}

#[test]
fn the_last_format_with_baggage_wins_whatever_span_was_taken() {
    let carrier = [W3C, ("baggage", "a=1"), ("uberctx-B", "2"), ("uberctx-", "3")];
    let context = extract("jaeger,baggage,tracecontext", &carrier).unwrap();
    assert_eq!(context.baggage, [Member::new("a".into(), "1".into())]);
    let context = extract("baggage,jaeger,tracecontext", &carrier).unwrap();
    assert_eq!(context.baggage, [Member::new("b".into(), "2".into())]);
}

#[test]
fn baggage_alone_is_a_context_without_a_span_and_nothing_is_none() {
    let context = extract("tracecontext,baggage", &[("Baggage", "a=1")]).unwrap();
    assert_eq!(context.trace, None);
    assert_eq!(inject("tracecontext,baggage,b3", &context), ["baggage: a=1"]);
    assert_eq!(extract("tracecontext,baggage", &[("baggage", "a"), ("tracestate", "a=1")]), None);
    assert_eq!(extract("none", &[W3C, B3]), None);
}

#[test]
fn ot_baggage_is_read_and_written_beside_a_span_only() {
    let baggage = ("ot-baggage-k", "v");
    assert_eq!(extract("ottrace", &[baggage]), None);
    let span = [
        ("ot-tracer-traceid", "4444444444444444"),
        ("ot-tracer-spanid", "4444444444444444"),
        baggage,
    ];
    let mut context = extract("ottrace", &span).unwrap();
    assert_eq!(context.baggage.len(), 1);
    assert_eq!(inject("ottrace", &context).len(), 4);
    context.trace = None;
    assert_eq!(inject("ottrace", &context), [""; 0]);
}

#[test]
fn an_empty_or_invalid_tracestate_is_not_written() {
    let mut context = extract("tracecontext", &[W3C]).unwrap();
    for tracestate in ["", " , ", "A=1", "a=1,b"] {
        context.trace.as_mut().unwrap().tracestate = tracestate.into();
        assert_eq!(inject("tracecontext", &context), [alloc::format!("{}: {}", W3C.0, W3C.1)]);
    }
    context.trace.as_mut().unwrap().tracestate = "a=1 , b=2".into();
    assert_eq!(inject("tracecontext", &context)[1], "tracestate: a=1,b=2");
}

#[test]
fn a_span_with_an_id_of_zeros_is_not_written() {
    let mut context = extract("tracecontext", &[W3C]).unwrap();
    context.trace.as_mut().unwrap().span_id.0 = 0;
    assert_eq!(inject("tracecontext,b3,b3multi,jaeger,xray,ottrace", &context), [""; 0]);
}

#[test]
fn every_field_that_is_written_is_announced_and_can_be_read() {
    let mut context = extract("b3", &[B3]).unwrap();
    context.trace.as_mut().unwrap().tracestate = "a=1".into();
    context.baggage.push(Member::new("k".into(), "v".into()));
    for propagator in Propagator::ALL {
        let mut list = Propagators::NONE;
        list.add(propagator);
        list.inject(&context, &mut |field, _, _| {
            assert!(list.writes().any(|written| written == field), "{propagator:?} {field:?}");
        });
        assert!(list.writes().all(|field| propagator.reads().contains(&field)));
    }
}

#[test]
fn never_a_parent_span_id_and_never_a_decision_beside_the_debug_flag() {
    let context = extract("b3", &[B3]).unwrap();
    let expected = [
        "x-b3-traceid: 22222222222222222222222222222222",
        "x-b3-spanid: 2222222222222222",
        "x-b3-flags: 1",
    ];
    assert_eq!(inject("b3multi", &context), expected);
}

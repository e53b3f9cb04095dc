//! Laws of the propagation codecs that hold for every input.

use proptest::collection::vec;
use proptest::prelude::*;
use spanbridge_guest::baggage::{self, Member};
use spanbridge_guest::carrier::{Carrier, Entry, field_of_name};
use spanbridge_guest::context::{Context, SpanContext};
use spanbridge_guest::field::Field;
use spanbridge_guest::id::{SpanId, TraceFlags, TraceId};
use spanbridge_guest::ot_sampling::{OtSampling, Threshold};
use spanbridge_guest::propagator::{Propagator, Propagators};
use spanbridge_guest::traceparent::Traceparent;
use spanbridge_guest::tracestate::{self, Tracestate};
use spanbridge_guest::{b3, env_carrier, jaeger, xray};

fn only(propagator: Propagator) -> Propagators {
    let mut propagators = Propagators::NONE;
    propagators.add(propagator);
    propagators
}

fn inject(propagators: Propagators, context: &Context) -> Vec<(Field, Vec<u8>, Vec<u8>)> {
    let mut written = Vec::new();
    propagators.inject(context, &mut |field, key, value| {
        written.push((field, key.to_vec(), value.to_vec()));
    });
    written
}

fn extract(propagators: Propagators, fields: &[(Field, Vec<u8>, Vec<u8>)]) -> Option<Context> {
    let entries: Vec<_> =
        fields.iter().map(|(field, key, value)| Entry { field: *field, key, value }).collect();
    propagators.extract(&entries)
}

/// What is left of `context` after a trip through the format.
fn carried(propagator: Propagator, context: &Context) -> Option<Context> {
    let mut left = context.clone();
    let span = left.trace.as_mut()?;
    if propagator != Propagator::TraceContext {
        span.tracestate.clear();
        span.flags = TraceFlags::from_bits(span.flags.bits() & TraceFlags::SAMPLED);
    }
    match propagator {
        Propagator::TraceContext | Propagator::XRay => {
            (left.debug, left.deferred) = (false, false);
        }
        Propagator::Baggage => {
            left = Context { baggage: left.baggage, ..Context::default() };
        }
        Propagator::Jaeger => left.deferred = false,
        Propagator::OtTrace => {
            span.trace_id.hi = 0;
            (left.debug, left.deferred) = (false, false);
        }
        Propagator::B3 | Propagator::B3Multi => {}
    }
    match propagator {
        Propagator::Baggage => {}
        Propagator::Jaeger | Propagator::OtTrace => {
            for member in &mut left.baggage {
                member.properties.clear();
            }
        }
        _ => left.baggage.clear(),
    }
    (left.trace.is_some() || !left.baggage.is_empty()).then_some(left)
}

/// Bytes that are often nearly right: pieces of the formats, between arbitrary ones.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "00",
        "-",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        "01",
        ":",
        "0",
        ";",
        ",",
        "=",
        "%",
        "%41",
        "Root=1-",
        "Parent=",
        "Sampled=1",
        "key",
        " ",
        "\t",
        "ot=th:8",
        "rv:",
        "d",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn tracestate() -> impl Strategy<Value = String> {
    vec("[a-z0-9][a-z0-9_*/@-]{0,20}=[ -+\\--<>-~]{0,40}[!-+\\--<>-~]", 0..=32)
        .prop_map(|members| members.join(","))
}

/// Distinct lower-case keys, and values that also fit a field as they are: what the least of the
/// formats with baggage can carry.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let property = ("[a-zA-Z!#$%&'*+.^_`|~-]{1,4}", prop::option::of(any::<String>()));
    let member = ("[a-z]{1,8}", "([!-~é€]([ -~é€]{0,20}[!-~é€])?)?", vec(property, 0..3));
    vec(member, 0..5).prop_map(|members| {
        let mut distinct = Vec::new();
        for (key, value, properties) in members {
            baggage::put(&mut distinct, Member { key, value, properties });
        }
        distinct
    })
}

fn context() -> impl Strategy<Value = Context> {
    let ids = (any::<u64>(), 1..=u64::MAX, 1..=u64::MAX);
    (ids, 0..4u8, 0..3u8, tracestate(), members()).prop_map(
        |((hi, lo, span_id), flags, mark, tracestate, baggage)| {
            // Debug implies sampled and deferred excludes it.
            let flags = match mark {
                1 => flags | TraceFlags::SAMPLED,
                2 => flags & !TraceFlags::SAMPLED,
                _ => flags,
            };
            Context {
                trace: Some(SpanContext {
                    trace_id: TraceId { hi, lo },
                    span_id: SpanId(span_id),
                    flags: TraceFlags::from_bits(flags),
                    tracestate,
                }),
                baggage,
                debug: mark == 1,
                deferred: mark == 2,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_codec_panics_on_any_bytes(bytes in prop_oneof![nearly(), vec(any::<u8>(), 0..600)]) {
        let mut out = Vec::new();
        let _ = field_of_name(&bytes);
        let _ = b3::parse(&bytes);
        let _ = jaeger::parse(&bytes);
        let _ = xray::parse(&bytes);
        let _ = baggage::parse([&bytes[..], &bytes].into_iter());
        let list = Tracestate::parse([&bytes[..], &bytes]);
        let _ = list.get(&bytes);
        list.write_with(&mut out, &bytes, &bytes);
        list.write_without(&mut out, &bytes);
        OtSampling::parse(&bytes).write(&mut out);
        let name = env_carrier::normalize(&String::from_utf8_lossy(&bytes));
        prop_assert!(env_carrier::is_normalized(&name));
        for field in Field::ALL {
            let entries = [Entry { field, key: &bytes, value: &bytes }; 2];
            for propagator in Propagator::ALL {
                let _ = only(propagator).extract(&entries);
                let _ = only(propagator).extract(&entries[..1]);
            }
        }
    }

    #[test]
    fn a_traceparent_that_is_read_is_written_as_it_was(bytes in nearly()) {
        if let Some(read) = Traceparent::parse(&bytes) {
            let written = read.format();
            prop_assert_eq!(Traceparent::parse(&written), Some(read));
            prop_assert_eq!(&written[3..52], &bytes[3..52]);
        }
    }

    #[test]
    fn each_format_gives_back_what_it_can_carry(context in context()) {
        for propagator in Propagator::ALL {
            let written = inject(only(propagator), &context);
            let expected = carried(propagator, &context);
            prop_assert_eq!(extract(only(propagator), &written), expected, "{:?}", propagator);
        }
    }

    #[test]
    fn baggage_that_is_read_is_written_the_same_from_then_on(bytes in nearly()) {
        let members = baggage::parse([&bytes[..]].into_iter());
        let written = baggage::format(&members);
        prop_assert!(written.len() <= baggage::BYTES_MAX);
        prop_assert_eq!(baggage::parse([&written[..]].into_iter()), members);
    }

    #[test]
    fn no_written_field_can_break_out_of_its_line(context in context(), evil in any::<String>()) {
        let mut context = context;
        context.baggage.push(Member::new("evil".into(), evil.clone()));
        context.baggage.push(Member::new(evil, "evil".into()));
        for propagator in Propagator::ALL {
            for (_, key, value) in inject(only(propagator), &context) {
                let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
                prop_assert!(!key.iter().chain(&value).any(control));
            }
        }
    }

    #[test]
    fn a_member_goes_first_and_the_rest_is_a_part_of_the_list_in_order(
        list in tracestate(), key in "[a-z]{1,3}", value in "[!-+]{1,200}",
    ) {
        let before = Tracestate::parse([list.as_bytes()]);
        let mut out = Vec::new();
        prop_assert!(before.write_with(&mut out, key.as_bytes(), value.as_bytes()));
        prop_assert!(out.len() <= tracestate::WRITTEN_BYTES_MAX);
        let after = Tracestate::parse([&out[..]]);
        let mut members = after.members();
        prop_assert_eq!(members.next(), Some((key.as_bytes(), value.as_bytes())));
        let mut rest = before.members();
        for member in members {
            prop_assert_ne!(member.0, key.as_bytes());
            prop_assert!(rest.any(|other| other == member));
        }
    }

    #[test]
    fn values_of_one_field_read_like_their_combination(
        first in nearly(), second in nearly(),
    ) {
        let combined = [&first[..], b",", &second].concat();
        let entry = |value| Entry { field: Field::Baggage, key: b"", value };
        let (apart, joined) = ([entry(&first[..]), entry(&second)], [entry(&combined)]);
        let read = |entries| only(Propagator::Baggage).extract_baggage(Carrier::new(entries));
        prop_assert_eq!(read(&apart), read(&joined));
    }

    #[test]
    fn a_threshold_is_as_near_to_its_probability_as_four_digits_allow(
        probability in 1e-9..=1.0f64,
    ) {
        let threshold = Threshold::from_probability(probability).unwrap();
        prop_assert!((threshold.probability() / probability - 1.0).abs() < 1e-3);
    }
}

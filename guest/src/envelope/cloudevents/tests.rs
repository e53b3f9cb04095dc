use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::envelope::BODY_BYTES_MAX;

const MEMBERS: [(&str, &str); 4] = [
    ("specversion", r#""1.0""#),
    ("id", r#""a234""#),
    ("source", r#""/shop""#),
    ("type", r#""order.placed""#),
];

/// An event with the value of one member changed; no value: without it.
fn event(changed: &str, value: Option<&str>) -> String {
    let members = MEMBERS.iter().filter_map(|&(name, usual)| {
        let value = if name == changed { value? } else { usual };
        Some(format!(r#""{name}":{value}"#))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn with(more: &str) -> String {
    event("type", Some(&format!(r#""t",{more}"#)))
}

fn look(body: &str) -> Option<Found<'_>> {
    scan(body.as_bytes(), BODY_BYTES_MAX)
}

fn splice(body: &str, set: &[(&str, &[u8])], remove: &[&str]) -> Option<String> {
    let splices = look(body)?.splice(set, remove)?;
    Some(String::from_utf8(splices.apply(body.as_bytes())).unwrap())
}

#[test]
fn what_is_demanded_has_to_be_there_with_its_type() {
    assert!(look(&event("", None)).is_some());
    for (name, _) in MEMBERS {
        assert!(look(&event(name, None)).is_none(), "{name}");
        for value in ["null", r#""x""#, r#""""#, "[]", "{}", "1.0", "true"] {
            let fits = value == r#""x""# && name != "specversion";
            assert_eq!(look(&event(name, Some(value))).is_some(), fits, "{name}: {value}");
        }
    }
    for version in [r#""0.3""#, r#""1.0.1""#, r#""1""#, r#""1.1""#] {
        assert!(look(&event("specversion", Some(version))).is_none(), "{version}");
    }
    assert!(look(&event("specversion", Some(r#""1\u002e0""#))).is_some());
    assert!(look(&with(r#""id":"b""#)).is_none());
    assert!(look(&format!("[{}]", event("", None))).is_none(), "a batch");
}

#[test]
fn an_event_says_its_id() {
    let body = event("id", Some(r#""\u0061b""#));
    let found = look(&body).unwrap();
    assert_eq!((found.message_id(), found.job_name()), (&b"ab"[..], &b""[..]));
}

#[test]
fn the_two_attributes_of_the_extension_are_written_and_no_others() {
    let set: [(&str, &[u8]); 4] =
        [("b3", b"0"), ("traceparent", b"00-a"), ("tracestate", b"a=b"), ("uber-trace-id", b"1")];
    let body = with(r#""data":{"n":1.50}"#);
    let expected = with(r#""data":{"n":1.50},"traceparent":"00-a","tracestate":"a=b""#);
    assert_eq!(splice(&body, &set, &[]).unwrap(), expected);
    assert_eq!(splice(&expected, &set, &[]).unwrap(), expected);
    assert_eq!(splice(&body, &set[..1], &[]).unwrap(), body);
    assert_eq!(splice(&expected, &[], &["traceparent", "TraceState"]).unwrap(), body);
}

#[test]
fn baggage_is_an_attribute_like_any_other() {
    for value in [r#""k=v""#, "3", "{}"] {
        let body = with(&format!(r#""baggage":{value}"#));
        assert_eq!(look(&body).unwrap().entries().count(), 0);
        assert_eq!(splice(&body, &[("baggage", b"x")], &["baggage"]).unwrap(), body);
    }
    assert!(look(&with(r#""traceparent":3"#)).is_none());
}

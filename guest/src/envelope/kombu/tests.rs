use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::envelope::{BODY_BYTES_MAX, ENTRIES_MAX};

const MEMBERS: [(&str, &str); 5] = [
    ("body", r#""""#),
    ("content-encoding", r#""utf-8""#),
    ("content-type", r#""application/json""#),
    ("headers", r#"{}"#),
    ("properties", r#"{"delivery_info":{},"delivery_tag":"t"}"#),
];

/// A message with the value of one member changed; no value: without it.
fn message(changed: &str, value: Option<&str>) -> String {
    let members = MEMBERS.iter().filter_map(|&(name, usual)| {
        let value = if name == changed { value? } else { usual };
        Some(format!(r#""{name}": {value}"#))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn with_headers(headers: &str) -> String {
    message("headers", Some(headers))
}

fn look(body: &str) -> Option<Found<'_>> {
    scan(body.as_bytes(), BODY_BYTES_MAX)
}

fn edited(headers: &str, set: &[(&str, &[u8])], remove: &[&str]) -> Option<String> {
    let body = with_headers(headers);
    let splices = look(&body)?.splice(set, remove)?;
    Some(String::from_utf8(splices.apply(body.as_bytes())).unwrap())
}

#[test]
fn what_is_demanded_has_to_be_there() {
    assert!(look(&message("", None)).is_some());
    for (name, _) in MEMBERS {
        assert!(look(&message(name, None)).is_none(), "{name}");
    }
    for properties in ["{}", r#"{"delivery_info":{}}"#, r#"{"delivery_tag":"t"}"#] {
        assert!(look(&message("properties", Some(properties))).is_none(), "{properties}");
    }
}

#[test]
fn what_is_demanded_has_to_have_its_type() {
    let nullable = |name| matches!(name, "content-encoding" | "content-type");
    for (name, usual) in MEMBERS {
        for value in ["null", r#""x""#, "[]", "{}", "7", "true"] {
            let fits = (value == "null" && nullable(name))
                || (value.starts_with('"') && usual.starts_with('"'))
                || (value == "{}" && name == "headers");
            assert_eq!(look(&message(name, Some(value))).is_some(), fits, "{name}: {value}");
        }
    }
    let table = [("7", "{}"), ("null", "{}"), (r#""\ud800""#, "{}"), (r#""t""#, "[]")];
    for (tag, info) in table {
        let properties = format!(r#"{{"delivery_tag":{tag},"delivery_info":{info}}}"#);
        assert!(look(&message("properties", Some(&properties))).is_none(), "{properties}");
    }
}

#[test]
fn a_name_that_is_looked_for_may_not_occur_twice() {
    let tag = r#"{"delivery_tag":"t","delivery_info":{},"delivery\u005ftag":"u"}"#;
    let bodies = [
        message("body", Some(r#""", "body": """#)),
        message("headers", Some(r#"{}, "headers": {}"#)),
        message("properties", Some(tag)),
        with_headers(r#"{"id":"a","id":"b"}"#),
        with_headers(r#"{"task":"a","x":1,"task":"b"}"#),
        with_headers(r#"{"traceparent":"a","Traceparent":"b"}"#),
    ];
    for body in bodies {
        assert!(look(&body).is_none(), "{body}");
    }
    assert!(look(&with_headers(r#"{"x":1,"x":2}"#)).is_some());
}

#[test]
fn the_message_says_what_it_is_called() {
    let said = |headers: &str, correlation_id: &str| {
        let properties = format!(
            r#"{{"delivery_tag":"\u0074","delivery_info":{{}},"correlation_id":{correlation_id}}}"#
        );
        let body = with_headers(headers).replace(MEMBERS[4].1, &properties);
        let found = look(&body).unwrap();
        assert_eq!(found.key(), b"t");
        [found.message_id(), found.conversation_id(), found.job_name()]
            .map(|said| String::from_utf8(said.to_vec()).unwrap())
    };
    assert_eq!(said(r#"{"id":"a","task":"m.f\u0028"}"#, r#""b""#), ["a", "b", "m.f("]);
    assert_eq!(said("{}", r#""b""#), ["b", "b", ""]);
    assert_eq!(said(r#"{"id":"a"}"#, "null"), ["a", "", ""]);
    assert_eq!(said(r#"{"id":7,"task":null}"#, "{}"), ["", "", ""]);
}

#[test]
fn headers_of_others_are_of_any_type_and_number() {
    let others: Vec<_> = (0..3 * ENTRIES_MAX).map(|n| format!(r#""h{n}":[{n},null]"#)).collect();
    let body = with_headers(&format!(
        r#"{{{},"baggage":"k=v","\ud800":{{}},"Traceparent":"a","traceparents":1}}"#,
        others.join(",")
    ));
    let found = look(&body).unwrap();
    let entries: Vec<_> = found.entries().map(|(name, _)| name.to_vec()).collect();
    assert_eq!(entries, [&b"baggage"[..], b"Traceparent"]);
}

#[test]
fn a_context_name_that_holds_something_else_is_somebody_elses() {
    for value in ["7", "true", "{}", r#"["a"]"#, r#""\udc00""#] {
        let body = with_headers(&format!(r#"{{"baggage":{value}}}"#));
        assert!(look(&body).is_none(), "{value}");
    }
    assert_eq!(look(&with_headers(r#"{"baggage":null}"#)).unwrap().entries().count(), 0);
}

#[test]
fn entries_change_among_the_headers_of_others() {
    type Set = &'static [(&'static str, &'static [u8])];
    let table: [(&str, Set, &[&str], &str); 9] = [
        ("{}", &[("b3", b"9")], &[], r#"{"b3":"9"}"#),
        ("{ }", &[("b3", b"9")], &[], r#"{"b3":"9" }"#),
        (r#"{"x": 1 }"#, &[("b3", b"9")], &[], r#"{"x": 1,"b3":"9" }"#),
        (r#"{"B3": "1", "x": 1}"#, &[("b3", b"9")], &[], r#"{"B3": "9", "x": 1}"#),
        (r#"{"x": 1 , "b3": "1" , "y": 2}"#, &[], &["b3"], r#"{"x": 1 , "y": 2}"#),
        (r#"{ "b3": "1" , "y": 2}"#, &[], &["b3"], r#"{ "y": 2}"#),
        (r#"{ "b3": "1" , "baggage": "1", "y": [] }"#, &[], &["b3", "baggage"], r#"{ "y": [] }"#),
        (r#"{"b3":"1" }"#, &[("traceparent", b"9")], &["b3"], r#"{"traceparent":"9" }"#),
        (r#"{"b3":"1","x":"1"}"#, &[], &["x"], r#"{"b3":"1","x":"1"}"#),
    ];
    for (headers, set, remove, expected) in table {
        let changed = edited(headers, set, remove);
        assert_eq!(changed, Some(with_headers(expected)), "{headers} {set:?} {remove:?}");
    }
}

#[test]
fn a_name_that_others_may_have_is_not_added() {
    assert_eq!(edited("{}", &[("x", b"9")], &[]), None);
    assert_eq!(edited(r#"{"x":1}"#, &[("b3", b"9"), ("x", b"9")], &[]), None);
    assert!(edited("{}", &[("uberctx-x", b"9")], &[]).is_some());
}

#[test]
fn entries_are_read_up_to_the_limit() {
    let with = |count: usize| {
        let list: Vec<_> = (0..count).map(|n| format!(r#""x":0,"uberctx-{n}":"v""#)).collect();
        with_headers(&format!("{{{}}}", list.join(",")))
    };
    assert!(look(&with(ENTRIES_MAX)).is_some());
    assert!(look(&with(ENTRIES_MAX + 1)).is_none());
    let body = with(1).to_string();
    assert!(scan(body.as_bytes(), body.len()).is_some());
    assert!(scan(body.as_bytes(), body.len() - 1).is_none());
}

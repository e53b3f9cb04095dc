use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::*;

fn look(body: &str) -> Option<Found<'_>> {
    scan(body.as_bytes(), FIELD, BODY_BYTES_MAX)
}

fn entries(found: &Found<'_>) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    found.entries().map(|(name, value)| (text(&name), text(&value))).collect()
}

fn edited(body: &str, set: &[(&str, &[u8])], remove: &[&str]) -> String {
    let splices = look(body).unwrap().splice(set, remove).unwrap();
    String::from_utf8(splices.apply(body.as_bytes())).unwrap()
}

#[test]
fn entries_are_read_in_order() {
    let body = r#"{"id":1,"_otel":{"traceparent":"00-a","x":null,"Baggage":"k=\u0076\"","":""}}"#;
    let found = look(body).unwrap();
    assert!(found.is_present());
    let expected = [("traceparent", "00-a"), ("Baggage", "k=v\""), ("", "")];
    assert_eq!(entries(&found), expected.map(|(a, b)| (a.to_string(), b.to_string())));
}

#[test]
fn an_object_without_the_field_can_be_given_one() {
    for body in ["{}", "{ }", r#"{"a":{"_otel":{}}}"#, r#"{"_OTEL":{}}"#, r#"{"a":"_otel"}"#] {
        let found = look(body).unwrap();
        assert!(!found.is_present(), "{body}");
        assert_eq!(entries(&found), []);
    }
}

#[test]
fn an_escaped_spelling_of_the_field_is_the_field() {
    let body = r#"{"_ot\u0065l":{"traceparent":"a"}}"#;
    assert!(look(body).unwrap().is_present());
    assert_eq!(
        edited(body, &[("traceparent", b"b")], &[]),
        r#"{"_ot\u0065l":{"traceparent":"b"}}"#
    );
}

#[test]
fn somebody_elses_use_of_the_name_is_left_alone() {
    let bodies = [
        r#"{"_otel":null}"#,
        r#"{"_otel":"00-a"}"#,
        r#"{"_otel":7}"#,
        r#"{"_otel":[]}"#,
        r#"{"_otel":[{"traceparent":"a"}]}"#,
        r#"{"_otel":true}"#,
        r#"{"_otel":{},"_otel":{}}"#,
        r#"{"_otel":{},"x":1,"_ot\u0065l":{}}"#,
        r#"{"_otel":1,"_otel":{}}"#,
        r#"{"_otel":{"a":1}}"#,
        r#"{"_otel":{"a":"x","b":{}}}"#,
        r#"{"_otel":{"a":["x"]}}"#,
        r#"{"_otel":{"a":true}}"#,
        r#"{"_otel":{"a":"\ud800"}}"#,
        r#"{"_otel":{"\udc00":"x"}}"#,
        r#"{"_otel":{"traceparent":"a","traceparent":"a"}}"#,
        r#"{"_otel":{"traceparent":"a","Traceparent":"b"}}"#,
        r#"{"_otel":{"traceparent":null,"tracep\u0061rent":"b"}}"#,
    ];
    for body in bodies {
        assert!(look(body).is_none(), "{body}");
    }
}

#[test]
fn half_a_surrogate_pair_elsewhere_does_not_matter() {
    for body in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#] {
        assert!(!look(body).unwrap().is_present(), "{body}");
    }
}

#[test]
fn bodies_are_read_up_to_the_limit() {
    let body = r#"{"a":1}"#;
    assert!(scan(body.as_bytes(), FIELD, body.len()).is_some());
    assert!(scan(body.as_bytes(), FIELD, body.len() - 1).is_none());
}

#[test]
fn entries_are_read_up_to_the_limit() {
    let with = |count: usize| {
        let list: Vec<_> = (0..count).map(|n| format!(r#""n{n}":"v""#)).collect();
        format!(r#"{{"_otel":{{{}}}}}"#, list.join(","))
    };
    let most = with(ENTRIES_MAX);
    let found = look(&most).unwrap();
    assert_eq!(found.entries().count(), ENTRIES_MAX);
    assert!(found.splice(&[("n0", b"w")], &[]).is_some());
    assert!(found.splice(&[("more", b"w")], &[]).is_none());
    assert!(look(&with(ENTRIES_MAX + 1)).is_none());
}

#[test]
fn names_of_entries_are_read_up_to_the_limit() {
    // Escapes count as they stand there: they are what takes time.
    for unit in ["n", r"\n", r"\u006e"] {
        let most = ENTRY_NAME_BYTES_MAX / unit.len();
        let with = |count: usize| format!(r#"{{"_otel":{{"{}":"v"}}}}"#, unit.repeat(count));
        assert!(look(&with(most)).is_some(), "{unit}");
        assert!(look(&with(most + 1)).is_none(), "{unit}");
    }
}

#[test]
fn a_missing_field_is_added_as_the_last_member() {
    let table = [
        ("{}", r#"{"_otel":{"traceparent":"a","tracestate":"b"}}"#),
        ("{ }", r#"{"_otel":{"traceparent":"a","tracestate":"b"} }"#),
        (r#"{"id":1}"#, r#"{"id":1,"_otel":{"traceparent":"a","tracestate":"b"}}"#),
        (
            " {\n  \"id\": 1.50\n}\n",
            " {\n  \"id\": 1.50,\"_otel\":{\"traceparent\":\"a\",\"tracestate\":\"b\"}\n}\n",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(edited(body, &[("traceparent", b"a"), ("tracestate", b"b")], &[]), expected);
    }
    let found = scan(b"{}", "tra\"ce", 9).unwrap();
    let splices = found.splice(&[("a\\", b"\n")], &[]).unwrap();
    assert_eq!(splices.apply(b"{}"), br#"{"tra\"ce":{"a\\":"\u000a"}}"#);
}

#[test]
fn entries_are_replaced_removed_and_added() {
    type Set = &'static [(&'static str, &'static [u8])];
    let table: [(&str, Set, &[&str], &str); 14] = [
        (r#"{}"#, &[("a", b"9")], &[], r#"{"a":"9"}"#),
        (r#"{ }"#, &[("a", b"9")], &["b"], r#"{"a":"9" }"#),
        (r#"{"a":"1"}"#, &[("a", b"9")], &[], r#"{"a":"9"}"#),
        (r#"{ "A" : "1" }"#, &[("a", b"9")], &[], r#"{ "A" : "9" }"#),
        (r#"{"a":null}"#, &[("a", b"9")], &[], r#"{"a":"9"}"#),
        (r#"{"a":"1"}"#, &[("b", b"9")], &[], r#"{"a":"1","b":"9"}"#),
        (r#"{"a":"1"}"#, &[("b", b"9")], &["a"], r#"{"b":"9"}"#),
        (r#"{"a":"1"}"#, &[], &["A"], r#"{}"#),
        (r#"{"a":"1" , "b":"2" , "c":"3"}"#, &[], &["a"], r#"{"b":"2" , "c":"3"}"#),
        (r#"{"a":"1" , "b":"2" , "c":"3"}"#, &[], &["b"], r#"{"a":"1" , "c":"3"}"#),
        (r#"{"a":"1" , "b":"2" , "c":"3"}"#, &[], &["b", "c"], r#"{"a":"1"}"#),
        (r#"{"a":"1","b":"2","c":"3"}"#, &[("d", b"4")], &["a", "b", "c"], r#"{"d":"4"}"#),
        (r#"{"a":"1","b":"2","c":"3"}"#, &[("a", b"9"), ("d", b"4")], &["b"], {
            r#"{"a":"9","c":"3","d":"4"}"#
        }),
        (r#"{"a":"1"}"#, &[("b", b"1"), ("B", b"2"), ("a", b"3")], &["a"], {
            r#"{"a":"3","b":"1"}"#
        }),
    ];
    for (field, set, remove, expected) in table {
        let body = format!(r#"{{"x":1,"_otel":{field} ,"y":[2] }}"#);
        let expected = format!(r#"{{"x":1,"_otel":{expected} ,"y":[2] }}"#);
        assert_eq!(edited(&body, set, remove), expected, "{body} {set:?} {remove:?}");
    }
}

#[test]
fn splices_that_touch_are_one() {
    let body = r#"{"_otel":{"a":"1","b":"2","c":"3"}}"#;
    let splices = look(body).unwrap().splice(&[("a", b"9"), ("d", b"4")], &["b", "c"]).unwrap();
    let expected = Splice { offset: 14, removed: 19, inserted: br#""9","d":"4""# };
    assert_eq!(splices.iter().collect::<Vec<_>>(), vec![expected]);
}

#[test]
fn nothing_to_change_is_no_splice() {
    let body = r#"{"_otel":{"a":"\u0031","b":null}}"#;
    let found = look(body).unwrap();
    assert!(found.splice(&[], &[]).unwrap().is_empty());
    assert!(found.splice(&[("A", b"1")], &["c"]).unwrap().is_empty());
    assert!(look("{}").unwrap().splice(&[], &["a"]).unwrap().is_empty());
}

#[test]
fn a_value_that_is_no_text_is_refused() {
    for body in ["{}", r#"{"_otel":{}}"#, r#"{"_otel":{"a":"1"}}"#] {
        assert!(look(body).unwrap().splice(&[("a", b"\xff")], &[]).is_none(), "{body}");
    }
}

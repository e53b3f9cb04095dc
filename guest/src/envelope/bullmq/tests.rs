use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::envelope::BODY_BYTES_MAX;

const PARENT: &str = r#"{"traceparent":"00-a"}"#;

fn look(body: &[u8]) -> Option<Found<'_>> {
    scan(body, BODY_BYTES_MAX)
}

fn edited(body: &[u8], set: &[(&str, &[u8])], remove: &[&str]) -> Option<Vec<u8>> {
    Some(look(body)?.splice(set, remove)?.apply(body))
}

fn edited_json(body: &str, set: &[(&str, &[u8])], remove: &[&str]) -> Option<String> {
    edited(body.as_bytes(), set, remove).map(|body| String::from_utf8(body).unwrap())
}

fn entries(body: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    look(body).unwrap().entries().map(|(name, value)| (text(&name), text(&value))).collect()
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write_text(&mut out, text.as_bytes());
    out
}

/// What stands before the options: nine arguments, one of them changed.
fn arguments_with(changed: usize, value: &[u8]) -> Vec<u8> {
    let mut arguments = [
        text("bull:q:"),
        text("7"),
        text("welcome"),
        [&[0xcb][..], &[0; 8]].concat(),
        [0xc0].to_vec(),
        [0xc0].to_vec(),
        [0xc0].to_vec(),
        [0x81, 0xa1, b'k', 0x91, 0x01].to_vec(),
        [0xc0].to_vec(),
    ];
    if !value.is_empty() {
        arguments[changed] = value.to_vec();
    }
    [&[0x99][..], &arguments.concat()].concat()
}

fn job(map: &[u8]) -> Vec<u8> {
    [&arguments_with(0, b"")[..], map].concat()
}

#[test]
fn arguments_say_the_name_and_the_id() {
    let body = job(&[0x80]);
    let found = look(&body).unwrap();
    assert_eq!((found.job_name(), found.message_id()), (&b"welcome"[..], &b"7"[..]));
    assert!(!found.is_present());
    for id in [&[0xa0][..], &[0x07]] {
        let body = [&arguments_with(1, id)[..], &[0x80]].concat();
        assert_eq!(look(&body).unwrap().message_id(), b"", "{id:02x?}");
    }
}

#[test]
fn arguments_have_to_have_their_types() {
    let nil = [0xc0].to_vec();
    let table = [
        (0, text("bull:q"), false),
        (0, text(""), false),
        (0, nil.clone(), false),
        (1, nil.clone(), false),
        (1, [0xc3].to_vec(), false),
        (2, nil.clone(), false),
        (2, [0x05].to_vec(), false),
        (2, text(""), true),
        (3, nil, false),
        (3, text("1"), false),
        (3, [0x05].to_vec(), true),
        (4, [0x05].to_vec(), false),
        (4, text("bull:q:1"), true),
        (8, text("x"), true),
        (8, [0xc1].to_vec(), false),
    ];
    for (place, value, expected) in table {
        let body = [&arguments_with(place, &value)[..], &[0x80]].concat();
        assert_eq!(look(&body).is_some(), expected, "{place}: {value:02x?}");
    }
    let with_count = |count: u8| {
        let mut body = arguments_with(0, b"");
        body[0] = 0x90 | (count & 0x0f);
        if count > 15 {
            body.splice(..1, [0xdc, 0, count]);
        }
        body.extend(core::iter::repeat_n(0xc0, usize::from(count.saturating_sub(9))));
        body.push(0x80);
        look(&body).is_some()
    };
    let accepted: Vec<u8> = (1..30).filter(|&count| with_count(count)).collect();
    assert_eq!(accepted, (9..=16).collect::<Vec<u8>>());
}

#[test]
fn options_are_a_map_to_the_end_with_strings_for_keys() {
    let tm = |value: &[u8]| [&[0x81][..], &text("tm"), value].concat();
    let table: [(Vec<u8>, bool); 11] = [
        ([].to_vec(), false),
        ([0xc0].to_vec(), false),
        ([0x90].to_vec(), false),
        ([0x80, 0x80].to_vec(), false),
        ([0x81, 0x01, 0x01].to_vec(), false),
        ([0x81, 0xa1, b'x'].to_vec(), false),
        (tm(&[0x05]), false),
        (tm(&text("00-a")), false),
        (tm(&text(r#"{"traceparent":7}"#)), false),
        (tm(&text(PARENT)), true),
        ([&[0x82][..], &tm(&[0xc0])[1..], &tm(&[0xc0])[1..]].concat(), false),
    ];
    for (map, expected) in table {
        assert_eq!(look(&job(&map)).is_some(), expected, "{map:02x?}");
    }
}

#[test]
fn an_entry_is_added_to_the_map_and_its_head_counts_it() {
    let set: [(&str, &[u8]); 1] = [("traceparent", b"00-a")];
    let pair = [0xa1, b'x', 0x92, 0x01, 0xc0];
    let added = [text("tm"), text(PARENT)].concat();
    let table: [(&[u8], usize, &[u8]); 7] = [
        (&[0x80], 0, &[0x81]),
        (&[0x81], 1, &[0x82]),
        (&[0x8f], 15, &[0xde, 0, 16]),
        (&[0xde, 0, 0], 0, &[0xde, 0, 1]),
        (&[0xde, 0, 1], 1, &[0xde, 0, 2]),
        (&[0xdf, 0, 0, 0, 1], 1, &[0xdf, 0, 0, 0, 2]),
        (&[0xde, 0xff, 0xff], 65_535, &[0xdf, 0, 1, 0, 0]),
    ];
    for (head, count, new_head) in table {
        // Keys of others may repeat.
        let pairs = pair.repeat(count);
        let body = job(&[head, &pairs].concat());
        let found = scan(&body, usize::MAX).unwrap();
        let splices = found.splice(&set, &[]).unwrap();
        let expected = job(&[new_head, &pairs, &added].concat());
        assert_eq!(splices.apply(&body), expected, "{head:02x?}");
        let again = scan(&expected, usize::MAX).unwrap();
        assert!(again.is_present() && again.splice(&set, &[]).unwrap().is_empty());
    }
}

#[test]
fn an_entry_that_is_there_is_changed_with_its_length() {
    let map = |value: &[u8]| job(&[&[0x82][..], &text("tm"), value, &text("a"), &[0x00]].concat());
    let long = "x".repeat(300);
    let set: [(&str, &[u8]); 2] = [("traceparent", b"00-b"), ("tracestate", long.as_bytes())];
    let written = format!(r#"{{"traceparent":"00-b","tracestate":"{long}"}}"#);
    for before in [text(PARENT), text("{}"), [0xc0].to_vec()] {
        let expected = map(&text(&written));
        assert_eq!(edited(&map(&before), &set, &[]).unwrap(), expected, "{before:02x?}");
    }
    let body = map(&text(&written));
    assert_eq!(edited(&body, &set[..1], &["tracestate"]).unwrap(), {
        map(&text(r#"{"traceparent":"00-b"}"#))
    });
    assert_eq!(edited(&map(&[0xc0]), &[], &["baggage"]).unwrap(), map(&[0xc0]));
    // Members of others in the string stay, of whatever type.
    let shared = map(&text(r#"{ "mine" : [1.50], "traceparent":"00-a"}"#));
    assert_eq!(edited(&shared, &[("traceparent", b"00-b")], &[]).unwrap(), {
        map(&text(r#"{ "mine" : [1.50], "traceparent":"00-b"}"#))
    });
}

#[test]
fn json_in_a_json_string_keeps_the_spelling_of_what_stays() {
    type Set = &'static [(&'static str, &'static [u8])];
    let table: [(&str, Set, &[&str], &str); 8] = [
        (r#"{}"#, &[("b3", b"0")], &[], r#"{"tm":"{\"b3\":\"0\"}"}"#),
        (r#"{ "attempts" : 1.0 }"#, &[("b3", b"0")], &[], {
            r#"{ "attempts" : 1.0,"tm":"{\"b3\":\"0\"}" }"#
        }),
        (r#"{"tm":null,"x":1}"#, &[("b3", b"0")], &[], r#"{"tm":"{\"b3\":\"0\"}","x":1}"#),
        (r#"{"tm":"{}"}"#, &[("b3", b"a\"\\\n")], &[], {
            r#"{"tm":"{\"b3\":\"a\\\"\\\\\\u000a\"}"}"#
        }),
        (r#"{"tm":"{\u0022b3\u0022:\"0\",\"x\":\"\/\u00fc\"}"}"#, &[("b3", b"1")], &[], {
            r#"{"tm":"{\u0022b3\u0022:\"1\",\"x\":\"\/\u00fc\"}"}"#
        }),
        (r#"{"tm":"{\"x\":\"\ud83d\ude00\/\",\"b3\":\"0\"}"}"#, &[("b3", b"1")], &[], {
            r#"{"tm":"{\"x\":\"\ud83d\ude00\/\",\"b3\":\"1\"}"}"#
        }),
        (r#"{"tm":"{\u0022b3\":\"0\",\"x\":1\u007d"}"#, &[], &["b3"], r#"{"tm":"{\"x\":1\u007d"}"#),
        (r#"{"tm":"{\"b3\":\"0\"\n}","x":1}"#, &[("baggage", b"k=v")], &[], {
            r#"{"tm":"{\"b3\":\"0\",\"baggage\":\"k=v\"\n}","x":1}"#
        }),
    ];
    for (body, set, remove, expected) in table {
        assert_eq!(edited_json(body, set, remove).as_deref(), Some(expected), "{body}");
        let again = look(expected.as_bytes()).unwrap().splice(set, remove).unwrap();
        assert!(again.is_empty(), "{expected}");
    }
}

#[test]
fn entries_are_read_out_of_the_string() {
    let body = r#"{"attempts":0,"tm":"{\"traceparent\":\"00-\\u0061\",\"x\":1,\"baggage\":null}"}"#;
    assert_eq!(entries(body.as_bytes()), [("traceparent".to_string(), "00-a".to_string())]);
    assert_eq!(entries(br#"{"attempts":0}"#), []);
    let body = job(&[&[0x81][..], &text("tm"), &text(PARENT)].concat());
    assert_eq!(entries(&body), [("traceparent".to_string(), "00-a".to_string())]);
}

#[test]
fn options_of_other_kinds_are_left_alone() {
    let bodies = [
        r#"{"tm":7}"#,
        r#"{"tm":{}}"#,
        r#"{"tm":""}"#,
        r#"{"tm":"[]"}"#,
        r#"{"tm":"{} {}"}"#,
        r#"{"tm":"{\"traceparent\":7}"}"#,
        r#"{"tm":"{\"traceparent\":\"a\",\"Traceparent\":\"b\"}"}"#,
        r#"{"tm":"{\"\ud800\":1}"}"#,
        r#"{"tm":"{}","tm":"{}"}"#,
        r#"{"tm":"{}","t\u006d":"{}"}"#,
        r#"{"omc":true,"omc":true}"#,
        r#"["tm"]"#,
        r#""tm""#,
        "",
    ];
    for body in bodies {
        assert!(look(body.as_bytes()).is_none(), "{body}");
    }
}

#[test]
fn who_wants_no_context_is_given_none() {
    let set: [(&str, &[u8]); 1] = [("traceparent", b"00-b")];
    let json = |omit: &str| format!(r#"{{"jobId":"9","omc":{omit},"tm":"{{\"b3\":\"0\"}}"}}"#);
    let pack = |omit: &[u8]| {
        job(&[&[0x82][..], &text("omc"), omit, &text("tm"), &text(r#"{"b3":"0"}"#)].concat())
    };
    let omitting = [json("true"), json("1"), json("\"\"")].map(String::into_bytes);
    for body in omitting.into_iter().chain([pack(&[0xc3]), pack(&[0x01]), pack(&[0xa0])]) {
        let found = look(&body).unwrap();
        assert!(!found.message_id().is_empty());
        assert_eq!((found.is_present(), found.entries().count()), (false, 0));
        assert!(found.splice(&set, &[]).is_none());
        assert!(found.splice(&[], &["b3"]).unwrap().is_empty());
    }
    for body in [json("false").into_bytes(), json("null").into_bytes(), pack(&[0xc2])] {
        assert_eq!(entries(&body).len(), 1);
        assert!(look(&body).unwrap().splice(&set, &[]).is_some());
    }
}

#[test]
fn jobs_are_read_up_to_the_limit() {
    let body = job(&[0x80]);
    assert!(scan(&body, body.len()).is_some());
    assert!(scan(&body, body.len() - 1).is_none());
}

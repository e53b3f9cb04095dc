use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::envelope::BODY_BYTES_MAX;

const JOB: &str = r#""class":"C","jid":"1","queue":"q","args":[],"created_at":1"#;
const EVENT: &str = r#""specversion":"1.0","id":"2","source":"s","type":"t""#;
const KOMBU: &str = r#""body":"","content-type":null,"content-encoding":null,"headers":{"id":"3"},
    "properties":{"delivery_tag":"d","delivery_info":{}}"#;

fn id(body: &str) -> Option<Vec<u8>> {
    scan(body.as_bytes(), BODY_BYTES_MAX).map(|found| found.message_id().to_vec())
}

fn object(members: &[&str]) -> String {
    format!(" {{{}}} ", members.join(","))
}

#[test]
fn the_kinds_are_tried_in_order() {
    assert_eq!(id(&object(&[JOB])).unwrap(), b"1");
    assert_eq!(id(&object(&[EVENT])).unwrap(), b"2");
    assert_eq!(id(&object(&[KOMBU])).unwrap(), b"3");
    assert_eq!(id(&object(&[EVENT, JOB])).unwrap(), b"1");
    assert_eq!(id(&object(&[EVENT, JOB, KOMBU])).unwrap(), b"3");
    let traced = r#""attempts":0,"jobId":"4","tm":"{\"traceparent\":\"00-a\"}""#;
    assert_eq!(id(&object(&[traced])).unwrap(), b"4");
    assert_eq!(id(&object(&[traced, EVENT])).unwrap(), b"2");
}

#[test]
fn names_decide_and_types_refuse() {
    // All names of a job are there: it is not looked at as the event that it could be as well.
    let job = JOB.replace("[]", "{}");
    assert!(id(&object(&[&job, EVENT])).is_none());
    let nearly = JOB.replace("jid", "id_");
    assert_eq!(id(&object(&[&nearly, EVENT])).unwrap(), b"2");
}

#[test]
fn options_of_a_job_are_told_by_their_context_alone() {
    let table = [
        (r#"{"attempts":0}"#, false),
        (r#"{"attempts":0,"tm":null}"#, false),
        (r#"{"attempts":0,"tm":"{}"}"#, false),
        (r#"{"attempts":0,"tm":"traceparent"}"#, false),
        (r#"{"attempts":"0","tm":"{\"traceparent\":\"00-a\"}"}"#, false),
        (r#"{"tm":"{\"traceparent\":\"00-a\"}"}"#, false),
        (r#"{"attempts":0,"tm":"{\"traceparent\":7}"}"#, false),
        (r#"{"attempts":0,"tm":"{\"traceparent\":\"00-a\"}","omc":true}"#, false),
        (r#"{"attempts":0,"tm":"{\"traceparent\":\"00-a\"}"}"#, true),
    ];
    for (body, expected) in table {
        assert_eq!(id(body).is_some(), expected, "{body}");
    }
}

#[test]
fn members_are_looked_at_up_to_the_limit() {
    let behind = |count: usize| {
        let before: Vec<_> = (0..count).map(|n| format!(r#""m{n}":{n}"#)).collect();
        object(&[&before.join(","), JOB])
    };
    assert!(id(&behind(MEMBERS_MAX - 5)).is_some());
    assert!(id(&behind(MEMBERS_MAX - 4)).is_none());
    // What stands behind them does not matter, so that context can be added there.
    let full = behind(MEMBERS_MAX - 5);
    let more = full.trim_end().strip_suffix('}').unwrap();
    assert!(id(&format!(r#"{more},"b3":"0","x":{{}}}}"#)).is_some());
}

#[test]
fn bodies_are_read_up_to_the_limit() {
    let body = object(&[JOB]);
    assert!(scan(body.as_bytes(), body.len()).is_some());
    assert!(scan(body.as_bytes(), body.len() - 1).is_none());
}

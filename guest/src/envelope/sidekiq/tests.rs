use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::envelope::BODY_BYTES_MAX;

const MEMBERS: [(&str, &str); 5] = [
    ("class", r#""MailJob""#),
    ("jid", r#""663691ef83be78750b44231d""#),
    ("queue", r#""default""#),
    ("args", "[1]"),
    ("created_at", "1795767515.26"),
];

/// A job with the value of one member changed; no value: without it.
fn job(changed: &str, value: Option<&str>) -> String {
    let members = MEMBERS.iter().filter_map(|&(name, usual)| {
        let value = if name == changed { value? } else { usual };
        Some(format!(r#""{name}":{value}"#))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn with(more: &str) -> String {
    job("created_at", Some(&format!("7,{more}")))
}

fn look(body: &str) -> Option<Found<'_>> {
    scan(body.as_bytes(), BODY_BYTES_MAX)
}

#[test]
fn what_is_demanded_has_to_be_there_with_its_type() {
    assert!(look(&job("", None)).is_some());
    for (name, usual) in MEMBERS {
        assert!(look(&job(name, None)).is_none(), "{name}");
        for value in ["null", r#""x""#, r#""""#, "[]", "{}", "7", "-0.5e3", "true"] {
            let fits = match name {
                "args" => value == "[]",
                "created_at" => usual.starts_with('1') && matches!(value, "7" | "-0.5e3"),
                _ => value == r#""x""#,
            };
            assert_eq!(look(&job(name, Some(value))).is_some(), fits, "{name}: {value}");
        }
    }
    assert!(look(&format!("[{}]", job("", None))).is_none());
}

#[test]
fn a_name_that_is_looked_for_may_not_occur_twice() {
    for more in [r#""jid":"b""#, r#""j\u0069d":"b""#, r#""wrapped":"a","wrapped":"b""#] {
        assert!(look(&with(more)).is_none(), "{more}");
    }
    assert!(look(&with(r#""retry":1,"retry":2"#)).is_some());
}

#[test]
fn a_job_says_its_id_and_what_active_job_wrapped() {
    let plain = job("", None);
    let found = look(&plain).unwrap();
    assert_eq!(found.message_id(), b"663691ef83be78750b44231d");
    assert_eq!(found.job_name(), b"MailJob");
    for (wrapped, name) in [(r#""Shop::MailJob""#, "Shop::MailJob"), ("null", "MailJob")] {
        let body = with(&format!(r#""wrapped":{wrapped}"#));
        assert_eq!(look(&body).unwrap().job_name(), name.as_bytes());
    }
}

#[test]
fn context_is_beside_the_jobs_own_members() {
    let splice = |body: &str, set: &[(&str, &[u8])], remove: &[&str]| {
        let splices = look(body)?.splice(set, remove)?;
        Some(String::from_utf8(splices.apply(body.as_bytes())).unwrap())
    };
    let body = with(r#""retry":true"#);
    let set: [(&str, &[u8]); 1] = [("traceparent", b"00-a")];
    let traced = splice(&body, &set, &[]).unwrap();
    assert_eq!(traced, with(r#""retry":true,"traceparent":"00-a""#));
    assert_eq!(look(&traced).unwrap().entries().count(), 1);
    let baggage = with(r#""baggage":"k=v","retry":true"#);
    assert_eq!(splice(&baggage, &[], &["baggage"]).unwrap(), body);
    // A member of the job is no entry, whatever we are asked.
    assert_eq!(splice(&body, &[], &["retry", "args"]).unwrap(), body);
    assert_eq!(splice(&body, &[("retry", b"x")], &[]), None);
    for value in ["7", "{}", "[]", "true"] {
        assert!(look(&with(&format!(r#""traceparent":{value}"#))).is_none(), "{value}");
    }
}

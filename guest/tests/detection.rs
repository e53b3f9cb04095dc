//! Detection (`auto`) against messages that are somebody else's, and against those that are not.
//!
//! Ten thousand foreign messages are made of shapes that occur on queues, nearly all of them a step
//! away from one of ours: a demanded member is missing, misspelled, nested, doubled, or of another
//! type. They are the same on every run.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::Envelope as Named;
use spanbridge_guest::envelope::{BODY_BYTES_MAX, Envelope};

const FOREIGN: usize = 10_000;

/// Our kinds as people write them: names that are demanded, each with its value.
fn ours() -> [Map<String, Value>; 4] {
    let tm = r#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#;
    [
        json!({"body": "W10=", "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"task": "add", "id": "1"},
            "properties": {"delivery_tag": "t", "delivery_info": {}}}),
        json!({"class": "MailJob", "jid": "663691ef", "queue": "default", "args": [1],
            "created_at": 1_795_767_515.26}),
        json!({"specversion": "1.0", "id": "a", "source": "/shop", "type": "placed"}),
        json!({"attempts": 3, "tm": tm}),
    ]
    .map(|value| value.as_object().unwrap().clone())
}

/// Messages of other systems, whole.
fn strangers() -> Vec<Value> {
    vec![
        json!({"class": "Archive", "args": [44, "masterbrew"]}),
        json!({"jid": "f8a", "jobtype": "mail", "args": [1], "queue": "default",
            "created_at": "2026-11-27T08:00:00Z", "retry": 25}),
        json!({"class": "Exq.Job", "jid": "1", "queue": "q", "args": [], "enqueued_at": 1.5}),
        json!({"queue_name": "default", "actor_name": "add", "args": [1], "kwargs": {},
            "options": {}, "message_id": "1", "message_timestamp": 1}),
        json!({"uuid": "1", "displayName": "App\\Jobs\\Mail", "job": "Illuminate\\Queue@call",
            "data": {"commandName": "App\\Jobs\\Mail"}, "attempts": 0, "id": "x"}),
        json!({"specversion": "0.3", "id": "1", "source": "/s", "type": "t"}),
        json!({"cloudEventsVersion": "0.1", "eventID": "1", "source": "/s", "eventType": "t"}),
        json!({"version": "0", "id": "1", "detail-type": "t", "source": "aws.ec2", "detail": {}}),
        json!({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a"}}}]}),
        json!({"jsonrpc": "2.0", "method": "add", "params": [1], "id": 1}),
        json!({"before": null, "after": {"id": 1}, "source": {"db": "x"}, "op": "c"}),
        json!({"attempts": 3, "backoff": {"type": "fixed", "delay": 1}, "jobId": "a"}),
        json!({"attempts": 3, "delay": 0, "tm": 1_795_767_515}),
        json!({"attempts": 0, "tm": "2026-11-27T08:00:00Z"}),
        json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
        json!({"headers": {"traceparent": "00-a"}, "body": "x", "properties": {}}),
        json!([{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}]),
        json!([["a", 1], {"chord": null}, {}]),
        json!("class jid queue args created_at"),
        json!(42),
    ]
}

/// A generator of numbers that are the same on every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn name(&mut self, of: &Map<String, Value>) -> String {
        of.keys().nth(self.below(of.len())).unwrap().clone()
    }

    /// A value of a type that no demanded member of this value's type has.
    fn other_type(&mut self, value: &Value) -> Value {
        let all = [Value::Null, json!(true), json!(7), json!("x"), json!([]), json!({"a": 1})];
        let is_same =
            |other: &Value| std::mem::discriminant(other) == std::mem::discriminant(value);
        // Of kombu's message, some may be null.
        let fits = |other: &&Value| !is_same(other) && !other.is_null();
        let others: Vec<_> = all.iter().filter(fits).collect();
        others[self.below(others.len())].clone()
    }
}

/// One of ours, spoiled in one way.
fn near_miss(numbers: &mut Numbers) -> (&'static str, Vec<u8>) {
    let mut message = ours()[numbers.below(4)].clone();
    let name = numbers.name(&message);
    let value = message[&name].clone();
    let bytes = |message: &Map<String, Value>| serde_json::to_vec(message).unwrap();
    match numbers.below(8) {
        0 => {
            message.remove(&name);
            ("a member is missing", bytes(&message))
        }
        1 => {
            message.remove(&name);
            let renamed = [name.to_uppercase(), format!("{name} "), format!("x-{name}")];
            message.insert(renamed[numbers.below(3)].clone(), value);
            ("a member has another name", bytes(&message))
        }
        2 => {
            let other = numbers.other_type(&value);
            message.insert(name, other);
            ("a member has another type", bytes(&message))
        }
        3 => {
            let text = serde_json::to_string(&message).unwrap();
            let double = format!("{{\"{name}\":{value},{}", &text[1..]);
            ("a member is there twice", double.into_bytes())
        }
        4 => ("it is inside of another", bytes(json!({"data": message}).as_object().unwrap())),
        5 => ("it is an array of one", serde_json::to_vec(&[message]).unwrap()),
        6 => {
            let mut body = bytes(&message);
            body.truncate(numbers.below(body.len()));
            ("it is cut", body)
        }
        _ => {
            let mut body = bytes(&message);
            body.extend_from_slice([&b"{}"[..], b"\0", b"]", b","][numbers.below(4)]);
            ("something follows it", body)
        }
    }
}

/// The arguments that begin a BullMQ job, spoiled in one byte or not at all, with no map behind.
fn near_pack(numbers: &mut Numbers) -> (&'static str, Vec<u8>) {
    let job = include_bytes!("data/bullmq-job-traced.args").to_vec();
    match numbers.below(4) {
        0 => ("a job that is cut", job[..numbers.below(job.len())].to_vec()),
        1 => ("a job and more", [&job[..], &[0xc0]].concat()),
        2 => {
            // One less or one more than there are: what follows is no map, or no end.
            let count = [0x98, 0x97, 0x9b, 0x9c][numbers.below(4)];
            ("a job with another count", [&[count], &job[1..]].concat())
        }
        _ => {
            let len = numbers.below(60);
            let noise: Vec<u8> = (0..len).map(|_| numbers.below(256) as u8).collect();
            ("noise behind the head of an array", [&[0x9a][..], &noise].concat())
        }
    }
}

/// A message of another system, with members of ours here and there, but never all.
fn stranger(numbers: &mut Numbers) -> (&'static str, Vec<u8>) {
    let all = strangers();
    let mut message = all[numbers.below(all.len())].clone();
    let ours = ours();
    if let Some(object) = message.as_object_mut() {
        object.insert(format!("n{}", numbers.below(1_000)), json!(numbers.below(1 << 40)));
        let lender = &ours[numbers.below(4)];
        let lent = numbers.name(lender);
        if !object.contains_key(&lent) {
            object.insert(lent.clone(), lender[&lent].clone());
        }
        // The loan may have made it one of ours.
        if ours.iter().any(|kind| kind.keys().all(|name| object.contains_key(name))) {
            object.remove(&lent);
        }
    }
    ("a message of another system", serde_json::to_vec(&message).unwrap())
}

fn auto() -> Envelope {
    Envelope::new(Named { kind: "auto".to_owned(), field: String::new() }).unwrap()
}

#[test]
fn nothing_foreign_is_taken_for_ours() {
    let (auto, mut numbers) = (auto(), Numbers(5));
    let mut made = BTreeMap::<&str, usize>::new();
    for _ in 0..FOREIGN {
        let (what, body) = match numbers.below(10) {
            0..6 => near_miss(&mut numbers),
            6..8 => near_pack(&mut numbers),
            _ => stranger(&mut numbers),
        };
        *made.entry(what).or_default() += 1;
        let found = auto.scan(&body, BODY_BYTES_MAX);
        assert!(found.is_none(), "{what}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(made.len(), 13);
    assert!(made.values().all(|&count| count > 300), "each shape often: {made:?}");
}

#[test]
fn ours_are_told_with_members_of_others_among_theirs() {
    let (auto, mut numbers) = (auto(), Numbers(5));
    for _ in 0..2_000 {
        let ours = ours();
        let which = numbers.below(4);
        let mut message = ours[which].clone();
        for _ in 0..numbers.below(8) {
            message.insert(format!("n{}", numbers.below(1_000)), json!({"a": [numbers.below(9)]}));
        }
        let text = if numbers.below(2) == 0 {
            serde_json::to_vec(&message).unwrap()
        } else {
            serde_json::to_vec_pretty(&message).unwrap()
        };
        let found = auto.scan(&text, BODY_BYTES_MAX).expect("one of ours");
        let id = [&b"1"[..], b"663691ef", b"a", b""][which];
        assert_eq!(found.message_id(), id);
        assert!(found.is_present());
    }
}

#[test]
fn every_recording_is_told() {
    let recordings: [(&str, &[u8]); 9] = [
        ("kombu", include_bytes!("data/celery-redis.json")),
        ("bullmq", include_bytes!("data/bullmq-job.args")),
        ("bullmq", include_bytes!("data/bullmq-job-traced.args")),
        ("bullmq", include_bytes!("data/bullmq-job-child.args")),
        ("bullmq", include_bytes!("data/bullmq-job-omitted.args")),
        ("bullmq", include_bytes!("data/bullmq-options-traced.json")),
        ("sidekiq", include_bytes!("data/sidekiq.json")),
        ("sidekiq", include_bytes!("data/sidekiq-scheduled.json")),
        ("cloudevents", include_bytes!("data/cloudevent-traced.json")),
    ];
    let auto = auto();
    for (kind, body) in recordings {
        let named = Named { kind: kind.to_owned(), field: String::new() };
        let envelope = Envelope::new(named).unwrap();
        let (one, any) = (envelope.scan(body, BODY_BYTES_MAX), auto.scan(body, BODY_BYTES_MAX));
        let (one, any) = (one.expect(kind), any.expect(kind));
        assert_eq!((one.message_id(), one.job_name()), (any.message_id(), any.job_name()));
        // It is one of them alone.
        for other in ["kombu", "sidekiq", "cloudevents"].iter().filter(|other| **other != kind) {
            let named = Named { kind: (*other).to_owned(), field: String::new() };
            let envelope = Envelope::new(named).unwrap();
            assert!(envelope.scan(body, BODY_BYTES_MAX).is_none(), "{kind} as {other}");
        }
    }
}

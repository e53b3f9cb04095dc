//! Laws of the envelopes, with serde_json as the oracle.

use serde_json::{Map, Value};
use spanbridge_guest::envelope::{BODY_BYTES_MAX, ENTRIES_MAX, FIELD, Splices};

use super::input::Input;

/// Names that are set and removed, each chosen by one bit.
const NAMES: [&str; 4] = ["traceparent", "TraceState", "baggage", "uberctx-k"];

/// A body and edits of its context: splicing and then parsing is parsing and then editing.
///
/// ```text
/// kind  which names to set, which to remove  value  body
/// u8    4 bits              4 bits           piece  rest
/// ```
pub fn envelope(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let which = input.byte();
    let value = input.piece();
    let body = input.rest();
    let chosen = |bits: u8| {
        NAMES.iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, n)| *n)
    };
    let set: Vec<_> = chosen(which).map(|name| (name, value)).collect();
    let remove: Vec<_> = chosen(which >> 4).collect();

    let named = super::named(kind).kind;
    let envelope = super::known(kind);
    let Some(found) = envelope.scan(body, BODY_BYTES_MAX) else {
        return;
    };
    let Some(splices) = found.splice(&set, &remove) else {
        let full = found.entries().count() + set.len() > ENTRIES_MAX || body.len() > 1_000;
        let closed = !found.is_present() && matches!(&*named, "bullmq" | "auto");
        assert!(full || closed || str::from_utf8(value).is_err(), "there is a reason to refuse");
        return;
    };
    let after = apply(&splices, body);
    assert_eq!(after, splices.apply(body));
    let again = envelope.scan(&after, BODY_BYTES_MAX);
    // Options of a job are told by the context that is taken away here.
    if again.is_none() && named == "auto" && remove.contains(&"traceparent") {
        return;
    }
    let again = again.expect("an envelope stays one");
    assert!(again.splice(&set, &remove).is_some_and(|splices| splices.is_empty()));
    assert_eq!(again.is_present(), found.is_present() || !set.is_empty());
    assert_eq!(
        [found.key(), found.message_id(), found.conversation_id(), found.job_name()],
        [again.key(), again.message_id(), again.conversation_id(), again.job_name()],
    );

    // The oracle refuses half a surrogate pair, and numbers past the range of f64.
    if let Ok(mut expected) = serde_json::from_slice::<Value>(body) {
        let object = expected.as_object_mut().expect("an envelope is an object");
        let after: Value = serde_json::from_slice(&after).expect("what is spliced stays JSON");
        match &*named {
            "json" => edit_member(object, FIELD, &set, &remove),
            "kombu" => edit_member(object, "headers", &set, &remove),
            "sidekiq" => edit(object, &set, &remove),
            // Properties in guest/tests/job_envelopes.rs have an oracle for these.
            _ => return,
        }
        assert_eq!(after, expected);
    }
}

/// Applies splices in the most naive way; they have to be sorted, apart and inside the body.
fn apply(splices: &Splices, body: &[u8]) -> Vec<u8> {
    assert!(splices.len() <= ENTRIES_MAX + 1);
    let mut out = body.to_vec();
    let all: Vec<_> = splices.iter().collect();
    assert!(all.is_sorted_by(|a, b| a.offset + a.removed < b.offset));
    for splice in all.iter().rev() {
        let end = splice.offset + splice.removed;
        out.splice(splice.offset..end, splice.inserted.iter().copied());
    }
    out
}

fn edit_member(
    body: &mut Map<String, Value>,
    context: &str,
    set: &[(&str, &[u8])],
    remove: &[&str],
) {
    if body.get(context).is_none() && set.is_empty() {
        return;
    }
    let entries = body.entry(context).or_insert_with(|| Value::Object(Map::new()));
    edit(entries.as_object_mut().expect("the context object is an object"), set, remove);
}

fn edit(entries: &mut Map<String, Value>, set: &[(&str, &[u8])], remove: &[&str]) {
    let is_set = |name: &str| set.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    entries.retain(|name, _| {
        is_set(name) || !remove.iter().any(|other| other.eq_ignore_ascii_case(name))
    });
    for (name, value) in set {
        let there = entries.keys().find(|other| other.eq_ignore_ascii_case(name)).cloned();
        let value = str::from_utf8(value).expect("a value that was spliced is text");
        entries.insert(there.unwrap_or_else(|| (*name).to_owned()), value.into());
    }
}

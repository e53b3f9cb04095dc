//! A trace event of a NATS server: what one server did with one message.
//!
//! ```text
//! { "server": { "name": …, "id": …, "ver": … },
//!   "request": { "header": { "traceparent": […], "Nats-Trace-Hop": ["1"] }, "msgsize": 106 },
//!   "hops": 1,                                   servers that it went on to
//!   "events": [ { "type": "in", "ts": …, "kind": 0, "cid": 13, "name": …, "acc": …, "subj": … },
//!               { "type": "sm", "ts": …, "to": … },
//!               { "type": "eg", "ts": …, "kind": 1, "cid": 9, "name": "b", "hop": "1" } ] }
//! ```
//!
//! Whoever may publish to the subject can send anything, so nothing here is trusted: sizes are
//! bounded before bytes are read, an entry that is not understood is left out and counted, members
//! that are not known are passed over. See ADR-41 of the NATS project.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::timestamp::unix_nanos;

/// Longest event: what a server lets anybody publish unless it is told otherwise (`max_payload`).
/// That is some seven thousand subscribers.
pub(super) const EVENT_BYTES_MAX: usize = 1 << 20;

/// Entries of one event that are kept: the default of `OTEL_SPAN_EVENT_COUNT_LIMIT`. The rest is
/// counted.
pub(super) const ENTRIES_MAX: usize = 128;

/// What one server did with one message.
#[derive(Debug)]
pub(super) struct Event {
    pub server: Server,
    /// The message's headers, names as they came.
    pub headers: Vec<(String, String)>,
    /// Bytes of headers and payload.
    pub message_bytes: Option<i64>,
    /// Servers that it was sent on to.
    pub hops: u64,
    /// How it came in.
    pub ingress: Entry,
    /// What happened then, in the order of the server, without those that were left out.
    pub entries: Vec<Entry>,
    /// Connections that it was handed to.
    pub egresses: i64,
    /// When the last of it happened.
    pub end: u64,
    pub left_out: LeftOut,
}

/// Entries that are not in [`Event::entries`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Of a type that is not known, or not of its type's shape.
    pub unknown: u64,
    /// Past [`ENTRIES_MAX`].
    pub count: u64,
}

/// The server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub name: String,
    pub id: String,
    pub ver: String,
    pub cluster: String,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum EntryType {
    /// It came in.
    #[serde(rename = "in")]
    Ingress,
    /// Its subject was mapped to another.
    #[serde(rename = "sm")]
    SubjectMapping,
    /// It went into another account, as that one imports a stream.
    #[serde(rename = "se")]
    StreamExport,
    /// It went into another account, as that one exports a service.
    #[serde(rename = "si")]
    ServiceImport,
    /// JetStream stored it, or did not.
    #[serde(rename = "js")]
    JetStream,
    /// It was handed to a connection.
    #[serde(rename = "eg")]
    Egress,
    /// Of a later version, or nothing that a server writes.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One thing that happened. Members that a type does not have are empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    pub kind: EntryType,
    ts: String,
    /// `ts`, in nanoseconds since the Unix epoch.
    #[serde(skip)]
    pub at: u64,
    /// What sort of connection.
    #[serde(rename = "kind")]
    pub connection: Option<u8>,
    pub cid: Option<u64>,
    pub name: String,
    pub acc: String,
    pub subj: String,
    pub to: String,
    pub from: String,
    pub stream: String,
    pub subject: String,
    pub nointerest: bool,
    pub hop: String,
    pub sub: String,
    pub queue: String,
    pub error: String,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(default)]
    server: Server,
    #[serde(default)]
    request: Request,
    #[serde(default)]
    hops: u64,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    header: BTreeMap<String, Vec<String>>,
    msgsize: Option<i64>,
}

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventError {
    /// More than [`EVENT_BYTES_MAX`].
    TooLarge,
    /// Not JSON, or not of the shape of an event.
    Shape,
    /// Nothing says how the message came in.
    NoIngress,
}

impl Event {
    /// Reads an event.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, EventError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLarge);
        }
        let document: Document<'_> =
            serde_json::from_slice(bytes).map_err(|_| EventError::Shape)?;
        let (first, rest) = document.events.split_first().ok_or(EventError::NoIngress)?;
        let is_ingress = |entry: &Entry| entry.kind == EntryType::Ingress;
        let ingress = Entry::read(first).filter(is_ingress).ok_or(EventError::NoIngress)?;
        let pairs = document.request.header.into_iter();
        let headers = pairs
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
        let mut event = Self {
            server: document.server,
            headers: headers.collect(),
            message_bytes: document.request.msgsize,
            hops: document.hops,
            end: ingress.at,
            ingress,
            entries: Vec::new(),
            egresses: 0,
            left_out: LeftOut::default(),
        };
        for entry in rest {
            event.add(Entry::read(entry));
        }
        Ok(event)
    }

    fn add(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else {
            self.left_out.unknown += 1;
            return;
        };
        self.end = self.end.max(entry.at);
        let is_handed_on = entry.kind == EntryType::Egress && entry.error.is_empty();
        self.egresses += i64::from(is_handed_on);
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.left_out.count += 1;
        }
    }

    /// The first value of a header, whatever the casing of its name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }
}

impl Entry {
    fn read(text: &RawValue) -> Option<Self> {
        let mut entry: Self = serde_json::from_str(text.get()).ok()?;
        entry.at = unix_nanos(&entry.ts)?;
        (entry.kind != EntryType::Unknown).then_some(entry)
    }

    /// What sort of connection, in the server's own words.
    pub(super) fn connection(&self) -> Option<&'static str> {
        const WORDS: [&str; 7] =
            ["client", "route", "gateway", "system", "leafnode", "jetstream", "account"];
        WORDS.get(usize::from(self.connection?)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn read(text: &str) -> Result<Event, EventError> {
        Event::read(text.as_bytes())
    }

    fn of(ingress: &str, entries: &str) -> String {
        format!(r#"{{"events":[{{"type":"in","ts":"2026-11-27T04:50:44Z"{ingress}}}{entries}]}}"#)
    }

    #[test]
    fn every_event_of_a_real_server_is_understood_to_the_last_entry() {
        use EntryType::{Egress, JetStream, ServiceImport, StreamExport, SubjectMapping};
        let kinds = [
            &[SubjectMapping, Egress, Egress][..],
            &[Egress, Egress],
            &[StreamExport],
            &[ServiceImport],
            &[JetStream],
            &[JetStream],
            &[JetStream],
            &[SubjectMapping, Egress],
        ];
        for (text, expected) in samples::ALL.into_iter().zip(kinds) {
            let event = read(text).unwrap();
            let kinds: Vec<_> = event.entries.iter().map(|entry| entry.kind).collect();
            assert_eq!((&kinds[..], event.left_out), (expected, LeftOut::default()), "{text}");
            assert!(event.end > event.ingress.at, "{text}");
        }
        let event = read(samples::ROUTE_FIRST).unwrap();
        assert_eq!((event.server.name.as_str(), event.server.ver.as_str()), ("a", "2.15.1"));
        assert_eq!((event.message_bytes, event.hops, event.egresses), (Some(87), 1, 2));
        assert_eq!(event.ingress.at, 1_795_755_044_624_172_001);
        assert_eq!(event.entries[2].connection(), Some("route"));
        assert!(event.header("Traceparent").unwrap().ends_with("331-01"));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for text in ["", "{}", "[]", "null", "{\"events\":null}", "{\"events\":{}}", "\u{fffd}"] {
            assert_eq!(read(text).err(), Some(EventError::Shape), "{text}");
        }
        let egress = r#"{"events":[{"type":"eg","ts":"2026-11-27T04:50:44Z"}]}"#;
        let untyped = r#"{"events":[{"ts":"2026-11-27T04:50:44Z"}]}"#;
        let timeless = r#"{"events":[{"type":"in","ts":"yesterday"}]}"#;
        for text in [r#"{"events":[]}"#, r#"{"events":[1]}"#, egress, untyped, timeless] {
            assert_eq!(read(text).err(), Some(EventError::NoIngress), "{text}");
        }
        assert!(read(&of("", "")).is_ok(), "the accepted shape beside it");
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep).err(), Some(EventError::Shape));
    }

    #[test]
    fn an_entry_that_is_not_understood_is_left_out_and_counted() {
        let later = r#","later":{"a":[1]}"#;
        let entries = r#",{"type":"xx","ts":"2026-11-27T04:50:45Z","cid":"text"},{"type":"eg"},7,
            {"type":"eg","ts":"2026-11-27T04:50:46Z","cid":-1},
            {"type":"eg","ts":"2026-11-27T04:50:47Z","error":"denied"},
            {"type":"eg","ts":"2026-11-27T04:50:45Z"}"#;
        let event = read(&of(later, entries)).unwrap();
        assert_eq!(event.left_out, LeftOut { unknown: 4, count: 0 });
        assert_eq!((event.entries.len(), event.egresses), (2, 1));
        assert_eq!(event.end, event.ingress.at + 3_000_000_000, "the latest, not the last");
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let egress = r#",{"type":"eg","ts":"2026-11-27T04:50:45Z"}"#;
        let event = read(&of("", &egress.repeat(ENTRIES_MAX + 2))).unwrap();
        assert_eq!((event.entries.len(), event.left_out.count), (ENTRIES_MAX, 2));
        assert_eq!(event.egresses, ENTRIES_MAX as i64 + 2, "all of them are counted");

        let fits = of("", &" ".repeat(EVENT_BYTES_MAX - of("", "").len()));
        assert!(read(&fits).is_ok());
        assert_eq!(read(&format!("{fits} ")).err(), Some(EventError::TooLarge));
    }
}

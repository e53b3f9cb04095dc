//! The streams of the small Redis, with their groups and who has what.

use std::collections::{BTreeMap, BTreeSet};

use super::server::{Answer, Delivery, Words};
use crate::harness::{list, string};

type Reply = (Vec<u8>, Answer);

#[derive(Debug, Default)]
struct Stream {
    /// By number; the id of an entry is `number-0`.
    entries: BTreeMap<u64, Words>,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Default)]
struct Group {
    /// The last entry that was delivered.
    last: u64,
    pending: BTreeSet<u64>,
}

/// All streams, by database and name.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<(u64, String), Stream>,
    last: u64,
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// The number in an id.
fn number(id: &[u8]) -> u64 {
    text(id).split('-').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}

fn count(count: usize) -> Vec<u8> {
    format!(":{count}\r\n").into_bytes()
}

impl Stream {
    fn entry(&self, number: u64) -> Option<Vec<u8>> {
        let fields: Vec<_> = self.entries.get(&number)?.iter().map(string).collect();
        Some(list(&[string(format!("{number}-0")), list(&fields)]))
    }

    fn from(&self, number: u64, most: usize) -> Vec<u64> {
        self.entries.range(number..).map(|(number, _)| *number).take(most).collect()
    }
}

impl Streams {
    /// Adds an entry, and answers its id.
    pub(super) fn add(&mut self, database: u64, stream: &[u8], fields: &[Vec<u8>]) -> String {
        self.last += 1;
        let stream = self.streams.entry((database, text(stream))).or_default();
        stream.entries.insert(self.last, fields.to_vec());
        format!("{}-0", self.last)
    }

    /// The last number that was given away.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Does what a command about streams says. `None`: nothing has arrived yet.
    pub(super) fn run(
        &mut self,
        (database, is_resp3): (u64, bool),
        words: &Words,
    ) -> Option<Reply> {
        let nothing = if is_resp3 { &b"_\r\n"[..] } else { b"*-1\r\n" };
        let nothing = (nothing.to_vec(), Answer::Delivered(Vec::new()));
        let plain = |length| Some((count(length), Answer::Other));
        match &*words[0] {
            b"XREADGROUP" | b"XREAD" => {
                let (streams, deliveries) = self.read(database, words);
                let blocks = words.iter().any(|it| it == b"BLOCK");
                match streams.len() {
                    0 if blocks => None,
                    0 => Some(nothing),
                    _ => Some((map(&streams, is_resp3), Answer::Delivered(deliveries))),
                }
            }
            b"XCLAIM" => {
                let (entries, deliveries) = self.claim(database, words, &words[5..]);
                Some((list(&entries), Answer::Delivered(deliveries)))
            }
            b"XAUTOCLAIM" => {
                let group = self.group(database, &words[1], &words[2]);
                let pending = group.pending.iter().take(3);
                let ids: Vec<_> = pending.map(|it| format!("{it}-0").into_bytes()).collect();
                let (entries, deliveries) = self.claim(database, words, &ids);
                let reply = list(&[string("0-0"), list(&entries), list(&[])]);
                Some((reply, Answer::Delivered(deliveries)))
            }
            b"XACK" => {
                let group = self.group(database, &words[1], &words[2]);
                plain(words[3..].iter().filter(|id| group.pending.remove(&number(id))).count())
            }
            b"XDEL" => {
                let stream = self.streams.entry((database, text(&words[1]))).or_default();
                let gone = |id: &&Vec<u8>| stream.entries.remove(&number(id)).is_some();
                plain(words[2..].iter().filter(gone).count())
            }
            b"XRANGE" => {
                let stream = self.streams.entry((database, text(&words[1]))).or_default();
                let entries = stream.from(0, 3).into_iter().filter_map(|it| stream.entry(it));
                Some((list(&entries.collect::<Vec<_>>()), Answer::Other))
            }
            other => panic!("no such command: {}", other.escape_ascii()),
        }
    }

    fn group(&mut self, database: u64, stream: &[u8], group: &[u8]) -> &mut Group {
        let stream = self.streams.entry((database, text(stream))).or_default();
        stream.groups.entry(text(group)).or_default()
    }

    /// Answers names and entries of the streams that have some, and what they are to the gateway.
    fn read(&mut self, database: u64, words: &Words) -> (Vec<(String, Vec<u8>)>, Vec<Delivery>) {
        let at = words.iter().position(|it| it == b"STREAMS").expect("it names streams") + 1;
        let names = (words.len() - at) / 2;
        let group = (words[0] == b"XREADGROUP").then(|| text(&words[2]));
        let noack = words.iter().any(|it| it == b"NOACK");
        let (mut streams, mut deliveries) = (Vec::new(), Vec::new());
        for name in &words[at..at + names] {
            let name = text(name);
            let is_new = words[at + names] == b">";
            let stream = self.streams.entry((database, name.clone())).or_default();
            let numbers: Vec<_> = match &group {
                None => stream.from(0, 3),
                Some(group) => {
                    let last = stream.groups.entry(group.clone()).or_default().last;
                    let new = stream.from(last + 1, 3);
                    let group = stream.groups.entry(group.clone()).or_default();
                    if is_new {
                        group.last = new.last().copied().unwrap_or(last);
                        group.pending.extend(new.iter().filter(|_| !noack));
                        new
                    } else {
                        group.pending.iter().copied().take(3).collect()
                    }
                }
            };
            if numbers.is_empty() && is_new {
                continue;
            }
            let mut entries = Vec::new();
            for number in numbers {
                let Some(entry) = stream.entry(number) else {
                    // It was deleted while it was pending.
                    entries.push(list(&[string(format!("{number}-0")), b"*-1\r\n".to_vec()]));
                    continue;
                };
                entries.push(entry);
                let key = group.as_ref().filter(|_| !noack || !is_new);
                let key = key.map(|group| format!("{database}/{name}/{group}/{number}-0"));
                let before = if is_new { "expired" } else { "requeue" };
                if !name.starts_with("bull:") {
                    deliveries.push(Delivery { name: name.clone(), key, before, outcome: None });
                }
            }
            streams.push((name, list(&entries)));
        }
        (streams, deliveries)
    }

    /// Another consumer takes entries over.
    fn claim(&mut self, database: u64, words: &Words, ids: &[Vec<u8>]) -> (Words, Vec<Delivery>) {
        let (name, group) = (text(&words[1]), text(&words[2]));
        let stream = self.streams.entry((database, name.clone())).or_default();
        let (mut entries, mut deliveries) = (Vec::new(), Vec::new());
        let mut is_pending =
            |number: &u64| stream.groups.entry(group.clone()).or_default().pending.contains(number);
        let numbers: Vec<_> = ids.iter().map(|id| number(id)).filter(&mut is_pending).collect();
        for number in numbers {
            let Some(entry) = stream.entry(number) else { continue };
            entries.push(entry);
            let key = Some(format!("{database}/{name}/{group}/{number}-0"));
            let before = "claimed";
            deliveries.push(Delivery { name: name.clone(), key, before, outcome: None });
        }
        (entries, deliveries)
    }
}

/// Streams and their entries, as each version has them.
fn map(streams: &[(String, Vec<u8>)], is_resp3: bool) -> Vec<u8> {
    if !is_resp3 {
        let pair = |(name, entries): &(String, Vec<u8>)| list(&[string(name), entries.clone()]);
        return list(&streams.iter().map(pair).collect::<Vec<_>>());
    }
    let mut bytes = format!("%{}\r\n", streams.len()).into_bytes();
    for (name, entries) in streams {
        bytes.extend(string(name));
        bytes.extend(entries);
    }
    bytes
}

//! A small Redis in memory: streams and groups, lists, transactions, channels.
//!
//! It reads what the gateway writes, and says with each answer what the gateway should make of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::streams::Streams;
use crate::harness::{list, string, strings};
use crate::random::Random;

/// One in so many writes is refused for want of memory.
const REFUSES: u64 = 20;
/// One in so many transactions is not executed, because a watched key has changed.
const CHANGED: u64 = 6;
/// One in so many looks at a blocked client finds that its time is over.
const TIMEOUT: u64 = 10;

/// The beginning of the tags in messages; a number follows.
pub(super) const TAG: &str = "89f09cba-fa6c-4aae-a060-";
const TAG_BYTES: usize = 36;

/// What the gateway should make of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Other,
    /// What became of the messages of one command.
    Published(&'static str),
    /// They are queued for a transaction.
    Queued,
    Executed(Vec<Self>),
    /// A transaction is refused as a whole.
    Refused,
    /// It is taken back.
    TakenBack,
    Delivered(Vec<Delivery>),
}

/// A message on its way to a consumer.
#[derive(Debug, PartialEq)]
pub(super) struct Delivery {
    pub(super) name: String,
    /// What settles it. `None`: nothing does.
    pub(super) key: Option<String>,
    /// What becomes of the attempt before it.
    pub(super) before: &'static str,
    /// Where nothing settles it.
    pub(super) outcome: Option<&'static str>,
}

pub(super) type Words = Vec<Vec<u8>>;

/// One client's connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) is_resp3: bool,
    pub(super) database: u64,
    /// Commands of a transaction.
    queued: Option<Vec<Words>>,
    is_dirty: bool,
    is_off: bool,
    skips: bool,
    channels: BTreeSet<Vec<u8>>,
    patterns: BTreeSet<Vec<u8>>,
    blocked: Option<Words>,
    /// What it was told, and where each answer ends.
    pub(super) said: Vec<u8>,
    pub(super) answers: VecDeque<(usize, Answer)>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) streams: Streams,
    pub(super) lists: BTreeMap<(u64, Vec<u8>), VecDeque<Vec<u8>>>,
    pub(super) connections: Vec<Connection>,
}

/// Answers whether the gateway traces what a command adds.
fn publishes(words: &Words) -> bool {
    match &*words[0] {
        b"XADD" => words.len() > 4 && !words[1].starts_with(b"bull:"),
        b"LPUSH" | b"RPUSH" | b"LPUSHX" => is_traced_list(&words[1]),
        _ => false,
    }
}

fn is_traced_list(list: &[u8]) -> bool {
    list.starts_with(b"tasks") || list == b"late"
}

fn error(text: &str) -> Vec<u8> {
    format!("-{text}\r\n").into_bytes()
}

fn number(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

impl Connection {
    pub(super) fn is_subscribed(&self) -> bool {
        !(self.channels.is_empty() && self.patterns.is_empty())
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    fn nothing(&self) -> Vec<u8> {
        if self.is_resp3 { b"_\r\n".to_vec() } else { b"*-1\r\n".to_vec() }
    }

    fn say(&mut self, bytes: &[u8], answer: Answer) {
        self.said.extend_from_slice(bytes);
        self.answers.push_back((self.said.len(), answer));
    }

    /// Something for a subscriber: in version 3 a push.
    fn push(&mut self, elements: &[Vec<u8>]) {
        let mut bytes = list(elements);
        if self.is_resp3 {
            bytes[0] = b'>';
        }
        self.say(&bytes, Answer::Other);
    }

    fn subscribe(&mut self, words: &Words) {
        let name = words[0].to_ascii_lowercase();
        let kind = if name[0] == b'p' { &mut self.patterns } else { &mut self.channels };
        let ends = name.windows(5).any(|it| it == b"unsub");
        let names = match &words[1..] {
            [] => kind.iter().cloned().collect(),
            names => names.to_vec(),
        };
        if names.is_empty() {
            let left = self.channels.len() + self.patterns.len();
            let none = if self.is_resp3 { b"_\r\n".to_vec() } else { b"$-1\r\n".to_vec() };
            return self.push(&[string(&name), none, number(left)]);
        }
        for channel in names {
            let kind = if name[0] == b'p' { &mut self.patterns } else { &mut self.channels };
            if ends {
                kind.remove(&channel);
            } else {
                kind.insert(channel.clone());
            }
            let left = self.channels.len() + self.patterns.len();
            self.push(&[string(&name), string(&channel), number(left)]);
        }
    }
}

impl Server {
    /// A client says this.
    pub(super) fn command(&mut self, at: usize, words: Words, random: &mut Random) {
        let connection = &mut self.connections[at];
        let is_subscribed = connection.is_subscribed() && !connection.is_resp3;
        let is_published = publishes(&words);
        let refused = if is_published { Answer::Published("refused") } else { Answer::Other };
        match &*words[0] {
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" => {
                return connection.subscribe(&words);
            }
            b"RESET" => {
                let (said, answers) = (&mut connection.said, &mut connection.answers);
                let (said, answers) = (std::mem::take(said), std::mem::take(answers));
                *connection = Connection { said, answers, ..Connection::default() };
                return connection.say(b"+RESET\r\n", Answer::TakenBack);
            }
            b"PING" if is_subscribed => {
                return connection.say(&strings(&[b"pong", b""]), Answer::Other);
            }
            _ if is_subscribed => return connection.say(&error("ERR Can't execute this"), refused),
            b"CLIENT" if words[1] == b"REPLY" => return self.reply_mode(at, &words[2]),
            _ => {}
        }
        let reply = match self.transaction(at, &words, random) {
            Some(reply) => Some(reply),
            None => self.run(at, &words, random),
        };
        match reply {
            Some((bytes, answer)) => self.reply(at, &bytes, answer),
            None => self.connections[at].blocked = Some(words),
        }
    }

    /// Looks whether what a client waits for is there.
    pub(super) fn look_again(&mut self, at: usize, random: &mut Random) {
        let Some(words) = self.connections[at].blocked.take() else { return };
        match self.run(at, &words, random) {
            Some((bytes, answer)) => self.reply(at, &bytes, answer),
            None if random.below(TIMEOUT) == 0 => {
                let nothing = self.connections[at].nothing();
                self.reply(at, &nothing, Answer::Delivered(Vec::new()));
            }
            None => self.connections[at].blocked = Some(words),
        }
    }

    fn reply_mode(&mut self, at: usize, mode: &[u8]) {
        let connection = &mut self.connections[at];
        match mode {
            b"ON" => {
                (connection.is_off, connection.skips) = (false, false);
                connection.say(b"+OK\r\n", Answer::Other);
            }
            b"OFF" => connection.is_off = true,
            _ => connection.skips = !connection.is_off,
        }
    }

    fn reply(&mut self, at: usize, bytes: &[u8], answer: Answer) {
        let connection = &mut self.connections[at];
        if !std::mem::take(&mut connection.skips) && !connection.is_off {
            connection.say(bytes, answer);
        }
    }

    /// `None`: it is to be done now.
    fn transaction(
        &mut self,
        at: usize,
        words: &Words,
        random: &mut Random,
    ) -> Option<(Vec<u8>, Answer)> {
        let connection = &mut self.connections[at];
        let Some(queued) = &mut connection.queued else {
            if words[0] != b"MULTI" {
                return None;
            }
            connection.queued = Some(Vec::new());
            return Some((b"+OK\r\n".to_vec(), Answer::Other));
        };
        match &*words[0] {
            b"EXEC" | b"DISCARD" => {}
            _ if random.below(REFUSES) == 0 => {
                connection.is_dirty = true;
                let is_published = publishes(words);
                let answer =
                    if is_published { Answer::Published("refused") } else { Answer::Other };
                return Some((error("OOM command not allowed"), answer));
            }
            _ => {
                queued.push(words.clone());
                let answer = if publishes(words) { Answer::Queued } else { Answer::Other };
                return Some((b"+QUEUED\r\n".to_vec(), answer));
            }
        }
        let queued = connection.queued.take().unwrap_or_default();
        let is_dirty = std::mem::take(&mut connection.is_dirty);
        if words[0] == b"DISCARD" {
            return Some((b"+OK\r\n".to_vec(), Answer::TakenBack));
        }
        if is_dirty {
            return Some((error("EXECABORT Transaction discarded"), Answer::Refused));
        }
        if random.below(CHANGED) == 0 {
            return Some((connection.nothing(), Answer::TakenBack));
        }
        let (mut replies, mut answers) = (Vec::new(), Vec::new());
        for words in queued {
            let nothing = self.connections[at].nothing();
            let nothing = (nothing, Answer::Delivered(Vec::new()));
            let (reply, answer) = self.run(at, &words, random).unwrap_or(nothing);
            replies.push(reply);
            answers.push(answer);
        }
        Some((list(&replies), Answer::Executed(answers)))
    }

    /// Does what a command says. `None`: there is nothing to be had yet.
    fn run(&mut self, at: usize, words: &Words, random: &mut Random) -> Option<(Vec<u8>, Answer)> {
        let connection = &mut self.connections[at];
        let (database, is_resp3) = (connection.database, connection.is_resp3);
        let plain = |bytes: &[u8]| Some((bytes.to_vec(), Answer::Other));
        match &*words[0] {
            b"PING" => plain(b"+PONG\r\n"),
            b"SET" | b"CLIENT" => plain(b"+OK\r\n"),
            b"GET" if is_resp3 => plain(b"|1\r\n+ttl\r\n:3\r\n$1\r\n1\r\n"),
            b"GET" => plain(b"$-1\r\n"),
            b"LRANGE" => plain(&list(&[string("message"), string("a"), number(1)])),
            b"MGET" => plain(b"*2\r\n$4\r\n$1\r\n\r\n*1\r\n*0\r\n"),
            b"HGET" => plain(b"$2\r\n{}\r\n"),
            b"HDEL" => plain(b":1\r\n"),
            b"SELECT" => {
                connection.database = u64::from(words[1][0] - b'0');
                plain(b"+OK\r\n")
            }
            b"HELLO" => {
                connection.is_resp3 = words[1] == b"3";
                let map = if connection.is_resp3 { "%1\r\n" } else { "*2\r\n" };
                let proto = &words[1];
                plain(&[map.as_bytes(), &string("proto"), b":", proto, b"\r\n"].concat())
            }
            b"PUBLISH" => plain(&number(self.publish(&words[1], &words[2]))),
            b"XADD" | b"LPUSH" | b"RPUSH" | b"LPUSHX" => Some(self.add(database, words, random)),
            b"BRPOP" | b"RPOP" | b"LPOP" | b"LMOVE" | b"LMPOP" => self.pop(at, words),
            _ => self.streams.run((database, is_resp3), words),
        }
    }

    fn publish(&mut self, channel: &[u8], text: &[u8]) -> usize {
        let mut heard = 0;
        for connection in &mut self.connections {
            if connection.channels.contains(channel) {
                connection.push(&[string("message"), string(channel), string(text)]);
                heard += 1;
            }
            let patterns = connection.patterns.iter().filter(|it| channel.starts_with(&it[..1]));
            let patterns: Vec<_> = patterns.cloned().collect();
            for pattern in patterns {
                let words = [&b"pmessage"[..], &pattern, channel, text];
                connection.push(&words.map(string));
                heard += 1;
            }
        }
        heard
    }

    fn add(&mut self, database: u64, words: &Words, random: &mut Random) -> (Vec<u8>, Answer) {
        let is_traced = publishes(words);
        let answer = |outcome| if is_traced { Answer::Published(outcome) } else { Answer::Other };
        if words[1] == b"text" {
            return (error("WRONGTYPE Operation against a key"), answer("refused"));
        }
        if random.below(REFUSES) == 0 {
            return (error("OOM command not allowed"), answer("refused"));
        }
        if words[0] == b"XADD" {
            if words[2] == b"NOMKSTREAM" {
                return (b"$-1\r\n".to_vec(), answer("returned"));
            }
            if words.len() < 5 {
                return (error("ERR wrong number of arguments"), Answer::Other);
            }
            let id = self.streams.add(database, &words[1], &words[3..]);
            return (string(id), answer("confirmed"));
        }
        let key = (database, words[1].clone());
        if words[0] == b"LPUSHX" && !self.lists.contains_key(&key) {
            return (number(0), answer("returned"));
        }
        let list = self.lists.entry(key).or_default();
        words[2..].iter().for_each(|value| list.push_front(value.clone()));
        (number(list.len()), answer("confirmed"))
    }

    /// Takes something out of a list.
    fn pop(&mut self, at: usize, words: &Words) -> Option<(Vec<u8>, Answer)> {
        let connection = &self.connections[at];
        let (database, nothing) = (connection.database, connection.nothing());
        let (name, keys) = match &*words[0] {
            b"LMPOP" => ("LMPOP", &words[2..3]),
            b"BRPOP" => ("BRPOP", &words[1..words.len() - 1]),
            _ => ("one", &words[1..2]),
        };
        let found = keys.iter().find_map(|key| {
            let list = self.lists.get_mut(&(database, key.clone()))?;
            Some((key.clone(), list.pop_back()?))
        });
        let Some((key, value)) = found else {
            let nothing = (nothing, Answer::Delivered(Vec::new()));
            return (name != "BRPOP").then_some(nothing);
        };
        if self.lists.get(&(database, key.clone())).is_some_and(VecDeque::is_empty) {
            self.lists.remove(&(database, key.clone()));
        }
        if words[0] == b"LMOVE" {
            self.lists.entry((database, words[2].clone())).or_default().push_front(value.clone());
        }
        let reply = match name {
            "LMPOP" => list(&[string(&key), list(&[string(&value)])]),
            "BRPOP" => list(&[string(&key), string(&value)]),
            _ => string(&value),
        };
        let delivery = is_traced_list(&key).then(|| delivery(database, &key, &value));
        Some((reply, Answer::Delivered(delivery.into_iter().collect())))
    }
}

/// A message out of a list.
fn delivery(database: u64, list: &[u8], value: &[u8]) -> Delivery {
    let name = if list == b"late" { "late" } else { "tasks" }.to_owned();
    let text = String::from_utf8_lossy(value);
    let tag = text.find(TAG).map(|at| text[at..at + TAG_BYTES].to_owned());
    // What has no tag cannot be settled: it is given up at once.
    let outcome = (list == b"late" && tag.is_none()).then_some("abandoned");
    let key = tag.filter(|_| list == b"late").map(|tag| format!("{database}/{tag}"));
    Delivery { name, key, before: "expired", outcome }
}

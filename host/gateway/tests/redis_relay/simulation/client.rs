//! What the clients of a random session say, and what that means to the gateway.

use super::books::{Publish, Said};
use super::server::TAG;
use crate::harness::{CLIENT, PRODUCER, TRACEPARENT, command, strings};
use crate::random::Random;

/// A task of Celery, by a client without instrumentation.
const TASK: &str = include_str!("../../../../../guest/tests/data/celery-redis.json");
const TASK_TAG: &str = "89f09cba-fa6c-4aae-a060-706d99a95be7";

/// Commands, and what each is.
pub(super) type Saying = Vec<(Vec<u8>, Said)>;

/// A client, as far as it has to know what it can say.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) in_transaction: bool,
    pub(super) is_subscribed: bool,
    pub(super) is_silent: bool,
    /// Tags of messages that were put into the list of late acknowledgements, by anybody.
    pub(super) tags: u64,
}

fn plain(words: &str) -> (Vec<u8>, Said) {
    (command(words), Said::Other)
}

/// Ids up to the last one that was given away, and one that never was.
fn ids(random: &mut Random, last: u64) -> Vec<String> {
    (0..=random.below(3)).map(|_| format!("{}-0", 1 + random.below(last + 2))).collect()
}

impl Client {
    /// Says something. `last` is the number of the newest entry.
    pub(super) fn say(&mut self, random: &mut Random, last: u64) -> Saying {
        let can_switch = !self.in_transaction && !self.is_silent;
        match random.below(24) {
            0..5 => vec![self.add(random)],
            5..8 => vec![self.push(random)],
            8..12 => vec![self.read(random)],
            12 | 13 => vec![self.pop(random)],
            14 | 15 => vec![Self::settle(random, last)],
            16 => self.tag(random),
            17 if !self.in_transaction => vec![Self::take_over(random, last)],
            18 if can_switch && !self.is_subscribed => vec![self.begin()],
            18 if self.in_transaction => vec![self.end(random)],
            19 if !self.in_transaction && !self.is_subscribed => vec![self.answers(random)],
            20 if can_switch => vec![self.subscribe(random)],
            21 if can_switch && !self.is_subscribed => vec![Self::switch(random)],
            22 if !self.is_silent => vec![self.reset(random)],
            _ => vec![Self::other(random)],
        }
    }

    fn add(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        let stream = random.pick(&["a", "a", "b", "text", "bull:mail:events"]);
        if random.below(20) == 0 {
            return plain(&format!("XADD {stream} *"));
        }
        let option = random.pick(&["", "", "", " NOMKSTREAM"]);
        let (fields, kind) = match random.below(3) {
            0 => (format!("x 1 TraceParent {TRACEPARENT}"), CLIENT),
            _ => (random.pick(&["x 1", "x 1 x 2", "y \r\n*1\r\n"]).to_owned(), PRODUCER),
        };
        let stream_name = if option.is_empty() { stream } else { "none" };
        let sent = command(&format!("XADD {stream_name}{option} * {fields}"));
        match stream_name {
            "bull:mail:events" => (sent, Said::Other),
            name => (sent, Said::Publish(vec![(kind, format!("publish {name}"))])),
        }
    }

    fn push(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        let list = random.pick(&["tasks", "tasks\x06\x163", "late", "other"]);
        let name = random.pick(&["LPUSH", "RPUSH", "LPUSHX"]);
        let mut words = vec![name.to_owned(), list.to_owned()];
        let mut messages: Vec<Publish> = Vec::new();
        for _ in 0..=random.below(3) {
            self.tags += 1;
            words.push(match random.below(5) {
                0 => "no task".to_owned(),
                _ => TASK.replace(TASK_TAG, &format!("{TAG}{:012}", self.tags)),
            });
            let queue = if list.starts_with("tasks") { "tasks" } else { list };
            messages.push((PRODUCER, format!("publish {queue}")));
        }
        let words: Vec<_> = words.iter().map(String::as_bytes).collect();
        let said = if list == "other" { Said::Other } else { Said::Publish(messages) };
        (strings(&words), said)
    }

    /// Attempts of one entry in one transaction are not told apart, so there is one at most.
    fn read(&self, random: &mut Random) -> (Vec<u8>, Said) {
        let group = random.pick(&["g", "g", "h"]);
        let consumer = random.below(3);
        let words = match random.below(8) {
            0 => "XREAD COUNT 3 STREAMS a b 0 0".to_owned(),
            1 => format!("XREADGROUP GROUP {group} c{consumer} NOACK STREAMS a b > >"),
            2 if !self.in_transaction => {
                format!("XREADGROUP GROUP {group} c{consumer} STREAMS b 0")
            }
            3 => format!("XREADGROUP GROUP {group} c{consumer} BLOCK 0 STREAMS a b > >"),
            4 => "XREAD STREAMS bull:mail:events 0".to_owned(),
            5 => "XRANGE a - +".to_owned(),
            _ => format!("XREADGROUP GROUP {group} c{consumer} COUNT 3 STREAMS a b > >"),
        };
        plain(&words)
    }

    fn pop(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        let words = [
            "BRPOP tasks tasks\x06\x163 late 1",
            "BRPOP late other 0",
            "RPOP tasks",
            "LPOP late",
            "LMOVE late working RIGHT LEFT",
            "LMPOP 1 late RIGHT",
            "RPOP working",
        ];
        plain(random.pick(&words))
    }

    fn settle(random: &mut Random, last: u64) -> (Vec<u8>, Said) {
        let (stream, ids) = (random.pick(&["a", "b"]), ids(random, last));
        let named = ids.join(" ");
        if random.below(5) == 0 {
            return (command(&format!("XDEL {stream} {named}")), Said::Delete(stream, ids));
        }
        let group = random.pick(&["g", "g", "h"]);
        let sent = command(&format!("XACK {stream} {group} {named}"));
        (sent, Said::Acknowledge(stream, group, ids))
    }

    fn tag(&mut self, random: &mut Random) -> Saying {
        let tag = format!("{TAG}{:012}", 1 + random.below(self.tags + 1));
        let done = command(&format!("HDEL unacked {tag}"));
        if random.below(3) > 0 {
            return vec![(done, Said::Tag(tag, "ack"))];
        }
        vec![plain(&format!("HGET unacked {tag}")), (done, Said::Tag(tag, "requeue"))]
    }

    fn take_over(random: &mut Random, last: u64) -> (Vec<u8>, Said) {
        let (stream, group) = (random.pick(&["a", "b"]), random.pick(&["g", "h"]));
        plain(&match random.below(2) {
            0 => format!("XAUTOCLAIM {stream} {group} c9 0 0 COUNT 3"),
            _ => format!("XCLAIM {stream} {group} c9 0 {}", ids(random, last)[0]),
        })
    }

    fn begin(&mut self) -> (Vec<u8>, Said) {
        self.in_transaction = true;
        plain("MULTI")
    }

    fn end(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        self.in_transaction = false;
        plain(random.pick(&["EXEC", "EXEC", "EXEC", "DISCARD"]))
    }

    fn answers(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        let (mode, said) = match (self.is_silent, random.below(3)) {
            (true, 0 | 1) => ("ON", Said::Answers),
            (_, 0) => ("OFF", Said::NoAnswers),
            _ => ("SKIP", Said::SkipAnswer),
        };
        // What is not answered is better not what changes how answers look.
        self.is_silent = mode != "ON";
        (command(&format!("CLIENT REPLY {mode}")), said)
    }

    fn subscribe(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        if self.is_subscribed {
            let words = ["UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE n1", "SUBSCRIBE n1 n3"];
            return plain(random.pick(&words));
        }
        self.is_subscribed = true;
        plain(random.pick(&["SUBSCRIBE n1 n2", "PSUBSCRIBE n* m*", "SUBSCRIBE n1 n1"]))
    }

    fn switch(random: &mut Random) -> (Vec<u8>, Said) {
        match random.below(4) {
            0 | 1 => {
                let database = random.below(2);
                (command(&format!("SELECT {database}")), Said::Select(database))
            }
            version => plain(&format!("HELLO {version}")),
        }
    }

    fn reset(&mut self, random: &mut Random) -> (Vec<u8>, Said) {
        if random.below(3) > 0 {
            return Self::other(random);
        }
        *self = Self { tags: self.tags, ..Self::default() };
        (command("RESET"), Said::Select(0))
    }

    fn other(random: &mut Random) -> (Vec<u8>, Said) {
        match random.below(9) {
            0 => (b"PING\r\n".to_vec(), Said::Other),
            1 => plain("PUBLISH n1 hello"),
            2 => plain("PUBLISH m2 *3"),
            3 => plain("LRANGE other 0 -1"),
            4 => plain("MGET a b"),
            5 => plain("GET x"),
            6 => plain("CLIENT SETNAME shop"),
            7 => (strings(&[b"SET", b"x", &[b'x'; 9000]]), Said::Other),
            _ => plain("PING"),
        }
    }
}

//! What Redis 7.0.15 itself answers: the same commands in version 2 and in version 3.

use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Command, FieldEdit, Kind, Name, Popped, Published, Reply, Splicer, StreamItem, StreamRead,
    StreamReply, Want, Xadd,
};

use crate::oracle::{assert_same, parse};
use crate::walk::{Seen, broker, client, walk};

const SESSIONS: [(u32, &[u8], &[u8]); 2] = [
    (2, include_bytes!("../data/redis-2.c2s.bin"), include_bytes!("../data/redis-2.s2c.bin")),
    (3, include_bytes!("../data/redis-3.c2s.bin"), include_bytes!("../data/redis-3.s2c.bin")),
];

/// A command and its reply, each with its bytes.
type Pair = ((Command, Vec<u8>), (Reply, Vec<u8>));

fn whole(client_bytes: &[u8], broker_bytes: &[u8]) -> (Vec<Seen>, Vec<(Reply, Vec<u8>)>) {
    let limits = RespLimits::default();
    let sides = [(client(limits), client_bytes), (broker(limits, Want::Hold), broker_bytes)];
    let [sent, got] = sides.map(|(side, bytes)| {
        let walked = walk(side, bytes, &[bytes.len()]);
        assert_eq!((walked.error, walked.whole), (None, bytes.len()));
        for chunk in [1, 7, 100] {
            assert_eq!(walk(side, bytes, &[chunk]), walked);
        }
        walked.seen
    });
    let got = got.into_iter().map(|seen| match seen {
        Seen::Reply(reply, bytes) => (reply, bytes),
        other => panic!("{other:?}"),
    });
    (sent, got.collect())
}

/// The commands that are held, up to the first subscription, with their replies.
fn pairs(client_bytes: &[u8], broker_bytes: &[u8]) -> Vec<Pair> {
    let (sent, got) = whole(client_bytes, broker_bytes);
    let paired = sent.into_iter().zip(got).filter_map(|(sent, got)| match sent {
        Seen::Command(command, bytes) => Some(((command, bytes), got)),
        _ => None,
    });
    paired.take_while(|((command, _), _)| !command.name.is_subscription()).collect()
}

fn of(pairs: &[Pair], name: Name) -> impl Iterator<Item = &Pair> {
    pairs.iter().filter(move |((command, _), _)| command.name == name)
}

fn text(at: spanbridge_wire::Extent, bytes: &[u8]) -> String {
    String::from_utf8_lossy(at.of(bytes)).into_owned()
}

fn ids(reply: Option<StreamReply<'_>>, bytes: &[u8]) -> String {
    let Some(mut reply) = reply else { return "no entries".to_owned() };
    let mut ids = Vec::new();
    for item in reply.by_ref() {
        ids.push(match item {
            StreamItem::Stream(key) => text(key, bytes),
            StreamItem::Entry(entry) => {
                let len = entry.fields.map_or(String::from("-"), |list| list.len().to_string());
                format!("{}/{len}", text(entry.id, bytes))
            }
        });
    }
    assert!(reply.is_complete());
    ids.join(" ")
}

#[test]
fn entries_come_back_by_every_command_that_delivers_them() {
    for (_, sent, got) in SESSIONS {
        let pairs = pairs(sent, got);
        let added: Vec<_> = of(&pairs, Name::Xadd)
            .map(|((command, sent), (reply, bytes))| {
                assert!(Xadd::of(command, sent).is_some());
                match (reply.string(bytes), reply.error_code(bytes)) {
                    (Some(id), None) => text(id, bytes),
                    (None, Some(code)) => String::from_utf8_lossy(code).into_owned(),
                    _ => format!("{:?}", reply.kind),
                }
            })
            .collect();
        assert_eq!(added, ["1-1", "2-1", "ERR", "Null", "Simple"], "the last is queued");
        let read: Vec<_> = of(&pairs, Name::Xreadgroup)
            .map(|((command, sent), (reply, bytes))| {
                assert!(StreamRead::of(command, sent).is_some());
                ids(StreamReply::read(reply.tokens(bytes)), bytes)
            })
            .collect();
        assert_eq!(read, ["orders 1-1/2 2-1/1", "", "no entries", "orders 1-1/2 2-1/-"]);
        let claimed: Vec<_> = of(&pairs, Name::Xclaim)
            .map(|(_, (reply, bytes))| ids(StreamReply::entries(reply.tokens(bytes)), bytes))
            .collect();
        assert_eq!(claimed, ["1-1/2", "1-1/-"]);
        for (_, (reply, bytes)) in of(&pairs, Name::Xautoclaim) {
            assert_eq!(ids(StreamReply::autoclaimed(reply.tokens(bytes)), bytes), "1-1/2");
        }
        for (_, (reply, bytes)) in of(&pairs, Name::Xack) {
            assert_eq!(reply.number(bytes), Some(1));
        }
    }
}

#[test]
fn values_come_out_of_lists_by_every_command_that_takes_them() {
    let wanted = ["q:a", ":e", ":d c", "q:b", "nothing", ":a", ":a", "nothing"];
    let names = [Name::Brpop, Name::Lpop, Name::Lmpop, Name::Rpoplpush, Name::Lmove];
    for (_, sent, got) in SESSIONS {
        let pairs = pairs(sent, got);
        let taken = pairs.iter().filter(|((command, _), _)| names.contains(&command.name));
        let taken: Vec<_> = taken
            .map(|((command, _), (reply, bytes))| {
                let Some(popped) = Popped::of(command.name, reply.tokens(bytes)) else {
                    return "nothing".to_owned();
                };
                let key = popped.key.map_or(String::new(), |key| text(key, bytes));
                let values: Vec<_> = popped.map(|value| text(value, bytes)).collect();
                format!("{key}:{}", values.join(" "))
            })
            .collect();
        assert_eq!(taken, wanted);
    }
}

#[test]
fn a_script_answers_with_whatever_it_likes() {
    for (_, sent, got) in SESSIONS {
        let pairs = pairs(sent, got);
        let mut scripts = of(&pairs, Name::Eval);
        let (_, (reply, bytes)) = scripts.next().unwrap();
        let mut tokens = reply.tokens(bytes);
        assert_eq!(tokens.list(), Some(3));
        let kinds: Vec<_> = tokens.map(|token| token.kind).collect();
        let (bulk, array) = (Kind::Bulk, Kind::Array);
        assert_eq!(kinds, [Kind::Integer, array, bulk, array, bulk, Kind::Null, bulk]);
        let (_, (reply, bytes)) = scripts.next().unwrap();
        assert_eq!(reply.error_code(bytes), Some(b"WRONG".as_slice()));
    }
}

#[test]
fn a_subscription_is_answered_by_pushes_in_version_3_only() {
    for (version, sent, got) in SESSIONS {
        let (_, got) = whole(sent, got);
        let published: Vec<_> = got
            .iter()
            .filter_map(|(reply, bytes)| {
                let found = Published::of(reply.tokens(bytes))?;
                assert_eq!(reply.kind == Kind::Push, version == 3);
                Some(match found {
                    Published::Message { payload, pattern, .. } => {
                        format!(
                            "{}{}",
                            text(payload, bytes),
                            if pattern.is_some() { "*" } else { "" }
                        )
                    }
                    Published::Subscription { name, left, .. } => format!("{name:?} {left}"),
                })
            })
            .collect();
        let wanted = [
            "Subscribe 1",
            "hello",
            "Psubscribe 2",
            "again",
            "again*",
            "Unsubscribe 1",
            "Punsubscribe 0",
        ];
        assert_eq!(published, wanted);
    }
}

#[test]
fn a_delivered_context_can_be_replaced() {
    let other = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 longer".as_slice();
    for (_, sent, got) in SESSIONS {
        let pairs = pairs(sent, got);
        let (_, (reply, bytes)) = of(&pairs, Name::Xreadgroup).next().unwrap();
        let mut out = Vec::new();
        let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
        let edits = [FieldEdit { name: b"traceparent", value: Some(other) }];
        for item in StreamReply::read(reply.tokens(bytes)).unwrap() {
            if let StreamItem::Entry(entry) = item {
                assert_eq!(splicer.fields(&entry.fields.unwrap(), &edits), Ok(true));
            }
        }
        splicer.finish();
        let other = std::str::from_utf8(other).unwrap();
        let wanted = String::from_utf8(bytes.clone())
            .unwrap()
            .replace(
                "$55\r\n00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                &format!("${}\r\n{other}", other.len()),
            )
            .replace(
                "*2\r\n$2\r\nid\r\n$1\r\n8\r\n",
                &format!(
                    "*4\r\n$2\r\nid\r\n$1\r\n8\r\n$11\r\ntraceparent\r\n${}\r\n{other}\r\n",
                    other.len()
                ),
            );
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}

#[test]
fn redis_protocol_reads_the_same_replies() {
    for (_, sent, got) in SESSIONS {
        let (_, replies) = whole(sent, got);
        for (reply, bytes) in replies {
            // They make something of their own of the answer to HELLO.
            let is_hello = reply.kind == Kind::Map && bytes.starts_with(b"%7");
            let Some((theirs, len)) = parse(&bytes) else {
                // Nothing, as only their decoder of version 2 knows it.
                assert!(bytes.windows(4).any(|bytes| bytes == b"-1\r\n"));
                let theirs = redis_protocol::resp2::decode::decode(&bytes);
                assert!(matches!(theirs, Ok(Some((_, len))) if len == bytes.len()));
                continue;
            };
            assert_eq!(len, bytes.len());
            if !is_hello {
                assert_same(&mut reply.tokens(&bytes), &theirs);
            }
        }
    }
}

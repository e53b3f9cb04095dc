//! Recorded sessions: Celery 5.7.0 (redis-py 8.1.0) and BullMQ 6.7.0 (ioredis 6.0.0) against
//! Redis 7.0.15.

use spanbridge_wire::Extent;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{Client, Hello, Kind, Name, Push, Script, Splicer, Want};
use spanbridge_wire::splice::Patch;

use crate::oracle::{assert_same, parse};
use crate::walk::{Seen, Side, broker, client, walk};

const CELERY: [&[u8]; 2] = [
    include_bytes!("../data/celery-redis.c2s.bin"),
    include_bytes!("../data/celery-redis.s2c.bin"),
];
const BULLMQ: &[u8] = include_bytes!("../data/bullmq-add.c2s.bin");

/// Reads one side of a session, which is well-formed to its end.
fn whole(start: Side, session: &[u8]) -> Vec<Seen> {
    let walked = walk(start, session, &[session.len()]);
    assert_eq!((walked.error, walked.whole), (None, session.len()));
    for chunk in [1, 2, 3, 16, 100] {
        assert_eq!(walk(start, session, &[chunk]), walked, "in chunks of {chunk}");
    }
    walked.seen
}

#[test]
fn celery_says_hello_and_pushes_a_task_whose_context_can_be_replaced() {
    let seen = whole(client(RespLimits::default()), CELERY[0]);
    let names: Vec<_> = seen
        .iter()
        .map(|seen| match seen {
            Seen::Command(command, _) => command.name,
            Seen::Passed(part, _) => part.name,
            other => panic!("{other:?}"),
        })
        .collect();
    let transactions = names.iter().filter(|name| matches!(name, Name::Multi | Name::Exec));
    assert_eq!(transactions.count(), 4);
    let Seen::Command(hello, bytes) = &seen[1] else { panic!("{:?}", seen[1]) };
    assert_eq!(Hello::of(hello, bytes).and_then(|hello| hello.version), Some(3));
    let Seen::Command(setinfo, bytes) = &seen[3] else { panic!("{:?}", seen[3]) };
    assert_eq!(Client::of(setinfo, bytes), Some(Client::Other));

    let Some(Seen::Command(command, bytes)) = seen.last() else { panic!("{:?}", seen.last()) };
    let mut push = Push::of(command, bytes).unwrap();
    assert_eq!((command.name, push.key.of(bytes)), (Name::Lpush, b"celery".as_slice()));
    let body = push.values.next().unwrap();
    let context = b"00-b707352a133b1382d925240e189e3626-8423e482121da500-03";
    let at = body.of(bytes).windows(context.len()).position(|w| w == context).unwrap() as u32;
    assert!(body.of(bytes).starts_with(b"{\"body\""));

    let with = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 and more";
    let patch = Patch { at: Extent::new(at, at + context.len() as u32).unwrap(), with };
    let mut out = Vec::new();
    let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
    assert_eq!(splicer.string(body, &[patch]), Ok(true));
    splicer.finish();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let wanted = text
        .replace("$1008", &format!("${}", 1_008 + with.len() - context.len()))
        .replace(std::str::from_utf8(context).unwrap(), std::str::from_utf8(with).unwrap());
    assert_eq!(out, wanted.as_bytes(), "nothing else changes");
}

#[test]
fn a_broker_answers_each_command_once() {
    let sent = whole(client(RespLimits::default()), CELERY[0]);
    let seen = whole(broker(RespLimits::default(), Want::Hold), CELERY[1]);
    assert_eq!(seen.len(), sent.len());
    let mut rest = CELERY[1];
    for seen in &seen {
        let Seen::Reply(reply, bytes) = seen else { panic!("{seen:?}") };
        let (theirs, len) = parse(rest).expect("they read it too");
        assert_eq!(len, bytes.len());
        rest = &rest[len..];
        // They make something of their own of the answer to HELLO.
        if reply.kind != Kind::Map {
            assert_same(&mut reply.tokens(bytes), &theirs);
        }
    }
    whole(broker(RespLimits::default(), Want::Pass), CELERY[1]);
}

#[test]
fn bullmq_adds_a_job_by_a_script() {
    let seen = whole(client(RespLimits::default()), BULLMQ);
    let [Seen::Command(command, bytes)] = seen.as_slice() else { panic!("{seen:?}") };
    let script = Script::of(command, bytes).unwrap();
    assert_eq!((command.name, script.script.len(), script.keys.left()), (Name::Evalsha, 40, 9));
    let keys: Vec<_> = script.keys.map(|at| at.of(bytes)).collect();
    assert_eq!(keys[0], b"bull:bqx:wait");
    let arguments: Vec<_> = script.arguments.collect();
    assert_eq!(arguments.len(), 3);
    assert_eq!(arguments[1].of(bytes), b"{\"x\":2}");
    assert_eq!(arguments[2].of(bytes)[0], 0xde, "a MessagePack map");
}

//! What commands say, in tables: each shape that is understood has a neighbour that is not.

use spanbridge_wire::Step;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Acknowledge, Arguments, Auth, Claim, Client, Command, CommandDecoder, CommandFrame, Error,
    Hello, Idempotence, Inline, Move, Name, Pop, Push, Refusal, ReplyMode, Script, StreamRead,
    Xadd, select,
};

use crate::generate::words;

pub(crate) fn decode(bytes: &[u8]) -> Command {
    match CommandDecoder::new(RespLimits::default()).next(bytes) {
        Ok(Step::Frame { frame: CommandFrame::Command(command), len }) => {
            assert_eq!(len, bytes.len());
            command
        }
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

/// Applies a view to a command given in words, and spells what it says.
fn view(text: &str, spell: impl Fn(&Command, &[u8]) -> Option<String>) -> Option<String> {
    let bytes = words(text);
    spell(&decode(&bytes), &bytes)
}

fn all(arguments: Arguments<'_>) -> String {
    let bytes = arguments.bytes();
    let texts = arguments.map(|at| String::from_utf8_lossy(at.of(bytes)).into_owned());
    texts.collect::<Vec<_>>().join(" ")
}

fn text(at: spanbridge_wire::Extent, bytes: &[u8]) -> String {
    String::from_utf8_lossy(at.of(bytes)).into_owned()
}

#[test]
fn an_xadd_is_read_past_its_options() {
    let read = |text: &str| {
        let bytes = words(text);
        let xadd = Xadd::of(&decode(&bytes), &bytes)?;
        let pairs = xadd.fields().iter(&bytes);
        let pairs: Vec<_> = pairs
            .map(|f| format!("{}={}", self::text(f.name, &bytes), self::text(f.value, &bytes)))
            .collect();
        Some((
            self::text(xadd.key, &bytes),
            self::text(xadd.id, &bytes),
            pairs.join(" "),
            xadd.idempotence,
            xadd.editable_fields().err(),
        ))
    };
    let table = [
        ("XADD s * a 1", "*", "a=1", Idempotence::None, None),
        ("xadd s 5-* a 1 b 2", "5-*", "a=1 b=2", Idempotence::None, None),
        ("XADD s nomkstream maxlen ~ 10 limit 5 1-1 a 1", "1-1", "a=1", Idempotence::None, None),
        ("XADD s MINID = 5 KEEPREF 7 a 1", "7", "a=1", Idempotence::None, None),
        ("XADD s MAXLEN 5 * a 1", "*", "a=1", Idempotence::None, None),
        ("XADD s IDMP me 7 * a 1", "*", "a=1", Idempotence::ById, None),
        (
            "XADD s IDMPAUTO * * a 1",
            "*",
            "a=1",
            Idempotence::ByFields,
            Some(Refusal::IdentityByFields),
        ),
        ("XADD s * a 1 b", "*", "a=1", Idempotence::None, Some(Refusal::OddPairs)),
    ];
    for (text, id, fields, idempotence, refusal) in table {
        let wanted = ("s".to_owned(), id.to_owned(), fields.to_owned(), idempotence, refusal);
        assert_eq!(read(text), Some(wanted), "{text}");
    }
    for text in [
        "XADD",
        "XADD s",
        "XADD s MAXLEN 5",
        "XADD s NEWOPTION * a 1",
        "XADD s MAXLENS 5 * a 1",
        "XADD s IDMP me",
        "XADD s 5x * a 1",
        "XADD s x a 1",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_stream_read_says_who_reads_what_and_how() {
    let read = |text: &str| {
        view(text, |command, bytes| {
            let read = StreamRead::of(command, bytes)?;
            let group = read.group.map(|(group, consumer)| {
                format!("{}/{}", self::text(group, bytes), self::text(consumer, bytes))
            });
            let StreamRead { noack, count, block, .. } = read;
            let (keys, ids) = (all(read.keys), all(read.ids));
            Some(format!("{group:?} {noack} {count:?} {block:?} [{keys}] [{ids}]"))
        })
    };
    let table = [
        (
            "XREADGROUP GROUP g c COUNT 10 BLOCK 0 NOACK STREAMS a b > 5-1",
            r#"Some("g/c") true Some(10) Some(0) [a b] [> 5-1]"#,
        ),
        (
            "xreadgroup claim 5 maxcount 7 group g c streams STREAMS >",
            r#"Some("g/c") false None None [STREAMS] [>]"#,
        ),
        ("XREAD BLOCK 5 STREAMS a $", "None false None Some(5) [a] [$]"),
    ];
    for (text, wanted) in table {
        assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
    }
    for text in [
        "XREADGROUP GROUP g c STREAMS a b >",
        "XREADGROUP GROUP g c STREAMS",
        "XREADGROUP STREAMS a >",
        "XREADGROUP GROUP g c COUNT x STREAMS a >",
        "XREADGROUP GROUP g c NEW STREAMS a >",
        "XREAD GROUP g c STREAMS a >",
        "XACK STREAMS a >",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn claims_and_acknowledgements_name_their_entries() {
    let claim = |text: &str| {
        view(text, |command, bytes| {
            let claim = Claim::of(command, bytes)?;
            let of = |at| self::text(at, bytes);
            let (key, group, consumer) = (of(claim.key), of(claim.group), of(claim.consumer));
            Some(format!("{key} {group} {consumer} {} [{}]", claim.just_id, all(claim.ids)))
        })
    };
    let table = [
        ("XCLAIM s g c 10 1-1 2-2 IDLE 5 FORCE justid", "s g c true [1-1 2-2]"),
        ("XCLAIM s g c 10 1-1", "s g c false [1-1]"),
        ("XAUTOCLAIM s g c 10 0-0 COUNT 5", "s g c false [0-0]"),
        ("XAUTOCLAIM s g c 10 - JUSTID", "s g c true [-]"),
    ];
    for (text, wanted) in table {
        assert_eq!(claim(text).as_deref(), Some(wanted), "{text}");
    }
    for text in
        ["XCLAIM s g c 10", "XCLAIM s g c 10 x", "XAUTOCLAIM s g c 5", "XCLAIM s g c 1 2 NEW"]
    {
        assert_eq!(claim(text), None, "{text}");
    }
    let ack = |text: &str| {
        view(text, |command, bytes| {
            let ack = Acknowledge::of(command, bytes)?;
            let group = ack.group.map(|at| self::text(at, bytes));
            Some(format!("{} {group:?} [{}]", self::text(ack.key, bytes), all(ack.ids)))
        })
    };
    let table = [
        ("XACK s g 1-1 2-2", r#"s Some("g") [1-1 2-2]"#),
        ("XACKDEL s g DELREF IDS 2 1-1 2-2", r#"s Some("g") [1-1 2-2]"#),
        ("XDEL s 1-1", "s None [1-1]"),
        ("XDELEX s IDS 1 1-1", "s None [1-1]"),
    ];
    for (text, wanted) in table {
        assert_eq!(ack(text).as_deref(), Some(wanted), "{text}");
    }
    for text in ["XACK s g", "XACKDEL s g 1-1", "XACKDEL s g IDS 3 1-1", "XDELEX s IDS 0", "XDEL s"]
    {
        assert_eq!(ack(text), None, "{text}");
    }
}

#[test]
fn lists_and_channels_say_what_goes_where() {
    let push = |text: &str| {
        view(text, |command, bytes| {
            let push = Push::of(command, bytes)?;
            Some(format!("{} [{}]", self::text(push.key, bytes), all(push.values)))
        })
    };
    assert_eq!(push("LPUSH q a b").as_deref(), Some("q [a b]"));
    assert_eq!(push("SPUBLISH ch m").as_deref(), Some("ch [m]"));
    assert_eq!(push("LINSERT q before p v").as_deref(), Some("q [v]"));
    for text in ["LPUSH q", "PUBLISH ch", "PUBLISH ch m n", "LINSERT q WITHIN p v", "LPOP q"] {
        assert_eq!(push(text), None, "{text}");
    }
    let moved = |text: &str| {
        view(text, |command, bytes| {
            let moved = Move::of(command, bytes)?;
            Some(format!("{} {}", self::text(moved.from, bytes), self::text(moved.to, bytes)))
        })
    };
    for text in
        ["RPOPLPUSH a b", "BRPOPLPUSH a b 0", "LMOVE a b LEFT RIGHT", "BLMOVE a b LEFT RIGHT 5"]
    {
        assert_eq!(moved(text).as_deref(), Some("a b"), "{text}");
    }
    assert_eq!(moved("LMOVE a b LEFT"), None);
    let pop = |text: &str| {
        view(text, |command, bytes| {
            let pop = Pop::of(command, bytes)?;
            Some(format!("[{}] {:?}", all(pop.keys), pop.count))
        })
    };
    let table = [
        ("LPOP q", "[q] None"),
        ("RPOP q 5", "[q] Some(5)"),
        ("BRPOP a b 0", "[a b] None"),
        ("LMPOP 2 a b LEFT", "[a b] None"),
        ("BLMPOP 0.5 1 a RIGHT COUNT 7", "[a] Some(7)"),
    ];
    for (text, wanted) in table {
        assert_eq!(pop(text).as_deref(), Some(wanted), "{text}");
    }
    for text in ["LPOP", "LPOP q 5 6", "BRPOP 0", "LMPOP 3 a LEFT", "LMPOP 1 a UP", "LMPOP 0 LEFT"]
    {
        assert_eq!(pop(text), None, "{text}");
    }
}

#[test]
fn a_script_has_keys_and_arguments() {
    let script = |text: &str| {
        view(text, |command, bytes| {
            let script = Script::of(command, bytes)?;
            let (keys, arguments) = (all(script.keys), all(script.arguments));
            Some(format!("{} [{keys}] [{arguments}]", self::text(script.script, bytes)))
        })
    };
    assert_eq!(script("EVALSHA abc 2 a b c d").as_deref(), Some("abc [a b] [c d]"));
    assert_eq!(script("fcall_ro f 0").as_deref(), Some("f [] []"));
    for text in ["EVAL s", "EVAL s 3 a b", "EVAL s -1", "EVAL s x", "EVAL s 4294967297 a"] {
        assert_eq!(script(text), None, "{text}");
    }
}

#[test]
fn a_client_says_who_it_is_and_its_password_stays_its_own() {
    let bytes = words("HELLO 3 AUTH me secret SETNAME worker");
    let command = decode(&bytes);
    let hello = Hello::of(&command, &bytes).unwrap();
    assert_eq!(hello.version, Some(3));
    assert_eq!(hello.user.map(|at| text(at, &bytes)).as_deref(), Some("me"));
    assert_eq!(hello.name.map(|at| text(at, &bytes)).as_deref(), Some("worker"));
    assert_eq!(command.arguments(&bytes).count(), 0);
    for (line, user) in [("AUTH secret", None), ("AUTH me secret", Some("me"))] {
        let bytes = words(line);
        let command = decode(&bytes);
        let auth = Auth::of(&command, &bytes).unwrap();
        assert_eq!(auth.user.map(|at| text(at, &bytes)).as_deref(), user);
        assert_eq!(command.arguments(&bytes).count(), 0);
    }
    for line in ["HELLO x", "HELLO 3 AUTH me", "HELLO 3 NEW", "AUTH", "AUTH a b c"] {
        let bytes = words(line);
        let command = decode(&bytes);
        assert_eq!((Hello::of(&command, &bytes), Auth::of(&command, &bytes)), (None, None));
    }
    let client = |line: &str| {
        let bytes = words(line);
        Client::of(&decode(&bytes), &bytes)
    };
    assert!(matches!(client("CLIENT SETNAME worker"), Some(Client::SetName(_))));
    assert_eq!(client("client reply skip"), Some(Client::Reply(ReplyMode::Skip)));
    assert_eq!(client("CLIENT REPLY OFF"), Some(Client::Reply(ReplyMode::Off)));
    assert_eq!(client("CLIENT TRACKING on REDIRECT 5"), Some(Client::Tracking { on: true }));
    assert_eq!(client("CLIENT NO-EVICT on"), Some(Client::Other));
    for line in
        ["CLIENT", "CLIENT REPLY", "CLIENT REPLY MAYBE", "CLIENT SETNAME", "CLIENT TRACKING"]
    {
        assert_eq!(client(line), None, "{line}");
    }
    let database = |line: &str| {
        let bytes = words(line);
        select(&decode(&bytes), &bytes)
    };
    assert_eq!(
        (database("SELECT 7"), database("SELECT x"), database("SELECT 1 2")),
        (Some(7), None, None)
    );
}

#[test]
fn a_line_of_words_is_known_by_its_first() {
    let table: [(&[u8], CommandFrame); 6] = [
        (b"PING\r\n", inline(Some(Name::Other), false)),
        (b"  multi \n", inline(Some(Name::Multi), false)),
        (b"SUBSCRIBE a\r\n", inline(Some(Name::Subscribe), true)),
        (b"\"MULTI\"\r\n", inline(None, false)),
        (b"\r\n", CommandFrame::Empty),
        (b" \t\n", CommandFrame::Empty),
    ];
    for (bytes, frame) in table {
        let found = CommandDecoder::new(RespLimits::default()).next(bytes);
        assert_eq!(found, Ok(Step::Frame { frame, len: bytes.len() }), "{}", bytes.escape_ascii());
    }
}

fn inline(name: Option<Name>, has_arguments: bool) -> CommandFrame {
    CommandFrame::Inline(Inline { name, has_arguments })
}

#[test]
fn what_redis_would_refuse_is_not_read() {
    let table: [(&[u8], Error); 10] = [
        (b"\x16\x03\x01", Error::Command { found: 0x16 }),
        (b"\xff", Error::Command { found: 0xff }),
        (b"*x", Error::Number { found: b'x' }),
        (b"*1\r\n:", Error::Argument { found: b':' }),
        (b"*1\r\n$-1\r\n", Error::Number { found: b'-' }),
        (b"*2\r\n$4\r\nPINGxx", Error::BulkEnd { found: b'x' }),
        (b"*2147483648\r\n", Error::Count { found: 2_147_483_648, max: 2_147_483_647 }),
        (
            b"*2\r\n$3\r\nGET\r\n$536870913\r\n",
            Error::BulkLength { found: 536_870_913, max: 536_870_912 },
        ),
        (b"GET\0\r\n", Error::InlineByte { found: 0 }),
        (b"*-0\r\n", Error::Number { found: b'-' }),
    ];
    for (bytes, error) in table {
        let mut decoder = CommandDecoder::new(RespLimits::default());
        let mut found = decoder.next(bytes);
        while let Ok(Step::Frame { len, .. }) = found {
            found = decoder.next(&bytes[len..]);
        }
        assert_eq!(found, Err(error), "{}", bytes.escape_ascii());
    }
}

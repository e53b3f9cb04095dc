//! What replies say, in tables: each shape that is understood has a neighbour that is not.

use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Error, Kind, Name, Popped, Published, Reply, ReplyDecoder, ReplyFrame, ReplyPart, StreamItem,
    StreamReply, Want,
};
use spanbridge_wire::{Extent, Step};

pub(crate) fn decode(bytes: &[u8]) -> Reply {
    let found = ReplyDecoder::new(RespLimits::default()).next(bytes, Want::Hold, Want::Hold);
    match found {
        Ok(Step::Frame { frame: ReplyFrame::Whole(reply), len }) => {
            assert_eq!(len, bytes.len());
            reply
        }
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

/// Spells line ends out of blanks.
pub(crate) fn lines(text: &str) -> Vec<u8> {
    text.split_inclusive(' ').map(|line| line.replace(' ', "\r\n")).collect::<String>().into_bytes()
}

fn text(at: Extent, bytes: &[u8]) -> String {
    String::from_utf8_lossy(at.of(bytes)).into_owned()
}

/// The entries of a reply: `key:` before those of a stream, `id(field=value,…)` for each.
fn entries(
    reply: &str,
    read: impl for<'a> Fn(spanbridge_wire::resp::Tokens<'a>) -> Option<StreamReply<'a>>,
) -> Option<(String, bool)> {
    let bytes = lines(reply);
    let mut entries = read(decode(&bytes).tokens(&bytes))?;
    let mut spelled = Vec::new();
    for item in entries.by_ref() {
        spelled.push(match item {
            StreamItem::Stream(key) => format!("{}:", text(key, &bytes)),
            StreamItem::Entry(entry) => {
                let fields = entry.fields.map(|list| {
                    let fields = list.iter(&bytes);
                    let fields = fields
                        .map(|f| format!("{}={}", text(f.name, &bytes), text(f.value, &bytes)));
                    fields.collect::<Vec<_>>().join(",")
                });
                let deliveries = entry.deliveries.map_or(String::new(), |n| format!("#{n}"));
                let fields = fields.unwrap_or_else(|| "-".to_owned());
                format!("{}({fields}){deliveries}", text(entry.id, &bytes))
            }
        });
    }
    Some((spelled.join(" "), entries.is_complete()))
}

#[test]
fn stream_entries_are_found_in_all_the_shapes_they_come_in() {
    let read = |reply| entries(reply, |tokens| StreamReply::read(tokens));
    let table = [
        // Version 2, two streams; the second entry of the first is deleted.
        (
            "*2 *2 $1 s *2 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-2 *-1 *2 $1 t *1 *2 $3 3-3 *0 ",
            "s: 1-1(a=1) 2-2(-) t: 3-3()",
        ),
        // Version 3.
        ("%1 $1 s *1 *2 $3 1-1 *4 $1 a $1 1 $1 b $0  ", "s: 1-1(a=1,b=)"),
        // Claimed: idle time and number of deliveries.
        ("*1 *2 $1 s *1 *4 $3 1-1 *2 $1 a $1 1 :500 :3 ", "s: 1-1(a=1)#3"),
        ("*-1 ", ""),
        ("_ ", ""),
    ];
    for (reply, wanted) in table {
        assert_eq!(read(reply), Some((wanted.to_owned(), true)), "{reply}");
    }
    assert_eq!(read("-NOGROUP "), None);
    assert_eq!(read("*1 *1 $1 s "), Some((String::new(), false)));
    assert_eq!(read("*1 *2 $1 s *1 :5 "), Some(("s:".to_owned(), false)));

    let claimed = |reply| entries(reply, |tokens| StreamReply::entries(tokens));
    assert_eq!(
        claimed("*3 *2 $3 1-1 *2 $1 a $1 1 *-1 $3 2-2 "),
        Some(("1-1(a=1) 2-2(-)".to_owned(), true))
    );
    assert_eq!(claimed("$1 a "), None);
    let autoclaimed = |reply| entries(reply, |tokens| StreamReply::autoclaimed(tokens));
    assert_eq!(
        autoclaimed("*3 $3 0-0 *1 *2 $3 1-1 *2 $1 a $1 1 *1 $3 2-2 "),
        Some(("1-1(a=1)".to_owned(), true))
    );
    assert_eq!(autoclaimed("*1 $3 0-0 "), None);
}

#[test]
fn what_comes_out_of_a_list_is_found_by_the_command() {
    let popped = |name, reply: &str| {
        let bytes = lines(reply);
        let popped = Popped::of(name, decode(&bytes).tokens(&bytes))?;
        let key = popped.key.map(|key| text(key, &bytes));
        Some((key, popped.map(|value| text(value, &bytes)).collect::<Vec<_>>().join(" ")))
    };
    let q = || Some("q".to_owned());
    let table = [
        (Name::Lpop, "$1 a ", None, "a"),
        (Name::Rpoplpush, "$1 a ", None, "a"),
        (Name::Rpop, "*2 $1 a $1 b ", None, "a b"),
        (Name::Brpop, "*2 $1 q $1 a ", q(), "a"),
        (Name::Blmpop, "*2 $1 q *2 $1 a $1 b ", q(), "a b"),
    ];
    for (name, reply, key, values) in table {
        assert_eq!(popped(name, reply), Some((key, values.to_owned())), "{reply}");
    }
    for reply in ["$-1 ", "*-1 ", "_ ", "-ERR ", ":1 ", "*3 $1 q $1 a $1 b "] {
        assert_eq!(popped(Name::Brpop, reply), None, "{reply}");
    }
}

#[test]
fn a_subscriber_gets_messages_and_answers() {
    let published = |reply: &str| {
        let bytes = lines(reply);
        Some(match Published::of(decode(&bytes).tokens(&bytes))? {
            Published::Message { channel, pattern, payload } => {
                let pattern = pattern.map(|pattern| text(pattern, &bytes));
                format!("{} {pattern:?} {}", text(channel, &bytes), text(payload, &bytes))
            }
            Published::Subscription { name, channel, left } => {
                format!("{name:?} {:?} {left}", channel.map(|channel| text(channel, &bytes)))
            }
        })
    };
    let table = [
        ("*3 $7 message $2 ch $1 m ", "ch None m"),
        (">3 $8 smessage $2 ch $1 m ", "ch None m"),
        (">4 $8 pmessage $2 c* $2 ch $1 m ", r#"ch Some("c*") m"#),
        ("*3 $9 subscribe $2 ch :1 ", r#"Subscribe Some("ch") 1"#),
        ("*3 $11 unsubscribe $-1 :0 ", "Unsubscribe None 0"),
    ];
    for (reply, wanted) in table {
        assert_eq!(published(reply).as_deref(), Some(wanted), "{reply}");
    }
    for reply in [
        "*2 $4 pong $0  ",
        ">2 $10 invalidate *1 $1 k ",
        "*3 $7 message $2 ch *1 $1 k ",
        "*3 $3 get $1 a :1 ",
        "+OK ",
    ] {
        assert_eq!(published(reply), None, "{reply}");
    }
}

#[test]
fn short_replies_say_what_they_are() {
    let id = lines("$3 1-1 ");
    assert_eq!(decode(&id).string(&id).map(|at| text(at, &id)).as_deref(), Some("1-1"));
    let number = b":7\r\n";
    assert_eq!(decode(number).number(number), Some(7));
    for bytes in [b"-NOGROUP no such group\r\n".as_slice(), b"!14\r\nNOGROUP no key\r\n"] {
        let reply = decode(bytes);
        assert_eq!(reply.error_code(bytes), Some(b"NOGROUP".as_slice()));
        assert_eq!((reply.number(bytes), reply.string(bytes)), (None, None));
    }
    assert_eq!(decode(number).error_code(number), None);
}

#[test]
fn attributes_belong_to_what_follows_them() {
    let bytes = lines("|1 $3 ttl :60 *2 |1 $1 a |1 $1 b :0 *1 :1 $1 x :5 ");
    let reply = decode(&bytes);
    assert_eq!((reply.kind, reply.at.start()), (Kind::Array, 18));
    let kinds: Vec<_> = reply.tokens(&bytes).map(|token| token.kind).collect();
    assert_eq!(kinds, [Kind::Array, Kind::Bulk, Kind::Integer]);
}

#[test]
fn parts_of_unknown_length_are_measured() {
    let good = ["*? :1 *? . %? $1 a *2 :1 :2 . . ", "$? ;2 ab ;0 ", "*2 *? . :1 "];
    for reply in good {
        decode(&lines(reply));
    }
    let nested = "*? ".repeat(5);
    let bad = [
        ("$? :1 ", Error::Streamed { found: b':' }),
        (";1 a ", Error::Streamed { found: b';' }),
        ("*2 . ", Error::Streamed { found: b'.' }),
        ("*? *1 . ", Error::Streamed { found: b'.' }),
        (nested.as_str(), Error::StreamedDepth { max: 4 }),
        ("$2 abc ", Error::BulkEnd { found: b'c' }),
    ];
    for (reply, error) in bad {
        let mut decoder = ReplyDecoder::new(RespLimits::default());
        assert_eq!(decoder.next(&lines(reply), Want::Hold, Want::Hold), Err(error), "{reply}");
    }
}

#[test]
fn nesting_costs_nothing() {
    let mut bytes = b"*1\r\n".repeat(100_000);
    bytes.extend_from_slice(b":1\r\n");
    let reply = decode(&bytes);
    assert_eq!(reply.tokens(&bytes).count(), 100_001);
    assert_eq!(reply.tokens(&bytes).step_over(1), Some(()));
}

#[test]
fn pushes_are_wanted_or_not_apart_from_replies() {
    let bytes = lines(">2 $3 foo $3 bar +OK ");
    let mut decoder = ReplyDecoder::new(RespLimits::default());
    let part =
        |kind| ReplyFrame::Part(ReplyPart { kind, first: true, last: true, too_long: false });
    let found = decoder.next(&bytes, Want::Hold, Want::Pass);
    assert_eq!(found, Ok(Step::Frame { frame: part(Kind::Push), len: 22 }));
    let found = decoder.next(&bytes[22..], Want::Pass, Want::Hold);
    assert_eq!(found, Ok(Step::Frame { frame: part(Kind::Simple), len: 5 }));
}

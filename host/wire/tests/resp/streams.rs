//! Streams of commands and replies: however they are cut, the same is found in the same bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{Error, Want};

use crate::generate::{SMALL, broker_stream, client_stream, command, damaged, reply, spell, words};
use crate::replies::lines;
use crate::walk::{Seen, broker, client, walk};

fn limits() -> impl Strategy<Value = RespLimits> {
    prop_oneof![Just(RespLimits::default()), Just(SMALL)]
}

fn bytes_of(seen: &[Seen]) -> Vec<u8> {
    let bytes = seen.iter().map(|seen| match seen {
        Seen::Command(_, bytes)
        | Seen::Inline(_, bytes)
        | Seen::Empty(bytes)
        | Seen::Reply(_, bytes)
        | Seen::Passed(_, bytes)
        | Seen::PassedReply(_, bytes) => bytes.as_slice(),
    });
    bytes.collect::<Vec<_>>().concat()
}

proptest! {
    #[test]
    fn commands_are_found_however_they_are_cut(
        stream in prop_oneof![client_stream(), damaged(client_stream())],
        chunks in vec(1_usize..30, 1..8),
        limits in limits(),
    ) {
        let at_once = walk(client(limits), &stream, &[stream.len().max(1)]);
        prop_assert_eq!(&walk(client(limits), &stream, &chunks), &at_once);
        prop_assert_eq!(&walk(client(limits), &stream, &[1]), &at_once);
        prop_assert_eq!(bytes_of(&at_once.seen), &stream[..at_once.whole]);
    }

    #[test]
    fn replies_are_found_however_they_are_cut(
        stream in prop_oneof![broker_stream(), damaged(broker_stream())],
        chunks in vec(1_usize..30, 1..8),
        limits in limits(),
        is_wanted in any::<bool>(),
    ) {
        let want = if is_wanted { Want::Hold } else { Want::Pass };
        let at_once = walk(broker(limits, want), &stream, &[stream.len().max(1)]);
        prop_assert_eq!(&walk(broker(limits, want), &stream, &chunks), &at_once);
        prop_assert_eq!(&walk(broker(limits, want), &stream, &[1]), &at_once);
        prop_assert_eq!(bytes_of(&at_once.seen), &stream[..at_once.whole]);
    }

    #[test]
    fn a_command_is_one_command_of_as_many_arguments(arguments in command()) {
        let bytes = spell(&arguments);
        let walked = walk(client(RespLimits::default()), &bytes, &[bytes.len()]);
        prop_assert_eq!(walked.error, None);
        match walked.seen.as_slice() {
            [Seen::Command(command, _)] => {
                prop_assert_eq!(command.arguments_len() as usize, arguments.len() - 1);
                prop_assert_eq!(command.name_at.of(&bytes), arguments[0].as_slice());
                let secret = matches!(command.name.as_str(), "AUTH" | "HELLO");
                let found: Vec<_> =
                    command.arguments(&bytes).map(|at| at.of(&bytes).to_vec()).collect();
                prop_assert_eq!(found.as_slice(), if secret { &[] } else { &arguments[1..] });
            }
            [Seen::Passed(part, _)] => {
                prop_assert_eq!(part.arguments_len as usize, arguments.len() - 1);
                prop_assert!(part.first && part.last && !part.too_long);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reply_is_one_reply(bytes in reply()) {
        for want in [Want::Hold, Want::Pass] {
            let walked = walk(broker(RespLimits::default(), want), &bytes, &[bytes.len()]);
            prop_assert_eq!(walked.error, None);
            prop_assert_eq!(walked.seen.len(), 1);
        }
    }
}

#[test]
fn what_is_too_long_goes_by_unread_and_what_follows_does_not() {
    let limits = RespLimits { command_bytes_max: 40, ..RespLimits::default() };
    let long = words("LPUSH q aaaaaaaaaaaaaaaaaaaaaaaaa");
    let short = words("LPUSH q a");
    let stream = [long.as_slice(), &short].concat();
    for chunk in [1, 7, stream.len()] {
        let walked = walk(client(limits), &stream, &[chunk]);
        let [Seen::Passed(part, passed), Seen::Command(_, held)] = walked.seen.as_slice() else {
            panic!("{walked:?}");
        };
        assert!(part.too_long && part.last);
        assert_eq!((passed, held), (&long, &short));
    }
    let limits = RespLimits { reply_bytes_max: 20, ..RespLimits::default() };
    let stream = lines("*2 $9 aaaaaaaaa $9 bbbbbbbbb :1 ");
    for chunk in [1, 7, stream.len()] {
        let walked = walk(broker(limits, Want::Hold), &stream, &[chunk]);
        let [Seen::PassedReply(part, _), Seen::Reply(..)] = walked.seen.as_slice() else {
            panic!("{walked:?}");
        };
        assert!(part.too_long && part.last);
    }
}

#[test]
fn what_is_just_as_long_as_its_limit_is_held() {
    let stream = words("LPUSH q abc");
    let len = stream.len() as u32;
    for (max, is_held) in [(len, true), (len - 1, false)] {
        let limits = RespLimits { command_bytes_max: max, ..RespLimits::default() };
        for chunk in [1, 7, stream.len()] {
            let walked = walk(client(limits), &stream, &[chunk]);
            assert_eq!(matches!(walked.seen[..], [Seen::Command(..)]), is_held, "{max}");
        }
    }
    for (reply, len) in [("*1 $1 a ", 11_u32), ("$1 a ", 7)] {
        let stream = lines(reply);
        for (max, is_held) in [(len, true), (len - 1, false)] {
            let limits = RespLimits { reply_bytes_max: max, ..RespLimits::default() };
            for chunk in [1, stream.len()] {
                let walked = walk(broker(limits, Want::Hold), &stream, &[chunk]);
                assert_eq!(matches!(walked.seen[..], [Seen::Reply(..)]), is_held, "{reply}");
            }
        }
    }
}

#[test]
fn a_string_that_is_too_long_is_refused_wherever_it_stands() {
    let limits = RespLimits { bulk_bytes_max: 5, ..RespLimits::default() };
    let error = Some(Error::BulkLength { found: 6, max: 5 });
    for name in ["LPUSH", "GET"] {
        let stream = words(&format!("{name} 12345 123456 1"));
        for chunk in [1, stream.len()] {
            assert_eq!(walk(client(limits), &stream, &[chunk]).error, error, "{name}");
        }
    }
    for reply in ["$6 123456 ", "*3 $5 12345 $6 123456 :1 "] {
        let stream = lines(reply);
        for (chunk, want) in
            [(1, Want::Hold), (stream.len(), Want::Hold), (stream.len(), Want::Pass)]
        {
            assert_eq!(walk(broker(limits, want), &stream, &[chunk]).error, error, "{reply}");
        }
    }
}

#[test]
fn a_command_that_is_known_to_be_too_long_is_not_waited_for() {
    let start = b"*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$9999999\r\nabc";
    let walked = walk(client(RespLimits::default()), start, &[start.len()]);
    assert_eq!((walked.error, walked.whole), (None, 0));
    let mut decoder = spanbridge_wire::resp::CommandDecoder::new(RespLimits::default());
    assert!(matches!(
        decoder.next(start),
        Ok(spanbridge_wire::Step::Frame { len, .. }) if len == start.len()
    ));
    assert!(decoder.is_passing());
}

#[test]
fn attributes_and_lines_have_limits_too() {
    let stream = lines("|1 $1 a $20 aaaaaaaaaaaaaaaaaaaa $20 aaaaaaaaaaaaaaaaaaaa :1 ");
    let limits = RespLimits { reply_bytes_max: 30, ..RespLimits::default() };
    for want in [Want::Hold, Want::Pass] {
        for chunk in [1, stream.len()] {
            let walked = walk(broker(limits, want), &stream, &[chunk]);
            assert_eq!(walked.error, Some(Error::AttributesLength { max: 30 }));
        }
    }
    let line = [b"GET ".as_slice(), &[b'a'; 40], b"\r\n"].concat();
    let walked = walk(client(SMALL), &line, &[1]);
    assert_eq!(walked.error, Some(Error::InlineLength { max: 24 }));
}

use spanbridge_wire::Step;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{CommandDecoder, CommandFrame};

use super::*;

/// A script whose keys are these of the queue `mail`, with these arguments, between spaces.
fn call(keys: &str, arguments: &str) -> Vec<u8> {
    let keys: Vec<_> = keys.split(' ').map(|key| format!("bull:mail:{key}")).collect();
    let count = keys.len().to_string();
    let head = ["EVALSHA", "0123", &count].into_iter();
    let words = head.chain(keys.iter().map(String::as_str)).chain(arguments.split(' '));
    bytes(&words.collect::<Vec<_>>())
}

fn bytes(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        // A word stands for a byte that is no character.
        let word: &[u8] = match *word {
            "ARRAY" => b"\x9aarray",
            "MAP" => b"\xde\0\x01map",
            word => word.as_bytes(),
        };
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend_from_slice(word);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<JobScript<'_>> {
    let step = CommandDecoder::new(RespLimits::default()).next(bytes);
    let Ok(Step::Frame { frame: CommandFrame::Command(command), .. }) = step else {
        panic!("{step:?}")
    };
    JobScript::of(&command, bytes)
}

fn end(id: &[u8], outcome: Outcome) -> Option<Act<'_>> {
    Some(Act::End(End::new(id, outcome)))
}

const STANDARD: &str = "wait paused meta id completed delayed active events marker";
const DELAYED_JOB: &str = "marker meta id delayed completed events";
const PRIORITIZED: &str = "marker meta id prioritized delayed completed active events pc";
const PARENT: &str = "meta id delayed waiting-children completed events";
const ACTIVE_KEYS: &str =
    "wait active prioritized events stalled limiter delayed paused meta pc marker";
const FINISHED: &str = "wait active prioritized events stalled limiter delayed paused meta pc \
                        completed 7 metrics:completed marker";
const DELAY: &str = "marker active prioritized delayed 7 events meta stalled wait limiter pc";
const RETRY: &str = "active wait paused 7 meta events delayed prioritized pc marker stalled";
const CHILDREN: &str = "active waiting-children 7 7:dependencies 7:unsuccessful stalled events";
const BACK: &str = "active wait stalled paused meta limiter prioritized marker events";

#[test]
fn jobs_are_created_by_four_scripts() {
    for keys in [STANDARD, DELAYED_JOB, PRIORITIZED, PARENT, "wait meta id completed events"] {
        let bytes = call(keys, "ARRAY {} MAP");
        let script = read(&bytes).expect(keys);
        let Act::Create { head, data, options } = script.act else { panic!("{keys}") };
        assert_eq!((script.base, script.queue()), (&b"bull:mail"[..], &b"mail"[..]));
        assert_eq!(head.of(&bytes), b"\x9aarray");
        assert_eq!((data.of(&bytes), options.of(&bytes)), (&b"{}"[..], &b"\xde\0\x01map"[..]));
    }
}

#[test]
fn what_else_creates_jobs_is_known_as_such_and_left_alone() {
    for (keys, arguments) in [
        (STANDARD, "ARRAY {} MAP more"),
        (STANDARD, "ARRAY {}"),
        (STANDARD, "[] {} MAP"),
        (STANDARD, "ARRAY {} {}"),
        ("repeat delayed wait paused meta prioritized marker id events pc active", "1 MAP s {}"),
    ] {
        let bytes = call(keys, arguments);
        assert_eq!(read(&bytes).map(|script| script.act), Some(Act::CreateOther), "{arguments}");
    }
}

#[test]
fn scripts_of_workers_say_what_becomes_of_a_job() {
    let delayed = |outcome| Some(Act::End(End { delay: 5_000_000, ..End::new(b"7", outcome) }));
    let waits = End { only_zero: true, ..End::new(b"7", Outcome::Requeue) };
    for (keys, arguments, expected) in [
        (ACTIVE_KEYS, "bull:mail: 17 MAP", Some(Act::Take)),
        (ACTIVE_KEYS, "bull:mail: 17 7 MAP", Some(Act::Take)),
        (ACTIVE_KEYS, "bull:mail: 17 7 MAP more", None),
        (ACTIVE_KEYS, "bull:mail: 17 {}", None),
        (FINISHED, "7 17 returnvalue {} completed 1 bull:mail: MAP ", end(b"7", Outcome::Ack)),
        (FINISHED, "7 17 returnvalue {} failed 1 bull:mail: MAP ", None),
        (FINISHED, "8 17 returnvalue {} completed 1 bull:mail: MAP ", None),
        (DELAY, "bull:mail: 17 7 token 5 0 MAP 1 MAP", delayed(Outcome::Nack)),
        (DELAY, "bull:mail: 17 7 token 5 1  0 ", delayed(Outcome::Requeue)),
        (DELAY, "bull:mail: 17 8 token 5 0", None),
        (DELAY, "bull:mail: 17 22 7 token 5", end(b"7", Outcome::Nack)),
        (RETRY, "bull:mail: 17 LPUSH 7 token ", end(b"7", Outcome::Nack)),
        (RETRY, "bull:mail: 17 RPUSH 7 token ", end(b"7", Outcome::Nack)),
        (RETRY, "bull:mail: 17 SADD 7 token ", None),
        (RETRY, "bull:news: 17 LPUSH 7 token ", None),
        (CHILDREN, "token  17 7 bull:mail:", Some(Act::End(waits))),
        (CHILDREN, "token  17 8 bull:mail:", None),
        ("7:lock active waiting-children 7", "token  17 7", Some(Act::End(waits))),
        (BACK, "7 token bull:mail:7", end(b"7", Outcome::Requeue)),
        (BACK, "7 token bull:mail:8", None),
    ] {
        let bytes = call(keys, arguments);
        assert_eq!(read(&bytes).map(|script| script.act), expected, "{arguments}");
    }
    let failed = FINISHED.replace("completed", "failed");
    let bytes = call(&failed, "7 17 failedReason no failed 1 bull:mail: MAP ");
    assert_eq!(read(&bytes).map(|script| script.act), end(b"7", Outcome::Reject));
}

#[test]
fn other_scripts_are_none() {
    let other_queue = call(STANDARD, "ARRAY {} MAP");
    let other_queue = other_queue.iter().map(|&byte| if byte == b'\x9a' { b'x' } else { byte });
    assert!(read(&other_queue.collect::<Vec<_>>()).is_some(), "known by its keys");
    for words in [
        &["EVAL", "return 1", "0"][..],
        &["EVAL", "return 1", "1", "a", "b"],
        &["EVAL", "return 1", "4", "a", "b", "c", "d"],
        &["EVAL", "return 1", "9", "a:wait"],
        &["EVAL", "return 1", "18446744073709551615", "a:wait"],
        &["EVALSHA", "0123", "5", ":id", ":events", ":completed", ":meta", ":wait", "ARRAY"],
        &["EVALSHA", "0123", "4", "a:id", "a:events", "b:completed", "a:meta", "ARRAY", "{}"],
        &["EVALSHA_RO", "0123", "4", "a:id", "a:events", "a:completed", "a:meta", "ARRAY", "{}"],
        &["LPUSH", "a:id", "a:events"],
    ] {
        assert_eq!(read(&bytes(words)), None, "{words:?}");
    }
    // Renewed locks, a stalled job put back, a look at a job.
    for (keys, arguments) in [
        ("7:lock stalled", "token 30000 7"),
        ("stalled wait active stalled-check meta paused marker events repeat", "1 bull:mail: 17 5"),
        ("completed failed 7", "7 1"),
        ("7 events completed wait meta paused active marker pc", "7 LPUSH returnvalue completed"),
    ] {
        assert_eq!(read(&call(keys, arguments)), None, "{keys}");
    }
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    let keys = [STANDARD.replace(' ', &format!(" {long}:")), "x".into()].concat();
    assert_eq!(read(&call(&keys, "ARRAY {} MAP")), None);
}

#[test]
fn a_prefix_may_have_colons() {
    assert_eq!(queue(b"shop:{eu}:mail"), b"mail");
    assert_eq!((queue(b"mail"), queue(b"")), (&b"mail"[..], &b""[..]));
}

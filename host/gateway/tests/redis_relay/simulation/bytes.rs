//! Compares what clients sent with what the server got, by other code than that under test.

use super::server::Words;
use crate::harness::TRACEPARENT;

/// The first command of `bytes` and its length. `None`: it is not whole.
pub(super) fn command(bytes: &[u8]) -> Option<(Words, usize)> {
    let mut at = 0;
    let line = |at: &mut usize| {
        let length = bytes.get(*at..)?.windows(2).position(|it| it == b"\r\n")?;
        let line = &bytes[*at..*at + length];
        *at += length + 2;
        Some(line)
    };
    let number = |line: &[u8]| std::str::from_utf8(&line[1..]).unwrap().parse::<usize>().unwrap();
    let head = line(&mut at)?;
    if head[0] != b'*' {
        // A line of words.
        return Some((head.split(|it| *it == b' ').map(<[u8]>::to_vec).collect(), at));
    }
    let mut words = Vec::new();
    for _ in 0..number(head) {
        let length = number(line(&mut at)?);
        words.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}

/// Nothing is lost, doubled, damaged or out of order, and context is added where it is due.
pub(super) fn compare(mut sent: &[u8], mut got: &[u8]) {
    while let Some((before, length)) = command(sent) {
        let (after, length_after) = command(got).expect("it went on");
        if !may_change(&before) {
            assert_eq!(sent[..length], got[..length_after]);
        } else if before[0] == b"XADD" {
            let (kept, added) = after.split_at(before.len());
            assert_eq!(kept, before);
            let added: Vec<_> = added.iter().step_by(2).map(Vec::as_slice).collect();
            assert_eq!(
                added,
                [&b"traceparent"[..], b"tracestate"],
                "{}",
                String::from_utf8_lossy(&sent[..length])
            );
        } else {
            assert_eq!((&before[..2], before.len()), (&after[..2], after.len()));
            before[2..].iter().zip(&after[2..]).for_each(|(before, after)| value(before, after));
        }
        (sent, got) = (&sent[length..], &got[length_after..]);
    }
    assert_eq!(sent, got, "the beginning of a command that never ended");
}

/// Answers whether a command gets a context.
fn may_change(words: &Words) -> bool {
    match &*words[0] {
        b"XADD" => {
            let is_foreign = words.iter().any(|it| it == TRACEPARENT.as_bytes());
            words.len() > 4 && !is_foreign && !words[1].starts_with(b"bull:")
        }
        b"LPUSH" | b"RPUSH" | b"LPUSHX" => words[1] != b"other",
        _ => false,
    }
}

/// A message of a list: a task gets a context in one place, and anything else stays.
fn value(before: &[u8], after: &[u8]) {
    if before == b"no task" {
        return assert_eq!(before, after);
    }
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let added = after.len() - before.len();
    assert_eq!(before[same..], after[same + added..], "one insertion");
    let added = String::from_utf8_lossy(&after[same..same + added]);
    assert!(added.contains("traceparent") && added.contains("tracestate"), "{added}");
}

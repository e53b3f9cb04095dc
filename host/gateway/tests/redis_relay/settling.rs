//! Entries that are done with.

use crate::harness::{Bed, command, entry, outcomes, plain_bed, stream, string};

fn read(bed: &Bed, count: usize) -> crate::harness::Session {
    let mut session = bed.session();
    let entries: Vec<_> = (0..count).map(|n| entry(&format!("5-{n}"), "a 1")).collect();
    session.ask("XREADGROUP GROUP g c STREAMS s >", stream("s", &entries));
    session
}

#[test]
fn an_entry_is_known_by_database_stream_and_group() {
    let bed = plain_bed();
    let mut session = read(&bed, 1);
    session.ask("SELECT 1", "+OK\r\n");
    session.ask("XACK s g 5-0", ":0\r\n");
    session.ask("SELECT 99", "-ERR DB index is out of range\r\n");
    session.ask("SELECT 0", "+OK\r\n");
    session.ask("XACK s other 5-0", ":0\r\n");
    session.ask("XACK t g 5-0", ":0\r\n");
    assert_eq!((bed.spans(), bed.counters.settle_unmatched.get()), (vec![], 3));
    session.ask("XACK s g 5", ":1\r\n");
    session.ask("XACK s g 5-0", ":0\r\n");
    assert_eq!((outcomes(&bed), bed.counters.settle_unmatched.get()), (vec!["ack".into()], 4));
}

#[test]
fn a_database_that_is_not_selected_changes_nothing() {
    let bed = plain_bed();
    let mut session = read(&bed, 1);
    session.ask("SELECT 99", "-ERR DB index is out of range\r\n");
    session.ask("XACKDEL s g KEEPREF IDS 1 5-0", "*1\r\n:1\r\n");
    assert_eq!(outcomes(&bed), ["ack"]);
}

#[test]
fn a_database_that_is_selected_meanwhile_stays_selected() {
    for (words, replies) in [
        (&["SELECT 99", "SELECT 1"][..], "-ERR no\r\n+OK\r\n"),
        (&["SELECT 1", "SELECT 99", "SELECT 98"], "+OK\r\n-ERR no\r\n-ERR no\r\n"),
        (&["MULTI", "DISCARD", "SELECT 1"], "+OK\r\n+OK\r\n+OK\r\n"),
        (&["MULTI", "EXEC", "SELECT 1"], "+OK\r\n*-1\r\n+OK\r\n"),
        (&["SELECT 1", "MULTI", "SELECT 2", "EXEC"], "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n"),
        (&["SELECT 2", "RESET", "SELECT 1"], "+OK\r\n+RESET\r\n+OK\r\n"),
    ] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client(words.iter().flat_map(|words| command(words)).collect::<Vec<_>>());
        session.broker(replies);
        session.ask("XREADGROUP GROUP g c STREAMS s >", stream("s", &[entry("5-0", "a 1")]));
        let mut elsewhere = bed.session();
        elsewhere.ask("SELECT 1", "+OK\r\n");
        elsewhere.ask("XACK s g 5-0", ":1\r\n");
        assert_eq!((outcomes(&bed), bed.open_spans.len()), (vec!["ack".into()], 0), "{words:?}");
    }
}

#[test]
fn more_than_one_batch_may_be_settled_by_one_word_and_what_follows_waits() {
    const COUNT: usize = 5000;
    let bed = plain_bed();
    let mut session = bed.session();
    for from in (0..COUNT).step_by(500) {
        let entries: Vec<_> = (from..from + 500).map(|n| entry(&format!("5-{n}"), "a 1")).collect();
        session.ask("XREADGROUP GROUP g c STREAMS s >", stream("s", &entries));
    }
    let ids: Vec<_> = (0..COUNT).map(|n| format!("5-{n}")).collect();
    let writes = session.writes;
    session.ask(&format!("XACK s g {}", ids.join(" ")), format!(":{COUNT}\r\n"));
    assert!(session.writes > writes + 2, "one for each batch");
    assert_eq!(outcomes(&bed), vec!["ack"; COUNT]);
    assert_eq!(bed.counters.settlements_lost.total(), 0);
    assert_eq!(session.ask("XADD t * a 1", string("5-0")).first(), Some(&b'*'));
}

#[test]
fn what_is_read_with_nobody_to_settle_it_is_a_strangers() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.ask("XREADGROUP GROUP g c NOACK STREAMS s >", stream("s", &[entry("5-0", "a 1")]));
    session.ask("XACK s g 5-0", ":0\r\n");
    assert_eq!(bed.counters.settle_unmatched.get(), 1);
}

#[test]
fn an_entry_that_is_deleted_is_done_with_for_every_group() {
    let bed = plain_bed();
    let mut session = read(&bed, 2);
    let two = stream("s", &[entry("5-0", "a 1"), entry("5-1", "a 1")]);
    session.ask("XREADGROUP GROUP h c STREAMS s >", two);
    assert_eq!(bed.open_spans.len(), 4);
    let mut elsewhere = bed.session();
    elsewhere.ask("XDELEX s ACKED IDS 1 5-0", "*1\r\n:2\r\n");
    elsewhere.ask("XDEL t 5-0", ":0\r\n");
    assert_eq!(bed.spans(), []);
    elsewhere.ask("XDEL s 5-0", ":1\r\n");
    assert_eq!((outcomes(&bed), bed.open_spans.len()), (vec!["ack".to_owned(); 2], 2));
    elsewhere.ask("XACK s g 5-1", ":1\r\n");
    elsewhere.ask("XDELEX s IDS 1 5-1", "*1\r\n:1\r\n");
    elsewhere.ask("XDEL s 5-1", ":0\r\n");
    assert_eq!((bed.spans().len(), bed.counters.settle_unmatched.get()), (4, 0));
}

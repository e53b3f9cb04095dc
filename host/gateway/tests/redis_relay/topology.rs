//! Brokers that send their clients to other servers: a session ends before its client follows.

use std::sync::Arc;

use spanbridge_gateway::config::Cluster;
use spanbridge_gateway::relay::Side;

use crate::harness::{Bed, Session, command, list, outcomes, plain_bed, string, strings};

/// What the server says of itself in version 2, or in version 3.
fn hello(mode: &str, is_resp3: bool) -> Vec<u8> {
    let words = ["server", "redis", "modules", "", "mode", mode, "role", "master"];
    let mut elements: Vec<_> = words.iter().map(string).collect();
    elements[3] = list(&[list(&[string("mode"), string("cluster")])]);
    let mut reply = list(&elements);
    if is_resp3 {
        reply.splice(..2, *b"%4");
    }
    reply
}

fn refusals(bed: &Bed) -> [u64; 2] {
    let refused = &bed.counters.sessions_refused;
    [refused.cluster.get(), refused.sentinel.get()]
}

/// The client got this and then the reason, and nothing goes on any more.
fn is_refused(session: &mut Session, before: &[u8], found: &str) {
    let (_, got) = session.take();
    let told = got.strip_prefix(before).expect("what came before goes on");
    let told = str::from_utf8(told).unwrap();
    assert!(told.starts_with("-ERR spanbridge: the broker is a ") && told.ends_with("\r\n"));
    assert!(told.to_lowercase().contains(found) && told.matches("\r\n").count() == 1, "{told}");
    assert_eq!(session.relay.refusal(), Some(found));
    session.client(command("GET a"));
    session.broker("$1\r\na\r\n");
    session.close();
    assert_eq!(session.take(), (vec![], vec![]));
}

#[test]
fn a_server_that_says_it_is_one_of_many_is_refused() {
    for is_resp3 in [false, true] {
        for (mode, expected) in
            [("cluster", [1, 0]), ("sentinel", [0, 1]), ("standalone", [0, 0]), ("x", [0, 0])]
        {
            let bed = plain_bed();
            let mut session = bed.session();
            session.client(command("HELLO 3"));
            session.broker(hello(mode, is_resp3));
            assert_eq!(refusals(&bed), expected, "{mode}");
            if expected == [0, 0] {
                assert!(session.unchanged && session.relay.refusal().is_none());
            } else {
                is_refused(&mut session, b"", mode);
            }
        }
    }
}

#[test]
fn who_asks_for_other_servers_is_told_why_there_are_none() {
    let map = list(&[list(&[b":0\r\n".to_vec(), b":16383\r\n".to_vec()])]);
    for (words, reply, found) in [
        ("CLUSTER SLOTS", map.clone(), "cluster"),
        ("cluster shards", map, "cluster"),
        ("CLUSTER NODES", string("a 127.0.0.1:1@2 master"), "cluster"),
        ("SENTINEL get-master-addr-by-name m", strings(&[b"h", b"1"]), "sentinel"),
        ("GET a", b"-MOVED 15495 127.0.0.1:7001\r\n".to_vec(), "cluster"),
        ("XADD s * a 1", b"-MOVED 15495 127.0.0.1:7001\r\n".to_vec(), "cluster"),
        ("GET a", b"-ASK 15495 127.0.0.1:7001\r\n".to_vec(), "cluster"),
    ] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client([command("PING"), command(words), command("PING")].concat());
        session.broker([&b"+PONG\r\n"[..], &reply, b"+PONG\r\n"].concat());
        is_refused(&mut session, b"+PONG\r\n", found);
    }
}

#[test]
fn a_publish_without_its_answer_ends_with_a_refused_session() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client([command("CLUSTER SLOTS"), command("XADD s * a 1")].concat());
    session.broker("*0\r\n");
    is_refused(&mut session, b"", "cluster");
    assert_eq!(outcomes(&bed), ["unanswered"]);
}

#[test]
fn who_asks_in_vain_or_for_something_else_is_not_refused() {
    let bed = plain_bed();
    let mut session = bed.session();
    for (words, reply) in [
        ("CLUSTER SLOTS", "-ERR This instance has cluster support disabled\r\n"),
        ("SENTINEL masters", "-ERR unknown command 'SENTINEL'\r\n"),
        ("CLUSTER INFO", "$15\r\ncluster_state:0\r\n"),
        ("CLUSTER KEYSLOT a", ":15495\r\n"),
        ("CLUSTER", "-ERR wrong number of arguments\r\n"),
        ("GET a", "$8\r\n-MOVED 1\r\n"),
        ("LRANGE a 0 1", "*1\r\n$7\r\n-ASK 1 \r\n"),
        ("HELLO 9", "-NOPROTO unsupported protocol version\r\n"),
        ("AUTH a", "+OK\r\n"),
    ] {
        session.ask(words, reply);
    }
    // Bytes of a long string are not replies, wherever a read cuts them.
    session.client(command("GET long"));
    session.broker(format!("$2000000\r\n{}", "x".repeat(1_000_000)));
    session.broker(format!("-MOVED 1 a:1\r\n{}\r\n", "x".repeat(1_000_000 - 14)));
    assert!(session.unchanged && refusals(&bed) == [0, 0]);
    assert!(session.is_at_boundary(Side::Broker));
}

#[test]
fn servers_that_announce_listeners_are_not_refused() {
    let mut bed = plain_bed();
    let shared = Arc::into_inner(bed.shared).unwrap();
    bed.shared = Arc::new(shared.with_cluster(Cluster::Announced));
    let mut session = bed.session();
    session.ask("HELLO 3", hello("cluster", true));
    session.ask("CLUSTER SLOTS", "*0\r\n");
    session.ask("GET a", "-MOVED 15495 127.0.0.1:7001\r\n");
    assert!(session.unchanged && refusals(&bed) == [0, 0]);
}

//! Which reply belongs to which command.

use spanbridge_gateway::relay::Side;

use crate::harness::{Bed, Session, command, list, outcomes, plain_bed, string, strings};

/// An entry that is added now gets the reply that comes now.
fn is_in_step(bed: &Bed, session: &mut Session) {
    let before = bed.spans().len();
    session.ask("XADD s * a 1", string("5-0"));
    assert_eq!(outcomes(bed)[before..], ["confirmed"]);
    assert!(session.is_at_boundary(Side::Broker) && session.is_at_boundary(Side::Client));
    assert_eq!(bed.counters.sessions_raw.total(), 0);
}

#[test]
fn replies_are_matched_through_pipelines_in_pieces_of_any_size() {
    let words =
        ["SET a 1", "XADD s * a 1", "GET a", "MGET a b", "BRPOP q 0", "XADD s * a 2", "PING"];
    let sent = [words.map(command).concat(), b"\r\nPING\r\n*0\r\n".to_vec()].concat();
    let replies = [
        &b"+OK\r\n$3\r\n5-0\r\n"[..],
        b"|1\r\n+ttl\r\n:1\r\n$1\r\n1\r\n*2\r\n$1\r\n1\r\n$-1\r\n",
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n*-1\r\n",
        b"-OOM no\r\n+PONG\r\n+PONG\r\n",
    ]
    .concat();
    for length in [1, 2, 7, 1000] {
        let bed = plain_bed();
        let mut session = bed.session();
        sent.chunks(length).for_each(|piece| session.client(piece));
        replies.chunks(length).for_each(|piece| session.broker(piece));
        assert_eq!(session.take().1, replies);
        assert_eq!(outcomes(&bed), ["confirmed", "refused"], "{length}");
        is_in_step(&bed, &mut session);
    }
}

#[test]
fn subscriptions_are_answered_once_for_each_channel() {
    let answer = |kind: &str, channel: &str, left: u32| {
        list(&[string(kind), string(channel), format!(":{left}\r\n").into_bytes()])
    };
    let bed = plain_bed();
    let mut session = bed.session();
    session.client(command("SUBSCRIBE a b"));
    session.broker(answer("subscribe", "a", 1));
    session.broker([answer("subscribe", "b", 2), strings(&[b"message", b"a", b"hi"])].concat());
    session.client(command("PSUBSCRIBE p*"));
    session.broker(answer("psubscribe", "p*", 3));
    session.client([command("PING"), command("UNSUBSCRIBE")].concat());
    session.broker(strings(&[b"pmessage", b"p*", b"p1", b"hi"]));
    session.broker(strings(&[b"pong", b""]));
    session.broker([answer("unsubscribe", "a", 2), answer("unsubscribe", "b", 1)].concat());
    session.client(command("PUNSUBSCRIBE p*"));
    session.broker([strings(&[b"message", b"a", b"hi"]), answer("punsubscribe", "p*", 0)].concat());
    is_in_step(&bed, &mut session);
    session.client(command("UNSUBSCRIBE"));
    session.broker(b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    is_in_step(&bed, &mut session);
    session.ask("SUBSCRIBE", "-ERR wrong number of arguments\r\n");
    is_in_step(&bed, &mut session);
}

#[test]
fn in_version_3_subscriptions_are_answered_by_pushes() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.ask("HELLO 3", "%1\r\n$5\r\nproto\r\n:3\r\n");
    session.client([command("SUBSCRIBE a b"), command("LRANGE q 0 -1")].concat());
    session.broker(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    session.broker(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    session.broker(">3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    // A list that only looks like a message.
    session.broker(strings(&[b"message", b"a", b"hi"]));
    is_in_step(&bed, &mut session);
    session.ask("SUBSCRIBE secret", "-NOPERM this user has no permissions\r\n");
    is_in_step(&bed, &mut session);
    session.client(command("RESET"));
    session.broker("+RESET\r\n");
    is_in_step(&bed, &mut session);
}

#[test]
fn who_the_client_is_counts_once_the_broker_agrees() {
    let bed = plain_bed();
    let resource = |name: &str| bed.resources.register(name, &[]);
    let mut session = bed.session();
    let mut service = |words: &str, reply: &str| {
        session.ask(words, reply);
        session.ask("XADD s * a 1", string("5-0"));
        bed.spans().last().unwrap().resource
    };
    assert_eq!(service("PING", "+PONG\r\n"), resource("unknown_service:redis"));
    assert_eq!(service("AUTH app wrong", "-WRONGPASS\r\n"), resource("unknown_service:redis"));
    assert_eq!(service("AUTH app right", "+OK\r\n"), resource("app"));
    assert_eq!(service("CLIENT SETNAME web", "+OK\r\n"), resource("web"));
    assert_eq!(service("RESET", "+RESET\r\n"), resource("unknown_service:redis"));
    let hello = "HELLO 3 AUTH root secret SETNAME cron";
    assert_eq!(service(hello, "%1\r\n+proto\r\n:3\r\n"), resource("cron"));
}

#[test]
fn behind_what_is_not_answered_like_a_command_nothing_is_read() {
    for words in ["MONITOR", "PSYNC ? -1", "REPLCONF ACK 0"] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client([command("XADD s * a 1"), command(words)].concat());
        session.client(command("XADD s * a 1"));
        assert_eq!(bed.counters.sessions_raw.mode.get(), 1, "{words}");
        assert_eq!(outcomes(&bed), ["unanswered"]);
        assert!(session.take().0.ends_with(&command("XADD s * a 1")));
        session.broker("+OK\r\n+1763900000.0 [0 127.0.0.1:1] \"get\" \"a\"\r\nanything");
        session.close();
        assert!(session.take().1.ends_with(b"anything"));
    }
}

#[test]
fn lines_of_words_are_commands_too_unless_their_words_would_have_to_be_read() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client("PING\r\nmulti\r\nXADD s * a 1\r\nEXEC\r\nset a 1\n");
    session.broker("+PONG\r\n+OK\r\n+QUEUED\r\n*1\r\n$3\r\n5-0\r\n+OK\r\n");
    is_in_step(&bed, &mut session);
    assert_eq!(bed.counters.redis_unread.command.get(), 1);
    for line in ["SUBSCRIBE a b\r\n", "CLIENT REPLY OFF\r\n", "\"XADD\" s * a 1\r\n"] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client(line);
        assert_eq!(bed.counters.sessions_raw.mode.get(), 1, "{line}");
        assert_eq!(session.take().0, line.as_bytes());
    }
}

#[test]
fn bytes_that_are_not_the_protocol_pass_unread_and_tls_is_told_apart() {
    for (bytes, tls) in [(&b"\x16\x03\x01\x00\xa5hello"[..], 1), (b"*1\r\n:1\r\n", 0)] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.client(bytes);
        session.broker([0, 159, 146, 150]);
        assert_eq!(session.take(), (bytes.to_vec(), vec![0, 159, 146, 150]));
        let raw = &bed.counters.sessions_raw;
        assert_eq!((raw.tls.get(), raw.protocol.get()), (tls, 1 - tls));
    }
}

#[test]
fn what_is_awaited_is_bounded_and_the_bound_is_counted() {
    let bed = plain_bed();
    let mut session = bed.session();
    // Runs of what nobody looks into are one place each.
    let two = [command("XREAD STREAMS s 0"), command("PING")].concat();
    for _ in 0..20 {
        session.client(two.repeat(1000));
    }
    assert!(bed.counters.redis_unread.count.get() > 0);
    assert_eq!(bed.counters.sessions_raw.total(), 0);
    session.client(command("XADD s * a 1"));
    assert_eq!(outcomes(&bed), ["none"], "its reply is not waited for");
    session.client([command("SELECT 1"), command("PING")].concat().repeat(20_000));
    assert_eq!(bed.counters.sessions_raw.awaited.get(), 1);
    session.client(command("XADD s * a 1"));
    assert_eq!(bed.spans().len(), 1);
}

#[test]
fn a_session_waits_for_answers_before_it_is_ended_but_not_for_what_may_never_arrive() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client(command("GET a"));
    assert!(!session.is_at_boundary(Side::Broker) && session.is_at_boundary(Side::Client));
    session.broker("$1\r\nb\r\n");
    for words in ["BLPOP q 0", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >"] {
        session.client(command(words));
        assert!(session.is_at_boundary(Side::Broker), "{words}");
        session.broker("*-1\r\n");
    }
    session.client("*2\r\n$3\r\nGET\r\n$5\r\nab");
    assert!(!session.is_at_boundary(Side::Client));
}

//! Entries on their way into a stream.

use spanbridge_gateway::config::HeaderCase;

use crate::harness::{
    Bed, CLIENT, Options, PRODUCER, SECOND, START, TRACEPARENT, command, cut, list, options,
    outcomes, plain_bed, string,
};

#[test]
fn an_entry_without_context_gets_one_behind_its_own_fields() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.ask("CLIENT SETNAME billing", "+OK\r\n");
    session.client([command("PING"), command("XADD orders MAXLEN ~ 9 * a 1")].concat());
    session.now += SECOND;
    session.broker("+PONG\r\n$15\r\n1763900000000-0\r\n");
    let (to_broker, to_client) = session.take();
    assert_eq!(to_client, b"+PONG\r\n$15\r\n1763900000000-0\r\n");
    let words = cut(to_broker.strip_prefix(&*command("PING")).unwrap());
    assert_eq!(words[..8], ["XADD", "orders", "MAXLEN", "~", "9", "*", "a", "1"]);
    assert_eq!((&*words[8], &*words[10], words.len()), ("traceparent", "tracestate", 12));
    let span = bed.only_span();
    assert_eq!((span.name.as_str(), span.kind), ("publish orders", PRODUCER));
    assert_eq!((span.start, span.end), (START, START + SECOND), "it ends with the reply");
    for (name, value) in [
        ("messaging.system", "redis"),
        ("messaging.destination.name", "orders"),
        ("messaging.operation.name", "publish"),
        ("spanbridge.outcome", "confirmed"),
    ] {
        assert_eq!(span.get(name), Some(value), "{name}");
    }
    assert_eq!(span.get("messaging.message.id"), None, "the broker chooses it");
    assert_eq!(span.resource, bed.resources.register("billing", &[]));
    assert!(session.is_at_boundary(spanbridge_gateway::relay::Side::Broker));
}

#[test]
fn somebody_elses_context_stays_as_it_is_however_its_field_is_spelt() {
    for name in ["traceparent", "Traceparent"] {
        let bed = plain_bed();
        let mut session = bed.session();
        session.ask(&format!("xadd orders 7-1 a 1 {name} {TRACEPARENT}"), string("7-1"));
        assert!(session.unchanged);
        let span = bed.only_span();
        assert_eq!((span.kind, span.name.as_str()), (CLIENT, "publish orders"));
        assert_eq!(span.parent, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
        assert_eq!(span.get("messaging.message.id"), Some("7-1"));
    }
}

#[test]
fn an_entry_without_fields_stays_the_error_that_it_is() {
    let bed = plain_bed();
    let mut session = bed.session();
    for words in ["XADD s *", "XADD s MAXLEN 9 5-0", "XADD s * a"] {
        session.ask(words, "-ERR wrong number of arguments for 'xadd' command\r\n");
        assert!(session.unchanged, "{words}");
    }
}

#[test]
fn names_of_added_fields_are_spelt_as_the_route_wants_it() {
    let options = Options { header_case: HeaderCase::Canonical, ..options(|_| {}) };
    let bed = Bed::with(1, options);
    let words = cut(&bed.session().ask("XADD s * a 1", string("5-0")));
    assert_eq!((&*words[5], &*words[7]), ("Traceparent", "Tracestate"));
}

#[test]
fn the_reply_says_what_became_of_an_entry() {
    for (reply, outcome, error) in [
        (&b"$3\r\n5-0\r\n"[..], "confirmed", None),
        (b"-WRONGTYPE Operation against a key\r\n", "refused", Some("WRONGTYPE")),
        (b"-OOM command not allowed\r\n", "refused", Some("OOM")),
        (b"$-1\r\n", "returned", Some("NOMKSTREAM")),
        (b"_\r\n", "returned", Some("NOMKSTREAM")),
    ] {
        let bed = plain_bed();
        bed.session().ask("XADD s NOMKSTREAM * a 1", reply);
        let span = bed.only_span();
        assert_eq!((span.outcome(), span.error.as_deref()), (Some(outcome), error));
    }
}

#[test]
fn what_the_broker_knows_an_entry_by_is_not_changed() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.ask("XADD s IDMPAUTO p * a 1", string("5-0"));
    assert!(session.unchanged);
    assert_eq!(bed.counters.injections_skipped.refused.get(), 1);
    assert_eq!(outcomes(&bed), ["confirmed"]);
    let words = cut(&session.ask("XADD s IDMP p 7 * a 1", string("6-0")));
    assert!(words.contains(&"traceparent".to_owned()), "an id of the producer's is another thing");
}

#[test]
fn what_is_not_understood_passes_as_it_came_and_is_answered_all_the_same() {
    let bed = plain_bed();
    let mut session = bed.session();
    for words in ["XADD s NEWOPTION * a 1", "XADD s", "XADD", "XADD bull:mail:events * a 1"] {
        session.ask(words, "-ERR no\r\n");
    }
    assert!(session.unchanged && bed.spans().is_empty());
    session.ask("XADD s * a", "-ERR wrong number of arguments\r\n");
    assert!(session.unchanged, "a field without a value");
    assert_eq!(outcomes(&bed), ["refused"]);
}

#[test]
fn an_entry_that_nobody_answers_ends_when_it_is_handed_on() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client([command("CLIENT REPLY SKIP"), command("XADD s * a 1")].concat());
    session.client(command("CLIENT REPLY OFF"));
    session.client([command("XADD s * a 1"), command("SET a b")].concat());
    session.client(command("CLIENT REPLY SKIP"));
    session.now += SECOND;
    session.client([command("CLIENT REPLY ON"), command("XADD s * a 1")].concat());
    assert_eq!(outcomes(&bed), ["none", "none"]);
    assert!(bed.spans().iter().all(|span| (span.start, span.end) == (START, START)));
    session.broker("+OK\r\n$3\r\n5-0\r\n");
    assert_eq!(outcomes(&bed), ["none", "none", "confirmed"]);
}

#[test]
fn a_transaction_says_what_became_of_its_entries_at_its_end() {
    let exec = |replies: &[Vec<u8>]| list(replies);
    let refused = b"-EXECABORT Transaction discarded\r\n".to_vec();
    let done = exec(&[b"+OK\r\n".to_vec(), string("5-0"), b"-OOM no\r\n".to_vec()]);
    for (reply, expected) in [
        (done, ["confirmed", "refused"]),
        (b"*-1\r\n".to_vec(), ["unanswered", "unanswered"]),
        (refused, ["refused", "refused"]),
        (exec(&[string("5-0")]), ["unanswered", "unanswered"]),
    ] {
        let bed = plain_bed();
        let mut session = bed.session();
        let words = ["MULTI", "SET a b", "XADD s * a 1", "XADD s * a 2", "EXEC", "XADD s * a 3"];
        session.client(words.map(command).concat());
        session.broker("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
        assert_eq!(bed.spans(), []);
        session.broker([reply, string("6-0")].concat());
        assert_eq!(outcomes(&bed), [&expected[..], &["confirmed"]].concat());
        let sent = session.take().0;
        let count = sent.windows(11).filter(|it| *it == b"traceparent").count();
        assert_eq!(count, 3);
    }
}

#[test]
fn a_transaction_that_is_taken_back_or_never_began_is_not_mistaken_for_one() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client(["MULTI", "XADD s * a 1", "DISCARD", "XADD s * a 2"].map(command).concat());
    session.broker("+OK\r\n+QUEUED\r\n+OK\r\n$3\r\n5-0\r\n");
    assert_eq!(outcomes(&bed), ["unanswered", "confirmed"]);
    // The broker refuses to begin one, and so executes what comes.
    session.client(["MULTI", "XADD s * a 1", "GET a", "EXEC"].map(command).concat());
    session.broker("-NOAUTH no\r\n$3\r\n5-0\r\n$1\r\nb\r\n-ERR EXEC without MULTI\r\n");
    assert_eq!(outcomes(&bed), ["unanswered", "confirmed", "confirmed"]);
    session.ask("XADD s * a 1", string("6-0"));
    assert_eq!(bed.spans().len(), 4);
}

#[test]
fn entries_without_an_answer_end_with_their_session() {
    let bed = plain_bed();
    let mut session = bed.session();
    session.client(["XADD s * a 1", "MULTI", "XADD s * a 1"].map(command).concat());
    session.now += SECOND;
    session.close();
    assert_eq!(outcomes(&bed), ["unanswered", "unanswered"]);
    assert!(bed.spans().iter().all(|span| span.end == START && span.error.is_none()));
    assert_eq!(bed.counters.publishes_unanswered.closed.get(), 2);
}

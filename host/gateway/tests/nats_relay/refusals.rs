//! What a broker refuses, and what it says about itself while it does.

use crate::frames::{deliver, publish};
use crate::harness::{Bed, CONNECT, INFO, Options, Session};

const TOO_LARGE: &str = r#"{"error":{"code":400,"err_code":10054,
    "description":"message size exceeds maximum allowed"},"stream":"S","seq":0}"#;
const OTHER: &str = r#"{"error":{"code":503,"err_code":10077,"description":"no"},"seq":0}"#;
const CONTEXT: &str = "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

/// Publishes, and answers whether a context was added.
fn injected(session: &mut Session, subject: &str, reply: &str, headers: Option<&str>) -> bool {
    let sent = publish(subject, reply, headers, "hello");
    session.client(&sent);
    session.take_to_broker() != sent
}

#[test]
fn a_subject_whose_stream_refused_our_size_gets_no_context_any_more() {
    // Sampled or not: both carry a context.
    for sampler in [spanbridge::RootSampler::AlwaysOn, spanbridge::RootSampler::AlwaysOff] {
        let mut options = Options::default();
        options.settings.sampler = sampler;
        let bed = Bed::with(1, options);
        let (mut session, mut other) = (bed.connected(), bed.connected());
        assert!(injected(&mut session, "a", "_INBOX.1", None));
        assert!(!injected(&mut session, "b", "_INBOX.2", Some(CONTEXT)));
        assert!(injected(&mut session, "c", "_INBOX.3", None));
        session.broker(deliver("_INBOX.1", "", None, TOO_LARGE));
        // Not ours: nothing was added to it.
        session.broker(deliver("_INBOX.2", "", None, TOO_LARGE));
        // Not for its size.
        session.broker(deliver("_INBOX.3", "", None, OTHER));
        for session in [&mut session, &mut other] {
            assert!(!injected(session, "a", "", None));
            assert!(injected(session, "b", "", None));
            assert!(injected(session, "c", "", None));
            assert!(!injected(session, "a", "", Some(CONTEXT)));
        }
        assert_eq!(bed.counters.messages_refused_for_size.get(), 1);
        assert_eq!(bed.counters.injections_skipped.size_refused.get(), 2);
        session.close();
        let unanswered = &bed.counters.publishes_unanswered;
        assert_eq!(unanswered.total(), 0);
    }
}

#[test]
fn a_session_that_ends_for_its_payload_names_its_largest_message() {
    let bed = Bed::new(1);
    let (mut session, mut other) = (bed.connected(), bed.connected());
    session.broker("-ERR 'Maximum Payload Violation'\r\n");
    assert_eq!(bed.counters.messages_refused_for_size.get(), 0, "nothing was added to any");
    assert!(injected(&mut session, "small", "", None));
    session.client(publish("large", "", None, &"x".repeat(100)));
    assert!(injected(&mut session, "small", "", None));
    session.broker("-ERR 'Slow Consumer'\r\n");
    assert_eq!(bed.counters.messages_refused_for_size.get(), 0);
    session.broker("-ERR 'Maximum Payload Violation'\r\n");
    assert!(injected(&mut other, "small", "", None));
    assert!(!injected(&mut other, "large", "", None));
    assert_eq!(bed.counters.messages_refused_for_size.get(), 1);
}

#[test]
fn addresses_of_a_cluster_are_kept_from_clients_and_nothing_else_is() {
    let urls = r#"["10.0.0.1:4222", "10.0.0.2:4222"]"#;
    let info = INFO.replace(
        "\"headers\"",
        &format!(r#""ws_connect_urls":{urls}, "connect_urls" : {urls} ,"ldm":true,"headers""#),
    );
    let hidden = info.replace(&format!(" : {urls}"), " : []");
    assert_ne!(info, hidden);
    let message = deliver("a", "", None, "x");
    for length in [usize::MAX, 1, 7] {
        let bed = Bed::new(1);
        let mut session = bed.session();
        session.broker(&info);
        session.client(CONNECT);
        // Later ones come between messages.
        let read = format!("{message}{info}{message}{INFO}{info}PING\r\n");
        for piece in read.as_bytes().chunks(length) {
            session.broker(piece);
        }
        let expected = format!("{hidden}{message}{hidden}{message}{INFO}{hidden}PING\r\n");
        assert_eq!(session.take_to_client(), expected, "in pieces of {length}");
        assert_eq!(bed.counters.connect_urls_hidden.get(), 3);
    }
    let bed = Bed::new(1);
    let mut session = bed.session();
    let tls = info.replace("\"ldm\"", "\"tls_required\"");
    session.broker(&tls);
    assert_eq!(session.take_to_client(), tls.replace(&format!(" : {urls}"), " : []"));
}

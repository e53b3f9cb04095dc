//! Which route a message belongs to, and what that does to it and to its spans.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spanbridge::env;
use spanbridge_gateway::config::Config;
use spanbridge_gateway::routes::{Routes, RoutesChanged};

use crate::harness::{Bed, CONSUMER, INFO, Options, PRODUCER, SECOND, START, Session};

const LISTENER: &str = "[[listener]]\nlisten = \"nats://127.0.0.1:0\"\nbrokers = [\"nats://b\"]\n";

/// A bed and the routes that its sessions have.
pub(crate) struct Routed {
    pub(crate) bed: Bed,
    routes: Routes,
    now: Instant,
}

impl Routed {
    pub(crate) fn new(text: &str) -> Self {
        Self::with(Options::default(), text)
    }

    pub(crate) fn with(options: Options, text: &str) -> Self {
        let bed = Bed::with(7, options);
        let services = bed.services.clone();
        let routes =
            Routes::new(bed.runtime.clone(), env::Settings::default(), services, Arc::default());
        let mut routed = Self { bed, routes, now: Instant::now() };
        routed.reload(text);
        routed
    }

    /// Takes over what the file says behind its listener.
    fn reload(&mut self, text: &str) -> RoutesChanged {
        let config = Config::parse(&format!("{LISTENER}{text}")).unwrap();
        let (tables, changed) = self.routes.apply(&config, self.now).unwrap();
        self.bed.shared.set_routes(tables[0].clone());
        changed
    }

    /// Names of the spans so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.bed.spans().into_iter().map(|span| span.name).collect()
    }
}

/// A session whose client says that it is this user.
fn session_of(bed: &Bed, user: &str) -> Session {
    let mut session = bed.session();
    session.broker(INFO);
    session.client(format!("CONNECT {{\"headers\":true,\"name\":\"me\",\"user\":\"{user}\"}}\r\n"));
    session.take_to_broker();
    session
}

#[test]
fn the_first_route_that_fits_says_how_a_message_is_traced() {
    let routed = Routed::new(
        "[listener.route]\nproducer_service = \"the rest\"\n\
         [[route]]\nuser = \"app\"\ndestination = \"orders.>\"\nproducer_service = \"app\"\n\
         [[route]]\ndestination = \"orders.{id}\"\nheader_case = \"canonical\"\n\
         consumer_service = \"orders\"\n\
         [[route]]\ndestination = \"quiet\"\nsampler = \"always_off\"\n",
    );
    let bed = &routed.bed;
    let mut app = session_of(bed, "app");
    app.client("PUB orders.7 1\r\nx\r\nPUB bills 1\r\nx\r\n");
    let mut other = session_of(bed, "other");
    // Each message of a read has its own route, and its own casing.
    other.client("PUB orders.7 1\r\nx\r\nPUB bills 1\r\nx\r\nPUB quiet 1\r\nx\r\n");
    let written = other.take_to_broker();
    assert_eq!(written.matches("Traceparent: ").count(), 1, "{written}");
    assert_eq!(written.matches("traceparent: ").count(), 2, "{written}");
    other.broker("MSG orders.7 1 1\r\nx\r\n");
    let expected = [
        ("publish orders.7", PRODUCER, "app"),
        ("publish bills", PRODUCER, "the rest"),
        ("publish orders.{id}", PRODUCER, "the rest"),
        ("publish bills", PRODUCER, "the rest"),
        ("process orders.{id}", CONSUMER, "orders"),
    ];
    let spans = bed.spans();
    let found = spans.iter().map(|span| (span.name.as_str(), span.kind, span.resource));
    let expected = expected.map(|(name, kind, service)| (name, kind, bed.services.named(service)));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(spans[2].get("messaging.destination.template"), Some("orders.{id}"));
    assert_eq!(spans[2].get("messaging.destination.name"), Some("orders.7"));
}

#[test]
fn messages_of_a_route_that_is_off_pass_byte_for_byte_and_their_acks_are_known() {
    let routed = Routed::new("[[route]]\ndestination = \"secret.>\"\noff = true\n");
    let mut session = routed.bed.connected();
    let ack = format!("$JS.ACK.S.C.1.5.2.{START}.0");
    session.client("PUB secret.a 1\r\nx\r\nHPUB secret.b 12 13\r\nNATS/1.0\r\n\r\nx\r\n");
    session.broker(format!("MSG secret.a 1 1\r\nx\r\nMSG secret.b 1 {ack} 1\r\nx\r\n"));
    session.client(format!("PUB {ack} 4\r\n+ACK\r\n"));
    assert!(session.unchanged);
    assert_eq!(routed.names(), [""; 0]);
    assert_eq!(routed.bed.counters.settle_unmatched.get(), 0);
    assert_eq!(routed.bed.counters.messages_seen.total(), 0);
    session.client("PUB public 1\r\nx\r\n");
    assert_eq!(routed.names(), ["publish public"]);
}

#[test]
fn ten_thousand_subjects_make_one_span_name() {
    const SUBJECTS: usize = 10_000;
    let routed = Routed::new("[[route]]\nscrub = [\"uuid\", \"number\", \"hex\"]\n");
    let mut session = routed.bed.connected();
    for number in 0..SUBJECTS {
        let uuid = format!("{number:08x}-0000-4000-8000-000000000000");
        let subject = format!("orders.{uuid}.items.{number}.{number:016x}");
        session.client(format!("PUB {subject} 1\r\nx\r\n"));
        let message = session.take_to_broker().replacen(" 1\r\n", " 1 1\r\n", 1);
        let (head, rest) = message.split_once("\r\n").unwrap();
        let sizes = head.splitn(3, ' ').nth(2).unwrap();
        session.broker(format!("HMSG {subject} 1 {sizes}\r\n{rest}"));
    }
    let spans = routed.bed.spans();
    assert_eq!(spans.len(), 2 * SUBJECTS);
    let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
    let template = "orders.{id}.items.{id}.{id}";
    let expected = [format!("process {template}"), format!("publish {template}")];
    assert!(names.iter().eq(&expected), "{names:?}");
    let subjects: BTreeSet<_> =
        spans.iter().map(|span| span.get("messaging.destination.name")).collect();
    assert_eq!(subjects.len(), SUBJECTS, "each span says its own subject");
    for span in &spans {
        assert_eq!(span.get("messaging.destination.template"), Some(template));
    }
    // Nothing is kept of a subject: not in the space for templates, not in the routes.
    assert!(session.tools.template.capacity() <= 1024);
    assert!(routed.bed.open_spans.is_empty());
}

#[test]
fn a_session_takes_new_routes_with_its_next_read_and_ends_what_the_old_ones_began() {
    let mut routed = Routed::new("[[route]]\nuser = \"app\"\ndestination_template = \"old\"\n");
    let mut session = session_of(&routed.bed, "app");
    let ack = format!("$JS.ACK.S.C.1.5.2.{START}.0");
    session.broker(format!("MSG orders 1 {ack} 1\r\nx\r\n"));
    session.client("PUB orders 1\r\nx\r\n");
    let changed = routed.reload("[[route]]\nuser = \"app\"\ndestination_template = \"new\"\n");
    assert_eq!(changed, RoutesChanged { opened: 1, retired: 1, kept: 1 });
    session.client("PUB orders 1\r\nx\r\n");
    // Long enough for the old route to be closed, and its number to be given away.
    routed.now += Duration::from_secs(60);
    let changed = routed.reload("[[route]]\nuser = \"app\"\ndestination_template = \"newer\"\n");
    assert_eq!(changed, RoutesChanged { opened: 1, retired: 1, kept: 1 });
    session.now += SECOND;
    session.client(format!("PUB orders 1\r\nx\r\nPUB {ack} 4\r\n+ACK\r\n"));
    let expected = ["publish old", "publish new", "publish newer", "process old"];
    assert_eq!(routed.names(), expected);
    let process = routed.bed.spans().pop().unwrap();
    assert_eq!((process.outcome(), process.end - process.start), (Some("ack"), SECOND));
}

#[test]
fn reloading_the_same_file_changes_nothing_however_often() {
    let text = "[[route]]\nscrub = [\"hex\"]\n[[route]]\nbody_size = true\n";
    let mut routed = Routed::new(text);
    for _ in 0..1000 {
        assert_eq!(routed.reload(text), RoutesChanged { opened: 0, retired: 0, kept: 2 });
    }
}

#[test]
fn more_changes_than_routes_may_be_open_fail_and_leave_what_is_open() {
    let mut routed = Routed::new("");
    let text = |round: usize| {
        let route =
            |at: usize| format!("[[route]]\nrelation_wait_max_seconds = {}\n", round * 64 + at);
        format!("{LISTENER}{}", (0..64).map(route).collect::<String>())
    };
    let outcomes: Vec<bool> = (0..12)
        .map(|round| routed.routes.apply(&Config::parse(&text(round)).unwrap(), routed.now).is_ok())
        .collect();
    assert!(outcomes[0] && !outcomes[11], "{outcomes:?}");
    // Once the retired ones are closed there is room again.
    routed.now += Duration::from_secs(60);
    assert!(routed.routes.apply(&Config::parse(&text(99)).unwrap(), routed.now).is_ok());
    let mut session = routed.bed.connected();
    session.client("PUB orders 1\r\nx\r\n");
    assert_eq!(routed.names(), ["publish orders"]);
}

#[test]
fn where_a_route_says_how_many_a_consumer_works_on_work_begins_when_there_is_room() {
    let routed = Routed::new("[[route]]\nconcurrency = 2\n");
    let mut session = session_of(&routed.bed, "app");
    let ack = |number: u64| format!("$JS.ACK.S.C.1.{number}.{number}.{START}.0");
    let deliver = |number| format!("MSG orders 1 {} 1\r\nx\r\n", ack(number));
    session.broker((1..=4).map(deliver).collect::<String>());
    for number in [1, 2, 3, 4] {
        session.now += SECOND;
        session.client(format!("PUB {} 4\r\n+ACK\r\n", ack(number)));
    }
    let works = routed.bed.spans().into_iter().map(|span| {
        let of = |name: &str| span.get(name).map(str::to_owned);
        let estimated = of("spanbridge.start_estimated").is_some();
        let seconds = [span.start, span.end].map(|at| (at - START) / SECOND);
        (seconds, estimated, of("spanbridge.prefetched"))
    });
    let others = |count: &str| Some(count.to_owned());
    let expected = [
        ([0, 1], false, None),
        ([0, 2], false, others("1")),
        ([1, 3], true, others("2")),
        ([2, 4], true, others("3")),
    ];
    assert_eq!(works.collect::<Vec<_>>(), expected);
}

//! Which route a message belongs to.

use std::sync::Arc;
use std::time::Instant;

use spanbridge::env;
use spanbridge_gateway::config::Config;
use spanbridge_gateway::routes::Routes;

use crate::harness::{Bed, Session, command, entry, stream, string};

const LISTENER: &str =
    "[[listener]]\nlisten = \"redis://127.0.0.1:0\"\nbrokers = [\"redis://b\"]\n";

/// A bed whose sessions have the routes of a file.
pub(crate) fn routed(text: &str) -> Bed {
    routed_on(Bed::new(7), text)
}

/// The same, of a bed that is there.
pub(crate) fn routed_on(bed: Bed, text: &str) -> Bed {
    let services = bed.services.clone();
    let mut routes =
        Routes::new(bed.runtime.clone(), env::Settings::default(), services, Arc::default());
    let config = Config::parse(&format!("{LISTENER}{text}")).unwrap();
    let (tables, _) = routes.apply(&config, Instant::now()).unwrap();
    bed.shared.listener.set_routes(tables[0].clone());
    bed
}

/// Adds an entry to a stream, reads it and settles it.
fn pass(session: &mut Session, key: &str) {
    session.ask(&format!("XADD {key} * a 1"), string("5-0"));
    let words = format!("XREADGROUP GROUP g c STREAMS {key} >");
    session.ask(&words, stream(key, &[entry("5-0", "a 1")]));
    session.ask(&format!("XACK {key} g 5-0"), ":1\r\n");
}

#[test]
fn a_route_that_is_off_changes_no_byte_and_its_settlements_are_no_strangers() {
    let bed = routed("[[route]]\ndestination = \"quiet\"\noff = true\n");
    let mut session = bed.session();
    pass(&mut session, "quiet");
    assert!(session.unchanged && bed.spans().is_empty() && bed.open_spans.is_empty());
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    pass(&mut session, "loud");
    let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["publish loud", "process loud"]);
}

#[test]
fn a_route_of_a_user_holds_once_the_broker_has_let_the_user_in() {
    let bed = routed("[[route]]\nuser = \"app\"\noff = true\n");
    let mut session = bed.session();
    session.ask("AUTH app wrong", "-WRONGPASS no\r\n");
    pass(&mut session, "s");
    assert_eq!(bed.spans().len(), 2);
    session.ask("AUTH app right", "+OK\r\n");
    pass(&mut session, "s");
    assert_eq!(bed.spans().len(), 2);
}

#[test]
fn ids_are_taken_out_between_colons_and_services_are_named() {
    let bed = routed("[listener.route]\nscrub = [\"number\"]\nconsumer_service = \"auditor\"\n");
    pass(&mut bed.session(), "orders:17:paid");
    let [publish, process] = &bed.spans()[..] else { panic!("two spans") };
    assert_eq!(publish.name, "publish orders:{id}:paid");
    assert_eq!(process.name, "process orders:{id}:paid");
    assert_eq!(process.resource, bed.resources.register("auditor", &[]));
}

/// Adds an entry in the selected database. Answers whether that was traced.
fn is_traced(bed: &Bed, session: &mut Session) -> bool {
    let before = bed.spans().len();
    session.ask("XADD orders * a 1", string("5-0"));
    bed.spans().len() > before
}

#[test]
fn a_route_of_a_database_holds_while_that_is_selected() {
    let bed = routed("[[route]]\ndatabase = [2, 3]\noff = true\n");
    let mut session = bed.session();
    assert!(is_traced(&bed, &mut session));
    session.ask("SELECT 2", "+OK\r\n");
    assert!(!is_traced(&bed, &mut session));
    session.ask("SELECT 99", "-ERR DB index is out of range\r\n");
    assert!(!is_traced(&bed, &mut session), "a database that is not selected changes nothing");
    session.ask("SELECT 1", "+OK\r\n");
    assert!(is_traced(&bed, &mut session));
    session.ask("SELECT 3", "+OK\r\n");
    assert!(!is_traced(&bed, &mut session));
    session.ask("RESET", "+RESET\r\n");
    assert!(is_traced(&bed, &mut session));
    for (words, reply, is_there) in
        [("EXEC", "*1\r\n+OK\r\n", false), ("EXEC", "*-1\r\n", true), ("DISCARD", "+OK\r\n", true)]
    {
        session.ask("RESET", "+RESET\r\n");
        session.ask("MULTI", "+OK\r\n");
        session.ask("SELECT 2", "+QUEUED\r\n");
        session.ask(words, reply);
        assert_eq!(is_traced(&bed, &mut session), is_there, "{words} {reply}");
    }
}

#[test]
fn a_pipeline_is_routed_command_by_command_and_its_replies_likewise() {
    let bed = routed("[[route]]\ndatabase = 2\noff = true\n");
    let mut session = bed.session();
    let words = ["XADD a * a 1", "SELECT 2", "XADD b * a 1", "XREAD STREAMS b 0", "SELECT 0"];
    let more = ["XREAD STREAMS a 0", "SELECT 2"];
    session.client(words.iter().chain(&more).flat_map(|it| command(it)).collect::<Vec<_>>());
    let entries = |key| stream(key, &[entry("5-0", "a 1")]);
    let (id, ok) = (string("5-0"), b"+OK\r\n".to_vec());
    let replies = [id.clone(), ok.clone(), id, entries("b"), ok.clone(), entries("a"), ok];
    session.broker(replies.concat());
    let mut names: Vec<_> = bed.spans().iter().map(|span| span.name.clone()).collect();
    names.sort();
    assert_eq!(names, ["process a", "publish a"]);
}

#[test]
fn a_route_of_a_database_is_not_for_channels_which_belong_to_none() {
    let bed =
        routed("[listener.route]\nenvelope = \"json\"\n[[route]]\ndatabase = 0\noff = true\n");
    let mut session = bed.session();
    assert!(!is_traced(&bed, &mut session));
    session.ask("PUBLISH orders {}", ":1\r\n");
    assert_eq!(bed.only_span().name, "publish orders");
}

//! Which route a message belongs to.

use std::sync::Arc;
use std::time::Instant;

use spanbridge::env;
use spanbridge_gateway::config::Config;
use spanbridge_gateway::routes::Routes;

use crate::frames::{Delivery, Properties, ack, publish, text_entry};
use crate::harness::{Bed, SECOND};

const LISTENER: &str = "[[listener]]\nlisten = \"amqp://127.0.0.1:0\"\nbrokers = [\"amqp://b\"]\n";

/// A bed whose sessions have the routes of a file.
fn routed(text: &str) -> Bed {
    let bed = Bed::new(7);
    let services = bed.services.clone();
    let mut routes =
        Routes::new(bed.runtime.clone(), env::Settings::default(), services, Arc::default());
    let config = Config::parse(&format!("{LISTENER}{text}")).unwrap();
    let (tables, _) = routes.apply(&config, Instant::now()).unwrap();
    bed.shared.listener.set_routes(tables[0].clone());
    bed
}

fn names(bed: &Bed) -> Vec<String> {
    bed.spans().into_iter().map(|span| span.name).collect()
}

#[test]
fn routes_know_virtual_host_user_and_every_name_of_a_destination() {
    let bed = routed(
        "[[route]]\nvhost = \"other\"\noff = true\n\
         [[route]]\nuser = \"nobody\"\noff = true\n\
         [[route]]\nvhost = \"/shop\"\nuser = \"app\"\ndestination = \"quiet\"\noff = true\n\
         [[route]]\ndestination = \"news:eu.*\"\ndestination_template = \"news:eu\"\n\
         [[route]]\ndestination = \"audit\"\nconsumer_service = \"auditor\"\n",
    );
    let mut session = bed.consuming("audit");
    let send = |to| publish(1, to, &Properties::default(), b"x");
    session.client([send(("", "quiet")), send(("news", "eu.de")), send(("", "loud"))].concat());
    assert_eq!(names(&bed), ["publish news:eu", "publish loud"]);
    // By what was published; by the queue alone.
    let delivery = |tag, exchange, key| Delivery { exchange, key, ..Delivery::tagged(tag) };
    session.broker(delivery(1, "news", "eu.de").frames());
    session.broker(delivery(2, "news", "us").frames());
    session.client(ack(1, 2, true));
    assert_eq!(names(&bed)[2..], ["process news:eu", "process news:us:audit"]);
    assert_eq!(bed.spans()[3].resource, bed.resources.register("auditor", &[]));
}

#[test]
fn a_route_knows_when_consumers_acknowledge() {
    for (acks, task, seen) in [
        ("auto", true, false),
        ("auto", false, true),
        ("late", true, true),
        ("early", false, false),
    ] {
        let bed = routed(&format!("[listener.route]\nacks = \"{acks}\"\n"));
        let mut session = bed.consuming("tasks");
        let headers = if task {
            vec![text_entry("task", "shop.add"), text_entry("id", "t1")]
        } else {
            Vec::new()
        };
        let properties = Properties::with_headers(&headers);
        session.broker(Delivery { properties, ..Delivery::default() }.frames());
        session.now += SECOND;
        session.client(ack(1, 1, false));
        let span = bed.only_span();
        assert_eq!(span.end - span.start, if seen { SECOND } else { 0 }, "{acks} {task}");
        assert_eq!(span.get("spanbridge.execution"), (!seen).then_some("unseen"));
    }
}

#[test]
fn ids_are_taken_out_between_dots_and_colons() {
    let bed = routed("[listener.route]\nscrub = [\"number\"]\n");
    let mut session = bed.connected();
    session.client(publish(1, ("orders", "17.paid"), &Properties::default(), b"x"));
    assert_eq!(names(&bed), ["publish orders:{id}.paid"]);
}

//! What a broker can answer to a publish, as spans.

use anyhow::{Context, Result};
use spanbridge_tests::{Kind, Span};

use super::{Played, count, outcomes, play};
use crate::nats::named;

/// Runs a role of the producer.
fn published(role: &str) -> Result<Option<Played>> {
    play("amqp_publish.py", role)
}

#[test]
fn confirmed_message_has_a_span_and_its_reader_the_context() -> Result<()> {
    let Some(Played { said, spans }) = published("topic")? else { return Ok(()) };
    let publishes = named(&spans, "publish shop:orders.created");
    assert_eq!(publishes.len(), 3, "{spans:#?}");
    for (number, span) in publishes.iter().enumerate() {
        assert_eq!((span.service.as_str(), span.kind), ("checkout", Kind::Producer), "{span:#?}");
        assert_eq!((span.parent.as_str(), span.status), ("", 0), "{span:#?}");
        let expected = [
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "shop:orders.created"),
            ("messaging.rabbitmq.destination.routing_key", "orders.created"),
            ("messaging.message.id", &format!("m{number}")),
            ("messaging.message.conversation_id", "c1"),
            ("spanbridge.outcome", "confirmed"),
        ];
        for (name, value) in expected {
            assert_eq!(span.text(name), Some(value), "{name} of {span:#?}");
        }
        assert!(span.schema_url.ends_with("/1.44.0"), "{}", span.schema_url);
    }
    let traceparent = said[0]["headers"]["traceparent"].as_str().context("no traceparent")?;
    let first = publishes[0];
    assert!(traceparent.contains(&format!("{}-{}", first.trace_id, first.span_id)), "{said:?}");

    // Its reader takes it by basic.get, and there is the queue's name too then.
    let process = named(&spans, "process shop:orders.created:orders");
    assert_eq!(process.len(), 1, "{spans:#?}");
    assert!(process[0].is_child_of(first), "{process:#?}");
    Ok(())
}

#[test]
fn publish_without_confirms_ends_when_it_is_handed_on() -> Result<()> {
    let Some(Played { spans, .. }) = published("plain")? else { return Ok(()) };
    assert_eq!(spans.len(), 3, "{spans:#?}");
    assert_eq!(outcomes(&spans, "publish orders"), ["none"; 3]);
    assert!(spans.iter().all(|span| span.start == span.end && span.status == 0), "{spans:#?}");
    Ok(())
}

#[test]
fn message_that_no_queue_takes_is_an_error_and_comes_back_whole() -> Result<()> {
    let Some(Played { said, spans }) = published("unroutable")? else { return Ok(()) };
    assert_eq!(said.len(), 3);
    for back in &said {
        let (code, text) = (&back["code"], &back["text"]);
        assert_eq!(
            (code, text, &back["payload"]),
            (&312.into(), &"NO_ROUTE".into(), &"body".into())
        );
    }
    assert_eq!(spans.len(), 3, "what came back is no delivery: {spans:#?}");
    assert_eq!(outcomes(&spans, "publish orders"), ["returned"; 3]);
    for span in &spans {
        assert_eq!((span.status, span.text("error.type")), (2, Some("returned")), "{span:#?}");
    }
    Ok(())
}

#[test]
fn message_that_a_full_queue_refuses_is_an_error() -> Result<()> {
    let Some(Played { said, spans }) = published("full")? else { return Ok(()) };
    let events: Vec<_> = said.iter().map(|said| said["event"].as_str().unwrap_or("")).collect();
    assert_eq!(events, ["confirmed", "refused", "refused"]);
    assert_eq!(outcomes(&spans, "publish orders"), events);
    let statuses: Vec<_> = named(&spans, "publish orders").iter().map(|span| span.status).collect();
    assert_eq!(statuses, [0, 2, 2]);
    Ok(())
}

#[test]
fn transaction_ends_its_publishes_together() -> Result<()> {
    let Some(Played { said, spans }) = published("tx")? else { return Ok(()) };
    assert_eq!(said[0]["messages"], 6, "two of three transactions were committed");
    assert_eq!(spans.len(), 9, "{spans:#?}");
    assert_eq!(count(&spans, "publish orders", "confirmed"), 6, "{spans:#?}");
    let rolled_back: Vec<&Span> =
        spans.iter().filter(|span| span.text("spanbridge.outcome") != Some("confirmed")).collect();
    assert_eq!(rolled_back.len(), 3);
    // Nothing of them is an error: the client took them back.
    assert!(rolled_back.iter().all(|span| span.status == 0), "{rolled_back:#?}");
    Ok(())
}

#[test]
fn publish_that_ends_its_channel_is_not_left_open() -> Result<()> {
    let Some(Played { said, spans }) = published("missing")? else { return Ok(()) };
    assert_eq!(said[0]["code"], 404);
    let [span] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert_eq!(span.name, "publish nowhere:orders");
    assert_eq!(span.text("spanbridge.outcome"), Some("unanswered"), "{span:#?}");
    Ok(())
}

#[test]
fn properties_of_every_kind_arrive_as_they_were_sent() -> Result<()> {
    let Some(Played { said, spans }) = published("headers")? else { return Ok(()) };
    assert_eq!(said.len(), 2);
    for got in &said {
        assert_eq!(got["same"], true, "{got}");
        let added = got["added"].as_object().context("an object")?;
        let names: Vec<_> = added.keys().map(String::as_str).collect();
        assert_eq!(names, ["traceparent", "tracestate"], "{got}");
    }
    assert_eq!(named(&spans, "publish orders").len(), 2, "{spans:#?}");
    Ok(())
}

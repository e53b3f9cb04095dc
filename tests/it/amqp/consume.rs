//! What becomes of a delivery, as spans.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Kind, Span};

use super::{Played, count, outcomes, parent, play};
use crate::nats::named;

const PUBLISH: &str = "publish jobs";
const PROCESS: &str = "process jobs";

/// Runs a role of the consumer.
fn consumed(role: &str) -> Result<Option<Played>> {
    play("amqp_consume.py", role)
}

/// Every delivery is a child of the publish of its message, and links to it.
fn check_parents(spans: &[Span], name: &str) -> Result<()> {
    let publishes = named(spans, PUBLISH);
    assert_eq!(publishes.len(), 3, "{spans:#?}");
    for process in named(spans, name) {
        let publish = parent(process, &publishes);
        let publish = publish.with_context(|| format!("no publish span for {process:#?}"))?;
        assert!(process.is_linked_to(publish), "{process:#?}");
        assert_eq!((process.service.as_str(), process.kind), ("billing", Kind::Consumer));
    }
    Ok(())
}

fn payloads(said: &[Value]) -> Vec<&str> {
    said.iter().filter_map(|said| said["payload"].as_str()).collect()
}

#[test]
fn message_that_is_put_back_gets_a_second_span_linked_to_the_first() -> Result<()> {
    let Some(Played { said, spans }) = consumed("requeue")? else { return Ok(()) };
    assert_eq!(payloads(&said), ["job 0", "job 1", "job 2", "job 0"]);
    check_parents(&spans, PROCESS)?;
    assert_eq!(spans.len(), 3 + 4, "{spans:#?}");
    assert_eq!(count(&spans, PROCESS, "ack"), 3, "{spans:#?}");
    let processes = named(&spans, PROCESS);
    let first = processes.iter().find(|span| span.text("spanbridge.outcome") == Some("requeue"));
    let first = first.context("no span of the message that was put back")?;
    assert_eq!(first.status, 0, "put back is not failed");
    let again: Vec<_> =
        processes.iter().filter(|span| span.parent == first.parent && *span != first).collect();
    assert_eq!(again.len(), 1, "{processes:#?}");
    assert!(again[0].is_linked_to(first), "{again:#?}");
    let redelivered = |span: &Span| span.attributes.get("spanbridge.redelivered").cloned();
    assert_eq!((redelivered(first), redelivered(again[0])), (None, Some(true.into())));
    // A classic queue does not count.
    assert_eq!(again[0].number("spanbridge.attempt"), None, "{again:#?}");
    Ok(())
}

#[test]
fn refused_message_is_an_error_and_its_dead_letter_is_of_the_same_trace() -> Result<()> {
    let Some(Played { spans, .. }) = consumed("reject")? else { return Ok(()) };
    check_parents(&spans, PROCESS)?;
    assert_eq!(count(&spans, PROCESS, "reject"), 1, "{spans:#?}");
    let processes = named(&spans, PROCESS);
    let refused = processes.iter().find(|span| span.text("spanbridge.outcome") == Some("reject"));
    let refused = refused.context("no refusal")?;
    assert_eq!(refused.status, 2, "{refused:#?}");
    let dead = named(&spans, "process dead");
    assert_eq!(dead.len(), 1, "{spans:#?}");
    assert_eq!(dead[0].trace_id, refused.trace_id);
    assert_eq!(dead[0].parent, refused.parent, "both are of one publish");
    assert_eq!(dead[0].text("spanbridge.outcome"), Some("ack"));
    Ok(())
}

#[test]
fn expired_message_is_taken_from_the_dead_letters_within_its_trace() -> Result<()> {
    let Some(Played { said, spans }) = consumed("expire")? else { return Ok(()) };
    assert_eq!(payloads(&said).len(), 3);
    check_parents(&spans, "process dead")?;
    assert_eq!(outcomes(&spans, "process dead"), ["ack"; 3], "{spans:#?}");
    for span in named(&spans, "process dead") {
        let wait = span.number("spanbridge.queue_wait").context("no queue wait")?;
        assert!((0.2..10.0).contains(&wait), "{wait} s, lived 0.3 s");
    }
    assert_eq!(spans.len(), 6, "nobody saw them expire: {spans:#?}");
    Ok(())
}

#[test]
fn message_taken_by_get_is_one_trace_and_an_empty_queue_none() -> Result<()> {
    let Some(Played { said, spans }) = consumed("get")? else { return Ok(()) };
    assert_eq!(said.last().context("an event")?["method"], "None");
    check_parents(&spans, PROCESS)?;
    assert_eq!(outcomes(&spans, PROCESS), ["ack"; 3], "{spans:#?}");
    Ok(())
}

#[test]
fn one_acknowledgement_with_multiple_ends_all_before_it() -> Result<()> {
    let Some(Played { spans, .. }) = consumed("multiple")? else { return Ok(()) };
    check_parents(&spans, PROCESS)?;
    assert_eq!(outcomes(&spans, PROCESS), ["ack"; 3], "{spans:#?}");
    let processes = named(&spans, PROCESS);
    assert!(processes.iter().all(|span| span.end == processes[0].end), "{processes:#?}");
    let prefetched = processes.iter().map(|span| span.number("spanbridge.prefetched"));
    let prefetched: Vec<_> = prefetched.map(Option::unwrap_or_default).collect();
    assert_eq!(prefetched, [0.0, 1.0, 2.0]);
    Ok(())
}

#[test]
fn work_is_unseen_where_nothing_is_acknowledged() -> Result<()> {
    let Some(Played { spans, .. }) = consumed("no_ack")? else { return Ok(()) };
    check_parents(&spans, PROCESS)?;
    let processes = named(&spans, PROCESS);
    assert_eq!(processes.len(), 3, "{spans:#?}");
    for span in processes {
        assert_eq!(span.text("spanbridge.execution"), Some("unseen"), "{span:#?}");
        assert_eq!(span.start, span.end, "no work is claimed");
    }
    Ok(())
}

#[test]
fn recovered_messages_are_attempts_of_their_own() -> Result<()> {
    let Some(Played { said, spans }) = consumed("recover")? else { return Ok(()) };
    assert_eq!(payloads(&said).len(), 6);
    check_parents(&spans, PROCESS)?;
    assert_eq!(count(&spans, PROCESS, "requeue"), 3, "{spans:#?}");
    assert_eq!(count(&spans, PROCESS, "ack"), 3, "{spans:#?}");
    Ok(())
}

#[test]
fn messages_of_a_deleted_queue_can_still_be_settled() -> Result<()> {
    let Some(Played { said, spans }) = consumed("cancelled")? else { return Ok(()) };
    assert_eq!(said.last().context("an event")?["event"], "cancelled");
    check_parents(&spans, PROCESS)?;
    assert_eq!(outcomes(&spans, PROCESS), ["ack"; 3], "{spans:#?}");
    Ok(())
}

#[test]
fn closed_channel_ends_the_spans_of_what_it_left_unsettled() -> Result<()> {
    let Some(Played { said, spans }) = consumed("dropped")? else { return Ok(()) };
    assert_eq!(payloads(&said).len(), 6);
    check_parents(&spans, PROCESS)?;
    let first = &outcomes(&spans, PROCESS)[..3];
    // The broker puts them back; whoever reads a channel's end as that may say so.
    assert!(first == ["abandoned"; 3] || first == ["requeue"; 3], "{spans:#?}");
    assert_eq!(outcomes(&spans, PROCESS)[3..], ["ack"; 3], "{spans:#?}");
    Ok(())
}

#[test]
fn quorum_queue_counts_the_attempts() -> Result<()> {
    let Some(Played { spans, .. }) = consumed("quorum")? else { return Ok(()) };
    check_parents(&spans, PROCESS)?;
    assert_eq!(count(&spans, PROCESS, "requeue"), 2, "{spans:#?}");
    let mut attempts: Vec<_> = named(&spans, PROCESS)
        .into_iter()
        .filter_map(|span| span.number("spanbridge.attempt"))
        .filter(|&attempt| attempt > 1.0)
        .collect();
    attempts.sort_by(f64::total_cmp);
    assert_eq!(attempts, [2.0, 3.0], "{spans:#?}");
    Ok(())
}

#[test]
fn stream_that_is_read_again_is_no_redelivery() -> Result<()> {
    let Some(Played { spans, .. }) = consumed("stream")? else { return Ok(()) };
    check_parents(&spans, PROCESS)?;
    let processes = named(&spans, PROCESS);
    assert_eq!(processes.len(), 6, "{spans:#?}");
    assert_eq!(outcomes(&spans, PROCESS), ["ack"; 6]);
    for span in &processes {
        assert_eq!(span.number("spanbridge.attempt"), None, "{span:#?}");
        assert!(!processes.iter().any(|other| span.is_linked_to(other)), "{span:#?}");
    }
    Ok(())
}

#[test]
fn question_makes_spans_and_its_answer_none() -> Result<()> {
    let Some(Played { said, spans }) = consumed("rpc")? else { return Ok(()) };
    assert_eq!(payloads(&said), ["QUESTION 0", "QUESTION 1", "QUESTION 2"]);
    check_parents(&spans, PROCESS)?;
    assert_eq!(spans.len(), 6, "no spans of reply queues: {spans:#?}");
    Ok(())
}

#[test]
fn message_that_several_queues_get_is_one_trace_for_all() -> Result<()> {
    let Some(Played { said, spans }) = consumed("fanout")? else { return Ok(()) };
    assert_eq!(said.len(), 2, "{said:?}");
    let publishes = named(&spans, "publish news:today");
    assert_eq!(publishes.len(), 1, "{spans:#?}");
    // One queue has a name. The other's is the broker's, and says nothing to anybody.
    let (named_queue, private) =
        (named(&spans, "process news:today:archive"), named(&spans, "process news:today"));
    assert_eq!((named_queue.len(), private.len()), (1, 1), "{spans:#?}");
    for process in named_queue.iter().chain(&private) {
        assert!(process.is_child_of(publishes[0]), "{process:#?}");
    }
    let is_true = |span: &Span, name: &str| span.attributes.get(name) == Some(&true.into());
    assert!(is_true(private[0], "messaging.destination.temporary"), "{private:#?}");
    assert!(is_true(private[0], "messaging.destination.anonymous"), "{private:#?}");
    assert!(!is_true(named_queue[0], "messaging.destination.temporary"), "{named_queue:#?}");
    Ok(())
}

#[test]
fn queue_wait_is_what_the_message_waited() -> Result<()> {
    const WAIT: f64 = 1.5;
    const TOLERANCE: f64 = 0.1;
    let Some(Played { said, spans }) = consumed("wait")? else { return Ok(()) };
    let at = said[0]["at"].as_f64().context("a time")?;
    let process = named(&spans, PROCESS)[0];
    let publish = named(&spans, PUBLISH)[0];
    let wait = process.number("spanbridge.queue_wait").context("no queue wait")?;
    assert!(wait > WAIT - TOLERANCE, "{wait} s");
    assert!(wait < at - publish.start as f64 / 1e9 + TOLERANCE, "{wait} s, taken at {at}");
    assert_eq!(process.text("spanbridge.queue_wait.source"), Some("producer"), "{process:#?}");
    Ok(())
}

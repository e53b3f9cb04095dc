//! What `shop` and `billing` do, whatever carries the message between them.
//!
//! The times are invented, and long enough to be told apart in a picture.

use std::thread::sleep;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use spanbridge::{PropagatorKind, SpanContext};

use super::recorder::{Recorder, Running};
use crate::failure::Failure;

/// Service name of the program that publishes.
pub(super) const SHOP: &str = "shop";
/// Service name of the program that consumes.
pub(super) const BILLING: &str = "billing";
/// What the queue is called.
pub(super) const ORDERS: &str = "orders";
/// The payload of the message.
pub(super) const ORDER: &[u8] = br#"{"order":1042,"total":"19.90"}"#;

/// Looking at the request before something is published.
const VALIDATE: Duration = Duration::from_millis(5);
/// Writing the answer.
const RESPOND: Duration = Duration::from_millis(6);
/// How long the worker is busy with something else: the message waits.
const BUSY: Duration = Duration::from_millis(200);
/// Work before, in and after the query.
const PREPARE: Duration = Duration::from_millis(35);
const QUERY: Duration = Duration::from_millis(60);
const CONCLUDE: Duration = Duration::from_millis(45);

/// Whether a program's trace-ids have to fit 64 bits. OT trace writes no more, and a trace whose
/// id is cut in half on the way is two.
pub(super) fn short_ids(propagators: &[PropagatorKind]) -> bool {
    propagators.contains(&PropagatorKind::OtTrace)
}

/// `shop`: answers a request, and publishes a message meanwhile.
pub(super) fn shop(
    recorder: &Recorder,
    publish: impl FnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = recorder
        .start("POST /orders", SpanKind::Server, None)?
        .with("http.request.method", "POST")
        .with("http.route", "/orders");
    sleep(VALIDATE);
    let published = publish(&request);
    sleep(RESPOND);
    request.end();
    published
}

/// `billing` before it takes the message.
pub(super) fn busy() {
    sleep(BUSY);
}

/// `billing`: the work, below the span that the message brought.
pub(super) fn billing(recorder: &Recorder, parent: Option<SpanContext>) -> Result<(), Failure> {
    sleep(PREPARE);
    let query = recorder
        .start("db.query", SpanKind::Client, parent)?
        .with("db.system.name", "other_sql")
        .with("db.operation.name", "SELECT")
        .with("db.collection.name", ORDERS);
    sleep(QUERY);
    query.end();
    sleep(CONCLUDE);
    Ok(())
}

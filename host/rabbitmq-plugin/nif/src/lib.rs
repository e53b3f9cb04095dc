//! The native functions, as `rabbit_spanbridge_nif` declares them.
//!
//! Only terms are read and made here. What raises (a panic, a term of another shape) is caught by
//! the interceptor, and the message goes on as it came.
//!
//! `publish` runs on a normal scheduler: it takes about a microsecond, and the component's deadline
//! bounds it. What compiles, waits or frees runs on a dirty one.

#![expect(
    clippy::too_many_arguments,
    reason = "a term for each: a tuple would be made anew for every message"
)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustler::{Atom, Binary, Encoder, Env, NewBinary, ResourceArc, Term};
use spanbridge_rabbitmq::{Channel, Message, Node, NodeConfig, RuleConfig};

mod atoms {
    rustler::atoms! { unchanged, remove, empty, longstr }
}

/// A started plugin, as Erlang holds it.
struct NodeHandle(Arc<Node>);

/// A channel's rules, as its process holds them.
struct ChannelHandle(Channel);

// Nothing is seen half changed after a panic: a slot that was poisoned is made anew.
impl UnwindSafe for NodeHandle {}
impl RefUnwindSafe for NodeHandle {}
impl UnwindSafe for ChannelHandle {}
impl RefUnwindSafe for ChannelHandle {}

#[rustler::resource_impl]
impl rustler::Resource for NodeHandle {}

#[rustler::resource_impl]
impl rustler::Resource for ChannelHandle {}

/// Vhost, pattern, whether it is traced, relation, trust, whether there are spans, service name.
type RuleTerm = (String, String, bool, String, String, bool, String);

/// A counter: its name, its reason or nothing, its value.
type Counted = (&'static str, &'static str, u64);

#[rustler::nif(schedule = "DirtyCpu")]
fn start(
    variables: Vec<(String, String)>,
    rules: Vec<RuleTerm>,
    schedulers: usize,
) -> Result<(ResourceArc<NodeHandle>, bool), String> {
    if spanbridge::HAS_COMPILER {
        // It would handle signals, and those belong to the Erlang machine.
        return Err(
            "built for tests of itself: `make rabbitmq-plugin` builds it for a broker".into()
        );
    }
    let rule = |(vhost, pattern, trace, relation, trust, spans, service_name)| RuleConfig {
        vhost,
        pattern,
        trace,
        relation,
        trust,
        spans,
        service_name,
    };
    let rules = rules.into_iter().map(rule).collect();
    let node = Node::start(NodeConfig { variables, rules, schedulers })?;
    let exports = node.exports;
    Ok((ResourceArc::new(NodeHandle(Arc::new(node))), exports))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn stop(node: ResourceArc<NodeHandle>) -> Atom {
    node.0.stop();
    rustler::types::atom::ok()
}

#[rustler::nif]
fn channel(
    node: ResourceArc<NodeHandle>,
    vhost: String,
    service: String,
) -> ResourceArc<ChannelHandle> {
    ResourceArc::new(ChannelHandle(node.0.channel(&vhost, &service)))
}

/// Answers `unchanged`, or the properties that the message is to have, encoded as they came.
#[rustler::nif]
fn publish<'a>(
    env: Env<'a>,
    channel: ResourceArc<ChannelHandle>,
    exchange: Binary<'a>,
    routing_key: Binary<'a>,
    properties: Binary<'a>,
) -> Term<'a> {
    let (exchange, routing_key) = (exchange.as_slice(), routing_key.as_slice());
    let changed = channel.0.publish(exchange, routing_key).and_then(|call| {
        call.encoded(routing_key, properties.as_slice(), now(), |changed| binary(env, changed))
    });
    changed.unwrap_or_else(|| atoms::unchanged().encode(env))
}

/// Answers `unchanged`, or names and values of headers to set, or `remove` in a value's place.
#[rustler::nif]
fn edits<'a>(
    env: Env<'a>,
    channel: ResourceArc<ChannelHandle>,
    exchange: Binary<'a>,
    routing_key: Binary<'a>,
    headers: Term<'a>,
    message_id: Term<'a>,
    correlation_id: Term<'a>,
    properties_size: usize,
) -> Term<'a> {
    let (exchange, routing_key) = (bytes(exchange), bytes(routing_key));
    let (message_id, correlation_id) = (text(message_id), text(correlation_id));
    let headers = Headers(headers);
    let message = Message { routing_key, headers, message_id, correlation_id, properties_size };
    let mut edits = Term::list_new_empty(env);
    let mut changed = false;
    if let Some(call) = channel.0.publish(exchange, routing_key) {
        call.terms(&message, now(), |name, value| {
            let value = value.map_or_else(|| atoms::remove().encode(env), |it| binary(env, it));
            edits = edits.list_prepend((binary(env, name), value));
            changed = true;
        });
    }
    if changed { edits } else { atoms::unchanged().encode(env) }
}

/// Answers the next spans for the exporter, `{Spans, Frame}`, or `empty`.
#[rustler::nif]
fn take(env: Env<'_>, node: ResourceArc<NodeHandle>) -> Term<'_> {
    match node.0.queue.take() {
        Some(frame) => {
            let taken = (frame.spans, binary(env, &frame.bytes)).encode(env);
            node.0.queue.give_back(frame);
            taken
        }
        None => atoms::empty().encode(env),
    }
}

#[rustler::nif]
fn counters(node: ResourceArc<NodeHandle>) -> Vec<Counted> {
    let node = &node.0;
    let (waiting, _) = node.queue.waiting();
    let mut counted = node.counted().to_vec();
    counted.push(("spans_waiting", "", waiting as u64));
    node.counters.for_each(|sample| {
        // Others belong to the gateway. Zeros are shown where they say that all is well.
        let shown = ["messages_untraced", "component_failures", "spans_dropped", "spans_queued"];
        if sample.value > 0 || shown.contains(&sample.name) {
            let (_, reason) = sample.label.unwrap_or_default();
            counted.push((sample.name, reason, sample.value));
        }
    });
    counted
}

/// The headers of a message that are texts: what is left of the list of them, or no list.
#[derive(Clone)]
struct Headers<'a>(Term<'a>);

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (entry, rest) = self.0.list_get_cell().ok()?;
            self.0 = rest;
            let Ok((name, kind, value)) = entry.decode::<(Term<'a>, Atom, Term<'a>)>() else {
                continue;
            };
            if kind == atoms::longstr() {
                return Some((text(name), text(value)));
            }
        }
    }
}

/// The bytes of a binary; none for any other term.
fn text(term: Term<'_>) -> &[u8] {
    Binary::from_term(term).map(bytes).unwrap_or_default()
}

fn bytes(binary: Binary<'_>) -> &[u8] {
    binary.as_slice()
}

/// Nanoseconds since the Unix epoch, until the year 2554.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

rustler::init!("rabbit_spanbridge_nif");

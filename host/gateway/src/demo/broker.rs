//! The demo on a real NATS server: producer and worker are plain clients that trace no message,
//! and between them and the server stands a gateway in this process.
//!
//! ```text
//! shop ──▶ gateway ──▶ nats-server: a stream in memory, made for this run ──▶ gateway ──▶ billing
//! ```
//!
//! `shop` writes the context of its request into the message, as programs do that know the trace
//! they are part of. Publish, wait and process are the gateway's spans. `billing` reads the context
//! it is handed and works below it.

use std::thread;

use serde_json::{Value, json};
use spanbridge::{CarrierContext, Propagation, env};

use super::nats::{ANSWER_WAIT, Client, Message, NatsError};
use super::programs::{self, BILLING, ORDER, ORDERS, SHOP};
use super::recorder::{Recorder, Running, random_id};
use super::{Export, in_memory};
use crate::address::Address;
use crate::config::{Cluster, Config, ListenerConfig, RouteOptions};
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::net::options::NetOptions;

/// What the gateway is told about the messages. Their subject is made up for the run, so spans are
/// named after what it stands for.
const ROUTE: &str = "
delivery = 'continue'
queue_wait_spans = true
destination_template = 'orders'
";

/// Bytes that the stream may hold; the message has a few hundred.
const STREAM_BYTES_MAX: u32 = 64 << 10;

/// The names of one run, so that two at a time do not meet.
struct Names {
    stream: String,
    subject: String,
    number: u64,
}

/// Plays it once, to the end of both programs, and leaves the server as it was.
pub(super) fn play(
    settings: &env::Settings,
    export: &Export,
    broker: &Address,
) -> Result<(), Failure> {
    let number = random_id()?;
    let subject = format!("spanbridge.demo.{number:016x}.{ORDERS}");
    let names = Names { stream: format!("SPANBRIDGE_DEMO_{number:016x}"), subject, number };
    let mut admin = names.connect(broker, "spanbridge-demo").map_err(|error| {
        let what = format!(
            "cannot use the broker {broker}; is a NATS server running there? \
             `nats-server --jetstream` starts one"
        );
        Failure::new(what).because(error)
    })?;
    names.make_stream(&mut admin)?;
    let played = through_gateway(settings, export, broker, &names);
    let deleted = ask(&mut admin, &format!("$JS.API.STREAM.DELETE.{}", names.stream), &json!({}));
    played.and(deleted.map(drop))
}

fn through_gateway(
    settings: &env::Settings,
    export: &Export,
    broker: &Address,
    names: &Names,
) -> Result<(), Failure> {
    let gateway = start_gateway(settings, export, broker)?;
    let address = &gateway.addresses()[0];
    let propagation = || {
        Propagation::new(gateway.runtime(), &settings.propagators)
            .map_err(|error| Failure::new("cannot start").because(error))
    };
    let (for_shop, for_billing) = (propagation()?, propagation()?);
    let short_ids = programs::short_ids(&settings.propagators);
    let recorder = |service| Recorder::new(export, service, short_ids);
    let played = thread::scope(|scope| {
        let shop = scope.spawn(|| shop(names, address, &recorder(SHOP), for_shop));
        let billing = scope.spawn(|| billing(names, address, &recorder(BILLING), for_billing));
        let panicked = |_| Err(Failure::new("a program of the demo panicked"));
        let shop = shop.join().unwrap_or_else(panicked);
        // A producer that failed is why the worker got nothing.
        shop.and(billing.join().unwrap_or_else(panicked))
    });
    gateway.stop();
    played
}

fn start_gateway(
    env: &env::Settings,
    export: &Export,
    broker: &Address,
) -> Result<Gateway, Failure> {
    let route = RouteOptions::parse(ROUTE)
        .map_err(|error| Failure::new("the gateway refuses the demo's route").because(error))?;
    let listen = Address { host: "127.0.0.1".to_owned(), port: 0, ..broker.clone() };
    let brokers = vec![broker.clone()];
    let net = NetOptions::default();
    let cluster = Cluster::default();
    let listener = ListenerConfig { name: None, listen, brokers, route, net, cluster };
    let config = Config { listeners: vec![listener], ..Config::default() };
    Gateway::start(&config, env, export.output())
        .map_err(|error| Failure::new("the gateway cannot start").because(error))
}

/// The producer: one publish, confirmed by the stream.
fn shop(
    names: &Names,
    gateway: &Address,
    recorder: &Recorder,
    mut propagation: Propagation,
) -> Result<(), Failure> {
    let mut client = names.connect(gateway, SHOP).map_err(cut_off)?;
    programs::shop(recorder, |request: &Running| {
        let context = CarrierContext { trace: Some(request.remote()), ..CarrierContext::default() };
        let headers = propagation
            .inject(&context)
            .map_err(|error| Failure::new("the context cannot be written").because(error))?;
        let answer = client.request(&names.subject, &headers, ORDER).map_err(cut_off)?;
        accepted(&names.subject, &answer).map(drop)
    })
}

/// The worker: one pull, the work, the acknowledgement.
fn billing(
    names: &Names,
    gateway: &Address,
    recorder: &Recorder,
    mut propagation: Propagation,
) -> Result<(), Failure> {
    let mut client = names.connect(gateway, BILLING).map_err(cut_off)?;
    programs::busy();
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{BILLING}", names.stream);
    // The server gives up before the client does, and says so.
    let expires = (ANSWER_WAIT / 2).as_nanos() as u64;
    let pull = json!({ "batch": 1, "expires": expires }).to_string();
    let message = client.request(&next, &[], pull.as_bytes()).map_err(cut_off)?;
    let (None, Some(ack)) = (message.status, &message.reply) else {
        return Err(Failure::new("the stream handed out no message"));
    };
    let parent = in_memory::parent(&mut propagation, &message.headers)?;
    programs::billing(recorder, parent)?;
    // The server confirms an acknowledgement that asks for it.
    client.request(ack, &[], b"+ACK").map_err(cut_off).map(drop)
}

impl Names {
    fn connect(&self, address: &Address, name: &str) -> Result<Client, NatsError> {
        Client::connect(address, name, &format!("_INBOX.{:016x}.{name}", self.number))
    }

    /// Makes the stream, and a consumer that pulls from it.
    fn make_stream(&self, admin: &mut Client) -> Result<(), Failure> {
        let stream = &self.stream;
        let config = json!({
            "name": stream, "subjects": [self.subject], "storage": "memory",
            "max_bytes": STREAM_BYTES_MAX,
        });
        ask(admin, &format!("$JS.API.STREAM.CREATE.{stream}"), &config)?;
        let consumer = json!({
            "stream_name": stream,
            "config": { "durable_name": BILLING, "ack_policy": "explicit" },
        });
        let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{BILLING}");
        ask(admin, &subject, &consumer).map(drop)
    }
}

/// Asks JetStream for something.
fn ask(client: &mut Client, subject: &str, what: &Value) -> Result<Value, Failure> {
    let answer = client.request(subject, &[], what.to_string().as_bytes()).map_err(cut_off)?;
    accepted(subject, &answer)
}

/// The answer of JetStream, unless it is an error.
fn accepted(subject: &str, answer: &Message) -> Result<Value, Failure> {
    /// Nobody listens to the subject.
    const NO_RESPONDERS: u16 = 503;
    if answer.status == Some(NO_RESPONDERS) {
        let what = "the server has no JetStream, which the demo's queue needs; \
                    `nats-server --jetstream` starts one that has";
        return Err(Failure::new(what));
    }
    let value: Value = serde_json::from_slice(&answer.payload).map_err(|error| {
        Failure::new(format!("{subject}: the answer is no JSON")).because(error)
    })?;
    match &value["error"]["description"] {
        Value::String(why) => Err(Failure::new(format!("{subject}: the server says {why}"))),
        _ => Ok(value),
    }
}

fn cut_off(error: NatsError) -> Failure {
    Failure::new("the broker did not do its part").because(error)
}

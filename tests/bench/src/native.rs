//! The component's own logic, compiled natively: what the boundary adds is the difference.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{
    Attribute, DeliveryMode, Message, Relation, Sampler, Settings, Trust,
};
use spanbridge_guest::bindings::spanbridge::tracing::types::Propagator;
use spanbridge_guest::component::Component;

use crate::candidates::Candidate;
use crate::message::{CLIENT, Context, DESTINATION, ID, SERVER};

pub(crate) struct Native {
    name: &'static str,
    context: Context,
    batch_messages: usize,
    component: Component,
    messages: Vec<Message>,
    arena: Vec<u8>,
    now: u64,
    out: Vec<u8>,
}

fn settings() -> Settings {
    Settings {
        system: "nats".to_owned(),
        server_address: SERVER.to_owned(),
        server_port: 4222,
        consumer_group: String::new(),
        destination_template: None,
        propagators: vec![Propagator::Tracecontext, Propagator::Baggage],
        relation: Relation::ParentAndLink,
        relation_wait_max: u64::MAX,
        delivery: DeliveryMode::Keep,
        trust: Trust::Accept,
        sampler: Sampler::AlwaysOn,
        parent_based: true,
        producer_spans: true,
        consumer_spans: true,
        receive_spans: false,
        queue_wait_spans: false,
        body_size: false,
        old_names: false,
        envelope: None,
        attribute_value_length_max: 0,
        attribute_count_max: 128,
        link_count_max: 128,
    }
}

impl Native {
    pub(crate) fn new(
        name: &'static str,
        context: Context,
        batch_messages: usize,
    ) -> anyhow::Result<Self> {
        let mut component = Component::new([1, 2, 3, 4]);
        component.open(0, settings()).map_err(anyhow::Error::msg)?;
        let (messages, arena, out) = (Vec::new(), Vec::new(), Vec::new());
        let now = 1_763_900_000_000_000_000;
        Ok(Self { name, context, batch_messages, component, messages, arena, now, out })
    }

    fn add(&mut self) {
        let at = self.arena.len() as u32;
        self.arena.extend_from_slice(DESTINATION.as_bytes());
        self.arena.extend_from_slice(ID.as_bytes());
        let mut headers = 0;
        if let Some(value) = self.context.header() {
            self.arena.extend_from_slice(&[0, 0, value.len() as u8, 0]);
            self.arena.extend_from_slice(value.as_bytes());
            headers = 4 + value.len();
        }
        self.arena.extend_from_slice(&[Attribute::ClientId as u8, 0, CLIENT.len() as u8, 0]);
        self.arena.extend_from_slice(CLIENT.as_bytes());
        self.messages.push(Message {
            route: 0,
            bits: 0,
            at,
            destination: DESTINATION.len() as u32,
            id: ID.len() as u32,
            headers: headers as u32,
            attributes: 4 + CLIENT.len() as u32,
            body: 0,
            body_size: 256,
            start: self.now,
            end: self.now + 500,
            parent_hi: 0,
            parent_lo: 0,
            parent_span: 0,
        });
    }
}

impl Candidate for Native {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, messages: usize) {
        for _ in 0..messages / self.batch_messages {
            self.messages.clear();
            self.arena.clear();
            for _ in 0..self.batch_messages {
                self.now += 1000;
                self.add();
            }
            let answer = self.component.publish(&self.messages, &self.arena);
            // The queue and the edits, as one copy.
            self.out.clear();
            self.out.extend_from_slice(&answer.bytes);
        }
    }
}

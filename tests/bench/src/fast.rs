//! fastrace: a root span with the same attributes, its context written.

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};

use crate::candidates::Candidate;
use crate::message::{CLIENT, Context, DESTINATION, ID, SERVER};

struct Forget;

impl Reporter for Forget {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

pub(crate) struct Fastrace {
    name: &'static str,
    context: Context,
}

impl Fastrace {
    pub(crate) fn new(name: &'static str, context: Context) -> Self {
        fastrace::set_reporter(Forget, Config::default());
        Self { name, context }
    }
}

impl Candidate for Fastrace {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, messages: usize) {
        for _ in 0..messages {
            let context = self.context.header().and_then(SpanContext::decode_w3c_traceparent);
            let span = Span::root(
                format!("publish {DESTINATION}"),
                context.unwrap_or_else(SpanContext::random),
            );
            span.add_properties(|| {
                [
                    ("messaging.system", "nats".to_owned()),
                    ("messaging.operation.name", "publish".to_owned()),
                    ("messaging.operation.type", "send".to_owned()),
                    ("server.address", SERVER.to_owned()),
                    ("server.port", "4222".to_owned()),
                    ("messaging.destination.name", DESTINATION.to_owned()),
                    ("messaging.message.id", ID.to_owned()),
                    ("messaging.client.id", CLIENT.to_owned()),
                ]
            });
            let written = SpanContext::from_span(&span).map(|c| c.encode_w3c_traceparent());
            std::hint::black_box(written);
        }
    }

    fn settle_down(&mut self) {
        fastrace::flush();
    }
}

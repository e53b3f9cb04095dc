//! Which envelope a route's bodies have.

use alloc::format;
use alloc::string::{String, ToString};

use super::{FIELD, Found, auto, bullmq, cloudevents, kombu, scan, sidekiq};
use crate::bindings::exports::spanbridge::tracing::messaging as contract;

/// A kind of envelope, as a route names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A JSON object whose member of this name is an object of headers.
    Json(String),
    /// The JSON message of kombu, and so of Celery, on brokers without headers.
    Kombu,
    /// The options of a BullMQ job, as they are written and as they are read.
    BullMq,
    /// A job of Sidekiq.
    Sidekiq,
    /// A CloudEvent in JSON.
    CloudEvents,
    /// Whichever of those but `Json` a body is.
    Auto,
}

impl Envelope {
    /// The kinds that the contract may name.
    const KINDS: [&str; 6] = ["json", "kombu", "bullmq", "sidekiq", "cloudevents", "auto"];

    /// Takes an envelope of the contract. The error names the kinds that there are.
    pub fn new(envelope: contract::Envelope) -> Result<Self, String> {
        let contract::Envelope { kind, field } = envelope;
        let known = match kind.as_str() {
            "json" if field.is_empty() => return Ok(Self::json(FIELD)),
            "json" => return Ok(Self::Json(field)),
            "kombu" => Self::Kombu,
            "bullmq" => Self::BullMq,
            "sidekiq" => Self::Sidekiq,
            "cloudevents" => Self::CloudEvents,
            "auto" => Self::Auto,
            _ => {
                let known = Self::KINDS.join("`, `");
                return Err(format!("envelope: expected one of `{known}`, found `{kind}`"));
            }
        };
        if !field.is_empty() {
            return Err(format!("envelope: expected no field with kind `{kind}`, found `{field}`"));
        }
        Ok(known)
    }

    /// Answers whether a body says more about its message than where it comes from.
    pub(crate) fn says_more(&self) -> bool {
        !matches!(self, Self::Json(_))
    }

    /// The JSON envelope with a field of this name.
    pub fn json(field: &str) -> Self {
        Self::Json(field.to_string())
    }

    /// Looks for the envelope in a body; `None`: leave the body alone.
    pub fn scan<'a>(&'a self, body: &'a [u8], body_bytes_max: usize) -> Option<Found<'a>> {
        match self {
            Self::Json(field) => scan(body, field, body_bytes_max),
            Self::Kombu => kombu::scan(body, body_bytes_max),
            Self::BullMq => bullmq::scan(body, body_bytes_max),
            Self::Sidekiq => sidekiq::scan(body, body_bytes_max),
            Self::CloudEvents => cloudevents::scan(body, body_bytes_max),
            Self::Auto => auto::scan(body, body_bytes_max),
        }
    }
}

//! Which envelope a route's bodies have.

use alloc::format;
use alloc::string::{String, ToString};

use super::{FIELD, Found, kombu, scan};
use crate::bindings::exports::spanbridge::tracing::messaging as contract;

/// A kind of envelope, as a route names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A JSON object whose member of this name is an object of headers.
    Json(String),
    /// The JSON message of kombu, and so of Celery, on brokers without headers.
    Kombu,
}

impl Envelope {
    /// The kinds that the contract may name.
    const KINDS: [&str; 2] = ["json", "kombu"];

    /// Takes an envelope of the contract. The error names the kinds that there are.
    pub fn new(envelope: contract::Envelope) -> Result<Self, String> {
        match envelope.kind.as_str() {
            "json" if envelope.field.is_empty() => Ok(Self::json(FIELD)),
            "json" => Ok(Self::Json(envelope.field)),
            "kombu" if envelope.field.is_empty() => Ok(Self::Kombu),
            "kombu" => {
                let found = envelope.field;
                Err(format!("envelope: expected no field with kind `kombu`, found `{found}`"))
            }
            kind => {
                let known = Self::KINDS.join("` or `");
                Err(format!("envelope: expected kind `{known}`, found `{kind}`"))
            }
        }
    }

    /// Answers whether a body says more about its message than where it comes from.
    pub(crate) fn says_more(&self) -> bool {
        matches!(self, Self::Kombu)
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
        }
    }
}

//! A span as the receiver decoded it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// `Span.kind` of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the OTLP specification")]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// A link of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// In hex.
    pub trace_id: String,
    /// In hex.
    pub span_id: String,
    /// Of the link itself.
    pub attributes: Map<String, Value>,
}

/// One received span.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// `service.name` of its resource; empty when there was none.
    pub service: String,
    /// All attributes of its resource.
    pub resource: Map<String, Value>,
    /// Of the scope it came in.
    pub schema_url: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// In hex.
    pub trace_id: String,
    /// In hex.
    pub span_id: String,
    /// In hex; empty for a root.
    pub parent: String,
    /// Nanoseconds since the Unix epoch.
    pub start: u64,
    /// Nanoseconds since the Unix epoch.
    pub end: u64,
    /// Its own attributes.
    pub attributes: Map<String, Value>,
    /// In the order they came in.
    pub links: Vec<Link>,
    /// 0 unset, 1 ok, 2 error.
    pub status: u64,
}

impl Span {
    /// Reads the receiver's description of a span.
    ///
    /// # Errors
    /// When a member is missing or of another type.
    pub fn read(value: &Value) -> Result<Self> {
        let text = |name: &str| -> Result<String> {
            let member = value.get(name).and_then(Value::as_str);
            Ok(member.with_context(|| format!("span without {name}: {value}"))?.to_owned())
        };
        let number = |name: &str| -> Result<u64> {
            let member = value.get(name).and_then(Value::as_u64);
            member.with_context(|| format!("span without {name}: {value}"))
        };
        let resource = map(value.get("resource"));
        let service = resource.get("service.name").and_then(Value::as_str).unwrap_or_default();
        let links = value.get("links").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            service: service.to_owned(),
            schema_url: text("schema_url")?,
            name: text("name")?,
            kind: kind(number("kind")?),
            trace_id: text("trace_id")?,
            span_id: text("span_id")?,
            parent: text("parent")?,
            start: number("start")?,
            end: number("end")?,
            attributes: map(value.get("attributes")),
            links: links.map(Link::read).collect::<Result<_>>()?,
            status: value["status"]["code"].as_u64().unwrap_or_default(),
            resource,
        })
    }

    /// How long it took; zero for one that ends before it starts.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }

    /// An attribute that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }

    /// An attribute that is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.attributes.get(name)?.as_f64()
    }

    /// Whether it is a child of the other.
    pub fn is_child_of(&self, other: &Self) -> bool {
        self.trace_id == other.trace_id && self.parent == other.span_id
    }

    /// Whether one of its links points at the other.
    pub fn is_linked_to(&self, other: &Self) -> bool {
        self.is_linked_to_ids(&other.trace_id, &other.span_id)
    }

    /// Whether one of its links points at these ids, in hex.
    pub fn is_linked_to_ids(&self, trace_id: &str, span_id: &str) -> bool {
        self.links.iter().any(|link| link.trace_id == trace_id && link.span_id == span_id)
    }
}

impl Link {
    fn read(value: &Value) -> Result<Self> {
        let id = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            trace_id: id("trace_id").with_context(|| format!("link without trace: {value}"))?,
            span_id: id("span_id").with_context(|| format!("link without span: {value}"))?,
            attributes: map(value.get("attributes")),
        })
    }
}

fn map(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn kind(number: u64) -> Kind {
    match number {
        1 => Kind::Internal,
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        _ => Kind::Unspecified,
    }
}

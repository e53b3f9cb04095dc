//! The key `envelope`: where the bodies of a route hold context.
//!
//! ```toml
//! envelope = "json"                               # {"id": 1, "_otel": {"traceparent": "00-…"}}
//! envelope = { kind = "json", field = "trace" }   # {"id": 1, "trace": {"traceparent": "00-…"}}
//! ```

use spanbridge::Envelope;
use toml::de::DeValue;

use super::section::{Found, Table, Value, show};

/// Which envelope the bodies of a route have. The component knows the kinds, and refuses others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeChoice(pub Option<Envelope>);

impl Value for EnvelopeChoice {
    fn kind() -> &'static str {
        "string or table"
    }

    fn allowed() -> String {
        "`\"none\"`, `\"json\"`, `\"kombu\"`, `\"bullmq\"`, `\"sidekiq\"`, `\"cloudevents\"`, \
         `\"auto\"`, `{ kind = \"json\", field = \"NAME\" }`"
            .to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let mut envelope = Envelope::default();
        match found.get_ref() {
            DeValue::String(word) if word == "none" => return Ok(Self(None)),
            DeValue::String(_) => envelope.kind = String::read(found)?,
            DeValue::Table(table) => {
                let mut table = Table::new("", table);
                let kind = table.take("kind").map_err(|problem| problem.what)?;
                let field = table.take("field").map_err(|problem| problem.what)?;
                table.finish().map_err(|problem| problem.what)?;
                envelope.kind = kind.ok_or("kind: expected, not found")?;
                envelope.field = field.unwrap_or_default();
            }
            _ => return Err(format!("expected {}, found {}", Self::allowed(), show(found))),
        }
        Ok(Self(Some(envelope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RouteOptions;

    #[test]
    fn an_envelope_is_a_kind_or_a_kind_and_a_field() {
        let envelope = |kind: &str, field: &str| {
            Some(Envelope { kind: kind.to_owned(), field: field.to_owned() })
        };
        for (text, expected) in [
            ("", None),
            ("envelope = \"none\"", None),
            ("envelope = \"json\"", envelope("json", "")),
            ("envelope = { kind = \"json\" }", envelope("json", "")),
            ("envelope = { kind = \"json\", field = \"trace\" }", envelope("json", "trace")),
            // Another component may know it.
            ("envelope = \"xml\"", envelope("xml", "")),
        ] {
            let options = RouteOptions::parse(text).unwrap();
            assert_eq!(options.envelope.and_then(|choice| choice.0), expected, "{text}");
        }
        for (text, expected) in [
            ("envelope = true", "envelope: expected `\"none\"`, `\"json\"`"),
            ("envelope = \"\"", "envelope: expected 1 to 1024 bytes, found 0"),
            ("envelope = {}", "envelope: kind: expected, not found"),
            ("envelope = { kind = \"json\", field = 1 }", "field: expected a string, found 1"),
            ("envelope = { kind = \"json\", feld = \"x\" }", "did you mean `field`?"),
        ] {
            let error = RouteOptions::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let listener = RouteOptions::parse("envelope = \"json\"").unwrap();
        let none = RouteOptions::parse("envelope = \"none\"").unwrap().over(&listener, None);
        assert_eq!(none.envelope, Some(EnvelopeChoice(None)));
    }
}

//! The header names that carry context, and a quick way to see that a name is none of them.
//!
//! Every header of every message is looked up here, and nearly all are somebody else's. So the
//! first letter and the length decide first: a table of 32 masks says which lengths occur for a
//! letter, and only a name that passes is compared. What a field means stays with the component.

/// A header name the component wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) number: u8,
    /// In lower case; of a family, the prefix.
    pub(crate) name: Box<str>,
    pub(crate) family: bool,
    pub(crate) spares_body: bool,
}

/// A header that carries context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldMatch<'a> {
    /// The number to hand the header in by.
    pub number: u8,
    /// What follows the prefix of a family, as it came; empty for an exact name.
    pub key: &'a [u8],
    /// The component does not need the message's body beside it, unless the message cannot carry
    /// headers.
    pub spares_body: bool,
}

/// The header names of a route.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    fields: Box<[Field]>,
    /// By the low five bits of the first byte: bit *n* is set when a name of *n* bytes may match;
    /// the last bit stands for 63 and more.
    lengths: [u64; 32],
}

const LONG: usize = 63;

impl Fields {
    /// Makes the table. An empty name is left out: it would match everything.
    pub(crate) fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut lengths = [0; 32];
        let mut kept = Vec::new();
        for field in fields {
            let Some(&first) = field.name.as_bytes().first() else { continue };
            let length = field.name.len().min(LONG);
            lengths[row(first)] |= if field.family { !0 << length } else { 1 << length };
            kept.push(field);
        }
        Self { fields: kept.into(), lengths }
    }

    /// Finds the field of a header name, whatever its casing. `None`: it carries no context.
    #[inline]
    pub fn find<'a>(&self, name: &'a [u8]) -> Option<FieldMatch<'a>> {
        let &first = name.first()?;
        if self.lengths[row(first)] & (1 << name.len().min(LONG)) == 0 {
            return None;
        }
        self.compare(name)
    }

    fn compare<'a>(&self, name: &'a [u8]) -> Option<FieldMatch<'a>> {
        self.fields.iter().find_map(|field| {
            let (head, key) = name.split_at_checked(field.name.len())?;
            let fits = (field.family || key.is_empty())
                && head.eq_ignore_ascii_case(field.name.as_bytes());
            let Field { number, spares_body, .. } = *field;
            fits.then_some(FieldMatch { number, key, spares_body })
        })
    }

    /// The name of a field, in lower case; of a family, the prefix.
    pub fn name(&self, number: u8) -> Option<&str> {
        self.field(number).map(|field| &*field.name)
    }

    /// Answers whether a field is a family: its name is a prefix, and a key follows it.
    pub fn is_family(&self, number: u8) -> bool {
        self.family(number) == Some(true)
    }

    /// Likewise; `None`: there is no such field.
    pub(crate) fn family(&self, number: u8) -> Option<bool> {
        self.field(number).map(|field| field.family)
    }

    /// Numbers and names, in the order of the component.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &str)> {
        self.fields.iter().map(|field| (field.number, &*field.name))
    }

    fn field(&self, number: u8) -> Option<&Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

/// Letters of both cases share a row.
fn row(first: u8) -> usize {
    usize::from(first & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        let fields = [
            (0, "traceparent", false),
            (1, "tracestate", false),
            (3, "b3", false),
            (10, "uberctx-", true),
            (17, "nservicebus.opentelemetry.startnewtrace", false),
            (18, "", true),
        ];
        Fields::new(fields.map(|(number, name, family)| {
            let spares_body = number == 0;
            Field { number, name: name.into(), family, spares_body }
        }))
    }

    #[test]
    fn names_match_without_regard_to_case() {
        let found = |number, key| FieldMatch { number, key, spares_body: number == 0 };
        let exact = |number| Some(found(number, b""));
        for (name, expected) in [
            ("traceparent", exact(0)),
            ("Traceparent", exact(0)),
            ("TRACESTATE", exact(1)),
            ("b3", exact(3)),
            ("uberctx-User", Some(found(10, b"User"))),
            ("UberCtx-", Some(found(10, b""))),
            ("NServiceBus.OpenTelemetry.StartNewTrace", exact(17)),
        ] {
            assert_eq!(fields().find(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn other_names_do_not_match() {
        let long = "t".repeat(70_000);
        let odd =
            ["", "traceparen", "traceparents", "b4", "uberctx", "\u{34}raceparent", "B", &long];
        for name in odd {
            assert_eq!(fields().find(name.as_bytes()), None, "{name:.20}");
        }
    }

    #[test]
    fn a_key_longer_than_the_table_is_found() {
        let name = format!("uberctx-{}", "k".repeat(200));
        assert_eq!(fields().find(name.as_bytes()).map(|found| found.key.len()), Some(200));
    }

    #[test]
    fn numbers_have_names() {
        assert_eq!(fields().name(1), Some("tracestate"));
        assert_eq!(fields().name(99), None);
        assert!(fields().is_family(10) && !fields().is_family(1) && !fields().is_family(99));
        assert_eq!(fields().iter().count(), 5);
    }
}

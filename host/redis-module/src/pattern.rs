//! Patterns of what is traced, as load arguments and settings spell them.
//!
//! ```text
//! streams, queues   PATTERN
//! lists, channels   PATTERN envelope KIND [field NAME]
//! ```
//!
//! A load argument names one. A setting is a list of them with commas between, so that no word of
//! a pattern may have a comma, or white space, anywhere: what can be loaded can be shown and set.

use std::fmt;
use std::iter::Peekable;

use spanbridge::Envelope;

use crate::glob::Glob;

/// Bytes of a setting. All the patterns there may be take half of it; the rest is for envelopes.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// Stands between the patterns of a setting.
const SEPARATOR: char = ',';

/// What a message lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream,
    List,
    Channel,
    /// A queue of BullMQ.
    Queue,
}

impl Kind {
    /// Every one, in the order of their settings.
    pub(crate) const ALL: [Self; 4] = [Self::Stream, Self::List, Self::Channel, Self::Queue];

    /// Its word, which is its setting's name as well.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Stream => "streams",
            Self::List => "lists",
            Self::Channel => "channels",
            Self::Queue => "queues",
        }
    }
}

/// Destinations that are traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub kind: Kind,
    pub names: Glob,
    /// Where a body has context; streams have fields for it.
    pub envelope: Option<Envelope>,
}

impl Pattern {
    /// Reads what stands behind a kind's word.
    ///
    /// # Errors
    ///
    /// Names the kind's word, and says what is allowed.
    pub(crate) fn read<'w>(
        kind: Kind,
        words: &mut Peekable<impl Iterator<Item = &'w str>>,
    ) -> Result<Self, String> {
        let because = |error: String| format!("{}: {error}", kind.word());
        let names = Glob::parse(plain(words.next(), "a pattern").map_err(because)?);
        let names = names.map_err(because)?;
        let envelope = match kind {
            Kind::Stream => None,
            Kind::Queue => Some(Envelope { kind: "bullmq".to_owned(), field: String::new() }),
            Kind::List | Kind::Channel => {
                if words.next_if_eq(&"envelope").is_none() {
                    return Err(because(
                        "expected `envelope` and its kind behind the pattern: there is no place \
                         for context beside such a message"
                            .to_owned(),
                    ));
                }
                let kind = plain(words.next(), "the kind of the envelope").map_err(because)?;
                let mut field = "";
                if words.next_if_eq(&"field").is_some() {
                    field = plain(words.next(), "the name of the field").map_err(because)?;
                }
                Some(Envelope { kind: kind.to_owned(), field: field.to_owned() })
            }
        };
        Ok(Self { kind, names, envelope })
    }

    /// Reads the list that a setting has.
    ///
    /// # Errors
    ///
    /// Names the setting, and says what is allowed.
    pub(crate) fn list(kind: Kind, text: &str) -> Result<Vec<Self>, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "{}: expected at most {TEXT_BYTES_MAX} bytes, found {} bytes",
                kind.word(),
                text.len()
            ));
        }
        let one = |part: &str| {
            let mut words = part.split_whitespace().peekable();
            let pattern = Self::read(kind, &mut words)?;
            match words.next() {
                None => Ok(pattern),
                Some(word) => Err(format!(
                    "{}: expected `{SEPARATOR}` or the end behind `{pattern}`, found `{word}`",
                    kind.word()
                )),
            }
        };
        text.split(SEPARATOR).map(one).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names.fmt(f)?;
        match &self.envelope {
            Some(Envelope { kind, field }) if self.kind != Kind::Queue => {
                write!(f, " envelope {kind}")?;
                if field.is_empty() { Ok(()) } else { write!(f, " field {field}") }
            }
            _ => Ok(()),
        }
    }
}

/// The text of a setting that has these patterns.
pub(crate) fn text<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> String {
    patterns.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A word that can stand in a list.
fn plain<'w>(word: Option<&'w str>, what: &str) -> Result<&'w str, String> {
    let word = word.ok_or_else(|| format!("expected {what}, found the end"))?;
    // A setting of the server's ends at a NUL.
    let is_odd = |it: char| it == SEPARATOR || it.is_whitespace() || it == '\0';
    if word.contains(is_odd) {
        return Err(format!(
            "expected {what} without `{SEPARATOR}`, white space and NUL, found `{}`; `*` stands \
             for any bytes",
            word.escape_debug()
        ));
    }
    // The server's strings are bytes; what is no UTF-8 has been replaced on the way here.
    if word.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("expected {what} in UTF-8, found `{word}`"));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_shown_in_one_spelling() {
        for (kind, text, shown) in [
            (Kind::Stream, "", ""),
            (Kind::Stream, "  ", ""),
            (Kind::Stream, "orders", "orders"),
            (Kind::Stream, "orders:*,audit ,  x", "orders:*, audit, x"),
            (Kind::Queue, "mail,bull:*", "mail, bull:*"),
            (Kind::List, "celery* envelope kombu", "celery* envelope kombu"),
            (
                Kind::Channel,
                "a  envelope json field trace,b envelope json",
                "a envelope json field trace, b envelope json",
            ),
            // What is no word of the grammar at its place is a name.
            (Kind::Stream, "envelope", "envelope"),
        ] {
            let patterns = Pattern::list(kind, text).unwrap();
            assert_eq!(super::text(patterns.iter()), shown);
            assert_eq!(Pattern::list(kind, shown).unwrap(), patterns, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_list_is_named_with_what_is_allowed() {
        for (kind, text, expected) in [
            (Kind::Stream, "a,", "streams: expected a pattern, found the end"),
            (Kind::Stream, ",a", "streams: expected a pattern, found the end"),
            (Kind::Stream, "a b", "streams: expected `,` or the end behind `a`, found `b`"),
            (Kind::Queue, "a envelope json", "queues: expected `,` or the end behind `a`"),
            (Kind::List, "a", "lists: expected `envelope`"),
            (Kind::List, "a, b envelope json", "lists: expected `envelope`"),
            (Kind::List, "a envelope", "lists: expected the kind of the envelope"),
            (Kind::Channel, "a envelope json field", "channels: expected the name of the field"),
            (Kind::Stream, "caf\u{fffd}", "streams: expected a pattern in UTF-8"),
        ] {
            let error = Pattern::list(kind, text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let all = "a,".repeat(TEXT_BYTES_MAX / 2);
        assert!(Pattern::list(Kind::Stream, &format!("{all}a")).unwrap_err().contains("32769"));
        assert!(Pattern::list(Kind::Stream, &all[..all.len() - 1]).is_ok());
        let long = "a".repeat(257);
        assert!(Pattern::list(Kind::Stream, &long).unwrap_err().contains("1 to 256 bytes"));
        // From load arguments, which have no commas between.
        for word in ["a,b", "a b", "a\tb", "a\0b", ","] {
            let error = Pattern::read(Kind::Stream, &mut [word].into_iter().peekable());
            assert!(error.unwrap_err().contains("without `,`, white space and NUL"), "{word}");
        }
    }
}

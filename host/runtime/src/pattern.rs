//! Patterns of destinations: tokens between dots, as NATS subjects have them.
//!
//! ```text
//! orders.*.created       * is any one token
//! orders.>               > is one or more tokens, and the last of the pattern
//! orders.{id}.created    {name} is any one token, and the pattern is the destination's template
//! ```
//!
//! Matching walks the destination once and allocates nothing.

use std::fmt;

/// Tokens of a pattern. Subjects have a handful; NATS advises to stay below sixteen.
pub const PATTERN_TOKENS_MAX: usize = 32;

/// Bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 512;

/// A pattern of destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    tokens: Box<[Token]>,
    named: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Exact(Box<[u8]>),
    /// Any one token.
    One,
    /// All that are left, at least one.
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Says what of the text is no pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            let length = text.len();
            return Err(format!("expected at most {PATTERN_BYTES_MAX} bytes, found {length}"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > PATTERN_TOKENS_MAX {
            let count = parts.len();
            return Err(format!("expected at most {PATTERN_TOKENS_MAX} tokens, found {count}"));
        }
        let (last, mut named) = (parts.len() - 1, false);
        let token = |(at, part): (usize, &&str)| match *part {
            "" => Err(format!("expected tokens between dots, found `{text}`")),
            "*" => Ok(Token::One),
            ">" if at == last => Ok(Token::Rest),
            ">" => Err(format!("`>` can only be the last token, found `{text}`")),
            part if part.starts_with('{') && part.ends_with('}') => {
                let name = &part[1..part.len() - 1];
                named = true;
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(format!("expected a name like `{{order_id}}`, found `{part}`"));
                }
                Ok(Token::One)
            }
            part if part.contains(['*', '>', '{', '}']) || part.contains(char::is_whitespace) => {
                Err(format!("expected `*`, `>`, `{{name}}` or plain text, found `{part}`"))
            }
            part => Ok(Token::Exact(part.as_bytes().into())),
        };
        let tokens: Result<_, String> = parts.iter().enumerate().map(token).collect();
        Ok(Self { text: text.into(), tokens: tokens?, named })
    }

    /// Answers whether a destination is one of the pattern's.
    pub fn matches(&self, destination: &[u8]) -> bool {
        let mut rest = Some(destination);
        for token in &self.tokens {
            let Some(left) = rest else { return false };
            if matches!(token, Token::Rest) {
                return true;
            }
            let end = left.iter().position(|byte| *byte == b'.');
            let found = &left[..end.unwrap_or(left.len())];
            if matches!(token, Token::Exact(exact) if **exact != *found) {
                return false;
            }
            rest = end.map(|end| &left[end + 1..]);
        }
        rest.is_none()
    }

    /// The template of the pattern's destinations, if it names a token.
    pub fn template(&self) -> Option<&str> {
        self.named.then_some(&*self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_destinations_and_not_their_neighbours() {
        for (pattern, matching, others) in [
            ("orders", &["orders"][..], &["order", "orders.", "orders.new", "", "Orders"][..]),
            ("orders.*", &["orders.new", "orders."], &["orders", "orders.new.eu", "x.new"]),
            ("orders.>", &["orders.new", "orders.new.eu"], &["orders", "x.orders.new"]),
            ("*.new", &["orders.new"], &["new", "orders.new.eu", "orders.old"]),
            (
                "orders.{id}.created",
                &["orders.7.created"],
                &["orders.created", "orders.7.8.created"],
            ),
            (">", &["a", "a.b"], &[]),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            for destination in matching {
                assert!(parsed.matches(destination.as_bytes()), "{pattern} {destination}");
            }
            for destination in others {
                assert!(!parsed.matches(destination.as_bytes()), "{pattern} {destination}");
            }
        }
    }

    #[test]
    fn a_named_token_makes_the_pattern_a_template() {
        let pattern = Pattern::parse("orders.{order_id}.*").unwrap();
        assert_eq!(pattern.template(), Some("orders.{order_id}.*"));
        assert_eq!(pattern.to_string(), "orders.{order_id}.*");
        assert_eq!(Pattern::parse("orders.*").unwrap().template(), None);
    }

    #[test]
    fn what_is_no_pattern_is_refused_and_shown() {
        for text in ["", "a..b", ".a", ">.a", "a*", "a.{}", "a.{x y}", "a.{x}y", "a b", "a.>b"] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(&format!("{text}`")) || text.contains('.'), "{text}: {error}");
        }
        let long = ["x"; PATTERN_TOKENS_MAX].join(".");
        assert!(Pattern::parse(&long).is_ok());
        assert!(Pattern::parse(&format!("{long}.x")).is_err());
        assert!(Pattern::parse(&"x".repeat(PATTERN_BYTES_MAX)).is_ok());
        assert!(Pattern::parse(&"x".repeat(PATTERN_BYTES_MAX + 1)).is_err());
    }
}

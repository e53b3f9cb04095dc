//! The words behind `--loadmodule`: which commands are traced, and what OpenTelemetry is told.
//!
//! ```text
//! streams PATTERN                            channels PATTERN envelope KIND [field NAME]
//! lists PATTERN envelope KIND [field NAME]   service-name | endpoint | protocol | propagators |
//! queues PATTERN                             sampler | sampler-arg VALUE
//! ```
//!
//! A word that is not known keeps the module from being loaded, and so does one that is said twice
//! where only one can count: a server must not run untraced by a slip of the pen.

use crate::pattern::{Kind, Pattern};
use crate::variable::Variable;

/// What the module was told.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub patterns: Vec<Pattern>,
    /// What each of [`Variable::ALL`] was given.
    pub variables: [Option<String>; Variable::ALL.len()],
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    ///
    /// Names the word that is wrong, and says what is allowed.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) {
                options.patterns.push(Pattern::read(kind, &mut words)?);
                continue;
            }
            let known = Variable::ALL.iter().position(|variable| variable.word == word);
            let Some(at) = known else { return Err(unknown(word)) };
            let Some(value) = words.next() else {
                return Err(format!("{word}: expected a value behind it, found the end"));
            };
            if let Some(before) = options.variables[at].replace(value.to_owned()) {
                return Err(format!("{word}: expected it once, found `{before}` and `{value}`"));
            }
        }
        Ok(options)
    }
}

fn unknown(word: &str) -> String {
    let kinds = Kind::ALL.iter().map(|kind| kind.word());
    let all = kinds.chain(Variable::ALL.iter().map(|variable| variable.word));
    let allowed: Vec<_> = all.map(|word| format!("`{word}`")).collect();
    format!("expected one of {}, found `{word}`", allowed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_and_variables_are_read() {
        let text = "streams orders:* lists celery envelope kombu service-name shop \
                    channels news envelope json field trace queues mail sampler always_off";
        let options = parse(text).unwrap();
        let kinds: Vec<_> = options.patterns.iter().map(|pattern| pattern.kind).collect();
        assert_eq!(kinds, Kind::ALL);
        assert_eq!(options.patterns[3].envelope.as_ref().unwrap().kind, "bullmq");
        let news = options.patterns[2].envelope.clone().unwrap();
        assert_eq!((news.kind.as_str(), news.field.as_str()), ("json", "trace"));
        let said: Vec<_> = options.variables.iter().flatten().collect();
        assert_eq!(said, ["shop", "always_off"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (text, expected) in [
            ("stream orders", "found `stream`"),
            ("stream orders", "expected one of `streams`, `lists`"),
            ("streams", "streams: expected a pattern"),
            ("queues", "queues: expected a pattern"),
            ("lists celery", "lists: expected `envelope`"),
            ("lists celery envelope", "lists: expected the kind"),
            ("sampler", "sampler: expected a value behind it"),
            ("endpoint a endpoint b", "endpoint: expected it once, found `a` and `b`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

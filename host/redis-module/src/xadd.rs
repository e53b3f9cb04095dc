//! `XADD`: where its fields are.
//!
//! ```text
//! XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] n [LIMIT n]] <* | id> field value …
//! ```
//!
//! Options are read as Redis reads them: in any case and order. An option that is not known may
//! change what follows, so a command that has one is not understood, and left alone. Redis refuses
//! a wrong command by itself; here it must only not become a right one.

/// An `XADD` whose fields are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Xadd {
    /// Where the first field's name is.
    pub fields_at: usize,
    /// The entry is known again by its fields (`IDMPAUTO`): one more makes another entry of it.
    pub by_fields: bool,
}

impl Xadd {
    /// Reads `count` arguments, the command's name counted. `None`: they are not understood.
    pub(crate) fn of<'a>(count: usize, get: impl Fn(usize) -> &'a [u8]) -> Option<Self> {
        let (mut at, mut by_fields) = (2, false);
        while at < count {
            let word = get(at);
            if word == b"*" || is_id(word) {
                let fields_at = at + 1;
                let fields = count - fields_at;
                let in_pairs = fields >= 2 && fields.is_multiple_of(2);
                return in_pairs.then_some(Self { fields_at, by_fields });
            }
            let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
            at += if is("MAXLEN") || is("MINID") {
                let exact = at + 1 < count && matches!(get(at + 1), b"=" | b"~");
                if exact { 3 } else { 2 }
            } else if is("LIMIT") {
                2
            } else if is("IDMPAUTO") {
                by_fields = true;
                2
            } else if is("IDMP") {
                3
            } else if ["NOMKSTREAM", "KEEPREF", "DELREF", "ACKED"].into_iter().any(is) {
                1
            } else {
                return None;
            };
        }
        None
    }
}

/// Whether `word` is the id of an entry: `ms`, `ms-seq` or `ms-*`.
fn is_id(word: &[u8]) -> bool {
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    match word.iter().position(|&byte| byte == b'-') {
        None => is_number(word),
        Some(at) => {
            is_number(&word[..at]) && (&word[at + 1..] == b"*" || is_number(&word[at + 1..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str) -> Option<Xadd> {
        let words: Vec<&str> = command.split(' ').collect();
        Xadd::of(words.len(), |at| words.get(at).map_or(b"", |word| word.as_bytes()))
    }

    #[test]
    fn fields_are_found_behind_every_option() {
        for (command, fields_at) in [
            ("XADD s * a 1", 3),
            ("XADD s 5-1 a 1 b 2", 3),
            ("XADD s 5-* a 1", 3),
            ("XADD s nomkstream * a 1", 4),
            ("XADD s MAXLEN 10 * a 1", 5),
            ("XADD s MAXLEN ~ 10 LIMIT 5 * a 1", 8),
            ("XADD s MINID = 5-1 * a 1", 6),
            ("XADD s KEEPREF IDMP p i * * 1", 7),
        ] {
            assert_eq!(of(command), Some(Xadd { fields_at, by_fields: false }), "{command}");
        }
        assert_eq!(of("XADD s IDMPAUTO p * a 1"), Some(Xadd { fields_at: 5, by_fields: true }));
    }

    #[test]
    fn what_redis_would_refuse_is_not_understood() {
        for command in [
            "XADD",
            "XADD s",
            "XADD s *",
            "XADD s * a",
            "XADD s * a 1 b",
            "XADD s a 1",
            "XADD s MAXLEN",
            "XADD s MAXLEN ~",
            "XADD s NEW 1 * a 1",
            "XADD s -5 a 1",
        ] {
            assert_eq!(of(command), None, "{command}");
        }
    }
}

//! Patterns of keys and channels: `*` is any run of bytes, everything else is itself.
//!
//! Matching goes back to the last star only, so it takes the product of both lengths at worst.

use std::fmt;

/// Bytes of a pattern.
pub(crate) const PATTERN_BYTES_MAX: usize = 256;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Box<[u8]>);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the length.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.len() {
            1..=PATTERN_BYTES_MAX => Ok(Self(text.as_bytes().into())),
            length => Err(format!(
                "expected a pattern of 1 to {PATTERN_BYTES_MAX} bytes, found {length} bytes"
            )),
        }
    }

    /// Answers whether a name is one of the pattern's.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut n) = (0, 0);
        // Behind the last star, and the first byte that it has not taken yet.
        let mut back = None;
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                p += 1;
                back = Some((p, n));
            } else if pattern.get(p) == Some(&name[n]) {
                p += 1;
                n += 1;
            } else if let Some((behind, taken)) = back {
                p = behind;
                n = taken + 1;
                back = Some((behind, n));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It was read from text.
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_names_and_not_their_neighbours() {
        for (pattern, matching, others) in [
            ("orders", &["orders"][..], &["order", "orders:1", "", "Orders"][..]),
            ("orders:*", &["orders:", "orders:1", "orders:1:2"], &["orders", "x:orders:1"]),
            ("*", &["", "a"], &[]),
            ("*:jobs", &["a:jobs", ":jobs", "jobs:jobs"], &["jobs", "a:jobs:b"]),
            ("a*b*c", &["abc", "aXbYbc", "abbc"], &["ab", "acb", "abcd"]),
            ("**", &["", "a"], &[]),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            for name in matching {
                assert!(glob.matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!glob.matches(name.as_bytes()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_pattern_has_a_length() {
        assert!(Glob::parse("").is_err() && Glob::parse(&"a".repeat(257)).is_err());
        assert!(Glob::parse(&"a".repeat(256)).is_ok());
    }
}

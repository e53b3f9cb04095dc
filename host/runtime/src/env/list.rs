//! Lists of `key=value` pairs, percent-encoded: resource attributes and headers.
//!
//! ```text
//! list = member *( "," member )      member = OWS key OWS "=" OWS value OWS
//! ```
//!
//! Keys and values are percent-decoded. An empty member is skipped. A `=` in a value is kept, and a
//! `;` has no meaning. See W3C Baggage, section "Header Content", and "Resource SDK", section
//! "Specifying resource information via an environment variable".

/// Pairs of one list. The specification's own limit for attributes.
const PAIRS_MAX: usize = 128;

/// A decoded key and value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Why a member is none. Says where, not what: the value may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PairError {
    /// There is no `=`.
    NoValue,
    /// There is nothing before the `=`.
    NoKey,
    /// A `%` is not followed by two hexadecimal digits.
    Percent,
    /// The list has more than [`PAIRS_MAX`] members.
    TooMany,
}

impl PairError {
    /// The error in words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NoValue => "expected key=value",
            Self::NoKey => "expected a key before `=`",
            Self::Percent => "expected two hexadecimal digits after `%`",
            Self::TooMany => "expected at most 128 members",
        }
    }
}

/// Reads a list, member by member.
pub(super) fn pairs(list: &str) -> impl Iterator<Item = Result<Pair, PairError>> {
    let members = list.split(',').map(str::trim).filter(|member| !member.is_empty());
    members.enumerate().take(PAIRS_MAX + 1).map(|(index, member)| {
        if index == PAIRS_MAX {
            return Err(PairError::TooMany);
        }
        let (key, value) = member.split_once('=').ok_or(PairError::NoValue)?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(PairError::NoKey);
        }
        let decode = |text| percent_decode(text).ok_or(PairError::Percent);
        Ok((decode(key)?, decode(value)?))
    })
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (hex_digit(bytes.next()?)?, hex_digit(bytes.next()?)?);
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Vec<(String, String)>, PairError> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        pairs(list).map(|pair| pair.map(|(key, value)| (text(key), text(value)))).collect()
    }

    #[test]
    fn a_list_is_decoded_or_says_what_is_wrong() {
        type Expected = Result<&'static [(&'static str, &'static str)], PairError>;
        let cases: [(&str, Expected); 13] = [
            ("a=1,b=2", Ok(&[("a", "1"), ("b", "2")])),
            (" a = 1 , ,b=2,", Ok(&[("a", "1"), ("b", "2")])),
            ("a=", Ok(&[("a", "")])),
            ("token=dGVzdA==", Ok(&[("token", "dGVzdA==")])),
            ("a=x%2Cy%3Dz%20", Ok(&[("a", "x,y=z ")])),
            ("k%C3%A9y=%e2%82%ac", Ok(&[("kéy", "€")])),
            ("a=b;c=d", Ok(&[("a", "b;c=d")])),
            ("a=1+1", Ok(&[("a", "1+1")])),
            ("a", Err(PairError::NoValue)),
            ("=1", Err(PairError::NoKey)),
            ("a=100%", Err(PairError::Percent)),
            ("a=%2", Err(PairError::Percent)),
            ("a=%+1", Err(PairError::Percent)),
        ];
        for (list, expected) in cases {
            let expected = expected.map(|pairs| {
                pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(read(list), expected, "{list}");
        }
    }

    #[test]
    fn the_last_member_allowed_is_read_and_the_next_is_an_error() {
        assert_eq!(read(&vec!["a=1"; PAIRS_MAX].join(",")).unwrap().len(), PAIRS_MAX);
        let error = read(&vec!["a=1"; PAIRS_MAX + 1].join(","));
        assert_eq!(error, Err(PairError::TooMany));
    }
}

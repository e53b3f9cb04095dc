//! The W3C `baggage` field: the user's own keys and values.
//!
//! ```text
//! baggage: userId=Am%C3%A9lie ; private;ttl=30 , isProduction=false
//!          ├────┘ ├─────────┘   ├─────┘ └─────┴─ properties, with or without a value
//!          key    value, percent-encoded UTF-8
//! ```
//!
//! Values, and values of properties, are decoded when read and encoded when written; keys are
//! tokens and are neither ("key": it is not percent-decoded). The specification leaves a malformed
//! string undefined. As the OpenTelemetry SDKs do, a malformed member is skipped and the others
//! are kept, and of two members with one key the last wins, in the place of the first.
//!
//! W3C Baggage, "Baggage HTTP Header Format"; OpenTelemetry, "Baggage API".

use alloc::string::String;
use alloc::vec::Vec;

use crate::carrier::trim;
use crate::percent;

/// The members a platform must propagate ("Limits"); more are not read and not written.
pub const MEMBERS_MAX: usize = 64;

/// The bytes of one `baggage` value that a platform must propagate ("Limits"). Several values
/// count as the one they combine to, commas included. A longer one is not read at all.
pub const BYTES_MAX: usize = 8192;

/// One entry of the baggage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// A token (RFC 9110, section 5.6.2); its case is significant.
    pub key: String,
    /// The value, decoded.
    pub value: String,
    /// The properties in their order; a key may come more than once.
    pub properties: Vec<Property>,
}

/// A property: a token and, if there was a `=`, its decoded value.
pub type Property = (String, Option<String>);

impl Member {
    /// A member without properties.
    pub const fn new(key: String, value: String) -> Self {
        Self { key, value, properties: Vec::new() }
    }
}

/// Reads the values of the field in their order, as one list (RFC 9110, section 5.3).
///
/// Answers no members when the values combine to more than [`BYTES_MAX`], and the first
/// [`MEMBERS_MAX`] when there are more.
pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<Member> {
    let mut members = Vec::new();
    // Each value counts one comma too many: the last is followed by none.
    let bytes = values.clone().fold(0, |sum: usize, value| sum.saturating_add(value.len() + 1));
    if bytes > BYTES_MAX + 1 {
        return members;
    }
    for text in values.flat_map(|value| value.split(|&byte| byte == b',')) {
        if members.len() == MEMBERS_MAX {
            break;
        }
        if let Some(member) = parse_member(text) {
            put(&mut members, member);
        }
    }
    members
}

/// Sets `member` in the place of the one with its key, or at the end.
pub fn put(members: &mut Vec<Member>, member: Member) {
    match members.iter_mut().find(|other| other.key == member.key) {
        Some(other) => *other = member,
        None => members.push(member),
    }
}

/// Writes a `baggage` value, empty when there is nothing to send.
///
/// A member whose key or property key is not a token cannot be written and is left out, as is one
/// that would pass [`BYTES_MAX`]; a shorter one after it may still fit. No member is ever written
/// in part. After [`MEMBERS_MAX`] no more are written.
pub fn format(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut written = 0;
    for member in members {
        if written == MEMBERS_MAX {
            break;
        }
        let start = out.len();
        if start > 0 {
            out.push(b',');
        }
        if write_member(&mut out, member) && out.len() <= BYTES_MAX {
            written += 1;
        } else {
            out.truncate(start);
        }
    }
    out
}

/// Answers whether `text` is a token: a key, and the name of a field (RFC 9110, section 5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

/// Reads one list-member; `None` when any part of it, a property included, breaks the grammar.
fn parse_member(text: &[u8]) -> Option<Member> {
    let mut parts = text.split(|&byte| byte == b';');
    let (key, value) = parse_pair(parts.next()?)?;
    let properties = parts.map(parse_pair).collect::<Option<_>>()?;
    Some(Member { key, value: value?, properties })
}

/// Reads `key [ "=" value ]` with white space around each.
fn parse_pair(text: &[u8]) -> Option<(String, Option<String>)> {
    let equals = text.iter().position(|&byte| byte == b'=');
    let (key, value) = match equals {
        Some(at) => (&text[..at], Some(trim(&text[at + 1..]))),
        None => (text, None),
    };
    let key = trim(key);
    if !is_token(key) || !value.is_none_or(|value| value.iter().all(|&byte| is_octet(byte))) {
        return None;
    }
    let value = match value {
        Some(value) => Some(percent::decode(value)?),
        None => None,
    };
    Some((String::from_utf8_lossy(key).into_owned(), value))
}

/// Writes one list-member; `false` when it cannot be, and then perhaps in part.
fn write_member(out: &mut Vec<u8>, member: &Member) -> bool {
    // An escape triples a byte at most, so a longer value cannot fit however it is written.
    let keys = core::iter::once(&member.key).chain(member.properties.iter().map(|(key, _)| key));
    if !keys.clone().all(|key| is_token(key.as_bytes())) || member.value.len() > BYTES_MAX {
        return false;
    }
    write_pair(out, &member.key, Some(&member.value));
    for (key, value) in &member.properties {
        out.push(b';');
        write_pair(out, key, value.as_deref());
        if out.len() > BYTES_MAX {
            return false;
        }
    }
    true
}

fn write_pair(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    out.extend_from_slice(key.as_bytes());
    if let Some(value) = value {
        out.push(b'=');
        percent::encode(out, value, |byte| is_octet(byte) && byte != b'%');
    }
}

/// `baggage-octet`: printable ASCII but space, `"`, `,`, `;` and `\`.
const fn is_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests;

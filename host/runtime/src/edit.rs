//! Edits: what the component wants changed in a message.
//!
//! ```text
//! kind u8 │ field u8 │ key u16 │ value u32 │ at u32 │ remove u32 │ key… │ value…   little-endian
//! ```
//!
//! Edits are checked once, before anybody sees them. After that reading them cannot fail. The check
//! is what stands between a broken component and a message: a value that would end a header line,
//! a field that nobody asked for, or splices that overlap make the whole answer void.

use crate::bits::MessageBits;
use crate::fields::Fields;
use crate::limits::EDIT_BYTES_MAX;
use crate::record::Head;

const HEAD: usize = 16;
const SET_HEADER: u8 = 0;
const REMOVE_HEADER: u8 = 1;
const SPLICE_BODY: u8 = 2;

/// One change of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Set a header. One of that name in any casing is replaced where it is, its casing kept;
    /// further ones of the name are removed.
    SetHeader {
        /// Number of the name, see [`Fields::name`].
        field: u8,
        /// Of a family: what follows the prefix. Visible ASCII without `:`.
        key: &'a [u8],
        /// Holds no control character but the tab.
        value: &'a [u8],
    },
    /// Remove every header of the name.
    RemoveHeader {
        /// Number of the name, see [`Fields::name`].
        field: u8,
        /// Of a family: what follows the prefix.
        key: &'a [u8],
    },
    /// In the body, `remove` bytes from `at` give way to `insert`. Splices of a message ascend and
    /// do not overlap, and lie within the body as it was handed in.
    SpliceBody {
        /// Offset in the body.
        at: u32,
        /// Bytes that go.
        remove: u32,
        /// Bytes that come.
        insert: &'a [u8],
    },
}

/// The edits of one message, in order.
#[derive(Clone, Debug, Default)]
pub struct Edits<'a>(&'a [u8]);

impl<'a> Edits<'a> {
    /// `block` has passed [`check`].
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Answers whether the message is to be left as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Edits<'a> {
    type Item = Edit<'a>;

    fn next(&mut self) -> Option<Edit<'a>> {
        let (edit, rest) = read(self.0)?;
        self.0 = rest;
        Some(edit)
    }
}

/// Reads one edit. `None` when it is not whole or of no known kind.
fn read(block: &[u8]) -> Option<(Edit<'_>, &[u8])> {
    let (head, rest) = block.split_first_chunk::<HEAD>()?;
    let short =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([head[2], head[3]])))?;
    let (value, rest) = rest.split_at_checked(short(4) as usize)?;
    let (field, at, remove) = (head[1], short(8), short(12));
    let edit = match head[0] {
        SET_HEADER => Edit::SetHeader { field, key, value },
        REMOVE_HEADER => Edit::RemoveHeader { field, key },
        SPLICE_BODY => Edit::SpliceBody { at, remove, insert: value },
        _ => return None,
    };
    Some((edit, rest))
}

/// Answers what is wrong with the edits of a message, if anything.
pub(crate) fn check(
    block: &[u8],
    head: &Head,
    fields: Option<&Fields>,
) -> Result<(), &'static str> {
    if block.is_empty() {
        return Ok(());
    }
    let bits = MessageBits::from_bits_retain(head.bits);
    if bits.contains(MessageBits::READ_ONLY) {
        return Err("an edit of a message that is read-only");
    }
    if block.len() > EDIT_BYTES_MAX {
        return Err("more edits than a message can have");
    }
    let Some(fields) = fields else { return Err("an edit of a message without a route") };
    let (mut block, mut body_at) = (block, 0);
    while !block.is_empty() {
        let Some((edit, rest)) = read(block) else { return Err("an edit that cannot be read") };
        block = rest;
        match edit {
            Edit::SetHeader { field, key, value } => {
                check_name(field, key, bits, fields)?;
                if value.len() > usize::from(u16::MAX) || !is_header_value(value) {
                    return Err("a header value that is none");
                }
                if !key.iter().all(|&byte| byte.is_ascii_graphic() && byte != b':') {
                    return Err("a header name that is none");
                }
            }
            Edit::RemoveHeader { field, key } => check_name(field, key, bits, fields)?,
            Edit::SpliceBody { at, remove, .. } => {
                let end = u64::from(at) + u64::from(remove);
                if head.body == 0 {
                    return Err("a splice of a body that was not handed in");
                }
                if u64::from(at) < body_at || end > u64::from(head.body) {
                    return Err("a splice outside the body or out of order");
                }
                body_at = end;
            }
        }
    }
    Ok(())
}

fn check_name(
    field: u8,
    key: &[u8],
    bits: MessageBits,
    fields: &Fields,
) -> Result<(), &'static str> {
    if bits.contains(MessageBits::NO_HEADERS) {
        return Err("a header of a message that cannot have any");
    }
    match fields.family(field) {
        Some(is_family) if is_family != key.is_empty() => Ok(()),
        Some(_) => Err("a key without a family, or a family without a key"),
        None => Err("a header that the route does not have"),
    }
}

/// Without branches in the loop, so that many bytes are looked at together.
fn is_header_value(value: &[u8]) -> bool {
    let control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    !value.iter().fold(false, |found, &byte| found | control(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Field;

    fn edit(kind: u8, field: u8, key: &[u8], value: &[u8], at: u32, remove: u32) -> Vec<u8> {
        let mut block = vec![kind, field];
        block.extend_from_slice(&(key.len() as u16).to_le_bytes());
        for number in [value.len() as u32, at, remove] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(key);
        block.extend_from_slice(value);
        block
    }

    fn verdict(block: &[u8], bits: MessageBits) -> Result<(), &'static str> {
        verdict_on(block, bits, 10)
    }

    fn verdict_on(block: &[u8], bits: MessageBits, body: u32) -> Result<(), &'static str> {
        let fields = [(0, "traceparent", false), (10, "uberctx-", true)];
        let fields = Fields::new(fields.map(|(number, name, family)| Field {
            number,
            name: name.into(),
            family,
            spares_body: false,
        }));
        let head = Head { body, bits: bits.bits(), ..Head::default() };
        check(block, &head, Some(&fields))
    }

    #[test]
    fn edits_are_read_as_they_were_written() {
        let block = [
            edit(0, 0, b"", b"00-1", 0, 0),
            edit(1, 10, b"user", b"", 0, 0),
            edit(2, 0, b"", b"{}", 3, 4),
        ]
        .concat();
        assert_eq!(verdict(&block, MessageBits::empty()), Ok(()));
        let read: Vec<_> = Edits::new(&block).collect();
        let expected = [
            Edit::SetHeader { field: 0, key: b"", value: b"00-1" },
            Edit::RemoveHeader { field: 10, key: b"user" },
            Edit::SpliceBody { at: 3, remove: 4, insert: b"{}" },
        ];
        assert_eq!(read, expected);
        assert!(Edits::new(b"").is_empty());
    }

    #[test]
    fn an_edit_that_would_harm_a_message_is_refused() {
        let set = |value: &[u8]| edit(0, 0, b"", value, 0, 0);
        let key = |key: &[u8]| edit(0, 10, key, b"v", 0, 0);
        let splice = |at, remove| edit(2, 0, b"", b"x", at, remove);
        for (good, bad) in [
            (set(b"a\tb \xff"), set(b"a\r\nb")),
            (set(b""), set(b"\0")),
            (set(&[b'a'; 65_535]), set(&[b'a'; 65_536])),
            (set(b"a"), set(b"a\x7f")),
            (set(b"a"), edit(0, 1, b"", b"a", 0, 0)),
            (set(b"a"), edit(0, 0, b"key", b"a", 0, 0)),
            (set(b"a"), edit(3, 0, b"", b"a", 0, 0)),
            (set(b"a"), set(b"a")[..16].to_vec()),
            (set(b"a"), set(b"a")[..15].to_vec()),
            (key(b"a"), key(b"")),
            (key(b"a"), key(b"a b")),
            (key(b"a"), key(b"a:")),
            (edit(1, 10, b"a b", b"", 0, 0), edit(1, 10, b"", b"", 0, 0)),
            (splice(0, 10), splice(0, 11)),
            (splice(10, 0), splice(11, 0)),
            (splice(1, 2), splice(u32::MAX, u32::MAX)),
            ([splice(1, 2), splice(3, 1)].concat(), [splice(1, 2), splice(2, 1)].concat()),
        ] {
            assert_eq!(verdict(&good, MessageBits::empty()), Ok(()));
            assert!(verdict(&bad, MessageBits::empty()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_body_that_was_not_handed_in_has_no_place_for_a_splice() {
        let splice = edit(2, 0, b"", b"x", 0, 0);
        assert_eq!(verdict_on(&splice, MessageBits::empty(), 1), Ok(()));
        assert!(verdict_on(&splice, MessageBits::empty(), 0).is_err());
    }

    #[test]
    fn bits_of_the_message_forbid_edits() {
        let header = edit(0, 0, b"", b"a", 0, 0);
        let splice = edit(2, 0, b"", b"a", 0, 0);
        for (block, bits, is_ok) in [
            (&header, MessageBits::READ_ONLY, false),
            (&splice, MessageBits::READ_ONLY, false),
            (&header, MessageBits::NO_HEADERS, false),
            (&splice, MessageBits::NO_HEADERS, true),
            (&Vec::new(), MessageBits::READ_ONLY, true),
        ] {
            assert_eq!(verdict(block, bits).is_ok(), is_ok, "{bits:?}");
        }
        assert!(check(&header, &Head::default(), None).is_err());
    }
}

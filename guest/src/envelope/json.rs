//! A strict JSON reader that finds where things lie and builds nothing.
//!
//! ```text
//! {"id": 1, "_otel": {"traceparent": "00-…"}}
//!  └┬─┘  ╵  └──┬──┘  └──────────┬───────────┘
//!  name  value name           value            one `Member` each: two extents of the body
//! ```
//!
//! It accepts what the grammar of RFC 8259 accepts, encoded as the RFC's "Character Encoding"
//! demands: UTF-8, no byte order mark. It does not judge what the grammar leaves open: names may
//! repeat, numbers may be of any size, and `\ud800` alone is a legal spelling of no character.
//!
//! It does not recurse and does not allocate: the stack of open containers is one word of bits.
//! Every answer `None` means "this is not JSON, or not within the limits"; nobody could act on
//! more than that.

use cursor::Cursor;

mod cursor;
#[cfg(test)]
mod tests;

/// Containers that may be open at once, the body's own object included.
///
/// The stack is one bit a level in a `u64`. Messages that people design are less than ten deep;
/// serde_json gives up at 128, so whatever is refused here is rare, and is left as it came.
pub const DEPTH_MAX: u32 = u64::BITS;

/// Where something lies in the body: the first byte, and the byte after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Extent {
    /// The bytes of `body` that lie here.
    pub(super) fn of(self, body: &[u8]) -> &[u8] {
        &body[self.start..self.end]
    }

    /// What stands between the quotes of the string that lies here.
    pub(super) fn unquoted(self) -> Self {
        Self { start: self.start + 1, end: self.end - 1 }
    }

    /// Answers whether the value that lies here is a string.
    pub(super) fn is_string(self, body: &[u8]) -> bool {
        body[self.start] == b'"'
    }

    /// Answers whether the value that lies here is an object.
    pub(super) fn is_object(self, body: &[u8]) -> bool {
        body[self.start] == b'{'
    }

    /// Answers whether the value that lies here is an array.
    pub(super) fn is_array(self, body: &[u8]) -> bool {
        body[self.start] == b'['
    }

    /// Answers whether the value that lies here is a number.
    pub(super) fn is_number(self, body: &[u8]) -> bool {
        matches!(body[self.start], b'-' | b'0'..=b'9')
    }

    /// Answers whether the value that lies here is false: no other value begins like it.
    pub(super) fn is_false(self, body: &[u8]) -> bool {
        body[self.start] == b'f'
    }

    /// Answers whether the value that lies here is null: no other value begins like it.
    pub(super) fn is_null(self, body: &[u8]) -> bool {
        body[self.start] == b'n'
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Member {
    /// The name with its quotes.
    pub(super) name: Extent,
    /// The value; a string with its quotes.
    pub(super) value: Extent,
}

/// The members of one object, in order, validated as they are read.
#[derive(Debug)]
pub(super) struct Members<'a> {
    cursor: Cursor<'a>,
    /// Containers open around a member's value.
    depth: u32,
    /// Offset of the byte after `{` or after the last value: where one more member can go in.
    last: usize,
    len: usize,
}

impl<'a> Members<'a> {
    /// Starts at the object that opens at `at`, or after white space there. `depth` counts the
    /// containers already open around it.
    pub(super) fn open(body: &'a [u8], at: usize, depth: u32) -> Option<Self> {
        let mut cursor = Cursor { bytes: body, at };
        cursor.space();
        cursor.expect(b'{')?;
        Some(Self { last: cursor.at, cursor, depth: depth + 1, len: 0 })
    }

    /// Reads the next member. `Some(None)` is the end of the object, `None` is a fault in it.
    pub(super) fn next(&mut self) -> Option<Option<Member>> {
        let cursor = &mut self.cursor;
        cursor.space();
        match cursor.take()? {
            b'}' => return Some(None),
            b'"' if self.len == 0 => cursor.at -= 1,
            b',' if self.len > 0 => cursor.space(),
            _ => return None,
        }
        let name = cursor.name()?;
        let value = cursor.value(self.depth)?;
        self.len += 1;
        self.last = value.end;
        Some(Some(Member { name, value }))
    }

    /// Offset at which another member can be inserted; right once [`next`](Self::next) has
    /// answered the end.
    pub(super) fn insert_at(&self) -> usize {
        self.last
    }

    /// How many members were read.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Answers whether nothing but white space follows what was read.
    pub(super) fn ends_body(mut self) -> bool {
        self.cursor.space();
        self.cursor.at == self.cursor.bytes.len()
    }
}

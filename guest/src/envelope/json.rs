//! A strict JSON reader that finds where things lie and builds nothing.
//!
//! ```text
//! {"id": 1, "_otel": {"traceparent": "00-…"}}
//!  └┬─┘  ╵  └──┬──┘  └──────────┬───────────┘
//!  name  value name           value            two extents of the body for each member
//! ```
//!
//! It accepts what the grammar of RFC 8259 accepts, encoded as the RFC's "Character Encoding"
//! demands: UTF-8, no byte order mark. It does not judge what the grammar leaves open: names may
//! repeat, numbers may be of any size, and `\ud800` alone is a legal spelling of no character.
//!
//! Every byte is read once: whoever looks for something in an object inside of the body enters it
//! on the way ([`Members::enter`]). What nobody looks at is held to the same grammar.
//!
//! It does not recurse and does not allocate: the stack of open containers is one word of bits.
//! Every answer `None` means "this is not JSON, or not within the limits"; nobody could act on
//! more than that.

mod cursor;
#[cfg(test)]
mod tests;
pub(super) mod word;

pub(super) use cursor::Cursor;

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
}

/// A value that was read, or a name, which is a string as well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value {
    /// Where it lies; a string with its quotes.
    pub(super) at: Extent,
    /// Its first byte, which says of what type it is.
    first: u8,
    /// It is a string with a backslash in it.
    pub(super) has_escapes: bool,
}

impl Value {
    pub(super) fn is_string(self) -> bool {
        self.first == b'"'
    }

    pub(super) fn is_object(self) -> bool {
        self.first == b'{'
    }

    pub(super) fn is_array(self) -> bool {
        self.first == b'['
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self.first, b'-' | b'0'..=b'9')
    }

    pub(super) fn is_false(self) -> bool {
        self.first == b'f'
    }

    pub(super) fn is_null(self) -> bool {
        self.first == b'n'
    }

    /// What stands between the quotes of a string.
    pub(super) fn raw(self, body: &[u8]) -> &[u8] {
        self.at.unquoted().of(body)
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Member {
    pub(super) name: Value,
    pub(super) value: Value,
}

/// The members of one object, in order, validated as they are read: [`next`](Self::next), or a
/// [`name`](Self::name) and then [`value`](Self::value), or in place of that what
/// [`enter`](Self::enter) answers, to its end.
#[derive(Debug)]
pub(super) struct Members<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    /// Containers open around a member's value.
    depth: u32,
    /// Offset of the byte after `{` or after the last value: where one more member can go in.
    last: usize,
    len: usize,
}

impl<'c, 'a> Members<'c, 'a> {
    /// Starts at the object that is the whole text, once white space before it is passed.
    pub(super) fn open(cursor: &'c mut Cursor<'a>) -> Option<Self> {
        cursor.token()?;
        Self::begin(cursor, 0)
    }

    /// Starts at the object that is here, inside of `depth` containers.
    fn begin(cursor: &'c mut Cursor<'a>, depth: u32) -> Option<Self> {
        cursor.expect(b'{')?;
        Some(Self { last: cursor.at(), cursor, depth: depth + 1, len: 0 })
    }

    /// Reads the next member. `Some(None)` is the end of the object, `None` is a fault in it.
    ///
    /// In line, for the loop that reads nearly all members of all messages; elsewhere its parts are
    /// called.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Option<Member>> {
        let Some(name) = self.read_name()? else { return Some(None) };
        Some(Some(Member { name, value: self.read_value()? }))
    }

    /// Reads the name of the next member; the answer is like that of [`next`](Self::next).
    #[inline(never)]
    pub(super) fn name(&mut self) -> Option<Option<Value>> {
        self.read_name()
    }

    /// Reads the value of the member whose name was read.
    #[inline(never)]
    pub(super) fn value(&mut self) -> Option<Value> {
        self.read_value()
    }

    #[inline(always)]
    fn read_name(&mut self) -> Option<Option<Value>> {
        let mut cursor = *self.cursor;
        self.last = cursor.at();
        match (cursor.token()?, self.len) {
            (b'"', 0) => {}
            (b',', 1..) => {
                cursor.step();
                cursor.token()?;
            }
            (b'}', _) => {
                cursor.step();
                *self.cursor = cursor;
                return Some(None);
            }
            _ => return None,
        }
        self.len += 1;
        let name = cursor.name()?;
        *self.cursor = cursor;
        Some(Some(name))
    }

    #[inline(always)]
    fn read_value(&mut self) -> Option<Value> {
        let mut cursor = *self.cursor;
        let value = cursor.value(self.depth)?;
        *self.cursor = cursor;
        Some(value)
    }

    /// Starts at the object that is the value of the member whose name was read; `None`: the value
    /// is something else.
    pub(super) fn enter(&mut self) -> Option<Members<'_, 'a>> {
        Members::begin(self.cursor, self.depth)
    }

    /// The whole text, of which this is a part.
    pub(super) fn text(&self) -> &'a [u8] {
        self.cursor.bytes()
    }

    /// Offset at which another member can be inserted; right once [`name`](Self::name) has
    /// answered the end.
    pub(super) fn insert_at(&self) -> usize {
        self.last
    }

    /// How many names were read.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Answers whether nothing but white space follows what was read.
    pub(super) fn ends_text(&mut self) -> bool {
        self.cursor.token().is_none()
    }
}

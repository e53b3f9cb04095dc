//! One message on its way into a batch: its parts, in the order of the contract.

use super::batch::{Cut, Space};
use crate::attribute::Attribute;
use crate::limits::Limits;
use crate::record::{Head, NO_ROUTE};

/// A message that is being added. Complete when this is dropped; the order in which headers and
/// attributes are added does not matter, that of the headers among themselves is kept.
#[derive(Debug)]
pub struct Parts<'b> {
    pub(super) head: &'b mut Head,
    pub(super) space: &'b mut Space,
    pub(super) limits: &'b Limits,
    pub(super) index: usize,
    /// Where the message begins in the arena.
    pub(super) start: usize,
    pub(super) body: &'b [u8],
    /// The batch has a record of the message.
    pub(super) kept: bool,
    /// Past a bound: what is added is ignored, and the message goes on untraced.
    pub(super) full: bool,
}

impl Parts<'_> {
    /// Appends what comes before everything else.
    pub(super) fn begin(mut self, destination: &[u8], id: &[u8]) -> Self {
        self.head.destination = self.part(destination);
        self.head.id = self.part(id);
        self
    }

    /// The message's number in the batch, by which the answer is asked.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Adds a header that carries context: `number` and `key` as
    /// [`Fields::find`](crate::Fields::find) answers them.
    ///
    /// A key above 255 bytes or a value above 65 535 cannot be handed in; the header is skipped
    /// and counted.
    pub fn header(&mut self, number: u8, key: &[u8], value: &[u8]) {
        let (Ok(key_length), Ok(length)) = (u8::try_from(key.len()), u16::try_from(value.len()))
        else {
            self.space.skipped += 1;
            return;
        };
        if self.is_full(4 + key.len() + value.len()) {
            return;
        }
        let arena = &mut self.space.arena;
        let before = arena.len();
        let [low, high] = length.to_le_bytes();
        arena.extend_from_slice(&[number, key_length, low, high]);
        arena.extend_from_slice(key);
        arena.extend_from_slice(value);
        self.head.headers += (arena.len() - before) as u32;
    }

    /// Adds an attribute with a text, which is cut at 65 535 bytes.
    pub fn text_attribute(&mut self, attribute: Attribute, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.attribute(attribute, 0, &text[..usize::from(length)], length);
    }

    /// Adds an attribute with a number.
    pub fn int_attribute(&mut self, attribute: Attribute, number: i64) {
        self.attribute(attribute, 1, &number.to_le_bytes(), 8);
    }

    fn attribute(&mut self, attribute: Attribute, kind: u8, value: &[u8], length: u16) {
        if self.is_full(4 + value.len()) {
            return;
        }
        let [low, high] = length.to_le_bytes();
        self.space.attributes.extend_from_slice(&[attribute as u8, kind, low, high]);
        self.space.attributes.extend_from_slice(value);
    }

    /// Appends a part and answers its length.
    fn part(&mut self, part: &[u8]) -> u32 {
        if self.is_full(part.len()) {
            return 0;
        }
        self.space.arena.extend_from_slice(part);
        // At most `arena_bytes_max`, which is a length in the component's 32-bit memory.
        part.len() as u32
    }

    /// Answers whether the message has no room for `more` bytes; then it has none from now on.
    fn is_full(&mut self, more: usize) -> bool {
        let used = self.space.arena.len() - self.start + self.space.attributes.len();
        self.full = self.full || more > self.limits.arena_bytes_max.saturating_sub(used);
        self.full
    }

    /// Gives the message a place in the current call, or begins the next one with it.
    fn place(&mut self) {
        let space = &mut *self.space;
        let mut call = space.cuts.last().copied().unwrap_or_default();
        let too_long = space.arena.len() - call.arena > self.limits.arena_bytes_max;
        let too_many = self.index - call.records >= self.limits.messages_per_call_max;
        if too_long || too_many {
            call = Cut { records: self.index, arena: self.start };
            space.cuts.push(call);
        }
        self.head.at = (self.start - call.arena) as u32;
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        if !self.is_full(self.body.len()) {
            let space = &mut *self.space;
            self.head.attributes = space.attributes.len() as u32;
            self.head.body = self.body.len() as u32;
            space.arena.extend_from_slice(&space.attributes);
            space.arena.extend_from_slice(self.body);
        }
        if self.full {
            self.space.arena.truncate(self.start);
            self.space.overflowed += 1;
            *self.head = Head { route: NO_ROUTE, ..Head::default() };
        }
        if self.kept {
            self.place();
        }
    }
}

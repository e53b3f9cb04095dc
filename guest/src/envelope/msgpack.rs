//! A strict MessagePack reader that finds where things lie and builds nothing.
//!
//! ```text
//! 9A             array of 10      A9 bull:shop:   string of 9 bytes      C0   nil
//! DE 00 02       map of 2         D9 49 {"trac…   string of 0x49 bytes   CB…  float 64
//! ```
//!
//! It accepts what the MessagePack specification, "Formats", defines, and refuses the byte `C1`,
//! which it calls never used. It does not recurse and does not allocate: to step over a value it
//! counts the values that are still to come, and one more is announced only where a byte is left
//! for it. It does not judge what containers of other people hold: a key of any type may repeat.

use alloc::vec::Vec;

use super::json::Extent;

#[cfg(test)]
mod tests;

/// A value; of a container, what its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Number,
    /// A string, without its head.
    Text(Extent),
    /// How many elements follow.
    Array(u32),
    /// How many keys, each with its value, follow.
    Map(u32),
    /// Bytes, or an extension.
    Other,
}

/// A place in the bytes. INVARIANT: `at <= bytes.len()`.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next value begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Answers whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next value; of a container the head alone.
    pub(super) fn next(&mut self) -> Option<Value> {
        let marker = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(match marker {
            0x00..=0x7f | 0xe0..=0xff => Value::Number,
            0x80..=0x8f => Value::Map(u32::from(marker & 0x0f)),
            0x90..=0x9f => Value::Array(u32::from(marker & 0x0f)),
            0xa0..=0xbf => self.text(u32::from(marker & 0x1f))?,
            0xc0 => Value::Nil,
            0xc1 => return None,
            0xc2 | 0xc3 => Value::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let len = self.sized(marker - 0xc4)?;
                self.pass(len, 0, Value::Other)?
            }
            0xc7..=0xc9 => {
                let len = self.sized(marker - 0xc7)?;
                self.pass(len, 1, Value::Other)?
            }
            0xca => self.pass(4, 0, Value::Number)?,
            0xcb => self.pass(8, 0, Value::Number)?,
            0xcc..=0xcf => self.pass(1 << (marker - 0xcc), 0, Value::Number)?,
            0xd0..=0xd3 => self.pass(1 << (marker - 0xd0), 0, Value::Number)?,
            0xd4..=0xd8 => self.pass(1 << (marker - 0xd4), 1, Value::Other)?,
            0xd9..=0xdb => {
                let len = self.sized(marker - 0xd9)?;
                self.text(len)?
            }
            0xdc | 0xdd => Value::Array(self.sized(marker - 0xdc + 1)?),
            0xde | 0xdf => Value::Map(self.sized(marker - 0xde + 1)?),
        })
    }

    /// Steps over what is inside of `value`, which was just read.
    pub(super) fn skip(&mut self, value: Value) -> Option<()> {
        let mut pending = children(value);
        while pending > 0 {
            // Each takes a byte at least, so the sum stays small, however large the heads are.
            if pending > (self.bytes.len() - self.at) as u64 {
                return None;
            }
            pending = pending - 1 + children(self.next()?);
        }
        Some(())
    }

    /// A big-endian number of 1 << `size` bytes.
    fn sized(&mut self, size: u8) -> Option<u32> {
        match size {
            0 => self.number::<1>(),
            1 => self.number::<2>(),
            _ => self.number::<4>(),
        }
    }

    fn number<const N: usize>(&mut self) -> Option<u32> {
        let digits = self.bytes[self.at..].first_chunk::<N>()?;
        self.at += N;
        Some(digits.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    fn text(&mut self, len: u32) -> Option<Value> {
        let start = self.at;
        self.pass(len, 0, Value::Nil)?;
        Some(Value::Text(Extent { start, end: self.at }))
    }

    /// Steps over `len` bytes and `more`, which are those of `value`.
    fn pass(&mut self, len: u32, more: usize, value: Value) -> Option<Value> {
        let len = usize::try_from(len).ok()?.checked_add(more)?;
        self.at += self.bytes[self.at..].get(..len)?.len();
        Some(value)
    }
}

/// How many values are inside of one.
fn children(value: Value) -> u64 {
    match value {
        Value::Array(len) => u64::from(len),
        Value::Map(len) => 2 * u64::from(len),
        _ => 0,
    }
}

/// Answers whether an array begins like this.
pub(super) fn is_array(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}

/// Writes a string in the shortest form that holds it.
pub(super) fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    // A body that is scanned is far shorter than 4 GiB, and so is what is made of it.
    let len = text.len() as u32;
    match len {
        0..0x20 => out.push(0xa0 | len as u8),
        0x20..0x100 => out.extend_from_slice(&[0xd9, len as u8]),
        0x100..0x1_0000 => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

/// Writes the head of a map, in no shorter a form than that of `head_bytes`.
///
/// BullMQ's writer reserves three bytes whatever the length; a form that was chosen stays.
pub(super) fn write_map(out: &mut Vec<u8>, len: u32, head_bytes: usize) {
    if len < 0x10 && head_bytes <= 1 {
        out.push(0x80 | len as u8);
    } else if len < 0x1_0000 && head_bytes <= 3 {
        out.push(0xde);
        out.extend_from_slice(&(len as u16).to_be_bytes());
    } else {
        out.push(0xdf);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

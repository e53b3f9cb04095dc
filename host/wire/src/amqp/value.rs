//! Values in tables, with the types that RabbitMQ gives them.
//!
//! ```text
//! t  bool          1      b  i8   1      f  f32                4      S  text    4 + length
//! T  seconds, u64  8      B  u8   1      d  f64                8      x  bytes   4 + length
//! D  decimal       5      s  i16  2      l  i64                8      A  array   4 + length
//! V  nothing       0      U  i16  2      L  i64                8      F  table   4 + length
//!                         u  u16  2
//!                         I  i32  4
//!                         i  u32  4
//! ```
//!
//! Three types differ from the specification, as RabbitMQ's errata say: `s` is a number and no
//! short string, `L` is signed like `l`, and `x` is known. `U`, which RabbitMQ refuses, has the
//! length that every other reader gives it.

use super::reader::Reader;
use super::table::Table;

/// A value of a known type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    tag: u8,
    /// Without the length in front.
    raw: &'a [u8],
}

/// An array, without its length in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'a> {
    bytes: &'a [u8],
}

/// The values of an array, in order, up to the end or the first that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct ArrayIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Value<'a> {
    /// Reads a type and its value.
    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let tag = reader.u8()?;
        let raw = match tag {
            b'S' | b'x' | b'A' | b'F' => reader.long()?,
            b't' | b'b' | b'B' => reader.take(1)?,
            b's' | b'u' | b'U' => reader.take(2)?,
            b'I' | b'i' | b'f' => reader.take(4)?,
            b'D' => reader.take(5)?,
            b'l' | b'L' | b'd' | b'T' => reader.take(8)?,
            b'V' => &[],
            _ => return None,
        };
        Some(Self { tag, raw })
    }

    /// The letter of its type.
    pub const fn tag(self) -> u8 {
        self.tag
    }

    /// Its bytes, without type and length.
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// A text: a long string, or bytes, which some clients write where they mean text.
    ///
    /// Not checked to be UTF-8. There is no short string here, see above.
    pub const fn as_text(self) -> Option<&'a [u8]> {
        match self.tag {
            b'S' | b'x' => Some(self.raw),
            _ => None,
        }
    }

    /// A number of any width that is not negative.
    pub fn as_u64(self) -> Option<u64> {
        u64::try_from(self.as_i64()?).ok()
    }

    /// A whole number of any width.
    pub fn as_i64(self) -> Option<i64> {
        match (self.tag, self.raw) {
            (b'b', &[byte]) => Some(i8::from_be_bytes([byte]).into()),
            (b'B', &[byte]) => Some(byte.into()),
            (b's' | b'U', &[a, b]) => Some(i16::from_be_bytes([a, b]).into()),
            (b'u', &[a, b]) => Some(u16::from_be_bytes([a, b]).into()),
            (b'I', &[a, b, c, d]) => Some(i32::from_be_bytes([a, b, c, d]).into()),
            (b'i', &[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d]).into()),
            (b'l' | b'L', raw) => raw.try_into().ok().map(i64::from_be_bytes),
            _ => None,
        }
    }

    /// Seconds since the Unix epoch.
    pub fn as_timestamp(self) -> Option<u64> {
        if self.tag != b'T' {
            return None;
        }
        self.raw.try_into().ok().map(u64::from_be_bytes)
    }

    /// True or false.
    pub fn as_bool(self) -> Option<bool> {
        match (self.tag, self.raw) {
            (b't', &[byte]) => Some(byte != 0),
            _ => None,
        }
    }

    /// A table.
    pub fn as_table(self) -> Option<Table<'a>> {
        (self.tag == b'F').then(|| Table::new(self.raw))
    }

    /// An array.
    pub fn as_array(self) -> Option<Array<'a>> {
        (self.tag == b'A').then_some(Array { bytes: self.raw })
    }
}

impl<'a> Array<'a> {
    /// The values, in order.
    pub fn iter(&self) -> ArrayIter<'a> {
        ArrayIter { reader: Reader::new(self.bytes, 0) }
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let mut reader = self.reader;
        let value = Value::read(&mut reader)?;
        self.reader = reader;
        Some(value)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> Option<Value<'_>> {
        let mut reader = Reader::new(bytes, 0);
        let value = Value::read(&mut reader)?;
        assert!(reader.is_at_end(), "{}", bytes.escape_ascii());
        Some(value)
    }

    #[test]
    fn numbers_of_each_type_are_read() {
        let table: [(&[u8], Option<i64>); 13] = [
            (b"b\xff", Some(-1)),
            (b"B\xff", Some(255)),
            (b"s\xff\xfe", Some(-2)),
            (b"U\xff\xfe", Some(-2)),
            (b"u\xff\xfe", Some(65_534)),
            (b"I\xff\xff\xff\xfd", Some(-3)),
            (b"i\xff\xff\xff\xfd", Some(4_294_967_293)),
            (b"l\xff\xff\xff\xff\xff\xff\xff\xfc", Some(-4)),
            (b"L\xff\xff\xff\xff\xff\xff\xff\xfc", Some(-4)),
            (b"T\x00\x00\x00\x00\x00\x00\x00\x05", None),
            (b"t\x01", None),
            (b"S\x00\x00\x00\x017", None),
            (b"V", None),
        ];
        for (bytes, number) in table {
            let value = value(bytes).unwrap();
            assert_eq!(value.as_i64(), number, "{}", bytes.escape_ascii());
            let unsigned = number.and_then(|number| u64::try_from(number).ok());
            assert_eq!(value.as_u64(), unsigned, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn text_is_a_long_string_or_bytes_and_nothing_else() {
        let table: [(&[u8], Option<&[u8]>); 6] = [
            (b"S\x00\x00\x00\x02hi", Some(b"hi")),
            (b"S\x00\x00\x00\x00", Some(b"")),
            (b"x\x00\x00\x00\x02hi", Some(b"hi")),
            // A short string in the specification; for RabbitMQ a number of two bytes.
            (b"s\x01h", None),
            (b"A\x00\x00\x00\x01V", None),
            (b"F\x00\x00\x00\x00", None),
        ];
        for (bytes, text) in table {
            assert_eq!(value(bytes).unwrap().as_text(), text, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn times_bools_tables_and_arrays_are_read() {
        let time = value(b"T\x00\x00\x00\x00\x00\x00\x01\x00").unwrap();
        assert_eq!((time.as_timestamp(), time.as_bool()), (Some(256), None));
        assert_eq!(value(b"t\x02").unwrap().as_bool(), Some(true));
        assert_eq!(value(b"t\x00").unwrap().as_bool(), Some(false));
        let array = value(b"A\x00\x00\x00\x05b\x01VB\x02").unwrap();
        let tags: Vec<_> = array.as_array().unwrap().iter().map(Value::tag).collect();
        assert_eq!((tags.as_slice(), array.as_table()), (b"bVB".as_slice(), None));
        assert_eq!(value(b"F\x00\x00\x00\x00").unwrap().as_table(), Some(Table::default()));
    }

    #[test]
    fn fixed_widths_are_stepped_over() {
        for bytes in [b"f\0\0\0\0".as_slice(), b"d\0\0\0\0\0\0\0\0", b"D\x02\0\0\0\0"] {
            assert_eq!(value(bytes).unwrap().raw(), &bytes[1..]);
            assert_eq!(value(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn unknown_types_end_an_array() {
        assert_eq!(value(b"_"), None);
        assert_eq!(value(b""), None);
        let array = Array { bytes: b"Vb\x01?V" };
        assert_eq!(array.iter().count(), 2);
    }
}

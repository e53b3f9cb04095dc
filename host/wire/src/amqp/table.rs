//! Field tables: names and values, such as the headers of a message.
//!
//! ```text
//! an entry  │ name length │ name … │ type │ value … │
//!                  1                  1
//! ```
//!
//! Read without recursion: a table or array inside of another is stepped over by its length, and
//! walked through only by whoever asks for it. Where a type is unknown nothing behind it can be
//! found, so the walk ends there and says that it is not complete.

use super::reader::Reader;
use super::value::Value;
use crate::Extent;

/// A table, without its length in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

/// One entry of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name as it is written. May be empty, and need not be the only one of its kind.
    pub name: &'a [u8],
    /// The value.
    pub value: Value<'a>,
    /// The whole entry in the table.
    pub at: Extent,
}

/// The entries of a table, in order.
#[derive(Clone, Copy, Debug)]
pub struct TableIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Table<'a> {
    /// The table in these bytes. Nothing is checked before [`Self::iter`] gets there.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes of its entries.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The entries, in order, up to the end or the first that cannot be read.
    pub fn iter(&self) -> TableIter<'a> {
        TableIter { reader: Reader::new(self.bytes, 0) }
    }

    /// Whether each entry can be read.
    pub fn is_complete(&self) -> bool {
        let mut rest = self.iter();
        while rest.next().is_some() {}
        rest.is_complete()
    }

    /// The value of the first entry with this name, in whatever case it is written.
    pub fn find(&self, name: &[u8]) -> Option<Value<'a>> {
        self.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)).map(|entry| entry.value)
    }
}

impl<'a> IntoIterator for Table<'a> {
    type Item = Entry<'a>;
    type IntoIter = TableIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TableIter<'_> {
    /// Whether the whole table has been read. Asked behind the last entry: false says that there
    /// was another, which cannot be read.
    pub const fn is_complete(&self) -> bool {
        self.reader.is_at_end()
    }
}

impl<'a> Iterator for TableIter<'a> {
    type Item = Entry<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Entry<'a>> {
        let start = self.reader.at();
        // Stays at the start of an entry that cannot be read.
        let mut reader = self.reader;
        let name = reader.short()?;
        let value = Value::read(&mut reader)?;
        self.reader = reader;
        Some(Entry { name, value, at: Extent::between(start, reader.at()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> (Vec<&[u8]>, bool) {
        let mut rest = Table::new(bytes).iter();
        let names = rest.by_ref().map(|entry| entry.name).collect();
        (names, rest.is_complete())
    }

    #[test]
    fn entries_are_found_in_order_with_their_places() {
        let bytes = b"\x01aS\x00\x00\x00\x02hi\x02bctA\x00V\x01aI\x00\x00\x00\x07";
        let entries: Vec<_> = Table::new(bytes).iter().collect();
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name, entry.value.tag(), entry.at.of(bytes)))
            .collect();
        let wanted: [(&[u8], u8, &[u8]); 4] = [
            (b"a", b'S', b"\x01aS\x00\x00\x00\x02hi"),
            (b"bc", b't', b"\x02bctA"),
            (b"", b'V', b"\x00V"),
            (b"a", b'I', b"\x01aI\x00\x00\x00\x07"),
        ];
        assert_eq!(found, wanted);
        assert!(Table::new(bytes).is_complete());
        assert_eq!(Table::new(bytes).find(b"BC").and_then(Value::as_bool), Some(true));
        assert_eq!(Table::new(bytes).find(b"A").and_then(Value::as_text), Some(b"hi".as_slice()));
    }

    /// Bytes, the names that are found, whether those are all.
    type Walked<'a> = (&'a [u8], &'a [&'a [u8]], bool);

    #[test]
    fn the_walk_ends_before_what_cannot_be_read_and_says_so() {
        let table: [Walked<'_>; 7] = [
            (b"", &[], true),
            (b"\x01aV", &[b"a"], true),
            // An unknown type, a name that is cut, a type that is missing, a value that is cut, a
            // length past the end.
            (b"\x01aV\x01bq\x01cV", &[b"a"], false),
            (b"\x01aV\x05b", &[b"a"], false),
            (b"\x01aV\x01b", &[b"a"], false),
            (b"\x01aV\x01bI\x00\x00\x00", &[b"a"], false),
            (b"\x01aV\x01bS\xff\xff\xff\xffxyz", &[b"a"], false),
        ];
        for (bytes, wanted, complete) in table {
            assert_eq!(names(bytes), (wanted.to_vec(), complete), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn nested_tables_are_stepped_over_whatever_is_in_them() {
        let bytes = b"\x01aF\x00\x00\x00\x03\x09??\x01bV";
        assert_eq!(names(bytes), (vec![b"a".as_slice(), b"b"], true));
        let inner = Table::new(bytes).find(b"a").and_then(Value::as_table).unwrap();
        assert!(!inner.is_complete());
    }
}

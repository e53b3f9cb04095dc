//! The fields of a stream entry, in a command or in a reply.

use super::element::{Number, number};
use crate::Extent;

/// Where fields and values lie, one string after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldList {
    /// The digits of the count that includes them.
    pub(super) count_at: Extent,
    /// That count: for a command, of all arguments.
    pub(super) count: u32,
    /// What a pair adds to that count: 2, or 1 for a map.
    pub(super) per_pair: u32,
    /// The number of fields and values.
    pub(super) elements: u32,
    /// The fields and values, with their lengths.
    pub(super) at: Extent,
}

impl FieldList {
    /// The fields. `bytes` as given to the decoder.
    #[inline(always)]
    pub fn iter<'a>(&self, bytes: &'a [u8]) -> Fields<'a> {
        let range = self.at.range();
        Fields {
            bytes: bytes.get(..range.end).unwrap_or_default(),
            at: range.start,
            left: self.elements,
        }
    }

    /// The value of the first field of this name, in any case.
    pub fn find<'a>(&self, bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let mut fields = self.iter(bytes);
        let found = fields.find(|field| field.name.of(bytes).eq_ignore_ascii_case(name));
        found.map(|field| field.value.of(bytes))
    }

    /// The number of fields, with their values.
    pub const fn len(&self) -> u32 {
        self.elements / 2
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.elements == 0
    }
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Extent,
    /// Its value.
    pub value: Extent,
    /// Both, with their lengths.
    pub at: Extent,
}

/// The fields that have not been read yet.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u32,
}

impl Fields<'_> {
    /// Whether all were read: each is a pair of strings.
    pub const fn is_complete(&self) -> bool {
        self.left == 0 && self.at == self.bytes.len()
    }

    #[inline(always)]
    fn string(&mut self) -> Option<Extent> {
        if self.bytes.get(self.at) != Some(&b'$') {
            return None;
        }
        let Number::Value(len, start) = number(self.bytes, self.at.saturating_add(1)) else {
            return None;
        };
        let end = start.saturating_add(len as usize);
        self.at = end.saturating_add(2);
        (self.at <= self.bytes.len()).then(|| Extent::between(start, end))
    }
}

impl Iterator for Fields<'_> {
    type Item = Field;

    #[inline(always)]
    fn next(&mut self) -> Option<Field> {
        let left = self.left.checked_sub(2)?;
        let start = self.at;
        let name = self.string()?;
        let value = self.string()?;
        self.left = left;
        Some(Field { name, value, at: Extent::between(start, self.at) })
    }
}

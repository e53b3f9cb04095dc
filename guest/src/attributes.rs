//! The attributes of a span, as protobuf `KeyValue` fields, under a limit.
//!
//! A value past the length limit is cut at a character's end; an attribute past the count limit
//! is dropped and counted (OpenTelemetry specification, "Common > Attribute limits").

use alloc::vec::Vec;

use crate::protobuf::{fixed64, put, varint, varint_len};
use crate::text;

/// `Span.attributes`, field 9.
const ATTRIBUTES: u8 = 0x4a;
/// `KeyValue.key`, field 1.
const KEY: u8 = 0x0a;
/// `KeyValue.value`, field 2.
const VALUE: u8 = 0x12;
const STRING_VALUE: u8 = 0x0a;
const BOOL_VALUE: u8 = 0x10;
const INT_VALUE: u8 = 0x18;
const DOUBLE_VALUE: u8 = 0x21;

/// The longest string whose attribute is shorter than 128 bytes whatever its key: all lengths in it
/// are then one byte.
const SHORT_VALUE_MAX: usize = 64;

/// The name of an attribute, encoded: all that comes before the value's length.
///
/// ```text
/// 4a  length  0a  length  name…  12
///     of what follows, filled in when it is known
/// ```
#[derive(Debug)]
pub(crate) struct Key {
    /// Padded, so that its copy is one of a length that the compiler knows.
    head: [u8; Self::HEAD_BYTES_MAX],
    len: usize,
}

impl Key {
    /// Room for `messaging.rabbitmq.destination.routing_key`, the longest.
    const HEAD_BYTES_MAX: usize = 48;

    pub(crate) const fn new(name: &str) -> Self {
        let name = name.as_bytes();
        let mut head = [0; Self::HEAD_BYTES_MAX];
        head[0] = ATTRIBUTES;
        head[2] = KEY;
        head[3] = name.len() as u8;
        let mut at = 0;
        while at < name.len() {
            head[4 + at] = name[at];
            at += 1;
        }
        head[4 + at] = VALUE;
        Self { head, len: 5 + at }
    }

    /// What comes before a value whose encoding takes `any_len` bytes, up to that length.
    #[inline(always)]
    fn write(&self, out: &mut Vec<u8>, any_len: usize) {
        if any_len > SHORT_VALUE_MAX + 2 {
            return self.write_long(out, any_len);
        }
        let at = out.len();
        out.extend_from_slice(&self.head);
        out.truncate(at + self.len);
        // The length of this attribute does not count its tag and itself.
        out[at + 1] = (self.len - 2 + 1 + any_len) as u8;
        out.push(any_len as u8);
    }

    fn write_long(&self, out: &mut Vec<u8>, any_len: usize) {
        let key = &self.head[2..self.len];
        out.push(ATTRIBUTES);
        varint(out, (key.len() + varint_len(any_len as u64) + any_len) as u64);
        put(out, key);
        varint(out, any_len as u64);
    }
}

/// The limits of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In bytes; `usize::MAX`: none.
    pub value_bytes_max: usize,
    pub attributes_max: u32,
}

/// Writes attributes and counts them.
pub(crate) struct Attributes<'a> {
    out: &'a mut Vec<u8>,
    limits: Limits,
    count: u32,
    dropped: u32,
    cut: bool,
}

impl<'a> Attributes<'a> {
    /// Goes on behind `count` attributes that have been written, `dropped` that have not.
    pub(crate) fn new(out: &'a mut Vec<u8>, limits: Limits, count: u32, dropped: u32) -> Self {
        Self { out, limits, count, dropped, cut: false }
    }

    /// How many were written and how many dropped, and whether a value was cut.
    pub(crate) fn end(self) -> (u32, u32, bool) {
        (self.count, self.dropped, self.cut)
    }

    fn take(&mut self) -> bool {
        if self.count >= self.limits.attributes_max {
            self.dropped += 1;
            return false;
        }
        self.count += 1;
        true
    }

    /// A string. What is not UTF-8 is written as U+FFFD.
    #[inline]
    pub(crate) fn bytes(&mut self, key: &Key, value: &[u8]) {
        self.utf8(key, &text::utf8(value));
    }

    pub(crate) fn text(&mut self, key: &Key, value: &str) {
        self.utf8(key, value.as_bytes());
    }

    /// A string that is known to be UTF-8.
    #[inline]
    pub(crate) fn utf8(&mut self, key: &Key, mut value: &[u8]) {
        if !self.take() {
            return;
        }
        if value.len() > self.limits.value_bytes_max {
            self.cut = true;
            value = text::cut(value, self.limits.value_bytes_max);
        }
        key.write(self.out, 1 + varint_len(value.len() as u64) + value.len());
        self.out.push(STRING_VALUE);
        varint(self.out, value.len() as u64);
        put(self.out, value);
    }

    pub(crate) fn int(&mut self, key: &Key, value: i64) {
        if self.take() {
            key.write(self.out, 1 + varint_len(value as u64));
            self.out.push(INT_VALUE);
            varint(self.out, value as u64);
        }
    }

    /// A size or a count: what does not fit a signed number is shown as the largest that does.
    pub(crate) fn count(&mut self, key: &Key, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(crate) fn bool(&mut self, key: &Key, value: bool) {
        if self.take() {
            key.write(self.out, 2);
            self.out.extend_from_slice(&[BOOL_VALUE, value.into()]);
        }
    }

    pub(crate) fn double(&mut self, key: &Key, value: f64) {
        if self.take() {
            key.write(self.out, 9);
            fixed64(self.out, DOUBLE_VALUE, value.to_bits());
        }
    }

    /// A duration in nanoseconds, shown in seconds as the conventions want it.
    pub(crate) fn seconds(&mut self, key: &Key, nanoseconds: u64) {
        self.double(key, nanoseconds as f64 / 1e9);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(
        limits: Limits,
        write: impl FnOnce(&mut Attributes<'_>),
    ) -> (Vec<u8>, (u32, u32, bool)) {
        let mut out = Vec::new();
        let mut attributes = Attributes::new(&mut out, limits, 0, 0);
        write(&mut attributes);
        let end = attributes.end();
        (out, end)
    }

    static K: Key = Key::new("k");

    const WIDE: Limits = Limits { value_bytes_max: usize::MAX, attributes_max: 128 };

    #[test]
    fn a_string_attribute_is_a_key_value_message() {
        let (out, end) = write(WIDE, |attributes| attributes.text(&K, "vw"));
        assert_eq!(out, b"\x4a\x09\x0a\x01k\x12\x04\x0a\x02vw");
        assert_eq!(end, (1, 0, false));
    }

    #[test]
    fn lengths_are_right_where_they_come_to_need_another_byte() {
        static LONGEST: Key = Key::new("a name of the longest length a key has here");
        for key in [&K, &LONGEST] {
            for length in (0..300).chain(16_200..16_500) {
                let value = "v".repeat(length);
                let (out, _) = write(WIDE, |attributes| attributes.text(key, &value));
                let name = &key.head[4..key.len - 1];
                let mut any = Vec::new();
                crate::protobuf::bytes(&mut any, STRING_VALUE, value.as_bytes());
                let mut pair = Vec::new();
                crate::protobuf::bytes(&mut pair, KEY, name);
                crate::protobuf::bytes(&mut pair, VALUE, &any);
                let mut expected = Vec::new();
                crate::protobuf::bytes(&mut expected, ATTRIBUTES, &pair);
                assert_eq!(out, expected, "{length}");
            }
        }
    }

    #[test]
    fn a_value_is_cut_at_a_characters_end() {
        let limits = Limits { value_bytes_max: 3, ..WIDE };
        let (out, end) = write(limits, |attributes| attributes.text(&K, "aé€"));
        assert!(out.ends_with("\x0a\x03aé".as_bytes()));
        assert!(end.2);
    }

    #[test]
    fn attributes_past_the_limit_are_dropped_and_counted() {
        let limits = Limits { attributes_max: 1, ..WIDE };
        let (_, end) = write(limits, |attributes| {
            attributes.bool(&K, true);
            attributes.int(&K, -1);
            attributes.double(&K, 1.5);
        });
        assert_eq!(end, (1, 2, false));
    }

    #[test]
    fn bytes_that_are_not_text_stay_readable() {
        let (out, _) = write(WIDE, |attributes| attributes.bytes(&K, b"a\xff"));
        assert!(out.ends_with("a\u{fffd}".as_bytes()));
    }
}

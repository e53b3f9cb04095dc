//! The attributes of a span, as protobuf `KeyValue` fields, under a limit.
//!
//! A value past the length limit is cut at a character's end; an attribute past the count limit
//! is dropped and counted (OpenTelemetry specification, "Common > Attribute limits").

use alloc::string::String;
use alloc::vec::Vec;

use crate::protobuf::{self, varint, varint_len};

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

    /// Writes what comes before a value: `KeyValue` and `AnyValue` with the lengths of both.
    fn head(&mut self, key: &str, value_len: usize) {
        let any = value_len as u64;
        let key_len = key.len() as u64;
        let pair = 2 + varint_len(key_len) as u64 - 1 + key_len + 1 + varint_len(any) as u64 + any;
        self.out.push(ATTRIBUTES);
        varint(self.out, pair);
        protobuf::bytes(self.out, KEY, key.as_bytes());
        self.out.push(VALUE);
        varint(self.out, any);
    }

    /// A string. Bytes that are not UTF-8 would make the span unreadable, so that such a value is
    /// written with U+FFFD in their place.
    pub(crate) fn bytes(&mut self, key: &str, value: &[u8]) {
        match core::str::from_utf8(value) {
            Ok(text) => self.text(key, text),
            Err(_) => self.text(key, &String::from_utf8_lossy(value)),
        }
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        if !self.take() {
            return;
        }
        let end = if value.len() <= self.limits.value_bytes_max {
            value.len()
        } else {
            self.cut = true;
            value.floor_char_boundary(self.limits.value_bytes_max)
        };
        let value = &value.as_bytes()[..end];
        self.head(key, 1 + varint_len(value.len() as u64) + value.len());
        protobuf::bytes(self.out, STRING_VALUE, value);
    }

    pub(crate) fn int(&mut self, key: &str, value: i64) {
        if self.take() {
            self.head(key, 1 + varint_len(value as u64));
            self.out.push(INT_VALUE);
            varint(self.out, value as u64);
        }
    }

    /// A size or a count: what does not fit a signed number is shown as the largest that does.
    pub(crate) fn count(&mut self, key: &str, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        if self.take() {
            self.head(key, 2);
            self.out.extend_from_slice(&[BOOL_VALUE, value.into()]);
        }
    }

    pub(crate) fn double(&mut self, key: &str, value: f64) {
        if self.take() {
            self.head(key, 9);
            protobuf::fixed64(self.out, DOUBLE_VALUE, value.to_bits());
        }
    }

    /// A duration in nanoseconds, shown in seconds as the conventions want it.
    pub(crate) fn seconds(&mut self, key: &str, nanoseconds: u64) {
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

    const WIDE: Limits = Limits { value_bytes_max: usize::MAX, attributes_max: 128 };

    #[test]
    fn a_string_attribute_is_a_key_value_message() {
        let (out, end) = write(WIDE, |attributes| attributes.text("k", "vw"));
        assert_eq!(out, b"\x4a\x09\x0a\x01k\x12\x04\x0a\x02vw");
        assert_eq!(end, (1, 0, false));
    }

    #[test]
    fn a_value_is_cut_at_a_characters_end() {
        let limits = Limits { value_bytes_max: 3, ..WIDE };
        let (out, end) = write(limits, |attributes| attributes.text("k", "aé€"));
        assert!(out.ends_with("\x0a\x03aé".as_bytes()));
        assert!(end.2);
    }

    #[test]
    fn attributes_past_the_limit_are_dropped_and_counted() {
        let limits = Limits { attributes_max: 1, ..WIDE };
        let (_, end) = write(limits, |attributes| {
            attributes.bool("a", true);
            attributes.int("b", -1);
            attributes.double("c", 1.5);
        });
        assert_eq!(end, (1, 2, false));
    }

    #[test]
    fn bytes_that_are_not_text_stay_readable() {
        let (out, _) = write(WIDE, |attributes| attributes.bytes("k", b"a\xff"));
        assert!(out.ends_with("a\u{fffd}".as_bytes()));
    }
}

//! The part of the protobuf wire format that an OTLP `Span` needs.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. Only writing, only into a buffer that
//! grows, only field numbers known at compile time.

use alloc::vec::Vec;

/// The longest varint of a `u64`.
const VARINT_BYTES_MAX: usize = 10;

/// Appends bytes of a length that is known at run time only.
///
/// In the component a copy of such a length is a call into the host, which takes longer than the
/// few bytes of a name or an id are worth. Short ones are therefore copied in words; the last word
/// overlaps the one before it, so that hardly a byte is copied alone.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    /// From here on the call is worth it.
    const SHORT_MAX: usize = 64;
    match bytes.len() {
        SHORT_MAX.. => out.extend_from_slice(bytes),
        16.. => put_words::<16>(out, bytes),
        8.. => put_words::<8>(out, bytes),
        4.. => put_words::<4>(out, bytes),
        _ => bytes.iter().for_each(|byte| out.push(*byte)),
    }
}

/// Appends bytes of which there are at least `WORD`.
#[inline]
fn put_words<const WORD: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    let (words, rest) = bytes.as_chunks::<WORD>();
    for word in words {
        out.extend_from_slice(word);
    }
    if !rest.is_empty()
        && let Some(last) = bytes.last_chunk::<WORD>()
    {
        out.truncate(out.len() - (WORD - rest.len()));
        out.extend_from_slice(last);
    }
}

/// Writes a varint. Nearly all are a single byte: only that is worth a copy at each place.
#[inline(always)]
pub(crate) fn varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        long_varint(out, value);
    }
}

fn long_varint(out: &mut Vec<u8>, mut value: u64) {
    let mut bytes = [0; VARINT_BYTES_MAX];
    let mut at = 0;
    while value >= 0x80 {
        bytes[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    bytes[at] = value as u8;
    out.extend_from_slice(&bytes[..=at]);
}

/// How many bytes `varint` writes for a value.
pub(crate) const fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes a length-delimited field. `tag` is the field number shifted left by 3, plus 2.
pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    varint(out, value.len() as u64);
    put(out, value);
}

/// Writes a fixed64 field whose tag fits a byte.
pub(crate) fn fixed64(out: &mut Vec<u8>, tag: u8, value: u64) {
    let mut field = [0; 9];
    field[0] = tag;
    field[1..].copy_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&field);
}

/// Writes a length-delimited field whose content `write` appends.
///
/// The length is put in afterwards. Content of 128 bytes to 16 KiB, as nearly every span is, needs
/// no move; anything else is moved by a byte or two.
pub(crate) fn nested(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    const ROOM: usize = 2;
    out.extend_from_slice(&[tag, 0, 0]);
    let content = out.len();
    write(out);
    let length = out.len() - content;
    let needed = varint_len(length as u64);
    if needed < ROOM {
        out.copy_within(content.., content - 1);
        out.truncate(out.len() - 1);
    } else if needed > ROOM {
        let more = needed - ROOM;
        out.resize(out.len() + more, 0);
        out.copy_within(content..content + length, content + more);
    }
    let mut value = length;
    for at in 0..needed {
        let last = at + 1 == needed;
        out[content - ROOM + at] = value as u8 & 0x7f | if last { 0 } else { 0x80 };
        value >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_are_appended_as_they_are() {
        let bytes: Vec<u8> = (0..200).collect();
        for length in 0..bytes.len() {
            let mut out = b"before".to_vec();
            put(&mut out, &bytes[..length]);
            assert_eq!(out, [b"before", &bytes[..length]].concat(), "{length}");
        }
    }

    #[test]
    fn varints_have_the_length_that_was_foretold() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }

    #[test]
    fn nested_content_of_any_length_reads_back() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let mut out = b"before".to_vec();
            nested(&mut out, 0x12, |out| out.resize(out.len() + length, 7));
            let mut expected = b"before".to_vec();
            bytes(&mut expected, 0x12, &alloc::vec![7; length]);
            assert_eq!(out, expected, "{length}");
        }
    }
}

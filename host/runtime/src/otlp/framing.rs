//! Protobuf framing: just enough to put encoded spans into a request without decoding them.
//!
//! ```text
//! span run = { 0x12  length (varint)  Span message }…      0x12 = field 2, length-delimited
//! ```
//!
//! Field 2 is `ScopeSpans.spans`, so a run is copied into a request as it is. Nothing here looks
//! inside a span. See "Protocol Buffers: Encoding".

/// Tag of `ScopeSpans.spans`: field 2, wire type 2.
pub(crate) const SPAN_TAG: u8 = 0x12;

/// Longest varint that still fits a length of 32 bits.
const LENGTH_VARINT_BYTES_MAX: usize = 5;

/// Bytes of the first span of a run, tag and length included.
///
/// `None` when the run does not begin with a whole span field.
pub(crate) fn first_span(run: &[u8]) -> Option<usize> {
    let (&tag, rest) = run.split_first()?;
    if tag != SPAN_TAG {
        return None;
    }
    let (length, used) = read_length(rest)?;
    (length <= rest.len() - used).then(|| 1 + used + length)
}

/// Number of spans in a run, or `None` when it is not a sequence of whole span fields.
pub(crate) fn count_spans(mut run: &[u8]) -> Option<u32> {
    let mut spans = 0_u32;
    while !run.is_empty() {
        run = &run[first_span(run)?..];
        spans = spans.checked_add(1)?;
    }
    Some(spans)
}

/// Reads a varint of at most 32 bits: the value and the bytes it took.
fn read_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(LENGTH_VARINT_BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let length = u32::try_from(value).ok()?;
            return Some((usize::try_from(length).ok()?, index + 1));
        }
    }
    None
}

/// Bytes that `value` takes as a varint.
pub(crate) const fn varint_bytes(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes of a length-delimited field with a one-byte tag and `length` bytes of content.
pub(crate) const fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length) + length
}

/// Writes the tag and the length of a field. `field` is 1 to 15, so the tag is one byte.
pub(crate) fn put_header(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | 2);
    let mut rest = length;
    while rest >= 0x80 {
        // The mask leaves seven bits, so nothing is cut off.
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Writes a whole length-delimited field.
pub(crate) fn put_field(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    put_header(out, field, content.len());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_counted_only_when_every_span_is_whole() {
        let long = [&[0x12, 0x80, 0x01][..], &[7; 128]].concat();
        let cases: [(&[u8], Option<u32>); 9] = [
            (&[], Some(0)),
            (&[0x12, 0], Some(1)),
            (&[0x12, 1, 9, 0x12, 2, 9, 9], Some(2)),
            (&long, Some(1)),
            (&long[..130], None),
            (&[0x12], None),
            (&[0x0a, 0], None),
            (&[0x12, 1, 9, 9], None),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], None),
        ];
        for (run, expected) in cases {
            assert_eq!(count_spans(run), expected, "{run:02x?}");
        }
    }

    #[test]
    fn a_length_past_32_bits_is_refused_and_the_largest_below_is_only_too_long() {
        assert_eq!(read_length(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some((0xffff_ffff, 5)));
        assert_eq!(read_length(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(first_span(&[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }

    #[test]
    fn sizes_agree_with_what_is_written() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let mut out = Vec::new();
            put_header(&mut out, 2, length);
            assert_eq!(out.len() + length, field_bytes(length), "{length}");
            assert_eq!(read_length(&out[1..]), Some((length, out.len() - 1)));
        }
    }
}

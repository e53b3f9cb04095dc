//! Text of strings, eight bytes at a time.
//!
//! ```text
//! "spanbridge\"s"        plain text is what lies between the marked bytes
//! ╵          ╵  ╵
//! ```
//!
//! A word of eight bytes is looked at in a dozen steps, whatever is in it. This module does not
//! know what a marked byte means; RFC 8259, "Strings", says which there are.

/// The run of plain text that some bytes begin with: everything but what ends a string or needs
/// attention in it, which is a quote, a backslash, and a control character.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    /// How many bytes it has.
    pub(crate) len: usize,
    /// No byte beyond ASCII is among it, nor in the same word behind it.
    pub(crate) is_ascii: bool,
}

/// Measures the run of plain text that `bytes` begin with.
#[inline]
pub(crate) fn plain(bytes: &[u8]) -> Plain {
    let (words, rest) = bytes.as_chunks();
    let mut seen = 0;
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        seen |= word;
        let special = specials(word);
        if special != 0 {
            let len = index * 8 + special.trailing_zeros() as usize / 8;
            return Plain { len, is_ascii: seen & HIGH_BITS == 0 };
        }
    }
    if rest.is_empty() {
        return Plain { len: bytes.len(), is_ascii: seen & HIGH_BITS == 0 };
    }
    let Some(last) = bytes.last_chunk() else { return plain_bytes(bytes) };
    // What of it was seen before is plain, and so has no mark. If nothing has one, the place of the
    // first is the end of the word.
    let word = u64::from_le_bytes(*last);
    let len = bytes.len() - 8 + specials(word).trailing_zeros() as usize / 8;
    Plain { len, is_ascii: (seen | word) & HIGH_BITS == 0 }
}

/// As [`plain`], of less than a word.
#[inline(never)]
fn plain_bytes(bytes: &[u8]) -> Plain {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let len = bytes.iter().position(is_special).unwrap_or(bytes.len());
    Plain { len, is_ascii: bytes[..len].is_ascii() }
}

/// Where a string of plain ASCII ends, of which `bytes` are the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the quote so far from here.
    Quote(usize),
    /// Nothing but plain ASCII is before here; what is here has to be looked at more closely.
    Unknown(usize),
}

/// Looks for the end of a string that is plain ASCII, as nearly all are.
#[inline(always)]
pub(crate) fn end(bytes: &[u8]) -> End {
    let mut rest = bytes;
    // By two, because a turn of a loop costs as much as half a word does.
    while let Some((pair, behind)) = rest.split_first_chunk::<16>() {
        let (pair, _) = pair.as_chunks::<8>();
        for (index, word) in pair.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            let special = specials_or_high(word);
            if special != 0 {
                let bit = special.trailing_zeros() & !7;
                let at = bytes.len() - rest.len() + index * 8 + bit as usize / 8;
                let is_quote = (word >> bit) as u8 == b'"';
                return if is_quote { End::Quote(at) } else { End::Unknown(at) };
            }
        }
        rest = behind;
    }
    End::Unknown(bytes.len() - rest.len())
}

/// The top bit of each byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// The lowest bit of each byte of a word.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Marks the bytes of `word` that are not plain.
///
/// The lowest mark is exact. Marks above it may be false, because a subtraction borrows from the
/// bytes above a hit, and only from those; callers look at the lowest alone.
#[inline(always)]
fn specials(word: u64) -> u64 {
    marks(word) & !word & HIGH_BITS
}

/// As [`specials`], and marks the bytes beyond ASCII as well.
#[inline(always)]
fn specials_or_high(word: u64) -> u64 {
    (marks(word) | word) & HIGH_BITS
}

/// The marks of [`specials`], where the byte is ASCII.
#[inline(always)]
fn marks(word: u64) -> u64 {
    // With this bit flipped, a quote is the one byte that follows the control characters, which
    // stay among themselves.
    const FLIPPED: u8 = 0x02;
    const _: () = assert!(b'"' ^ FLIPPED == 0x20);
    let every = |byte: u8| LOW_BITS * u64::from(byte);
    let control_or_quote = (word ^ every(FLIPPED)).wrapping_sub(every(0x21));
    let backslash = (word ^ every(b'\\')).wrapping_sub(LOW_BITS);
    control_or_quote | backslash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_plain_text_is_seen_at_every_place_in_a_word() {
        for byte in 0..=255_u8 {
            let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in 0..36 {
                let mut text = [b'~'; 40];
                text[place] = byte;
                let plain = plain(&text);
                assert_eq!(plain.len, if ends { place } else { 40 }, "{byte:#x} at {place}");
                assert_eq!(plain.is_ascii, byte < 0x80, "{byte:#x} at {place}");
                let expected = match byte {
                    b'"' => End::Quote(place),
                    // Two pairs of words; what is behind them is less than a pair.
                    _ if place < 32 && (ends || byte >= 0x80) => End::Unknown(place),
                    _ => End::Unknown(32),
                };
                let seen = if place < 32 { expected } else { End::Unknown(32) };
                assert_eq!(end(&text), seen, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn the_first_of_two_ends_is_the_one() {
        // A mark may be false above another one only.
        for first in [0, 0x1f, b'"', b'\\', 0x80, 0xff] {
            for second in 0..=255 {
                let mut text = [b'~'; 16];
                (text[5], text[6]) = (first, second);
                let expected = if first == b'"' { End::Quote(5) } else { End::Unknown(5) };
                assert_eq!(end(&text), expected, "{first:#x} {second:#x}");
                let is_plain = first >= 0x80;
                assert_eq!(plain(&text).len > 5, is_plain, "{first:#x} {second:#x}");
            }
        }
    }
}

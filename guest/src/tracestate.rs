//! The W3C `tracestate` field: a list of vendors' members, newest first.
//!
//! ```text
//! tracestate: rojo=00f067aa0ba902b7 , ,congo=t61rcWkgMzE
//!             ├──────────────────┘     └─ white space and empty members are ignored
//!             key "=" value
//! ```
//!
//! [`Tracestate`] is a validated view of the text as it came: one pass checks it and notes where
//! the members are. Only a list that came in several fields is copied, to make it one. No member
//! is interpreted here.
//!
//! W3C Trace Context Level 2, "Tracestate Header". Two of its answers are easily got wrong: one
//! invalid member, or a 33rd, discards the whole list; and duplicate keys do not.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// "There can be a maximum of 32 list-members in a list."
pub const MEMBERS_MAX: usize = 32;

/// The length in bytes that every vendor should propagate ("Tracestate Limits"); what we write is
/// no longer. A list that is only passed on is left as long as it came.
pub const WRITTEN_BYTES_MAX: usize = 512;

/// "Entries larger than 128 characters long SHOULD be removed first."
const LONG_MEMBER_BYTES: usize = 128;

/// The longest text that is read: 32 members of 513 bytes and 31 commas make 16 447, so what is
/// longer holds more white space than members.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// The longest key and the longest value in bytes (the grammar's `0*255` after the first).
const PART_BYTES_MAX: usize = 256;

/// May stand in a key after its first byte.
const KEY: u8 = 1;
/// May begin a key.
const KEY_START: u8 = 2;
/// May stand in a value, and may end it.
const VALUE: u8 = 4;

/// What each byte may be; a space is the one byte of a value that may not end it.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => KEY | KEY_START | VALUE,
            b'_' | b'-' | b'*' | b'/' | b'@' => KEY | VALUE,
            b',' | b'=' => 0,
            _ => VALUE,
        };
        byte += 1;
    }
    classes
};

/// A valid list of members.
#[derive(Clone, Debug)]
pub struct Tracestate<'a> {
    /// The list, with whatever white space and empty members it came with.
    text: Cow<'a, [u8]>,
    /// Where each member begins and ends in the text, white space excluded. At most
    /// [`MEMBERS_MAX`]; on the heap, because most messages have none and what is read is moved.
    members: Vec<(u16, u16)>,
}

impl<'a> Tracestate<'a> {
    /// The list without members.
    pub const EMPTY: Self = Self { text: Cow::Borrowed(&[]), members: Vec::new() };

    /// Reads the values of the field in their order, as one list (RFC 9110, section 5.3).
    ///
    /// Answers the empty list when any member is invalid or there are more than [`MEMBERS_MAX`]:
    /// the specification discards the whole list then, and keeps `traceparent`.
    pub fn parse(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut list = Self::EMPTY;
        for value in values {
            if list.append(value).is_none() {
                return Self::EMPTY;
            }
        }
        list
    }

    /// Answers whether there are no members; an empty list is never sent.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in order, as key and value.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.raw().map(|member| {
            let at = member.iter().position(|&byte| byte == b'=').unwrap_or(member.len());
            (&member[..at], member.get(at + 1..).unwrap_or_default())
        })
    }

    /// The value of the first member with this key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.raw().find_map(|member| value_of(member, key))
    }

    /// Appends the list to `out`, members joined by commas.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_joined(out, self.raw());
    }

    /// Appends the list to `out` with `key=value` as its first member, in place of every other
    /// member of that key; the others keep their order.
    ///
    /// What does not fit is left out, whole members only: the right-most past [`MEMBERS_MAX`];
    /// then, past [`WRITTEN_BYTES_MAX`], those longer than 128 bytes and then any, from the right.
    /// Answers `false`, and writes the list unchanged, when key or value breaks the grammar or
    /// the new member is too long by itself.
    pub fn write_with(&self, out: &mut Vec<u8>, key: &[u8], value: &[u8]) -> bool {
        let own_bytes = key.len() + 1 + value.len();
        if !is_key(key) || !is_value(value) || own_bytes > WRITTEN_BYTES_MAX {
            self.write(out);
            return false;
        }
        out.reserve(WRITTEN_BYTES_MAX.min(own_bytes + 1 + self.text.len()));
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend_from_slice(value);
        let fits_all = self.members.len() < MEMBERS_MAX
            && own_bytes + 1 + self.text.len() <= WRITTEN_BYTES_MAX;
        let kept = if fits_all { u32::MAX } else { self.fitting(key, own_bytes) };
        for (index, member) in self.raw().enumerate() {
            if kept >> index & 1 != 0 && value_of(member, key).is_none() {
                out.push(b',');
                out.extend_from_slice(member);
            }
        }
        true
    }

    /// Appends the list to `out` without the members of `key`.
    pub fn write_without(&self, out: &mut Vec<u8>, key: &[u8]) {
        write_joined(out, self.raw().filter(|member| value_of(member, key).is_none()));
    }

    /// The members in order, each `key=value` without white space around it.
    fn raw(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.members.iter().map(|&(start, end)| &self.text[usize::from(start)..usize::from(end)])
    }

    /// Adds the members of one value; `None` when one is invalid or the limits are passed.
    fn append(&mut self, value: &'a [u8]) -> Option<()> {
        let had_none = self.members.is_empty();
        let base = if had_none { 0 } else { self.text.len() + 1 };
        if value.len() > TEXT_BYTES_MAX || base + value.len() > TEXT_BYTES_MAX {
            return None;
        }
        let before = self.members.len();
        let mut rest = value;
        while let [byte, after @ ..] = rest {
            if matches!(byte, b',' | b' ' | b'\t') {
                rest = after;
                continue;
            }
            let start = base + value.len() - rest.len();
            let member_bytes;
            (member_bytes, rest) = split_member(rest)?;
            if self.members.is_empty() {
                self.members.reserve_exact(MEMBERS_MAX);
            } else if self.members.len() == MEMBERS_MAX {
                return None;
            }
            // TEXT_BYTES_MAX fits u16.
            self.members.push((start as u16, (start + member_bytes) as u16));
        }
        if had_none {
            self.text = Cow::Borrowed(value);
        } else if self.members.len() > before {
            let text = self.text.to_mut();
            text.push(b',');
            text.extend_from_slice(value);
        }
        Some(())
    }

    /// Chooses the members, a bit for each, that fit behind a new one of `key` and `own_bytes`.
    fn fitting(&self, key: &[u8], own_bytes: usize) -> u32 {
        let mut lengths = [0; MEMBERS_MAX];
        let mut kept: u32 = 0;
        for (index, (length, member)) in lengths.iter_mut().zip(self.raw()).enumerate() {
            *length = member.len() + 1;
            kept |= u32::from(value_of(member, key).is_none()) << index;
        }
        if kept == u32::MAX {
            kept >>= 1;
        }
        let is_kept = |kept: u32, index: usize| kept >> index & 1 != 0;
        let others = lengths.iter().enumerate().filter(|&(index, _)| is_kept(kept, index));
        let mut bytes = own_bytes + others.map(|(_, length)| length).sum::<usize>();
        // Each length counts the comma before the member.
        for length_min in [LONG_MEMBER_BYTES + 2, 0] {
            for index in (0..MEMBERS_MAX).rev() {
                if bytes <= WRITTEN_BYTES_MAX {
                    return kept;
                }
                if is_kept(kept, index) && lengths[index] >= length_min {
                    kept &= !(1 << index);
                    bytes -= lengths[index];
                }
            }
        }
        kept
    }
}

/// Answers whether `key` fits the grammar of Level 2: `@` is an ordinary byte after the first.
pub fn is_key(key: &[u8]) -> bool {
    key.len() <= PART_BYTES_MAX
        && key.first().is_some_and(|&byte| CLASSES[usize::from(byte)] & KEY_START != 0)
        && key.iter().all(|&byte| CLASSES[usize::from(byte)] & KEY != 0)
}

/// Answers whether `value` fits the grammar: 1 to 256 printable bytes, the last not a space.
pub fn is_value(value: &[u8]) -> bool {
    value.len() <= PART_BYTES_MAX
        && value.last().is_some_and(|&byte| CLASSES[usize::from(byte)] & VALUE != 0)
        && value.iter().all(|&byte| byte == b' ' || CLASSES[usize::from(byte)] & VALUE != 0)
}

/// The value of a member if it has this key.
fn value_of<'a>(member: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    member.strip_prefix(key)?.strip_prefix(b"=")
}

/// Answers the length of the member at the front, and the text from the comma behind it on.
fn split_member(text: &[u8]) -> Option<(usize, &[u8])> {
    let key_bytes = text.iter().position(|&byte| CLASSES[usize::from(byte)] & KEY == 0)?;
    let (key, rest) = text.split_at(key_bytes);
    let rest = rest.strip_prefix(b"=")?;
    let (value, mut rest) = rest.split_at(bytes_inside(rest));
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    let starts = CLASSES[usize::from(*key.first()?)] & KEY_START != 0;
    let value_bytes = value.iter().rposition(|&byte| byte != b' ')? + 1;
    let short = key_bytes <= PART_BYTES_MAX && value_bytes <= PART_BYTES_MAX;
    let ends = matches!(rest, [] | [b',', ..]);
    (starts && short && ends).then_some((key_bytes + 1 + value_bytes, rest))
}

/// Answers how many bytes at the front may stand in a value, a space being one of them.
///
/// Eight are looked at together: most of a member is its value. In each of the tests for a byte
/// that may not stand there, the lowest bit that is set is right, whatever a borrow does to those
/// above it; so the lowest of all is.
fn bytes_inside(text: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = EACH * 0x80;
    let below = |word: u64, byte: u8| word.wrapping_sub(EACH * u64::from(byte)) & !word;
    let (words, last) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
        let control = word | below(word, b' ') | equal(0x7f);
        let outside = (control | equal(b',') | equal(b'=')) & HIGHEST;
        if outside != 0 {
            return at * 8 + outside.trailing_zeros() as usize / 8;
        }
    }
    let is_outside = |byte: &u8| *byte != b' ' && CLASSES[usize::from(*byte)] & VALUE == 0;
    text.len() - last.len() + last.iter().position(is_outside).unwrap_or(last.len())
}

fn write_joined<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = &'a [u8]>) {
    for (index, member) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member);
    }
}

#[cfg(test)]
mod tests;

//! The W3C `tracestate` field: a list of vendors' members, newest first.
//!
//! ```text
//! tracestate: rojo=00f067aa0ba902b7 , ,congo=t61rcWkgMzE
//!             ├──────────────────┘     └─ white space and empty members are ignored
//!             key "=" value
//! ```
//!
//! [`Tracestate`] is a validated view that borrows its members; reading and writing a list of the
//! usual length allocates nothing but the room for the answer. It does not interpret any member.
//!
//! W3C Trace Context Level 2, "Tracestate Header". Two of its answers are easily got wrong: one
//! invalid member, or a 33rd, discards the whole list; and duplicate keys do not.

use alloc::vec::Vec;

use crate::carrier::trim;

/// "There can be a maximum of 32 list-members in a list."
pub const MEMBERS_MAX: usize = 32;

/// The length in bytes that every vendor should propagate ("Tracestate Limits"); what we write is
/// no longer. A list that is only passed on is left as long as it came.
pub const WRITTEN_BYTES_MAX: usize = 512;

/// "Entries larger than 128 characters long SHOULD be removed first."
const LONG_MEMBER_BYTES: usize = 128;

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

/// A valid list of members, in order, borrowed from one or several values of the field.
#[derive(Clone, Copy, Debug)]
pub struct Tracestate<'a> {
    /// `key=value`, without white space around it; valid up to `count`.
    members: [&'a [u8]; MEMBERS_MAX],
    count: usize,
}

impl<'a> Tracestate<'a> {
    /// The list without members.
    pub const EMPTY: Self = Self { members: [&[]; MEMBERS_MAX], count: 0 };

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
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The members in order, as key and value.
    pub fn members(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + '_ {
        self.raw().iter().map(|member| {
            let at = key_length(member);
            (&member[..at], &member[at + 1..])
        })
    }

    /// The value of the first member with this key.
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.raw().iter().find_map(|member| member.strip_prefix(key)?.strip_prefix(b"="))
    }

    /// Appends the list to `out`, members joined by commas.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_joined(out, self.raw().iter().copied());
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
        let kept = self.fitting(self.without(key), own_bytes);
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend_from_slice(value);
        if kept != 0 {
            out.push(b',');
            write_joined(out, self.chosen(kept));
        }
        true
    }

    /// Appends the list to `out` without the members of `key`.
    pub fn write_without(&self, out: &mut Vec<u8>, key: &[u8]) {
        write_joined(out, self.chosen(self.without(key)));
    }

    fn raw(&self) -> &[&'a [u8]] {
        &self.members[..self.count]
    }

    /// Adds the members of one value; `None` when one is invalid or too many.
    fn append(&mut self, value: &'a [u8]) -> Option<()> {
        let mut rest = value;
        loop {
            let end = rest.iter().position(|&byte| byte == b',').unwrap_or(rest.len());
            let member = trim(&rest[..end]);
            if !member.is_empty() {
                let at = key_length(member);
                let text = member.get(at + 1..)?;
                if !is_key(&member[..at]) || !is_value(text) {
                    return None;
                }
                *self.members.get_mut(self.count)? = member;
                self.count += 1;
            }
            match rest.get(end + 1..) {
                Some(next) => rest = next,
                None => return Some(()),
            }
        }
    }

    /// A bit for each member whose key is not `key`.
    fn without(&self, key: &[u8]) -> u32 {
        let mut chosen = 0;
        for (index, member) in self.raw().iter().enumerate() {
            let same = member.strip_prefix(key).is_some_and(|rest| rest.starts_with(b"="));
            chosen |= u32::from(!same) << index;
        }
        chosen
    }

    fn chosen(&self, chosen: u32) -> impl Iterator<Item = &'a [u8]> + '_ {
        let kept = move |index: &usize| chosen >> index & 1 != 0;
        (0..self.count).filter(kept).map(|index| self.members[index])
    }

    /// Takes members out of `chosen` until they fit behind a new one of `own_bytes`.
    fn fitting(&self, mut chosen: u32, own_bytes: usize) -> u32 {
        if chosen.count_ones() as usize == MEMBERS_MAX {
            chosen &= !(1 << (MEMBERS_MAX - 1));
        }
        let mut bytes =
            own_bytes + self.chosen(chosen).map(|member| member.len() + 1).sum::<usize>();
        for bytes_min in [LONG_MEMBER_BYTES + 1, 0] {
            for index in (0..self.count).rev() {
                if bytes <= WRITTEN_BYTES_MAX {
                    return chosen;
                }
                let length = self.members[index].len();
                if chosen >> index & 1 != 0 && length >= bytes_min {
                    chosen &= !(1 << index);
                    bytes -= length + 1;
                }
            }
        }
        chosen
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

/// Where the key of a member ends: at its first `=`, or at its end when there is none.
fn key_length(member: &[u8]) -> usize {
    member.iter().position(|&byte| byte == b'=').unwrap_or(member.len())
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

//! A whole command, and its arguments one after the other.

use super::element::{Number, number};
use super::name::Name;
use crate::Extent;

/// A command that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it is.
    pub name: Name,
    /// Where its name stands.
    pub name_at: Extent,
    /// The digits of the number of arguments.
    pub(super) count_at: Extent,
    /// The number of arguments, with the name.
    pub(super) count: u32,
    /// Its length, in bytes.
    pub(super) len: u32,
}

impl Command {
    /// The number of arguments behind the name.
    pub const fn arguments_len(&self) -> u32 {
        self.count.saturating_sub(1)
    }

    /// The arguments behind the name. `bytes` as given to the decoder.
    ///
    /// None for `AUTH` and `HELLO`, which carry passwords: [`Auth`](super::Auth) and
    /// [`Hello`](super::Hello) say what else they carry.
    #[inline(always)]
    pub fn arguments<'a>(&self, bytes: &'a [u8]) -> Arguments<'a> {
        let arguments = self.secret_arguments(bytes);
        if matches!(self.name, Name::Auth | Name::Hello) {
            return Arguments { left: 0, ..arguments };
        }
        arguments
    }

    /// The arguments behind the name, of whatever command.
    #[inline(always)]
    pub(super) fn secret_arguments<'a>(&self, bytes: &'a [u8]) -> Arguments<'a> {
        Arguments {
            bytes: bytes.get(..self.len as usize).unwrap_or_default(),
            at: self.name_at.range().end.saturating_add(2),
            left: self.arguments_len(),
        }
    }
}

/// The arguments of a command that have not been read yet.
///
/// An argument is the place of its bytes; [`Extent::of`] gives them. Cheap to copy: a copy is a
/// place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Arguments<'a> {
    /// How many are left.
    pub const fn left(&self) -> u32 {
        self.left
    }

    /// The bytes of the command from its start up to its end, as extents refer to them.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the arguments that are left lie, with their lengths.
    pub fn rest(&self) -> Extent {
        Extent::between(self.at, self.bytes.len())
    }

    /// The bytes of the next argument.
    #[inline(always)]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let at = self.next()?;
        Some(at.of(self.bytes))
    }

    /// The next argument, if it is a whole number.
    pub fn number(&mut self) -> Option<u64> {
        self.text().and_then(crate::decimal::parse_u64)
    }

    /// The next `count` arguments, stepping over them. `None`: there are fewer.
    pub fn split(&mut self, count: u32) -> Option<Self> {
        if count > self.left {
            return None;
        }
        let first = Self { left: count, ..*self };
        for _ in 0..count {
            self.next()?;
        }
        Some(first)
    }

    /// All but the last `count` arguments, stepping over nothing. `None`: there are fewer.
    pub fn without_last(&self, count: u32) -> Option<Self> {
        Some(Self { left: self.left.checked_sub(count)?, ..*self })
    }
}

impl Iterator for Arguments<'_> {
    type Item = Extent;

    #[inline(always)]
    fn next(&mut self) -> Option<Extent> {
        self.left = self.left.checked_sub(1)?;
        // The decoder has been here: a `$` comes first, and the lengths add up.
        let Number::Value(len, start) = number(self.bytes, self.at.saturating_add(1)) else {
            self.left = 0;
            return None;
        };
        let end = start.saturating_add(len as usize);
        self.at = end.saturating_add(2);
        Some(Extent::between(start, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

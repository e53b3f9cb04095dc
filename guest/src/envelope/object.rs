//! Names looked up in one object of a body.
//!
//! A place deeper in the body is reached one object at a time: the value of a name is the extent
//! in which the next name is looked up. Each step reads its object's bytes once and keeps nothing
//! but the extents that were asked for.

use alloc::borrow::Cow;

use super::field;
use super::json::{Extent, Members};

/// An object in which `N` names were looked up.
#[derive(Debug)]
pub(super) struct Object<const N: usize> {
    /// The value of each name, in the order of the names; `None`: there is no such member.
    pub(super) values: [Option<Extent>; N],
    /// Where one more member can go in.
    pub(super) insert_at: usize,
    /// How many members it has.
    pub(super) members: usize,
}

impl<const N: usize> Object<N> {
    /// Looks the names up in the object that `body` is.
    ///
    /// Answers `None` for a body that is no object, is longer than `body_bytes_max`, or has one of
    /// the names twice.
    pub(super) fn of_body(body: &[u8], body_bytes_max: usize, names: [&str; N]) -> Option<Self> {
        if body.len() > body_bytes_max {
            return None;
        }
        let mut members = Members::open(body, 0, 0)?;
        let object = Self::read(body, &mut members, names)?;
        members.ends_body().then_some(object)
    }

    /// Looks the names up in the value of a member of the body. `None` as for a body.
    pub(super) fn of_member(body: &[u8], value: Extent, names: [&str; N]) -> Option<Self> {
        Self::read(body, &mut Members::open(body, value.start, 1)?, names)
    }

    fn read(body: &[u8], members: &mut Members<'_>, names: [&str; N]) -> Option<Self> {
        let mut values = [None; N];
        while let Some(member) = members.next()? {
            let raw = member.name.unquoted().of(body);
            let is_named = |name: &&str| field::spells(raw, name.as_bytes(), |a, b| a == b);
            if let Some(which) = names.iter().position(is_named)
                && values[which].replace(member.value).is_some()
            {
                return None;
            }
        }
        Some(Self { values, insert_at: members.insert_at(), members: members.len() })
    }
}

/// The text of a string; `None` for every other value, and for a string that is no text.
pub(super) fn text(body: &[u8], value: Extent) -> Option<Cow<'_, [u8]>> {
    value.is_string(body).then(|| field::decode(value.unquoted().of(body)))?
}

/// As [`text`]; `None` for the empty string as well.
pub(super) fn filled_text(body: &[u8], value: Extent) -> Option<Cow<'_, [u8]>> {
    text(body, value).filter(|text| !text.is_empty())
}

//! Names looked up in one object of a body.
//!
//! A place deeper in the body is reached by entering one object after the other on the way, so
//! that nothing is read twice. Nothing is kept but the values that were asked for.

use alloc::borrow::Cow;

use super::context::ContextObject;
use super::field;
use super::json::{Cursor, Members, Value};
use crate::text::same;

/// An object in which `N` names were looked up.
#[derive(Debug)]
pub(super) struct Object<const N: usize> {
    /// The value of each name, in the order of the names; `None`: there is no such member.
    pub(super) values: [Option<Value>; N],
    /// Where one more member can go in.
    pub(super) insert_at: usize,
    /// How many members it has.
    pub(super) members: usize,
}

impl<const N: usize> Object<N> {
    /// Looks the names up in the object that `body` is, and the entries of a context object that
    /// is the body.
    ///
    /// Answers `None` for a body that is no object, is longer than `body_bytes_max`, has one of
    /// the names twice, or an entry that is none.
    pub(super) fn of_body(
        body: &[u8],
        body_bytes_max: usize,
        names: [&str; N],
        context: Option<&mut ContextObject<'_>>,
    ) -> Option<Self> {
        if body.len() > body_bytes_max {
            return None;
        }
        let mut cursor = Cursor::new(body);
        let mut members = Members::open(&mut cursor)?;
        let object = Self::read(&mut members, names, context)?;
        members.ends_text().then_some(object)
    }

    /// Looks the names up in an object that was entered, and the entries of a context object that
    /// it is. `None` as for a body.
    pub(super) fn read(
        members: &mut Members<'_, '_>,
        names: [&str; N],
        context: Option<&mut ContextObject<'_>>,
    ) -> Option<Self> {
        let mut values = [None; N];
        read(members, &names, &mut values, context)?;
        Some(Self { values, insert_at: members.insert_at(), members: members.len() })
    }
}

/// Reads an object to its end.
fn read(
    members: &mut Members<'_, '_>,
    names: &[&str],
    values: &mut [Option<Value>],
    mut context: Option<&mut ContextObject<'_>>,
) -> Option<()> {
    let body = members.text();
    while let Some(member) = members.next()? {
        let name = text(body, member.name);
        let name = name.as_deref();
        if let Some(which) = place(name, names)
            && values[which].replace(member.value).is_some()
        {
            return None;
        }
        if let Some(context) = &mut context {
            context.take(body, member, name, members.len() - 1)?;
        }
    }
    if let Some(context) = context {
        context.end(members);
    }
    Some(())
}

/// Which of `names` a member has; its own is `None` where that is no text.
pub(super) fn place(name: Option<&[u8]>, names: &[&str]) -> Option<usize> {
    let name = name?;
    names.iter().position(|wanted| same(name, wanted.as_bytes()))
}

/// The text of a string; `None` for every other value, and for a string that is no text.
pub(super) fn text(body: &[u8], value: Value) -> Option<Cow<'_, [u8]>> {
    if !value.is_string() {
        return None;
    }
    if value.has_escapes { field::decode(value.raw(body)) } else { Some(value.raw(body).into()) }
}

/// As [`text`]; `None` for the empty string as well.
pub(super) fn filled_text(body: &[u8], value: Value) -> Option<Cow<'_, [u8]>> {
    text(body, value).filter(|text| !text.is_empty())
}

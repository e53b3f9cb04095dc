//! The changes that a component's edits make to the arguments of a command.
//!
//! Fields of a stream entry are headers: one that is there gets another value, its name as it is
//! spelled; one that is not goes behind the last. A body is one argument and is exchanged whole.

use spanbridge::{Edit, Edits, Fields};

use crate::changes::Changes;
use crate::ffi::{Change, Filter};

/// Adds the changes of a stream entry, whose fields begin at `fields_at`.
pub(crate) fn change_fields(
    filter: Filter<'_>,
    fields_at: usize,
    edits: Edits<'_>,
    names: &Fields,
    changes: &mut Changes,
) {
    let count = filter.count();
    let mut end = count;
    for edit in edits {
        let (field, key, value) = match edit {
            Edit::SetHeader { field, key, value } => (field, key, Some(value)),
            Edit::RemoveHeader { field, key } => (field, key, None),
            Edit::SpliceBody { .. } => continue,
        };
        let Some(prefix) = names.name(field) else { continue };
        let mut value = value;
        for at in (fields_at..count).step_by(2) {
            if !is_named(filter.get(at), prefix, key) {
                continue;
            }
            match value.take() {
                Some(value) => changes.add(at + 1, Change::Replace, &[value]),
                None => {
                    changes.add(at + 1, Change::Delete, &[]);
                    changes.add(at, Change::Delete, &[]);
                }
            }
        }
        if let Some(value) = value {
            changes.add(end, Change::Insert, &[prefix.as_bytes(), key]);
            changes.add(end + 1, Change::Insert, &[value]);
            end += 2;
        }
    }
}

fn is_named(name: &[u8], prefix: &str, key: &[u8]) -> bool {
    name.split_at_checked(prefix.len()).is_some_and(|(head, tail)| {
        head.eq_ignore_ascii_case(prefix.as_bytes()) && tail.eq_ignore_ascii_case(key)
    })
}

/// Adds the change of the argument at `at`, which is a body, or what is left of one behind `before`
/// bytes.
pub(crate) fn change_body(
    filter: Filter<'_>,
    (at, before): (usize, usize),
    edits: Edits<'_>,
    changes: &mut Changes,
) {
    let body = filter.get(at);
    let mut pieces = Vec::new();
    let mut from = 0;
    for edit in edits {
        let Edit::SpliceBody { at, remove, insert } = edit else { return };
        // The runtime has checked that splices ascend and lie within the body.
        let Some(at) = (at as usize).checked_sub(before) else { return };
        let Some(kept) = body.get(from..at) else { return };
        pieces.extend([kept, insert]);
        from = at + remove as usize;
    }
    let Some(rest) = body.get(from..) else { return };
    if !pieces.is_empty() {
        pieces.push(rest);
        changes.add(at, Change::Replace, &pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case() {
        assert!(is_named(b"TraceParent", "traceparent", b""));
        assert!(is_named(b"uberctx-User", "uberctx-", b"user"));
        assert!(!is_named(b"traceparent2", "traceparent", b"") && !is_named(b"", "b3", b""));
    }
}

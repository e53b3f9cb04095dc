//! A message's context fields, as the host hands them in.
//!
//! The order of the message is kept and a field may come more than once: whether that is a list
//! (`tracestate`, `baggage`), an error (`traceparent`) or noise (the others) is for the format to
//! say. A carrier borrows everything and looks each field up by walking the list, because a
//! message carries a handful.

use crate::field::Field;
use crate::text::same;

/// One value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Which field.
    pub field: Field,
    /// For a family, the rest of the name after the prefix, in the message's case; else empty.
    pub key: &'a [u8],
    /// The value as it stood in the message.
    pub value: &'a [u8],
}

/// The context fields of one message, in the order of the message.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    entries: &'a [Entry<'a>],
}

impl<'a> Carrier<'a> {
    /// A carrier over `entries`.
    pub const fn new(entries: &'a [Entry<'a>]) -> Self {
        Self { entries }
    }

    /// Every value of `field`, first to last, with its key.
    ///
    /// White space around a value is not part of it (RFC 9110, section 5.5) and is left out.
    pub fn entries(self, field: Field) -> impl Iterator<Item = Entry<'a>> + Clone {
        self.entries
            .iter()
            .filter(move |entry| entry.field == field)
            .map(|entry| Entry { value: trim(entry.value), ..*entry })
    }

    /// Every value of `field`, first to last, without white space around it.
    pub fn values(self, field: Field) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.entries(field).map(|entry| entry.value)
    }

    /// The first value of `field`: what a getter answers (OpenTelemetry, "Get").
    pub fn first(self, field: Field) -> Option<&'a [u8]> {
        self.values(field).next()
    }

    /// The value of `field` if there is exactly one.
    pub fn only(self, field: Field) -> Option<&'a [u8]> {
        let mut values = self.values(field);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// The fields whose names begin with a letter, by its last five bits: one bit each, by number.
const BY_LETTER: [u32; 32] = {
    let mut fields = [0; 32];
    let mut number = 0;
    while number < Field::ALL.len() {
        let letter = Field::ALL[number].name().as_bytes()[0];
        fields[(letter & 0x1f) as usize] |= 1 << number;
        number += 1;
    }
    fields
};

/// The field a name stands for, in any case, and for a family the rest of the name.
///
/// Answers `None` for every other name, and for the bare prefix of a family. Most names in a body
/// are none, which the first letter says.
pub fn field_of_name(name: &[u8]) -> Option<(Field, &[u8])> {
    let mut left = BY_LETTER[usize::from(name.first()? & 0x1f)];
    while left != 0 {
        let field = Field::from_number(left.trailing_zeros() as u8)?;
        left &= left - 1;
        let expected = field.name().as_bytes();
        let Some((head, key)) = name.split_at_checked(expected.len()) else { continue };
        let whole = key.is_empty() != field.is_family();
        if whole && (same(head, expected) || head.eq_ignore_ascii_case(expected)) {
            return Some((field, key));
        }
    }
    None
}

/// `value` without the spaces and tabs around it (RFC 9110, "OWS").
pub fn trim(value: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = value.iter().position(|byte| !is_white(byte)) else {
        return &[];
    };
    let end = value.iter().rposition(|byte| !is_white(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_under_its_own_name_in_any_case() {
        for field in Field::ALL {
            let key = if field.is_family() { "Some-Key" } else { "" };
            let name = format!("{}{key}", field.name());
            for name in [name.clone(), name.to_ascii_uppercase()] {
                let (found, rest) = field_of_name(name.as_bytes()).unwrap();
                assert_eq!(found, field, "{name}");
                assert!(rest.eq_ignore_ascii_case(key.as_bytes()));
            }
        }
    }

    #[test]
    fn near_names_and_bare_prefixes_are_no_field() {
        for name in ["", "trace-parent", "traceparent ", "raceparent", "uberctx-", "ot-baggage-"] {
            assert_eq!(field_of_name(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_key_of_a_family_keeps_its_case() {
        assert_eq!(field_of_name(b"UBERCTX-Some"), Some((Field::Uberctx, &b"Some"[..])));
    }

    #[test]
    fn trim_cuts_spaces_and_tabs_and_nothing_else() {
        let table = [("", ""), (" \t ", ""), ("\t a b\t", "a b"), ("a", "a"), ("\na\r", "\na\r")];
        for (value, trimmed) in table {
            assert_eq!(trim(value.as_bytes()), trimmed.as_bytes());
        }
    }

    #[test]
    fn only_refuses_a_second_value_and_first_does_not() {
        let entry = |value| Entry { field: Field::B3, key: b"", value };
        let two = [entry(b" 0"), entry(b"1")];
        assert_eq!(Carrier::new(&two).first(Field::B3), Some(&b"0"[..]));
        assert_eq!(Carrier::new(&two).only(Field::B3), None);
        assert_eq!(Carrier::new(&two[..1]).only(Field::B3), Some(&b"0"[..]));
        assert_eq!(Carrier::new(&two).only(Field::Baggage), None);
    }
}

//! Ids in destinations: which tokens are some, and what is left without them.
//!
//! ```text
//! orders.7f9c24e8-3b12-4fef-91e0-5bff8c2e9d11.created.42  ─▶  orders.{id}.created.{id}
//! orders:42.paid:billing                                  ─▶  orders:{id}.paid:billing
//! ```
//!
//! A token ends at a dot, or at the colon between exchange, routing key and queue.
//!
//! A span's name and a metric's label must not have as many values as there are orders. The rules
//! look at one token at a time and need no table of destinations, so that a million of them take
//! no more memory than one.

use bitflags::bitflags;

/// Stands for an id.
const ID: &[u8] = b"{id}";

/// Bytes of a template. One that would be longer ends with an id that stands for the rest, so that
/// names are bounded whatever clients make up.
pub const TEMPLATE_BYTES_MAX: usize = 512;

/// Hexadecimal digits from which on a token is an id rather than a word such as `face` or `added`.
const HEX_DIGITS_MIN: usize = 8;

bitflags! {
    /// Which tokens are ids.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Scrub: u8 {
        /// RFC 9562: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
        const UUID = 1 << 0;
        /// Decimal digits.
        const NUMBER = 1 << 1;
        /// Eight or more hexadecimal digits.
        const HEX = 1 << 2;
    }
}

impl Scrub {
    fn is_id(self, token: &[u8]) -> bool {
        (self.contains(Self::NUMBER) && is_number(token))
            || (self.contains(Self::UUID) && is_uuid(token))
            || (self.contains(Self::HEX) && is_hex(token))
    }

    /// Writes the template of a destination. Answers whether there is one: a destination without
    /// an id is its own.
    pub fn template(self, destination: &[u8], template: &mut Vec<u8>) -> bool {
        template.clear();
        let mut has_id = false;
        let is_separator = |byte: &u8| matches!(byte, b'.' | b':');
        for token in destination.split_inclusive(is_separator) {
            let (token, separator) = match token.split_last() {
                Some((last, token)) if is_separator(last) => (token, Some(*last)),
                _ => (token, None),
            };
            let is_id = self.is_id(token);
            has_id |= is_id;
            let part = if is_id { ID } else { token };
            // With room for one more id behind it.
            if template.len() + part.len() + 1 + ID.len() > TEMPLATE_BYTES_MAX {
                // It stands for all that is left.
                template.extend_from_slice(ID);
                return true;
            }
            template.extend_from_slice(part);
            template.extend(separator);
        }
        has_id
    }
}

fn is_number(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(u8::is_ascii_digit)
}

fn is_hex(token: &[u8]) -> bool {
    token.len() >= HEX_DIGITS_MIN && token.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(token: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    token.len() == 36 && token.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(scrub: Scrub, destination: &str) -> Option<String> {
        let mut template = Vec::new();
        let has_id = scrub.template(destination.as_bytes(), &mut template);
        has_id.then(|| String::from_utf8(template).unwrap())
    }

    #[test]
    fn each_rule_takes_its_ids_and_leaves_what_looks_like_them() {
        let uuid = "7f9c24e8-3b12-4fef-91e0-5bff8c2e9d11";
        for (rule, ids, others) in [
            (Scrub::NUMBER, &["7", "0042"][..], &["7a", "-7", "v1", "", uuid][..]),
            (
                Scrub::UUID,
                &[uuid, &uuid.to_uppercase()],
                &["7", &uuid[1..], &uuid.replace('-', ":")],
            ),
            (Scrub::HEX, &["deadbeef", "65F0A1B2C3D4"], &["deadbee", "deadbeeg", "face", uuid]),
        ] {
            for id in ids {
                let expected = Some("orders.{id}.new".to_owned());
                assert_eq!(template(rule, &format!("orders.{id}.new")), expected, "{id}");
            }
            for other in others {
                assert_eq!(template(rule, &format!("orders.{other}.new")), None, "{other}");
            }
        }
    }

    #[test]
    fn ids_are_found_at_both_ends_and_no_rule_finds_none() {
        let all = Scrub::all();
        assert_eq!(template(all, "1.orders.2").as_deref(), Some("{id}.orders.{id}"));
        assert_eq!(template(all, "7").as_deref(), Some("{id}"));
        assert_eq!(template(all, "orders:7.paid:8").as_deref(), Some("orders:{id}.paid:{id}"));
        assert_eq!(template(all, ""), None);
        assert_eq!(template(Scrub::empty(), "orders.7"), None);
    }

    #[test]
    fn a_template_is_bounded_at_the_end_of_a_token() {
        let long = "1.".repeat(70_000);
        let found = template(Scrub::NUMBER, &long).unwrap();
        assert!(found.len() <= TEMPLATE_BYTES_MAX && found.ends_with(".{id}"), "{found}");
        let one = "x".repeat(TEMPLATE_BYTES_MAX + 1);
        assert_eq!(template(Scrub::NUMBER, &one).as_deref(), Some("{id}"));
    }
}

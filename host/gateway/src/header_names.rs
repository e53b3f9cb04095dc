//! The names of the headers that the component writes, in the casing of a route.

use spanbridge::Fields;

use crate::config::HeaderCase;

/// Header names by the component's numbers.
#[derive(Clone, Debug)]
pub struct HeaderNames {
    /// By number; of a family, the prefix.
    names: Box<[(u8, Box<[u8]>)]>,
}

impl HeaderNames {
    /// Spells the names of a route's fields.
    pub fn new(fields: &Fields, header_case: HeaderCase) -> Self {
        let spelled = |name: &str| match header_case {
            HeaderCase::Lower => name.as_bytes().into(),
            HeaderCase::Canonical => canonical(name),
        };
        Self { names: fields.iter().map(|(number, name)| (number, spelled(name))).collect() }
    }

    /// The name of a field.
    pub fn get(&self, field: u8) -> Option<&[u8]> {
        self.names.iter().find(|(number, _)| *number == field).map(|(_, name)| &**name)
    }
}

/// Go's canonical form: the first letter and each one behind a hyphen in upper case.
fn canonical(name: &str) -> Box<[u8]> {
    let mut upper = true;
    let spelled = name.bytes().map(|byte| {
        let now = if upper { byte.to_ascii_uppercase() } else { byte };
        upper = byte == b'-';
        now
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_are_those_of_go() {
        for (name, expected) in [
            ("traceparent", "Traceparent"),
            ("x-b3-traceid", "X-B3-Traceid"),
            ("uberctx-", "Uberctx-"),
            ("", ""),
        ] {
            assert_eq!(*canonical(name), *expected.as_bytes());
        }
    }
}

//! Names of environment variables that carry context.
//!
//! A process started for a message finds its context under the name of the field, made fit for an
//! environment: `traceparent` in `TRACEPARENT`, `x-b3-traceid` in `X_B3_TRACEID`.
//!
//! OpenTelemetry, "Environment Variables as Context Propagation Carriers".

use alloc::string::String;

/// The environment variable of a field: ASCII letters in upper case, `_` for each character that
/// is not a letter, a digit or `_`, and a `_` before a leading digit or in place of nothing.
pub fn normalize(name: &str) -> String {
    let mut variable = String::with_capacity(name.len() + 1);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        variable.push('_');
    }
    variable.extend(name.chars().map(|character| match character.to_ascii_uppercase() {
        upper if upper.is_ascii_alphanumeric() => upper,
        _ => '_',
    }));
    variable
}

/// Answers whether [`normalize`] would leave `name` as it is.
pub fn is_normalized(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(is_plain) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_that_every_environment_takes() {
        let table = [
            ("", "_"),
            ("traceparent", "TRACEPARENT"),
            ("x-b3-traceid", "X_B3_TRACEID"),
            ("1a", "_1A"),
            ("_", "_"),
            ("a=b\0", "A_B_"),
            ("é", "_"),
            ("ı", "_"),
        ];
        for (name, variable) in table {
            assert_eq!(normalize(name), variable, "{name}");
            assert_eq!(is_normalized(name), name == variable, "{name}");
            assert!(is_normalized(variable));
        }
    }
}

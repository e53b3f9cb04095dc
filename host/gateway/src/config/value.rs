//! Types of values in the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::nearest::nearest;
use super::section::{Found, Value, show};
use crate::address::Address;

/// Most entries of a list. Brokers of a cluster are a handful.
const LIST_ENTRIES_MAX: usize = 64;

/// Longest text, in bytes: as long as a resource keeps a value.
const TEXT_BYTES_MAX: usize = 1024;

/// An integer with bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// The number.
    pub fn get(self) -> usize {
        // A machine whose memory is addressed with less bits has less of everything.
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Value for Count<MIN, MAX> {
    fn kind() -> &'static str {
        "integer"
    }

    fn allowed() -> String {
        format!("{MIN} to {MAX}")
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let number = match found.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("expected {}, found {}", Self::allowed(), show(found))),
        }
    }
}

/// A number of seconds with bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds<const MIN: u64, const MAX: u64>(Count<MIN, MAX>);

impl<const MIN: u64, const MAX: u64> Seconds<MIN, MAX> {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_secs(self.0.0)
    }
}

impl<const MIN: u64, const MAX: u64> Value for Seconds<MIN, MAX> {
    fn kind() -> &'static str {
        "integer, seconds"
    }

    fn allowed() -> String {
        Count::<MIN, MAX>::allowed()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        Count::read(found).map(Self)
    }
}

impl Value for bool {
    fn kind() -> &'static str {
        "boolean"
    }

    fn allowed() -> String {
        "`true`, `false`".to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let flag = found.get_ref().as_bool();
        flag.ok_or_else(|| format!("expected true or false, found {}", show(found)))
    }
}

impl Value for String {
    fn kind() -> &'static str {
        "string"
    }

    fn allowed() -> String {
        format!("1 to {TEXT_BYTES_MAX} bytes")
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let text = text(found)?.trim();
        if (1..=TEXT_BYTES_MAX).contains(&text.len()) {
            return Ok(text.to_owned());
        }
        Err(format!("expected {}, found {}", Self::allowed(), text.len()))
    }
}

impl Value for PathBuf {
    fn kind() -> &'static str {
        "path"
    }

    fn allowed() -> String {
        String::new()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        text(found).map(Self::from)
    }
}

impl Value for Address {
    fn kind() -> &'static str {
        "address"
    }

    fn allowed() -> String {
        "`nats://HOST:PORT`, `amqp://HOST:PORT`, `redis://HOST:PORT`, `amqps://…`, `rediss://…`"
            .to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        text(found)?.parse().map_err(|error: crate::address::AddressError| error.to_string())
    }
}

impl Value for SocketAddr {
    fn kind() -> &'static str {
        "address"
    }

    fn allowed() -> String {
        "`IP:PORT`".to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let address = text(found)?.parse();
        address.map_err(|_| format!("expected {}, found {}", Self::allowed(), show(found)))
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> &'static str {
        "list"
    }

    fn allowed() -> String {
        format!("1 to {LIST_ENTRIES_MAX} of {}", T::allowed())
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        match found.get_ref() {
            DeValue::Array(list) if (1..=LIST_ENTRIES_MAX).contains(&list.len()) => {
                list.iter().map(T::read).collect()
            }
            DeValue::Array(list) => {
                Err(format!("expected {}, found {} entries", Self::allowed(), list.len()))
            }
            _ => Err(format!("expected {}, found {}", Self::allowed(), show(found))),
        }
    }
}

/// The text of a string.
pub(crate) fn text<'a>(found: Found<'a, '_>) -> Result<&'a str, String> {
    let text = found.get_ref().as_str();
    text.ok_or_else(|| format!("expected a string, found {}", show(found)))
}

/// Finds the word that a string is; the error names the nearest one, and all of them.
pub(crate) fn word<T: Copy>(found: Found<'_, '_>, words: &[(&str, T)]) -> Result<T, String> {
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    let given = found.get_ref().as_str().unwrap_or_default();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == given) {
        return Ok(*value);
    }
    let hint = nearest(given, &known).map(|word| format!("; did you mean `{word}`?"));
    let hint = hint.unwrap_or_default();
    Err(format!("expected {}, found {}{hint}", quoted(&known), show(found)))
}

/// The words as messages and the page show them.
pub(crate) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Defines an enum whose cases are words of the file.
macro_rules! words {
    (
        $(#[$about:meta])*
        $vis:vis enum $Name:ident { $( $(#[$case_about:meta])* $Case:ident = $word:literal, )+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis enum $Name { $( $(#[$case_about])* $Case, )+ }

        impl $crate::config::section::Value for $Name {
            fn kind() -> &'static str {
                "string"
            }

            fn allowed() -> String {
                $crate::config::value::quoted(&[$($word),+])
            }

            fn read(found: $crate::config::section::Found<'_, '_>) -> Result<Self, String> {
                $crate::config::value::word(found, &[$(($word, Self::$Case)),+])
            }
        }
    };
}

pub(crate) use words;

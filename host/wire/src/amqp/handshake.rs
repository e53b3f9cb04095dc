//! What the two sides say about themselves: the properties in `connection.start` and `start-ok`.

use super::table::Table;
use super::value::Value;

/// What a broker says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerProperties<'a> {
    /// `RabbitMQ`, or the name of another broker.
    pub product: Option<&'a [u8]>,
    /// Its version.
    pub version: Option<&'a [u8]>,
    /// The name of its cluster.
    pub cluster_name: Option<&'a [u8]>,
    /// Whether it confirms publishes.
    pub publisher_confirms: bool,
    /// Whether it says `connection.blocked`.
    pub connection_blocked: bool,
}

/// What a client says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientProperties<'a> {
    /// The name that the program gives its connection.
    pub connection_name: Option<&'a [u8]>,
    /// The client library.
    pub product: Option<&'a [u8]>,
    /// Its version.
    pub version: Option<&'a [u8]>,
    /// What it is written in.
    pub platform: Option<&'a [u8]>,
    /// Whether it wants to hear `connection.blocked`.
    pub connection_blocked: bool,
    /// Whether it wants to hear that its consumer has been cancelled.
    pub consumer_cancel_notify: bool,
}

impl<'a> ServerProperties<'a> {
    /// Reads the table. What is absent, or of another type, is unknown or `false`.
    pub fn of(table: Table<'a>) -> Self {
        let mut found = Self::default();
        for entry in table {
            match entry.name {
                b"product" => found.product = entry.value.as_text(),
                b"version" => found.version = entry.value.as_text(),
                b"cluster_name" => found.cluster_name = entry.value.as_text(),
                b"capabilities" => {
                    found.publisher_confirms = is_true(entry.value, b"publisher_confirms");
                    found.connection_blocked = is_true(entry.value, b"connection.blocked");
                }
                _ => {}
            }
        }
        found
    }
}

impl<'a> ClientProperties<'a> {
    /// Reads the table. What is absent, or of another type, is unknown or `false`.
    pub fn of(table: Table<'a>) -> Self {
        let mut found = Self::default();
        for entry in table {
            match entry.name {
                b"connection_name" => found.connection_name = text(entry.value),
                b"product" => found.product = text(entry.value),
                b"version" => found.version = text(entry.value),
                b"platform" => found.platform = text(entry.value),
                b"capabilities" => {
                    found.connection_blocked = is_true(entry.value, b"connection.blocked");
                    found.consumer_cancel_notify = is_true(entry.value, b"consumer_cancel_notify");
                }
                _ => {}
            }
        }
        found
    }
}

/// An empty name is no name.
fn text(value: Value<'_>) -> Option<&[u8]> {
    value.as_text().filter(|text| !text.is_empty())
}

/// Whether a table of capabilities says yes to this one.
fn is_true(capabilities: Value<'_>, name: &[u8]) -> bool {
    let found = capabilities.as_table().and_then(|table| table.find(name));
    found.and_then(Value::as_bool).unwrap_or(false)
}

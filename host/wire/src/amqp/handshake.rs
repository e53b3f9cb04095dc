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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_a_client_are_read() {
        let table = b"\x07productS\x00\x00\x00\x04pika\x07versionx\x00\x00\x00\x011\
            \x0fconnection_nameS\x00\x00\x00\x06orders\x08platformV\
            \x0ccapabilitiesF\x00\x00\x00\x2e\x16consumer_cancel_notifyt\x01\
            \x12connection.blockedt\x01";
        let client = ClientProperties::of(Table::new(table));
        assert_eq!(client.connection_name, Some(b"orders".as_slice()));
        assert_eq!(
            (client.product, client.version),
            (Some(b"pika".as_slice()), Some(b"1".as_slice()))
        );
        assert_eq!(client.platform, None);
        assert!(client.connection_blocked && client.consumer_cancel_notify);
    }

    #[test]
    fn a_client_that_says_little_promises_nothing() {
        let table = b"\x0fconnection_nameS\x00\x00\x00\x00\x0ccapabilitiesS\x00\x00\x00\x01x";
        assert_eq!(ClientProperties::of(Table::new(table)), ClientProperties::default());
        assert_eq!(ServerProperties::of(Table::new(b"\xff")), ServerProperties::default());
    }

    #[test]
    fn properties_of_a_broker_are_read() {
        let table = b"\x0ccapabilitiesF\x00\x00\x00\x2a\x12publisher_confirmst\x01\
            \x12connection.blockedt\x00\x0ccluster_nameS\x00\x00\x00\x01c\
            \x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x064.1.4\x00";
        let server = ServerProperties::of(Table::new(table));
        assert_eq!(server.product, Some(b"RabbitMQ".as_slice()));
        assert_eq!(server.cluster_name, Some(b"c".as_slice()));
        assert!(server.version.is_some());
        assert!(server.publisher_confirms && !server.connection_blocked);
    }
}

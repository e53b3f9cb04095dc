//! Resources: whose spans these are.
//!
//! A program on either side of a queue is one resource, named by its service name. A resource is
//! registered once, encoded once as a protobuf `Resource` message, and from then on it is a small
//! number. Nothing is ever removed, because spans that are still queued refer to it; that is why
//! the table is bounded.
//!
//! `telemetry.distro.*` says that Spanbridge recorded the span. `telemetry.sdk.*` is not set: some
//! backends show `telemetry.sdk.language` as the language of the service, and what language an
//! observed program is written in was not seen.
//!
//! See "Resource Semantic Conventions" and "Resource SDK" of OpenTelemetry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::Counters;
use crate::otlp::framing::put_field;

/// Resources that one process knows by default.
///
/// A gateway sees one per service, or per connection name where those are not configured; 1 024
/// encoded resources are about 256 KiB.
pub const RESOURCES_MAX: usize = 1024;

/// Attributes of one resource. The default attribute limit of the specification.
pub const RESOURCE_ATTRIBUTES_MAX: usize = 128;

/// Bytes of one attribute key or value; longer ones are shortened.
///
/// A service name can come from a stranger's connection name. Backends cut names at 255 to 1 024
/// characters.
pub const RESOURCE_VALUE_BYTES_MAX: usize = 1024;

/// Service name of everything registered after the table was full.
pub const OVERFLOW_SERVICE_NAME: &str = "unknown_service:overflow";

/// Service name where neither the caller nor the environment gives one.
pub const DEFAULT_SERVICE_NAME: &str = "unknown_service:spanbridge";

const SERVICE_NAME: &str = "service.name";

/// A registered resource. Valid only with the [`Resources`] that answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResourceId(pub(crate) u16);

impl ResourceId {
    /// The resource of this process: `OTEL_SERVICE_NAME`, or [`DEFAULT_SERVICE_NAME`].
    pub const DEFAULT: Self = Self(0);

    /// The resource that stands for those that found no room.
    pub const OVERFLOW: Self = Self(1);
}

/// The table of resources. Cloning it is cheap and gives the same table.
#[derive(Clone, Debug)]
pub struct Resources {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Attributes of every resource, without `service.name`.
    base: Vec<(String, String)>,
    resources_max: usize,
    counters: Arc<Counters>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Keyed by the encoded message: equal bytes are the same resource.
    ids: HashMap<Arc<[u8]>, ResourceId>,
    encoded: Vec<Arc<[u8]>>,
}

impl Resources {
    /// Makes a table with the default and the overflow resource in it.
    ///
    /// `service_name` is `OTEL_SERVICE_NAME`, `attributes` are `OTEL_RESOURCE_ATTRIBUTES`; a
    /// `service.name` among those is used when the former is `None`. `resources_max` is raised to
    /// 2 and lowered to 65 536, because an id has 16 bits.
    pub fn new(
        service_name: Option<&str>,
        attributes: &[(String, String)],
        resources_max: usize,
        counters: Arc<Counters>,
    ) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let mut base = Vec::new();
        set(&mut base, "telemetry.distro.name", "spanbridge");
        set(&mut base, "telemetry.distro.version", version);
        let mut default_name = service_name;
        for (key, value) in attributes {
            if key == SERVICE_NAME {
                default_name = default_name.or(Some(value));
            } else {
                set(&mut base, key, value);
            }
        }
        let resources_max = resources_max.clamp(2, usize::from(u16::MAX) + 1);
        let inner = Inner { base, resources_max, counters, table: Mutex::default() };
        let resources = Self { inner: Arc::new(inner) };
        resources.register(default_name.unwrap_or(DEFAULT_SERVICE_NAME), &[]);
        resources.insert_overflow();
        resources
    }

    /// Answers the id of a program, registering it when it is new.
    ///
    /// `service_name` wins over the environment's. `attributes` are added to the environment's and
    /// win over them. Answers [`ResourceId::OVERFLOW`], and counts `resources_overflow`, when the
    /// table is full. Takes a lock and encodes, so call it once a session or route, not once a
    /// message.
    pub fn register(&self, service_name: &str, attributes: &[(&str, &str)]) -> ResourceId {
        let encoded = self.encode(service_name, attributes);
        let mut table = self.table();
        if let Some(&id) = table.ids.get(&encoded) {
            return id;
        }
        if table.encoded.len() >= self.inner.resources_max {
            self.inner.counters.resources_overflow.add(1);
            return ResourceId::OVERFLOW;
        }
        table.insert(encoded)
    }

    /// The protobuf `Resource` message of an id. An id of another table gives the overflow one.
    pub fn encoded(&self, id: ResourceId) -> Arc<[u8]> {
        let table = self.table();
        let found = table.encoded.get(usize::from(id.0));
        Arc::clone(found.unwrap_or(&table.encoded[usize::from(ResourceId::OVERFLOW.0)]))
    }

    /// Puts the overflow resource at its fixed id, also when the default one has the same name.
    fn insert_overflow(&self) {
        let encoded = self.encode(OVERFLOW_SERVICE_NAME, &[]);
        self.table().insert(encoded);
    }

    fn encode(&self, service_name: &str, attributes: &[(&str, &str)]) -> Arc<[u8]> {
        let mut all = self.inner.base.clone();
        for (key, value) in attributes {
            set(&mut all, key, value);
        }
        all.retain(|(key, _)| key != SERVICE_NAME);
        let mut cut = all.len().saturating_sub(RESOURCE_ATTRIBUTES_MAX - 1);
        all.truncate(RESOURCE_ATTRIBUTES_MAX - 1);

        let mut message = Vec::new();
        let name = std::iter::once((SERVICE_NAME, service_name));
        for (key, value) in name.chain(all.iter().map(|(key, value)| (&**key, &**value))) {
            let (short_key, short_value) = (shorten(key), shorten(value));
            cut += usize::from(short_key != key || short_value != value);
            put_attribute(&mut message, short_key, short_value);
        }
        self.inner.counters.resource_values_cut.add(cut as u64);
        message.into()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is complete before anything can panic, so a poisoned table is whole.
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, encoded: Arc<[u8]>) -> ResourceId {
        // The table holds at most 65 536 entries, so the next index fits 16 bits.
        let id = ResourceId(u16::try_from(self.encoded.len()).unwrap_or(u16::MAX));
        self.encoded.push(Arc::clone(&encoded));
        self.ids.insert(encoded, id);
        id
    }
}

/// Sets a key, keeping its place when it is there.
fn set(attributes: &mut Vec<(String, String)>, key: &str, value: &str) {
    match attributes.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => value.clone_into(known),
        None => attributes.push((key.to_owned(), value.to_owned())),
    }
}

/// The longest front within [`RESOURCE_VALUE_BYTES_MAX`] that ends between characters.
fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(RESOURCE_VALUE_BYTES_MAX)]
}

/// Writes `Resource.attributes`: `KeyValue { key = 1, value = 2: AnyValue { string_value = 1 } }`.
fn put_attribute(message: &mut Vec<u8>, key: &str, value: &str) {
    let (mut any_value, mut key_value) = (Vec::new(), Vec::new());
    put_field(&mut any_value, 1, value.as_bytes());
    put_field(&mut key_value, 1, key.as_bytes());
    put_field(&mut key_value, 2, &any_value);
    put_field(message, 1, &key_value);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use prost::Message;

    use super::*;

    fn table(name: Option<&str>, attributes: &[(&str, &str)], max: usize) -> Resources {
        let attributes: Vec<_> =
            attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Resources::new(name, &attributes, max, Arc::default())
    }

    fn decoded(resources: &Resources, id: ResourceId) -> Vec<(String, String)> {
        let resource = Resource::decode(&*resources.encoded(id)).unwrap();
        let text = |value| match value {
            Some(Value::StringValue(text)) => text,
            other => panic!("expected a string, found {other:?}"),
        };
        let pair = |a: opentelemetry_proto::tonic::common::v1::KeyValue| {
            (a.key, text(a.value.and_then(|value| value.value)))
        };
        resource.attributes.into_iter().map(pair).collect()
    }

    fn value_of(resources: &Resources, id: ResourceId, key: &str) -> Option<String> {
        decoded(resources, id).into_iter().find(|(found, _)| found == key).map(|(_, value)| value)
    }

    #[test]
    fn the_service_name_comes_from_the_nearest_source() {
        let named = [("service.name", "attribute"), ("host.name", "h")];
        let cases = [
            (None, &[][..], DEFAULT_SERVICE_NAME),
            (None, &named[..], "attribute"),
            (Some("variable"), &named[..], "variable"),
        ];
        for (variable, attributes, expected) in cases {
            let resources = table(variable, attributes, RESOURCES_MAX);
            let name = |id| value_of(&resources, id, SERVICE_NAME);
            assert_eq!(name(ResourceId::DEFAULT).as_deref(), Some(expected));
            let worker = resources.register("worker", &[("service.name", "ignored")]);
            assert_eq!(name(worker).as_deref(), Some("worker"));
        }
    }

    #[test]
    fn a_resource_carries_the_environments_attributes_and_the_callers_win() {
        let resources = table(None, &[("a", "env"), ("b", "env")], RESOURCES_MAX);
        let id = resources.register("worker", &[("b", "caller")]);
        assert_eq!(value_of(&resources, id, "a").as_deref(), Some("env"));
        assert_eq!(value_of(&resources, id, "b").as_deref(), Some("caller"));
        let distro = value_of(&resources, id, "telemetry.distro.name");
        assert_eq!(distro.as_deref(), Some("spanbridge"));
        assert_eq!(value_of(&resources, id, "telemetry.sdk.language"), None);
    }

    #[test]
    fn the_same_program_gets_the_same_id_and_another_gets_another() {
        let resources = table(None, &[], RESOURCES_MAX);
        let worker = resources.register("worker", &[]);
        assert_eq!(resources.register("worker", &[]), worker);
        assert_ne!(resources.register("worker", &[("k", "v")]), worker);
        assert_eq!(resources.register(DEFAULT_SERVICE_NAME, &[]), ResourceId::DEFAULT);
    }

    #[test]
    fn a_full_table_answers_the_overflow_resource_and_counts() {
        let resources = table(None, &[], 3);
        let worker = resources.register("worker", &[]);
        assert_ne!(worker, ResourceId::OVERFLOW);
        assert_eq!(resources.register("one too many", &[]), ResourceId::OVERFLOW);
        assert_eq!(resources.register("worker", &[]), worker);
        assert_eq!(resources.inner.counters.resources_overflow.get(), 1);
        let name = value_of(&resources, ResourceId::OVERFLOW, SERVICE_NAME);
        assert_eq!(name.as_deref(), Some(OVERFLOW_SERVICE_NAME));
    }

    #[test]
    fn a_long_name_is_shortened_between_characters_and_counted() {
        let resources = table(None, &[], RESOURCES_MAX);
        let fits = "é".repeat(RESOURCE_VALUE_BYTES_MAX / 2);
        let id = resources.register(&fits, &[]);
        assert_eq!(value_of(&resources, id, SERVICE_NAME), Some(fits.clone()));
        assert_eq!(resources.inner.counters.resource_values_cut.get(), 0);
        let id = resources.register(&format!("x{fits}"), &[]);
        let name = value_of(&resources, id, SERVICE_NAME).unwrap();
        assert_eq!(name.len(), RESOURCE_VALUE_BYTES_MAX - 1);
        assert_eq!(resources.inner.counters.resource_values_cut.get(), 1);
    }
}

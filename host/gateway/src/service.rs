//! Whose spans these are: from what a client says about itself to a resource.
//!
//! ```text
//! connection name, else user, else OTEL_SERVICE_NAME, else unknown_service:<protocol>
//! ```
//!
//! The program that publishes and the program that consumes are two services, or no backend could
//! draw the edge between them. Both are named by what they say when they connect. The number of
//! names is bounded by the registry, which is what makes a stranger's name safe to take.

use spanbridge::resource::{ResourceId, Resources};

/// Names the programs on both sides of a broker.
#[derive(Clone, Debug)]
pub struct Services {
    resources: Resources,
    unnamed: Option<String>,
}

impl Services {
    /// Registers names with `resources`. `unnamed` is the name of every program that says none:
    /// `OTEL_SERVICE_NAME`, where it is set.
    pub const fn new(resources: Resources, unnamed: Option<String>) -> Self {
        Self { resources, unnamed }
    }

    /// The resource of a service that is called this.
    pub fn named(&self, service: &str) -> ResourceId {
        self.resources.register(service, &[])
    }

    /// The resource of a client that speaks `protocol`, by the first of its names that is not
    /// blank.
    ///
    /// Takes a lock and encodes, so ask once a session.
    pub fn of_client(&self, protocol: &str, name: Option<&str>, user: Option<&str>) -> ResourceId {
        let names = [name, user, self.unnamed.as_deref()].into_iter().flatten().map(str::trim);
        match names.into_iter().find(|text| !text.is_empty()) {
            Some(service) => self.resources.register(service, &[]),
            None => self.resources.register(&format!("unknown_service:{protocol}"), &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use spanbridge::resource::RESOURCES_MAX;

    use super::*;

    #[test]
    fn a_client_is_named_by_the_first_thing_it_says_about_itself() {
        let resources = Resources::new(None, &[], RESOURCES_MAX, std::sync::Arc::default());
        for (name, user, unnamed, expected) in [
            (Some("billing"), Some("app"), Some("all"), "billing"),
            (Some(" billing "), None, None, "billing"),
            (Some(" "), Some("app"), Some("all"), "app"),
            (None, Some("app"), None, "app"),
            (None, Some(""), Some("all"), "all"),
            (None, None, None, "unknown_service:nats"),
        ] {
            let services = Services::new(resources.clone(), unnamed.map(str::to_owned));
            let id = services.of_client("nats", name, user);
            assert_eq!(id, resources.register(expected, &[]), "{name:?} {user:?} {unnamed:?}");
        }
    }
}

//! The measures of a route: one set, and one for each template that its destinations have.
//!
//! ```text
//! orders.eu   ──▶ no ids                   ──▶ the route's own set
//! orders.17   ──▶ orders.{id}, known       ──▶ its set
//! a.b.c.42    ──▶ one template too many    ──▶ the route's own set, counted
//! ```
//!
//! A destination without ids is no label: nothing bounds what clients make up. Finding a set takes
//! a lock for reading, and allocates for a template that was not seen before.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Labels, Measurements, Measures};

/// Templates of a route that have a set each. A service has tens of kinds of destinations; more
/// come from ids that the route's rules do not find, and must not take the sets of other routes.
const TEMPLATES_MAX: usize = 64;

/// A route's measures.
#[derive(Debug)]
pub struct RouteMeasures {
    measurements: Arc<Measurements>,
    labels: Labels,
    own: Arc<Measures>,
    by_template: RwLock<HashMap<Box<[u8]>, Arc<Measures>>>,
}

impl RouteMeasures {
    /// Measures with these labels, which go on where they were if there are some already.
    pub fn new(measurements: Arc<Measurements>, labels: Labels) -> Self {
        let own = measurements.of(labels.clone());
        Self { measurements, labels, own, by_template: RwLock::default() }
    }

    /// Where a message is counted whose destination has that template.
    pub fn of(&self, template: Option<&[u8]>) -> Arc<Measures> {
        let Some(template) = template else { return Arc::clone(&self.own) };
        let known = self.by_template.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(measures) = known.get(template) {
            return Arc::clone(measures);
        }
        drop(known);
        self.of_new(template)
    }

    fn of_new(&self, template: &[u8]) -> Arc<Measures> {
        let mut known = self.by_template.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have come first.
        if let Some(measures) = known.get(template) {
            return Arc::clone(measures);
        }
        if known.len() >= TEMPLATES_MAX {
            self.measurements.counters.measures_overflow.add(1);
            return Arc::clone(&self.own);
        }
        let text = String::from_utf8_lossy(template).into_owned();
        let labels = Labels { destination_template: Some(text), ..self.labels.clone() };
        let measures = self.measurements.of(labels);
        known.insert(template.into(), Arc::clone(&measures));
        measures
    }
}

#[cfg(test)]
mod tests {
    use spanbridge::metrics::Counters;

    use super::*;

    fn labels() -> Labels {
        Labels { system: "nats".to_owned(), ..Labels::default() }
    }

    #[test]
    fn each_template_has_a_set_until_there_are_too_many_and_a_reload_finds_them_again() {
        let counters = Arc::new(Counters::default());
        let measurements = Arc::new(Measurements::new(Arc::clone(&counters)));
        let route = RouteMeasures::new(Arc::clone(&measurements), labels());
        let own = route.of(None);
        let first = route.of(Some(b"0.{id}"));
        assert!(!Arc::ptr_eq(&own, &first));
        let template = first.labels().0.destination_template.as_deref();
        assert_eq!((template, first.labels().0.system.as_str()), (Some("0.{id}"), "nats"));
        for number in 0..TEMPLATES_MAX {
            route.of(Some(format!("{number}.{{id}}").as_bytes()));
        }
        assert_eq!(counters.measures_overflow.get(), 0);
        assert!(Arc::ptr_eq(&own, &route.of(Some(b"one.more.{id}"))));
        assert_eq!(counters.measures_overflow.get(), 1);
        assert!(Arc::ptr_eq(&first, &route.of(Some(b"0.{id}"))));
        assert_eq!(measurements.all().len(), TEMPLATES_MAX + 1);

        let reloaded = RouteMeasures::new(Arc::clone(&measurements), labels());
        assert!(Arc::ptr_eq(&own, &reloaded.of(None)));
        assert!(Arc::ptr_eq(&first, &reloaded.of(Some(b"0.{id}"))));
    }
}

//! The routes of a runtime: numbers, their settings, and the header names they ask for.
//!
//! Instances come and go; this table is what each of them is brought up to date with. Every change
//! gives the changed slot a new version, so an instance can see what it lacks without comparing
//! settings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::error::Error;
use crate::fields::Fields;
use crate::settings::RouteSettings;

/// A route's number. The same in every instance of one runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub(crate) u32);

impl Route {
    /// The number, for logs.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// An open route.
#[derive(Clone, Debug)]
pub(crate) struct OpenRoute {
    pub settings: Arc<RouteSettings>,
    pub fields: Arc<Fields>,
}

/// A number's place in the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// The value of the table's version when this slot was last changed.
    pub version: u64,
    /// `None`: closed.
    pub open: Option<OpenRoute>,
}

/// The table. It has as many slots as routes were ever open at once.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    version: AtomicU64,
    slots: RwLock<Vec<Slot>>,
}

impl Routes {
    /// Grows by one with each change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The slots, by route number.
    pub(crate) fn slots(&self) -> RwLockReadGuard<'_, Vec<Slot>> {
        // A slot is written in one assignment, so a panic elsewhere leaves none half written.
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that the next route gets.
    pub(crate) fn next_number(&self, routes_max: usize) -> Result<u32, Error> {
        let slots = self.slots();
        let number = slots.iter().position(|slot| slot.open.is_none()).unwrap_or(slots.len());
        match u32::try_from(number) {
            Ok(free) if number < routes_max => Ok(free),
            _ => Err(Error::config(format!("{routes_max} routes are open, which is the most"))),
        }
    }

    /// Changes a slot, making room for it.
    pub(crate) fn set(&self, number: u32, open: Option<OpenRoute>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let index = number as usize;
        if index >= slots.len() {
            slots.resize(index + 1, Slot::default());
        }
        let version = self.version.load(Ordering::Relaxed) + 1;
        slots[index] = Slot { version, open };
        self.version.store(version, Ordering::Release);
    }

    /// The header names of a route; `None` when it is not open.
    pub(crate) fn fields(&self, route: Route) -> Option<Arc<Fields>> {
        let slots = self.slots();
        let open = slots.get(route.0 as usize)?.open.as_ref()?;
        Some(Arc::clone(&open.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Option<OpenRoute> {
        Some(OpenRoute { settings: Arc::default(), fields: Arc::default() })
    }

    #[test]
    fn numbers_are_used_again_after_they_were_closed() {
        let routes = Routes::default();
        for expected in 0..3 {
            assert_eq!(routes.next_number(3).ok(), Some(expected));
            routes.set(expected, open());
        }
        assert!(routes.next_number(3).is_err_and(|error| error.is_config()));
        routes.set(1, None);
        assert_eq!(routes.next_number(3).ok(), Some(1));
        assert!(routes.fields(Route(1)).is_none());
        assert!(routes.fields(Route(0)).is_some());
        assert!(routes.fields(Route(9)).is_none());
    }

    #[test]
    fn a_change_is_seen_in_one_slot() {
        let routes = Routes::default();
        routes.set(0, open());
        routes.set(1, open());
        routes.set(0, None);
        let versions: Vec<_> = routes.slots().iter().map(|slot| slot.version).collect();
        assert_eq!((versions, routes.version()), (vec![3, 2], 3));
    }
}

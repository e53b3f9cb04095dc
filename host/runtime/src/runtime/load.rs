//! Loading a component into a running runtime.
//!
//! ```text
//! file ─▶ compiled, linked ─▶ probed ─▶ every open route tried ─▶ spares made ─▶ exchanged
//!             │                  │                │                    │
//!             └──────────────────┴── refused: ────┴── nothing changes ─┘
//! ```
//!
//! All of this happens on the thread that asks, and none of it on a thread that carries messages.
//! Those see a number that changed and take an instance of the new component, which waits for them.
//!
//! Spans that are open stay open. Their beginning is what the old component encoded, and the new
//! one ends it: the contract has `settle` take the beginning of any component of its version.

use std::sync::{Arc, PoisonError};

use super::probe::{probe, send};
use super::{Runtime, control};
use crate::component::ComponentInfo;
use crate::error::Error;
use crate::fields::Fields;
use crate::pool::Factory;
use crate::route::OpenRoute;
use crate::source::ComponentSource;

impl Runtime {
    /// Loads another component in place of the one that is loaded, if it is fit to be.
    ///
    /// Blocks while it compiles: tens of milliseconds, up to seconds for a large one. Messages are
    /// traced by the old component meanwhile, and none waits. A tracer changes over at its next
    /// call.
    ///
    /// # Errors
    ///
    /// [`Error::is_component`] when the component cannot be read, is none, is one for another
    /// version of the contract, fails its first calls, refuses a route that is open, or asks for
    /// other headers than the loaded one. Then the loaded one stays, and nothing was changed.
    pub fn load_component(&self, source: &ComponentSource) -> Result<ComponentInfo, Error> {
        let shared = &self.shared;
        let loading = shared.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = self.try_load(source);
        drop(loading);
        match &loaded {
            Ok(_) => shared.counters.component_swaps.loaded.add(1),
            Err(_) => shared.counters.component_swaps.refused.add(1),
        }
        loaded
    }

    fn try_load(&self, source: &ComponentSource) -> Result<ComponentInfo, Error> {
        let shared = &self.shared;
        let (engine, generation) = (shared.engine.clone(), shared.pool.generation() + 1);
        let loaded = source.load(&engine, generation, &shared.code_cache, &shared.counters)?;
        let factory = Factory::new(engine, loaded, &shared.limits, shared.seed)?;
        probe(&factory)?;
        // A route that were opened from here on would not be tried.
        let changing = shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let routes: Vec<OpenRoute> =
            shared.routes.slots().iter().filter_map(|slot| slot.open.clone()).collect();
        for route in &routes {
            try_route(&factory, route)?;
        }
        let info = factory.info.clone();
        shared.pool.exchange(Arc::new(factory))?;
        drop(changing);
        Ok(info)
    }
}

/// Opens a route that is in use, and sends a message of it.
fn try_route(factory: &Factory, route: &OpenRoute) -> Result<(), Error> {
    let found = control(factory, |instance| {
        if let Err(refusal) = instance.open(0, &route.settings)? {
            return Ok(Err(refusal));
        }
        send(instance)?;
        instance.fields(0).map(Ok)
    })?;
    let found = found.map_err(|refusal| {
        Error::component(format!("expected it to take the routes that are open, found: {refusal}"))
    })?;
    // Sessions have looked the numbers up, and batches that are under way hold them.
    let (expected, found) = (spelled(&route.fields), spelled(&found));
    if expected == found {
        return Ok(());
    }
    Err(Error::component(format!(
        "expected it to ask for the headers {expected}, found {found}; other headers need a restart"
    )))
}

/// Every header name with its number, `*` behind a prefix.
fn spelled(fields: &Fields) -> String {
    let field = |(number, name): (u8, &str)| {
        let star = if fields.is_family(number) { "*" } else { "" };
        format!("{number}={name}{star}")
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" ")
}

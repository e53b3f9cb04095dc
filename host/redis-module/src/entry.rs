//! What the server calls, with a stop for panics in front of everything.
//!
//! The filter runs on the server's main thread, and so does everything else here. The lock is
//! never waited for: where it is taken, the command goes on as it came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::ffi::{Filter, InfoPage, Level, log};
use crate::module::Module;
use crate::options::Options;

static MODULE: Mutex<Option<Module>> = Mutex::new(None);

/// `CONFIG SET spanbridge.enabled`.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// What the server gets from its master must stay as it is, and nobody else may write to it.
static IS_REPLICA: AtomicBool = AtomicBool::new(false);

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Starts everything. Answers whether the module is to be loaded; if not, the log says why.
pub(crate) fn load(words: &[String], is_replica: bool) -> bool {
    IS_REPLICA.store(is_replica, Ordering::Relaxed);
    let loaded = catching(|| {
        let module = Options::parse(words).and_then(|options| Module::start(&options))?;
        log(Level::Notice, &module.greeting());
        if let Some(mut place) = place() {
            *place = Some(module);
        }
        Ok::<(), String>(())
    });
    match loaded {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            log(Level::Warning, &format!("spanbridge cannot be loaded: {error}"));
            false
        }
        None => false,
    }
}

/// Stops what was started, without waiting for spans.
pub(crate) fn forget() {
    catching(|| place().and_then(|mut place| place.take()));
}

/// A command is about to run.
pub(crate) fn filter(filter: Filter<'_>) {
    if !ENABLED.load(Ordering::Relaxed) || IS_REPLICA.load(Ordering::Relaxed) {
        return;
    }
    catching(|| {
        if let Some(module) = place().as_deref_mut().and_then(Option::as_mut) {
            module.filter(filter);
        }
    });
}

/// The server has become a replica, or a master.
pub(crate) fn role_changed(is_replica: bool) {
    IS_REPLICA.store(is_replica, Ordering::Relaxed);
}

/// The server shuts down.
pub(crate) fn shutdown() {
    ENABLED.store(false, Ordering::Relaxed);
    catching(|| {
        if let Some(module) = place().as_deref_mut().and_then(Option::as_mut) {
            module.shutdown();
        }
    });
}

/// The text of `SPANBRIDGE.INFO`.
pub(crate) fn info_text() -> String {
    let text = catching(|| Some(place()?.as_ref()?.info(is_enabled(), is_replica())));
    let panics = PANICS.load(Ordering::Relaxed);
    text.flatten().unwrap_or_default() + &format!("panics:{panics}\r\n")
}

/// Numbers for the server's own `INFO`.
pub(crate) fn info_page(page: &mut InfoPage) {
    page.number("enabled", u64::from(is_enabled()));
    page.number("panics", PANICS.load(Ordering::Relaxed));
    catching(|| {
        if let Some(module) = place().as_deref().and_then(Option::as_ref) {
            module.numbers(|name, value| page.number(name, value));
        }
    });
}

/// Answers whether messages are traced, were this a master.
pub(crate) fn is_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

fn is_replica() -> bool {
    IS_REPLICA.load(Ordering::Relaxed)
}

/// Switches tracing on or off.
pub(crate) fn set_enabled(is_enabled: bool) {
    ENABLED.store(is_enabled, Ordering::Relaxed);
}

/// `None`: it is taken, by a call that this one happened inside of.
fn place() -> Option<MutexGuard<'static, Option<Module>>> {
    match MODULE.try_lock() {
        Ok(guard) => Some(guard),
        // Whatever panicked left a batch, which the next message clears.
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn catching<T>(body: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(body));
    if result.is_err() {
        PANICS.fetch_add(1, Ordering::Relaxed);
    }
    result.ok()
}

//! What the server calls, with a stop for panics in front of everything.
//!
//! The filter runs on the server's main thread, and so does everything else here. The lock is
//! never waited for: where it is taken, the command goes on as it came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::config::Config;
use crate::ffi::{Filter, InfoPage, Level, log};
use crate::module::Module;
use crate::options::Options;

static MODULE: Mutex<Option<Module>> = Mutex::new(None);

/// The settings that are strings. No command that is traced looks at it.
static CONFIG: Mutex<Option<Config>> = Mutex::new(None);

/// `CONFIG SET spanbridge.enabled`.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// What the server gets from its master must stay as it is, and nobody else may write to it.
static IS_REPLICA: AtomicBool = AtomicBool::new(false);

/// The server was about to end.
static ENDED: AtomicBool = AtomicBool::new(false);

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Errors that no operator can cause; each has a name so that a report of one says where.
const NOT_READ: &str = "settings came before the module was loaded";
const BUSY: &str = "a setting was changed from inside of a call of the module";
const PANICKED: &str = "the module failed; `panics` in SPANBRIDGE.INFO counts it";

/// Reads the load arguments, which the settings are registered with. Answers whether the module is
/// to be loaded; if not, the log says why.
pub(crate) fn read(words: &[String], is_replica: bool) -> bool {
    IS_REPLICA.store(is_replica, Ordering::Relaxed);
    agreed(|| {
        let config = Options::parse(words).and_then(|options| Config::of(&options))?;
        with_config(|place| *place = Some(config))
    })
}

/// Starts everything, when the server has said what it was told. Answers as [`read`] does.
pub(crate) fn start() -> bool {
    agreed(|| {
        let module = with_config(|place| {
            let config = place.as_ref().ok_or(NOT_READ)?;
            let patterns = config.patterns()?;
            let (settings, warnings) = config.settings()?;
            Module::start(&patterns, settings, &warnings)
        })??;
        log(Level::Notice, &module.greeting());
        *place().ok_or(BUSY)? = Some(module);
        ENDED.store(false, Ordering::Relaxed);
        Ok(())
    })
}

/// What holds of a setting where the server was told nothing.
pub(crate) fn default_of(at: usize) -> String {
    let default = |place: &mut Option<Config>| Some(place.as_ref()?.default_of(at).to_owned());
    catching(|| with_config(default).ok().flatten()).flatten().unwrap_or_default()
}

/// What the server shows of a setting.
pub(crate) fn text_of(at: usize) -> String {
    let text = |place: &mut Option<Config>| Some(place.as_ref()?.text(at).to_owned());
    catching(|| with_config(text).ok().flatten()).flatten().unwrap_or_default()
}

/// The server was told a setting.
pub(crate) fn set(at: usize, text: &str) -> Result<(), String> {
    let set = || with_config(|place| place.as_mut().ok_or(NOT_READ)?.set(at, text))?;
    catching(set).unwrap_or_else(|| Err(PANICKED.to_owned()))
}

/// Everything that one command sets is set.
pub(crate) fn apply() -> Result<(), String> {
    let apply = || {
        let patterns = with_config(|place| place.as_ref().ok_or(NOT_READ)?.patterns())??;
        let mut place = place().ok_or(BUSY)?;
        // While it is being loaded there is none, and it starts with what was set.
        place.as_mut().map_or(Ok(()), |module| module.trace(&patterns))
    };
    catching(apply).unwrap_or_else(|| Err(PANICKED.to_owned()))
}

/// Stops what was started, without waiting for spans.
pub(crate) fn forget() {
    catching(|| place().and_then(|mut place| place.take()));
    let _ = with_config(|place| *place = None);
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
    ENDED.store(true, Ordering::Relaxed);
    catching(|| {
        if let Some(module) = place().as_deref_mut().and_then(Option::as_mut) {
            module.shutdown();
        }
    });
}

/// Answers whether there is nothing left to do.
pub(crate) fn has_ended() -> bool {
    ENDED.load(Ordering::Relaxed)
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

/// Answers whether `body` did what it had to; else the log says why it did not.
fn agreed(body: impl FnOnce() -> Result<(), String>) -> bool {
    let done = catching(body).unwrap_or_else(|| Err(PANICKED.to_owned()));
    if let Err(error) = &done {
        log(Level::Warning, &format!("spanbridge cannot be loaded: {error}"));
    }
    done.is_ok()
}

fn with_config<T>(body: impl FnOnce(&mut Option<Config>) -> T) -> Result<T, String> {
    match CONFIG.try_lock() {
        Ok(mut guard) => Ok(body(&mut guard)),
        Err(TryLockError::Poisoned(guard)) => Ok(body(&mut guard.into_inner())),
        Err(TryLockError::WouldBlock) => Err(BUSY.to_owned()),
    }
}

fn catching<T>(body: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(body));
    if result.is_err() {
        PANICS.fetch_add(1, Ordering::Relaxed);
    }
    result.ok()
}

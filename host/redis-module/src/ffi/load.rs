//! What the server calls by name, and what it is given to call.
//!
//! ```text
//! arguments ─▶ settings ─▶ the server says what it was told ─▶ threads ─▶ events, filter
//!     └──────────┴─ a fault here is undone by the server ─┘       └─ nothing fails any more
//! ```
//!
//! A module that refuses to be loaded has its commands and settings taken back by the server, but
//! not, before Redis 7.2, its events and filters. So those come last.

use std::ffi::{c_char, c_int};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    API, Api, ERR, Event, Filter, InfoPage, Level, Log, OK, Raw, SCRIPTS_CAN_GROW, bytes, find,
    log, strings, write,
};
use crate::entry;

/// The last of Valkey, major and minor, in which a script's command was seen to grow.
///
/// 9.1.2 makes room for one argument more and writes the second behind it, over whatever lies there
/// (`VM_CommandFilterArgInsert`), and ends soon after. What is between was not tried.
const GROWS_IN_SCRIPTS: c_int = 0x0008_00ff;

/// Version of the API, the only one there is.
const API_VERSION: c_int = 1;

/// The filter does not see what this module calls itself.
const FILTER_NOSELF: c_int = 1;

/// Of `RedisModule_GetContextFlags`.
const FLAG_SLAVE: c_int = 1 << 3;

const ROLE_CHANGED: Event = Event { id: 0, version: 1 };
const SHUTDOWN: Event = Event { id: 5, version: 1 };

/// Of [`ROLE_CHANGED`]: the server is a replica now.
const NOW_REPLICA: u64 = 1;

/// Nothing has run since the module was loaded.
static JUST_LOADED: AtomicBool = AtomicBool::new(false);

/// The server loads the module. Answers 0, or 1: then the server says so and does not start.
///
/// # Safety
///
/// Called by the server, with its own context and strings.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn RedisModule_OnLoad(
    context: Raw,
    arguments: *const Raw,
    count: c_int,
) -> c_int {
    // SAFETY: the context is the server's.
    let Some(api) = (unsafe { api(context) }) else { return ERR };
    let name = c"spanbridge".as_ptr();
    // SAFETY: the name is a constant, and the context that of this call.
    unsafe {
        if (api.is_busy)(name) != 0 {
            return ERR;
        }
        (api.set_attributes)(context, name, 1, API_VERSION);
    }
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the server hands over `count` strings, which outlive this call.
    let argument = |at| unsafe { bytes(api, *arguments.add(at)) };
    let words: Vec<_> =
        (0..count).map(|at| String::from_utf8_lossy(argument(at)).into_owned()).collect();
    // SAFETY: the context is that of this call.
    let is_replica = unsafe { (api.context_flags)(context) } & FLAG_SLAVE != 0;
    if !entry::read(&words, is_replica) {
        return ERR;
    }
    // SAFETY: as above.
    if unsafe { configure(api, context) } && entry::start() {
        // SAFETY: as above.
        if unsafe { subscribe(api, context) } {
            JUST_LOADED.store(true, Ordering::Relaxed);
            return OK;
        }
    }
    entry::forget();
    ERR
}

/// The server's functions. `None`: it does not have all of them, and its log says so.
///
/// # Safety
///
/// `context` is what the server hands to `RedisModule_OnLoad`.
unsafe fn api(context: Raw) -> Option<&'static Api> {
    // SAFETY: as the caller says.
    match unsafe { Api::find(context) } {
        Ok(found) => {
            // SAFETY: as the caller says.
            let can_grow = unsafe { valkey(context) }.is_none_or(|it| it <= GROWS_IN_SCRIPTS);
            SCRIPTS_CAN_GROW.store(can_grow, Ordering::Relaxed);
            Some(API.get_or_init(|| found))
        }
        Err(missing) => {
            // SAFETY: as the caller says; the server answers a function of this name's type.
            let log = unsafe {
                let log = find(context, c"RedisModule_Log")?;
                std::mem::transmute::<Raw, Log>(log)
            };
            let missing = missing.to_string_lossy();
            let text = format!(
                "spanbridge cannot be loaded: expected a server like Redis 7.0 or Valkey, found \
                 one without {missing}"
            );
            write(log, Level::Warning, &text);
            None
        }
    }
}

/// The version of Valkey, a byte for each number. `None`: it is not Valkey.
///
/// # Safety
///
/// `context` is what the server hands to `RedisModule_OnLoad`.
unsafe fn valkey(context: Raw) -> Option<c_int> {
    // SAFETY: as the caller says; the server answers a function of this name's type.
    unsafe {
        let version = find(context, c"ValkeyModule_GetServerVersion")?;
        Some(std::mem::transmute::<Raw, extern "C" fn() -> c_int>(version)())
    }
}

/// Registers what the server takes back by itself, and has it say what it was told.
///
/// # Safety
///
/// `context` is that of `RedisModule_OnLoad`.
unsafe fn configure(api: &Api, context: Raw) -> bool {
    let (command, flags) = (c"spanbridge.info".as_ptr(), c"readonly fast".as_ptr());
    let (enabled, null) = (c"enabled".as_ptr(), null_mut());
    // SAFETY: names are constants, the functions are of the types that the server calls.
    let is_registered = unsafe {
        (api.create_command)(context, command, on_command, flags, 0, 0, 0) == OK
            && (api.register_info)(context, on_info) == OK
            && (api.register_bool)(context, enabled, 1, 0, get_enabled, set_enabled, null, null)
                == OK
            && strings::register(api, context)
    };
    // SAFETY: as above.
    let is_told = is_registered && unsafe { (api.load_configs)(context) } == OK;
    if is_registered && !is_told {
        log(
            Level::Warning,
            "spanbridge cannot be loaded: the server was told a setting that is refused, as the \
             line above says",
        );
    }
    is_told
}

/// Registers what the server calls from here on.
///
/// # Safety
///
/// `context` is that of `RedisModule_OnLoad`.
unsafe fn subscribe(api: &Api, context: Raw) -> bool {
    // SAFETY: the functions are of the types that the server calls.
    unsafe {
        (api.subscribe)(context, ROLE_CHANGED, on_event) == OK
            && (api.subscribe)(context, SHUTDOWN, on_event) == OK
            // Last: from here on commands pass.
            && !(api.register_filter)(context, on_filter, FILTER_NOSELF).is_null()
    }
}

/// The server asks whether it may unload the module: 1, it may not. Its threads run code of it.
///
/// It may at its end; Valkey asks then. And it may where it has just loaded it: it takes it back
/// because `MODULE LOADEX` names a setting that nobody knows. Else Redis 7.0 would answer that the
/// load has failed, and keep the module.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn RedisModule_OnUnload(_: Raw) -> c_int {
    let taken_back = JUST_LOADED.swap(false, Ordering::Relaxed);
    if taken_back {
        log(
            Level::Warning,
            "spanbridge is taken back by the server: among the settings that it was loaded with \
             is one that spanbridge does not have",
        );
    }
    if taken_back || entry::has_ended() {
        entry::forget();
        return OK;
    }
    log(
        Level::Warning,
        "spanbridge cannot be unloaded while the server runs; CONFIG SET spanbridge.enabled no \
         switches it off",
    );
    ERR
}

extern "C" fn on_filter(raw: Raw) {
    if JUST_LOADED.load(Ordering::Relaxed) {
        JUST_LOADED.store(false, Ordering::Relaxed);
    }
    if let Some(api) = API.get() {
        entry::filter(Filter { raw, api, call: PhantomData });
    }
}

extern "C" fn on_command(context: Raw, _: *mut Raw, count: c_int) -> c_int {
    let Some(api) = API.get() else { return ERR };
    if count != 1 {
        let text = c"ERR wrong number of arguments for 'spanbridge.info' command";
        // SAFETY: the context is that of this call.
        return unsafe { (api.reply_error)(context, text.as_ptr()) };
    }
    let page = entry::info_text();
    // SAFETY: as above; the server copies the bytes.
    unsafe { (api.reply_string)(context, page.as_ptr().cast(), page.len()) }
}

extern "C" fn on_event(_: Raw, event: Event, detail: u64, _: Raw) {
    if event.id == ROLE_CHANGED.id {
        entry::role_changed(detail == NOW_REPLICA);
    } else if event.id == SHUTDOWN.id {
        entry::shutdown();
    }
}

extern "C" fn on_info(raw: Raw, for_crash_report: c_int) {
    // A crash may have happened anywhere, so nothing is allocated or locked for its report.
    if for_crash_report != 0 {
        return;
    }
    let Some(api) = API.get() else { return };
    // SAFETY: the page is that of this call; without a name the section has the module's.
    if unsafe { (api.info_section)(raw, std::ptr::null()) } == OK {
        entry::info_page(&mut InfoPage { raw });
    }
}

extern "C" fn get_enabled(_: *const c_char, _: Raw) -> c_int {
    c_int::from(entry::is_enabled())
}

extern "C" fn set_enabled(_: *const c_char, value: c_int, _: Raw, _: *mut Raw) -> c_int {
    entry::set_enabled(value != 0);
    OK
}
